"""The empty truck's pass 空车出门证: weighed, printed, used once, and as strict at the gate as any other."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from drivers.ports import DeviceRefused
from drivers.printer.document import Cut, Qr
from edge.domain.pass_code import base45_decode, base45_encode
from edge.domain.refusal import Reason
from edge.domain.visit import VisitState
from edge.signing import PassKey
from edge.station import printing
from edge.station.views import VerdictView
from edge.store.slips import StoredSlip
from edge.store.verify import verify
from tests.edge.station.rig import KEY, PLATE, TARE_KG, PlantRig, done, notice, refused, running, until, until_async

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def _try_again_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(printing, "_TRY_AGAIN_S", 0.05)


async def empty(rig: PlantRig, name: str = "N1") -> StoredSlip:
    """A truck that goes without goods: its slip."""
    await rig.send(notice(name))
    lane = await rig.loading(name)
    await lane.stand(TARE_KG + 40)
    said = done(await lane.runner.empty_exit("调度"))
    assert "请取空车出门证" in said.words.zh and "take the slip" in said.words.en and said.ticket is None
    stored = await rig.database.read(lambda books: books.slips.get(name))
    assert stored is not None
    return stored


async def print_state(rig: PlantRig, wanted: str) -> None:
    """Wait until the slip's latest print job is in this state."""

    async def there() -> bool:
        job = await rig.database.read(lambda books: books.print_jobs.latest("N1"))
        return job is not None and job.state == wanted

    await until_async(there)


def why(verdict: VerdictView) -> str:
    """The reason of a verdict that did not open."""
    assert verdict.verdict != "open" and verdict.barrier == "" and verdict.why is not None
    return verdict.why.reason


async def test_from_the_scale_to_the_road(rig: PlantRig) -> None:
    stored = await empty(rig)
    slip = stored.slip
    assert (slip.plate, slip.tare_kg, slip.exit_kg, slip.lane) == (PLATE, TARE_KG, TARE_KG + 40, "1")
    kinds = await rig.kinds()
    at = kinds.index("empty_slip")
    assert kinds[at - 1 : at + 2] == ["weighment", "empty_slip", "visit"]
    visit = await rig.visit()
    assert (visit.state, visit.hold_fen) == (VisitState.EMPTY_EXIT, 0)
    await print_state(rig, "sent")
    printer = rig.lane.printer
    assert Qr(stored.pass_code, module_dots=8) in printer.papers[0]
    assert sum(isinstance(element, Cut) for element in printer.papers[0]) == 1
    assert "空车出门证" in printer.texts(0) and not any("补打" in text for text in printer.texts(0))
    verdict = await rig.gate.scan(stored.pass_code, "门卫")
    assert (verdict.verdict, verdict.barrier, verdict.plate_pass) == ("open", "opened", PLATE)
    assert verdict.ticket is not None
    assert (verdict.ticket.mode, verdict.ticket.net_kg, verdict.ticket.state) == ("empty", 0, "released")
    (row,) = await rig.database.read(lambda books: books.ledger.bodies("exit", 5))
    assert '"ticket":"N1"' in row[1] and '"visit":"N1"' in row[1]
    today = rig.gate.view().today
    assert [(each.plate, each.net_kg, each.verdict) for each in today] == [(PLATE, 0, "open")]
    assert (await rig.visit()).state is VisitState.EMPTY_EXIT
    refused(await rig.lane.runner.empty_exit("调度"), Reason.NO_VISIT)


async def test_once_and_the_copy_carries_the_same_pass(rig: PlantRig) -> None:
    stored = await empty(rig)
    await print_state(rig, "sent")
    done(await rig.station.tickets.reprint("N1", "调度"))
    await until(lambda: len(rig.lane.printer.papers) == 2)
    assert any("补打 1" in text for text in rig.lane.printer.texts(1))
    assert Qr(stored.pass_code, module_dots=8) in rig.lane.printer.papers[1]
    assert (await rig.gate.scan(stored.pass_code, "门卫")).verdict == "open"
    assert why(await rig.gate.scan(stored.pass_code, "门卫")) == "pass_used"
    assert rig.barrier.model.pulses == 1
    (shown,) = await rig.station.tickets.recent()
    assert shown == await rig.station.tickets.find("N1")
    assert (shown.ticket, shown.copies, shown.used_at != "") == ("N1", 1, True)
    refused(await rig.station.tickets.void("N1", "甲", "乙", "错"), Reason.TICKET_UNKNOWN)
    refused(await rig.station.tickets.seal("N1", "finance", "会计"), Reason.TICKET_UNKNOWN)


async def test_another_plate_and_none(rig: PlantRig) -> None:
    code = (await empty(rig)).pass_code
    rig.gate_camera.seen = "浙C99999"
    verdict = await rig.gate.scan(code, "门卫")
    assert (why(verdict), verdict.overridable) == ("plate_differs", True)
    (row,) = await rig.database.read(lambda books: books.ledger.bodies("gate_refused", 5))
    assert '"ticket":"N1"' in row[1]
    rig.gate_camera.seen = None
    assert (await rig.gate.scan(code, "门卫")).verdict == "ask_guard"
    opened = await rig.gate.override("门卫", "王五", f"本人核对 {PLATE}", "N1")
    assert isinstance(opened, VerdictView) and (opened.verdict, opened.barrier) == ("open", "opened")
    assert rig.barrier.model.pulses == 1


async def test_what_is_not_our_slip_stays_shut(rig: PlantRig) -> None:
    code = (await empty(rig)).pass_code
    key = PassKey(KEY)
    read = key.read(code)
    assert (read.number, read.net_kg, read.plate_hash) == (0, 0, key.plate_hash(PLATE))
    forged = bytearray(base45_decode(code))
    forged[-1] ^= 1
    for changed, reason in (
        (replace(read, plant_number=2), "pass_other_plant"),
        (replace(read, pass_id="00" * 8), "pass_unknown"),
        (replace(read, net_kg=20), "pass_unknown"),
        (replace(read, number=1), "pass_unknown"),
        (replace(read, issued_at=datetime(2026, 1, 1, tzinfo=UTC)), "pass_expired"),
    ):
        assert why(await rig.gate.scan(key.write(changed), "门卫")) == reason
    assert why(await rig.gate.scan(base45_encode(bytes(forged)), "门卫")) == "pass_forged"
    assert rig.barrier.model.pulses == 0


async def test_a_truck_that_comes_again_cannot_leave_loaded_as_empty(rig: PlantRig) -> None:
    code = (await empty(rig)).pass_code
    await rig.send(notice("N2"))
    ticket = await rig.ticketed("N2")
    assert why(await rig.gate.scan(code, "门卫")) == "pass_voided"
    assert (await rig.gate.scan(await rig.pass_code(ticket), "门卫")).verdict == "open"
    assert why(await rig.gate.scan(code, "门卫")) == "pass_voided"
    assert rig.barrier.model.pulses == 1


async def test_restart_while_printing_and_with_a_dead_barrier(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        rig.lane.printer.fault = DeviceRefused("printer 1", "cover open", "Close it")
        code = (await empty(rig)).pass_code
        job = await rig.database.read(lambda books: books.print_jobs.latest("N1"))
        assert job is not None
        await rig.desk.commit(lambda books: printing.set_job_state(books, job, "sending"))
        rig.barrier.dead = True
        verdict = await rig.gate.scan(code, "门卫")
        assert (verdict.barrier, verdict.ticket is not None) == ("failed", True)
    async with running(tmp_path) as rig:
        await print_state(rig, "unknown")
        assert rig.lane.printer.papers == []
        done(await rig.station.tickets.confirm_print("N1", paper_out=False, by="调度"))
        await until(lambda: len(rig.lane.printer.papers) == 1)
        assert any("补打 1" in text for text in rig.lane.printer.texts(0))
        await until(lambda: len(rig.gate.view().today) == 1)
        assert rig.gate.view().today[0].net_kg == 0
        assert why(await rig.gate.scan(code, "门卫")) == "pass_used"
        opened = await rig.gate.override("门卫", "王五", "断电,道闸未开", "N1")
        assert isinstance(opened, VerdictView) and opened.barrier == "opened"
        assert rig.barrier.model.pulses == 1
    assert verify(tmp_path / "plant.db").ok
