"""A top-up code at a held truck, link down: the hold clears by itself; every wrong code has its own refusal."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge.domain.refusal import Reason
from edge.domain.visit import VisitState
from edge.signing import PassKey
from sync import carried
from sync.carried import CarriedGrant, TermMark
from sync.messages import Term
from sync.records import Granted
from tests.edge.station.rig import (
    KEY,
    OFFICE_KEY,
    TARE_KG,
    Lane,
    PlantRig,
    done,
    make_plant,
    notice,
    refused,
    running,
    until_async,
)

pytestmark = pytest.mark.anyio
ACCOUNT = "C1/coke"
TERM = Term(number=4, id="0123456789abcdef" * 2)
GRANT = CarriedGrant(
    PassKey(KEY).instance("HX01", 3), TermMark.of(TERM), ACCOUNT, 12_000_000, datetime(2026, 11, 23, 19, 0, tzinfo=UTC)
)


def code(key: Ed25519PrivateKey = OFFICE_KEY, **changed: object) -> str:
    """What finance's page shows."""
    return carried.write(replace(GRANT, **changed), key)  # type: ignore[arg-type]


@pytest.fixture
async def held(rig: PlantRig) -> Lane:
    """A truck held for 10 000 yuan: 25 t of 20 t paid, and the rest of the 100 000 held by another notice."""
    await rig.station.head_office.follows(TERM)
    await rig.send(notice(hold_fen=4_000_000), notice("N2", plate="浙B00002", hold_fen=6_000_000))
    lane = await rig.loading()
    await lane.stand(TARE_KG + 25_000)
    refused(await lane.runner.load_complete("调度", "N1"), Reason.OVER_BALANCE)
    return lane


async def granted_fen(rig: PlantRig) -> int:
    return await rig.read(lambda books: books.accounts.get(ACCOUNT).granted_fen)


async def test_a_code_clears_the_hold_with_the_link_down(rig: PlantRig, held: Lane) -> None:
    hold = held.runner.view().hold
    assert hold is not None and (hold.plant, hold.account, hold.lacks_fen) == ("HX01", ACCOUNT, 1_000_000)
    said = done(await held.runner.topup(code(), "李静", "N1"))
    assert "20,000.00" in said.words.zh and "20,000.00" in said.words.en

    async def ticketed() -> bool:
        return (await rig.visit()).state is VisitState.SEALED

    await until_async(ticketed)
    rows = await rig.database.read(lambda books: books.ledger.bodies("grant", 1))
    assert Granted.model_validate_json(rows[0][1]) == Granted(account=ACCOUNT, granted_fen=12_000_000, by="李静")
    again = refused(await held.runner.topup(code(), "李静"), Reason.TOPUP_USED)
    assert again.numbers == {"account": ACCOUNT, "granted_fen": 12_000_000, "code_fen": 12_000_000}
    await rig.station.head_office.granted(ACCOUNT, 12_000_000)
    assert (await rig.kinds()).count("grant") == 2, "the same total by link changes nothing"


async def test_a_code_that_is_not_enough_says_what_is_still_missing(rig: PlantRig, held: Lane) -> None:
    said = done(await held.runner.topup(code(granted_fen=10_400_000), "李静", "N1"))
    assert "还差 ￥6,000.00" in said.words.zh and "lacks ¥6,000.00" in said.words.en
    hold = held.runner.view().hold
    assert hold is not None and hold.lacks_fen == 600_000


async def test_money_for_another_account_is_booked_and_said(rig: PlantRig, held: Lane) -> None:
    said = done(await held.runner.topup(code(account="C9/coke", granted_fen=500), "李静", "N1"))
    assert "不是本车的账户" in said.words.zh
    assert await rig.read(lambda books: books.accounts.get("C9/coke").available_fen) == 500
    assert (await rig.visit()).state is VisitState.HELD


WRONG: list[tuple[Reason, str]] = [
    (Reason.TOPUP_NOT_A_CODE, "HX01-03-0000001"),
    (Reason.TOPUP_TYPO, code()[:30] + ("0" if code()[30] != "0" else "1") + code()[31:]),
    (Reason.TOPUP_TRUNCATED, code()[:100]),
    (Reason.TOPUP_FORGED, code(Ed25519PrivateKey.from_private_bytes(bytes(32)))),
    (Reason.TOPUP_OTHER_PLANT, code(instance=PassKey(KEY).instance("HX02", 3))),
    (Reason.TOPUP_OTHER_EPOCH, code(instance=PassKey(KEY).instance("HX01", 2))),
    (Reason.TOPUP_OTHER_EPOCH, code(instance=replace(GRANT.instance, fingerprint="00" * 8))),
    (Reason.TOPUP_OTHER_TERM, code(term=TermMark(3, TERM.id[:16]))),
    (Reason.TOPUP_OTHER_TERM, code(term=TermMark(5, "f" * 16))),
    (Reason.TOPUP_OTHER_TERM, code(term=TermMark(4, "f" * 16))),
    (Reason.TOPUP_USED, code(granted_fen=10_000_000)),
    (Reason.TOPUP_USED, code(granted_fen=0)),
]


@pytest.mark.parametrize(("reason", "wrong"), WRONG)
async def test_every_wrong_code_has_its_own_words(rig: PlantRig, held: Lane, reason: Reason, wrong: str) -> None:
    before = await rig.kinds()
    said = refused(await held.runner.topup(wrong, "李静", "N1"), reason)
    assert (await granted_fen(rig), await rig.kinds()) == (10_000_000, before)
    assert "{" not in said.words.zh + said.words.en
    if reason in (Reason.TOPUP_TYPO, Reason.TOPUP_TRUNCATED):
        assert f"第 {said.number('line')} 行" in said.words.zh and said.number("line") in (2, 5)


async def test_a_code_meant_for_the_truck_that_was_shown(rig: PlantRig, held: Lane) -> None:
    refused(await held.runner.topup(code(), "李静", "N7"), Reason.LANE_CHANGED)
    assert await granted_fen(rig) == 10_000_000


async def test_fenced_and_closed_books_take_no_code(rig: PlantRig, held: Lane) -> None:
    await rig.desk.commit(lambda books: books.keep("closed", "1"))
    refused(await held.runner.topup(code(), "李静"), Reason.EPOCH_CLOSED)
    await rig.desk.commit(lambda books: books.keep("closed", ""))
    await rig.desk.commit(lambda books: books.fence("a test"))
    refused(await held.runner.topup(code(), "李静"), Reason.FENCED)
    assert await granted_fen(rig) == 10_000_000
    button = next(each for each in held.runner.view().actions if each.name == "topup")
    assert not button.enabled and button.why.zh


async def test_a_plant_without_head_offices_key_or_term(tmp_path: Path) -> None:
    async with running(tmp_path, plant=make_plant(office_key=None)) as rig:
        refused(await rig.lane.runner.topup(code(), "李静"), Reason.TOPUP_NO_OFFICE)
        assert not next(each for each in rig.lane.runner.view().actions if each.name == "topup").enabled
    async with running(tmp_path) as rig:
        assert refused(await rig.lane.runner.topup(code(), "李静"), Reason.TOPUP_OTHER_TERM).number("term") == 0
