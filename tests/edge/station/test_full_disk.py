"""A disk that is really full under a running plant: no ticket, no open barrier, an alarm; then it goes on by itself."""

import asyncio
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from edge.domain.refusal import Reason, Refusal
from edge.domain.scale_watch import WatchKind, WatchRules
from edge.domain.visit import VisitState
from edge.station import lane_watch
from edge.store.books import Books
from edge.store.verify import verify
from sync.engine import BooksUnavailable
from tests.edge.disks import mounted
from tests.edge.station.rig import TARE_KG, PlantRig, done, notice, refused, running, until, until_async

pytestmark = pytest.mark.anyio


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 3 MB."""
    with mounted(tmp_path, 3) as folder:
        yield folder


def _keep(filler: str, books: Books) -> None:
    books.keep("filler", filler)


async def fill(rig: PlantRig, folder: Path) -> Path:
    """Leave no byte, and make the write-ahead log need one."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as out:
        try:
            while True:
                out.write(bytes(4096))
        except OSError:
            pass
    for number in range(200):  # what is left inside the log is used up by commits
        filler = "x" * 3000 + str(number)
        if isinstance(await rig.desk.commit(partial(_keep, filler)), Refusal):
            return ballast
    raise AssertionError("the disk never became full")


async def test_load_complete_and_gate_on_a_full_disk(small_disk: Path) -> None:
    async with running(small_disk) as rig:
        await rig.grant(10_000_000)
        await rig.send(notice(), notice("N2", plate="浙B00002"))
        first = await rig.ticketed()
        await until(lambda: len(rig.lane.printer.papers) == 1)
        await rig.lane.drive_off()
        lane = await rig.loading("N2", plate="浙B00002")
        await lane.stand(TARE_KG + 18_000)
        ballast = await fill(rig, small_disk)
        refused(await lane.runner.load_complete("调度", "N2"), Reason.STORE_FULL)
        assert any(alarm.source == "disk" for alarm in rig.desk.alarms)
        assert (await rig.visit("N2")).state is VisitState.LOADING
        verdict = await rig.gate.scan(await rig.pass_code(first), "门卫")
        assert verdict.verdict == "refuse" and verdict.why is not None and verdict.why.reason == "store_full"
        assert rig.barrier.model.pulses == 0
        with pytest.raises(BooksUnavailable):  # the engine asks head office again later
            await rig.station.head_office.granted("C1/coke", 20_000_000)
        ballast.unlink()
        ticket = done(await lane.runner.load_complete("调度", "N2")).ticket
        assert ticket == "HX01-03-0000002"
        await until(lambda: len(rig.lane.printer.papers) == 2)
        assert not any(alarm.source == "disk" for alarm in rig.desk.alarms)
        assert (await rig.gate.scan(await rig.pass_code(first), "门卫")).verdict == "open"

        async def printed() -> bool:
            stored = await rig.database.read(lambda books: books.tickets.get("HX01-03-0000002"))
            return stored is not None and stored.print_state == "sent"

        await until_async(printed)
    assert verify(small_disk / "plant.db").ok


async def test_what_the_scale_watch_finds_on_a_full_disk_is_told_when_there_is_room(
    small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lane_watch, "_RETRY_S", 0.05)
    rules = WatchRules(off=frozenset(WatchKind) - {WatchKind.NO_VEHICLE}, rest_ms=60, unseen_ms=100)
    async with running(small_disk, watch=rules) as rig:
        await rig.lane.drive_off()
        await asyncio.sleep(0.4)
        ballast = await fill(rig, small_disk)
        await rig.lane.stand(TARE_KG)  # and no vehicle is on the loops
        await until(lambda: any(alarm.source == "disk" for alarm in rig.desk.alarms))
        assert not rig.lane.runner.view().scale_alarms
        ballast.unlink()
        await until(lambda: bool(rig.lane.runner.view().scale_alarms))
    report = verify(small_disk / "plant.db")
    assert all(check.ok for check in report.checks if check.name != "epoch"), "but for the filler of the test"
