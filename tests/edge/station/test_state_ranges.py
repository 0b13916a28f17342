"""STATE with very many accounts: each message fits, one turn tells all of them, and what got lost is sent again."""

import random
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge.station import head_office
from edge.store.books import Books
from sync.allotment import PlantCounters
from sync.answers import Committed, Peer
from sync.envelope import MAX_PAYLOAD_BYTES, Kind, seal
from sync.keys import Instance
from sync.messages import Grant, State, Term
from sync.session import Tuning
from tests.edge.station.rig import PlantRig, notice, running

pytestmark = pytest.mark.anyio
KEY = Ed25519PrivateKey.generate()
TERM = Term(number=1, id="0" * 32)
MANY = 10_000


def names(count: int, length: int) -> list[str]:
    """Account names that compress badly."""
    dice = random.Random(7)
    return [f"{'' if length < 20 else ''.join(chr(dice.randrange(0x4E00, 0x9FA5)) for _ in range(length))}C{number:05}"
            for number in range(count)]  # fmt: skip


def fill(books: Books, accounts: list[str]) -> None:
    dice = random.Random(8)
    for account in accounts:
        granted = dice.randrange(10**12, 10**13)
        spent = dice.randrange(granted)
        books.accounts.put(account, PlantCounters(granted, 0, spent, dice.randrange(spent), 0))


async def one_turn(rig: PlantRig) -> list[State]:
    """STATEs until all was told once."""
    states = [await rig.station.head_office.state()]
    while states[-1].last_account:
        states.append(await rig.station.head_office.state())
        assert len(states) < 100
    return states


@pytest.mark.parametrize("length", [6, 110])
async def test_one_turn_tells_all_and_every_message_fits(tmp_path: Path, length: int) -> None:
    async with running(tmp_path) as rig:
        accounts = names(MANY, length)
        await rig.database.transact(lambda books: fill(books, accounts))
        states = await one_turn(rig)
        assert len(states) >= 5
        assert states[0].first_account == "" and states[-1].last_account == ""
        for before, after in zip(states, states[1:], strict=False):
            assert after.first_account == before.last_account, "no gap between two ranges"
        told: dict[str, int] = {}
        for state in states:
            payload = seal(Kind.STATE, Instance.of("HX01", 1, KEY), state, KEY)
            assert len(payload) <= MAX_PAYLOAD_BYTES * 0.9
            told |= {name: each.granted_fen for name, each in state.accounts.items()}
        counters = await rig.database.read(lambda books: books.accounts.all())
        assert told == {name: each.granted_fen for name, each in counters.items()}
        assert (await rig.station.head_office.state()).first_account == "", "then from the beginning again"


async def test_head_office_knows_all_after_one_turn_and_sends_what_got_lost(tmp_path: Path) -> None:
    """A grant for a name between two that the plant knows, and one behind the last, were lost on the way."""
    async with running(tmp_path) as rig:
        accounts = names(MANY, 6)
        await rig.database.transact(lambda books: fill(books, accounts))
        counters = await rig.database.read(lambda books: books.accounts.all())
        lost = {"C01999+": 500, "C01998+": 500, "ZZ": 700, "!": 900}
        committed = Committed({name: each.granted_fen for name, each in counters.items()} | lost, [], 0, "", TERM)
        peer = Peer(Tuning())
        now_ms = 0
        for account, granted_fen in lost.items():
            peer.sent(Grant(account=account, granted_fen=granted_fen, term=TERM), now_ms)
        for state in await one_turn(rig):
            now_ms += 60_000
            peer.heard(state, now_ms)
        due = {message.account for message in peer.due(committed) if isinstance(message, Grant)}
        assert due == set(lost)


async def test_who_waits_is_told_in_every_range(rig: PlantRig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(head_office, "RANGE_ACCOUNTS", 3)
    await rig.database.transact(lambda books: fill(books, [f"B{number}" for number in range(8)]))
    await rig.send(notice(account="Z/last", hold_fen=5_000_000))
    for state in await one_turn(rig):
        assert state.accounts["Z/last"].want_granted_fen == 5_000_000

    def empty(books: Books) -> None:
        for number in range(8):
            books.accounts.put(f"B{number}", PlantCounters())

    await rig.database.transact(empty)  # no record tells of them, and the books are verified at the end


async def test_few_accounts_are_all_told(rig: PlantRig) -> None:
    state = await rig.station.head_office.state()
    assert (state.first_account, state.last_account, list(state.accounts)) == ("", "", ["C1/coke"])


@pytest.mark.parametrize(
    ("changed", "wanted_fen"),
    [
        ({"hold_fen": 900_000_000}, 9_800_000),  # six axles on the road: 49 t at 2 000 yuan
        ({"hold_fen": 900_000_000, "limit_kg": 30_000}, 6_000_000),
        ({"hold_fen": 900_000_000, "vehicle_max_kg": 40_000}, 8_000_000),
        ({"hold_fen": 900_000_000, "axles": 2, "articulated": False}, 3_600_000),
        ({"hold_fen": 1_000_000, "limit_kg": 30_000}, 1_000_000),
    ],
)
async def test_no_more_is_wanted_than_the_truck_can_leave_with(
    tmp_path: Path, changed: dict[str, object], wanted_fen: int
) -> None:
    async with running(tmp_path) as rig:
        await rig.send(notice("N1", **changed))
        assert (await rig.station.head_office.state()).accounts["C1/coke"].want_granted_fen == wanted_fen
