"""The gate: one verdict for every scan, closed unless everything holds, opened once."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge.domain.exit_pass import ENDLESS
from edge.domain.pass_code import base45_decode, base45_encode
from edge.domain.refusal import Reason
from edge.signing import PassKey
from edge.station.views import VerdictView
from tests.edge.station.rig import KEY, PLATE, PlantRig, done, make_plant, notice, refused, running

pytestmark = pytest.mark.anyio
PAPER = "HX01-03-0000001"


def why(verdict: VerdictView) -> str:
    """The reason of a verdict that did not open."""
    assert verdict.verdict != "open" and verdict.barrier == "" and verdict.why is not None
    assert verdict.why.zh and verdict.why.en
    return verdict.why.reason


async def released(rig: PlantRig) -> str:
    """A ticketed truck before the gate: its pass code."""
    await rig.send(notice())
    return await rig.pass_code(await rig.ticketed())


async def test_every_single_flipped_bit_is_refused(rig: PlantRig) -> None:
    raw = base45_decode(await released(rig))
    for bit in range(0, len(raw) * 8, 41):
        flipped = bytearray(raw)
        flipped[bit // 8] ^= 1 << bit % 8
        assert why(await rig.gate.scan(base45_encode(bytes(flipped)), "门卫")) in ("pass_forged", "pass_unreadable")
    assert rig.barrier.model.pulses == 0


@pytest.mark.parametrize("code", ["", "6901234567892", "https://example.invalid/x", "A" * 152, "中文", "B" * 9999])
async def test_other_codes_are_no_pass(rig: PlantRig, code: str) -> None:
    assert why(await rig.gate.scan(code, "门卫")) in ("pass_unreadable", "pass_forged")


async def test_another_plants_pass_and_an_older_epochs(rig: PlantRig) -> None:
    read = PassKey(KEY).read(await released(rig))
    foreign = PassKey(Ed25519PrivateKey.generate()).write(read)
    assert why(await rig.gate.scan(foreign, "门卫")) == "pass_forged"
    for other in (replace(read, plant_number=2), replace(read, epoch=2)):
        assert why(await rig.gate.scan(PassKey(KEY).write(other), "门卫")) == "pass_other_plant"
    for other in (replace(read, number=77), replace(read, net_kg=read.net_kg - 20), replace(read, pass_id="00" * 8)):
        assert why(await rig.gate.scan(PassKey(KEY).write(other), "门卫")) == "pass_unknown"
    refused(await rig.gate.override("门卫", "王五", "认识", PAPER), Reason.NOT_OVERRIDABLE)
    assert rig.barrier.model.pulses == 0


async def test_used_once(rig: PlantRig) -> None:
    code = await released(rig)
    assert (await rig.gate.scan(code, "门卫")).verdict == "open"
    assert why(await rig.gate.scan(code, "门卫")) == "pass_used"
    assert rig.barrier.model.pulses == 1


async def test_voided_pass_stays_shut(rig: PlantRig) -> None:
    code = await released(rig)
    done(await rig.station.tickets.void("HX01-03-0000001", "甲", "乙", "装错货"))
    assert why(await rig.gate.scan(code, "门卫")) == "pass_voided"
    refused(await rig.gate.override("门卫", "王五", "放行", PAPER), Reason.NOT_OVERRIDABLE)


async def test_another_plate_needs_a_person_with_name_and_reason(rig: PlantRig) -> None:
    code = await released(rig)
    rig.gate_camera.seen = "浙C99999"
    verdict = await rig.gate.scan(code, "门卫")
    assert why(verdict) == "plate_differs" and verdict.overridable and verdict.plate_seen == "浙C99999"
    refused(await rig.gate.override("门卫", "", "看错", PAPER), Reason.NAME_AND_REASON)
    refused(await rig.gate.override("门卫", "王五", "  ", PAPER), Reason.NAME_AND_REASON)
    opened = await rig.gate.override("门卫", "王五", "摄像误读", PAPER)
    assert isinstance(opened, VerdictView) and (opened.verdict, opened.overridden_by) == ("open", "王五")
    rows = await rig.database.read(lambda books: books.ledger.bodies("exit", 5))
    assert len(rows) == 1 and '"override_of":"plate_differs"' in rows[0][1]
    refused(await rig.gate.override("门卫", "王五", "再来", PAPER), Reason.NOTHING_TO_OVERRIDE)
    assert rig.barrier.model.pulses == 1


async def test_overriding_one_reason_shows_the_next_before_anything_opens(rig: PlantRig) -> None:
    """A copied pass on another truck: who thinks the barrier had failed must still see that the plate differs."""
    code = await released(rig)
    assert (await rig.gate.scan(code, "门卫")).verdict == "open"
    rig.gate_camera.seen = "浙C99999"
    assert why(await rig.gate.scan(code, "门卫")) == "pass_used"
    again = await rig.gate.override("门卫", "王五", "刚才没抬杆", PAPER)
    assert isinstance(again, VerdictView) and why(again) == "plate_differs" and again.overridable
    assert rig.barrier.model.pulses == 1
    opened = await rig.gate.override("门卫", "王五", "挂车车牌", PAPER)
    assert isinstance(opened, VerdictView) and opened.verdict == "open"
    (last, *_) = await rig.database.read(lambda books: books.ledger.bodies("exit", 5))
    assert '"override_of":"pass_used plate_differs"' in last[1]


async def test_an_override_is_for_the_truck_that_was_shown(rig: PlantRig) -> None:
    """While a guard types the reason for one truck, another guard scans the next."""
    code = await released(rig)
    await rig.lane.drive_off()
    await rig.send(notice("N2", plate="浙B00002"))
    second = await rig.pass_code(await rig.ticketed("N2", 1_000, plate="浙B00002"))
    rig.gate_camera.seen = "浙C99999"
    assert why(await rig.gate.scan(code, "门卫")) == "plate_differs"
    assert why(await rig.gate.scan(second, "门卫二")) == "plate_differs"
    refused(await rig.gate.override("门卫", "王五", "摄像误读", PAPER), Reason.NOTHING_TO_OVERRIDE)
    assert rig.barrier.model.pulses == 0


async def test_a_plate_that_was_not_read_asks_the_guard(rig: PlantRig) -> None:
    code = await released(rig)
    rig.gate_camera.seen = None
    verdict = await rig.gate.scan(code, "门卫")
    assert (verdict.verdict, why(verdict), verdict.overridable) == ("ask_guard", "plate_not_read", True)
    opened = await rig.gate.override("门卫", "王五", f"本人核对 {PLATE}", PAPER)
    assert isinstance(opened, VerdictView) and opened.barrier == "opened"


async def test_a_forged_pass_cannot_be_overridden(rig: PlantRig) -> None:
    code = await released(rig)
    raw = bytearray(base45_decode(code))
    raw[-1] ^= 1
    assert why(await rig.gate.scan(base45_encode(bytes(raw)), "门卫")) == "pass_forged"
    refused(await rig.gate.override("门卫", "王五", "放行", PAPER), Reason.NOTHING_TO_OVERRIDE)
    refused(await rig.gate.override("门卫", "王五", "放行", PAPER), Reason.NOTHING_TO_OVERRIDE)
    assert rig.barrier.model.pulses == 0


async def test_a_dead_barrier_is_refused_and_then_overridden(rig: PlantRig) -> None:
    code = await released(rig)
    rig.barrier.dead = True
    verdict = await rig.gate.scan(code, "门卫")
    assert (verdict.verdict, verdict.barrier, verdict.overridable) == ("refuse", "failed", True)
    assert verdict.why is not None and verdict.why.reason == "barrier_failed"
    rig.barrier.dead = False
    opened = await rig.gate.override("门卫", "王五", "道闸断电已恢复", PAPER)
    assert isinstance(opened, VerdictView) and (opened.verdict, opened.barrier) == ("open", "opened")
    assert rig.barrier.model.pulses == 1
    exits = await rig.database.read(lambda books: books.ledger.bodies("exit", 5))
    assert ['"override_of":""' in body for _, body in exits] == [False, True]


async def test_nothing_to_override_at_first(rig: PlantRig) -> None:
    refused(await rig.gate.override("门卫", "王五", "放行", PAPER), Reason.NOTHING_TO_OVERRIDE)


async def test_without_finances_seal_and_after_its_time(tmp_path: Path) -> None:
    async with running(tmp_path, plant=make_plant(finance_seals_by_rule=False)) as rig:
        await rig.grant(10_000_000)
        code = await released(rig)
        assert why(await rig.gate.scan(code, "门卫")) == "pass_unsealed"
        refused(await rig.gate.override("门卫", "王五", "放行", PAPER), Reason.NOT_OVERRIDABLE)
        done(await rig.station.tickets.seal("HX01-03-0000001", "finance", "会计"))
        refused(await rig.station.tickets.seal("HX01-03-0000001", "finance", "会计"), Reason.TICKET_SEALED)
        read = PassKey(KEY).read(code)
        late = replace(read, issued_at=datetime(2026, 1, 1, tzinfo=UTC))
        assert why(await rig.gate.scan(PassKey(KEY).write(late), "门卫")) == "pass_expired"
        doubtful = replace(late, ttl_minutes=ENDLESS)
        verdict = await rig.gate.scan(PassKey(KEY).write(doubtful), "门卫")
        assert verdict.verdict == "open", "printed while the clock was in doubt: nobody knows its time"
