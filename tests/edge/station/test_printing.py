"""Papers: printed after the commit, at most one original, every other one marked."""

from pathlib import Path

import pytest

from drivers.ports import DeviceRefused, DeviceTimeout, DeviceUnavailable
from drivers.printer.document import Cut
from edge.domain.refusal import Reason
from edge.station import printing
from edge.station.views import Done
from edge.store.books import Books
from tests.edge.station.rig import PlantRig, done, notice, refused, running, until, until_async

pytestmark = pytest.mark.anyio
TICKET = "HX01-03-0000001"


@pytest.fixture(autouse=True)
def _try_again_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(printing, "_TRY_AGAIN_S", 0.05)


async def print_state(rig: PlantRig, wanted: str) -> None:
    """Wait until the ticket's latest print job is in this state."""

    async def there() -> bool:
        job = await rig.database.read(lambda books: books.print_jobs.latest(TICKET))
        return job is not None and job.state == wanted

    await until_async(there)


async def test_one_original_with_five_copies_and_marked_reprints(rig: PlantRig) -> None:
    await rig.send(notice())
    await rig.ticketed()
    await print_state(rig, "sent")
    printer = rig.lane.printer
    assert sum(isinstance(element, Cut) for element in printer.papers[0]) == 5
    assert not any("补打" in text for text in printer.texts(0))
    for copy in (1, 2):
        done(await rig.station.tickets.reprint(TICKET, "调度"))
        await until(lambda copy=copy: len(printer.papers) == copy + 1)  # type: ignore[misc]
        await print_state(rig, "sent")
        assert sum(f"补打 {copy}" in text for text in printer.texts(copy)) == 5
    assert (await rig.station.tickets.recent())[0].copies == 2
    refused(await rig.station.tickets.reprint("HX01-03-9999999", "调度"), Reason.TICKET_UNKNOWN)


async def test_without_paper_the_ticket_waits_and_is_then_the_original(rig: PlantRig) -> None:
    printer = rig.lane.printer
    printer.fault = DeviceRefused("printer 1", "paper out 缺纸", "Put in a new roll 换纸")
    await rig.send(notice())
    await rig.ticketed()
    await until(lambda: any(alarm.source == "printer 1" for alarm in rig.desk.alarms))
    refused(await rig.station.tickets.reprint(TICKET, "调度"), Reason.PRINT_PENDING)
    assert printer.papers == []
    printer.fault = None
    await print_state(rig, "sent")
    assert not any("补打" in text for text in printer.texts(0))
    await until(lambda: not any(alarm.source == "printer 1" for alarm in rig.desk.alarms))


async def test_switched_off_before_the_first_byte_is_tried_again(rig: PlantRig) -> None:
    rig.lane.printer.fault_in_print = DeviceUnavailable("printer 1", "switched off", "Switch it on")
    await rig.send(notice())
    await rig.ticketed()
    await print_state(rig, "sent")
    assert len(rig.lane.printer.papers) == 1


async def test_died_half_way_stands_and_the_reprint_is_marked(rig: PlantRig) -> None:
    rig.lane.printer.fault_in_print = DeviceTimeout("printer 1", "after 512 bytes", "Look at the paper")
    await rig.send(notice())
    ticket = await rig.ticketed()
    await print_state(rig, "failed")
    assert rig.lane.printer.papers == []
    assert (await rig.station.tickets.find(ticket)) is not None
    done(await rig.station.tickets.confirm_print(ticket, paper_out=False, by="调度"))
    await until(lambda: len(rig.lane.printer.papers) == 1)
    assert any("补打 1" in text for text in rig.lane.printer.texts(0))


async def test_restart_while_printing_is_unknown_and_never_a_second_original(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        await rig.grant(10_000_000)
        rig.lane.printer.fault = DeviceRefused("printer 1", "cover open", "Close it")
        await rig.send(notice())
        await rig.ticketed()

        def interrupted(books: Books) -> None:
            job = books.print_jobs.latest(TICKET)
            assert job is not None
            printing.set_job_state(books, job, "sending")

        await rig.desk.commit(interrupted)
    async with running(tmp_path) as rig:
        await print_state(rig, "unknown")
        assert any(alarm.source == "printing" for alarm in rig.desk.alarms)
        assert rig.lane.printer.papers == []
        assert isinstance(await rig.station.tickets.confirm_print(TICKET, paper_out=False, by="调度"), Done)
        await until(lambda: len(rig.lane.printer.papers) == 1)
        assert any("补打 1" in text for text in rig.lane.printer.texts(0))


async def test_the_paper_was_there_after_all(rig: PlantRig) -> None:
    rig.lane.printer.fault_in_print = DeviceTimeout("printer 1", "no answer", "Look at the paper")
    await rig.send(notice())
    await rig.ticketed()
    await print_state(rig, "failed")
    done(await rig.station.tickets.confirm_print(TICKET, paper_out=True, by="调度"))
    await print_state(rig, "sent")
    assert rig.lane.printer.papers == []


async def test_a_voided_ticket_is_not_printed_any_more(rig: PlantRig) -> None:
    rig.lane.printer.fault = DeviceRefused("printer 1", "paper out 缺纸", "Put in a new roll 换纸")
    await rig.send(notice())
    await rig.ticketed()
    done(await rig.station.tickets.void(TICKET, "甲", "乙", "装错货"))
    rig.lane.printer.fault = None
    await print_state(rig, "failed")
    assert rig.lane.printer.papers == []
    refused(await rig.station.tickets.reprint(TICKET, "调度"), Reason.TICKET_VOIDED)


async def test_a_ticket_voided_while_its_printer_was_tried_is_not_printed_later(rig: PlantRig) -> None:
    await rig.send(notice())
    printer = rig.lane.printer
    printer.fault = DeviceUnavailable("printer", "off", "switch it on")
    await rig.ticketed()
    await rig.desk.commit(lambda books: books.print_jobs.move(1, "sending", ""))
    done(await rig.station.tickets.void(TICKET, "甲", "乙", "装错货"))
    await rig.desk.commit(lambda books: books.print_jobs.move(1, "queued", ""))
    printer.fault = None
    await until_async(lambda: settled(rig))
    assert printer.papers == []


async def settled(rig: PlantRig) -> bool:
    job = await rig.database.read(lambda books: books.print_jobs.latest(TICKET))
    return job is not None and job.state not in ("queued", "sending")
