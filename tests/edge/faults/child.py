"""A plant that is killed: `python -m tests.edge.faults.child` reads jobs on stdin, forks a process for each, and tells
how it ended.

A job works on one folder: it recovers what the last one left, carries open visits on, starts new ones, prints on a
paper that is a file, opens a barrier that is a file, and writes to `acked` what was answered with Done. Somewhere on
the way its crash point sends it SIGKILL. The parent of the forks has no threads, so every fork starts clean.
"""

import asyncio
import contextlib
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import structlog

from drivers.printer.document import Document, Row, Text
from drivers.readings import GateInputs, WeightReading
from drivers.scale.simulated import SimulatedScale, SimulatedScaleConfig
from edge.domain.refusal import Refusal, Words
from edge.domain.visit import Visit, VisitState
from edge.station import weighing
from edge.station.desk import Desk
from edge.station.gate_runner import GateRunner, GateSetup
from edge.station.head_office import apply_documents
from edge.station.lane_runner import LaneRunner
from edge.station.lane_scale import LaneSetup
from edge.station.live import LiveHub
from edge.station.notices import take_grant
from edge.station.pictures import PictureStore
from edge.station.printing import PrinterSetup, PrintRunner
from edge.station.station import Station
from edge.station.views import Done
from edge.store import crashpoint
from edge.store.books import Books
from edge.store.clock import Clock
from edge.store.database import Database
from edge.store.tickets import PrintJob
from sync.allotment import PlantCounters
from sync.documents import Recall
from sync.messages import Term, WireDocument
from tests.edge.station.rig import RULES, TARE_KG, make_plant, notice

ACCOUNT = "C1/coke"
EMPTY_EVERY = 4
"""Every fourth truck goes without goods."""
RESTORED_EVERY = 3
"""After every third notice head office begins a new term and recalls what is not held."""
HALF, WHOLE = "paper.half", "paper.whole"
"""Crash points of the paper itself: sync.md 3.5 number 4 and 5, which no code of ours can have."""
_DEADLINE_S = 20.0


def append(path: Path, line: dict[str, object]) -> None:
    """One JSON line that a SIGKILL cannot take back."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.write(handle, (json.dumps(line, ensure_ascii=False) + "\n").encode())
    os.fsync(handle)
    os.close(handle)


class FilePaper:
    """The virtual paper: a line when a ticket begins to appear, a line when it is whole."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def check(self) -> None:
        """Never out of paper."""

    def print(self, document: Document) -> None:
        rows = {each.label: each.value for each in document if isinstance(each, Row)}
        ticket = rows.get("单号") or rows["发货通知单"]  # an empty truck's pass has no ticket
        marked = any(isinstance(each, Text) and "补打" in each.text for each in document)
        append(self._path, {"ticket": ticket, "marked": marked, "whole": False})
        crashpoint.crashpoint(HALF)
        append(self._path, {"ticket": ticket, "marked": marked, "whole": True})
        crashpoint.crashpoint(WHOLE)


class FileBarrier:
    """A barrier that writes down each pulse."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def open_once(self) -> None:
        append(self._path, {"pulse": time.monotonic_ns()})

    def inputs(self) -> GateInputs:
        return GateInputs(vehicle_on_loop=False, boom_up=False)

    def lamp(self, green: bool) -> None:
        """No lamp."""

    def close(self) -> None:
        """Nothing to close."""


class Careless(PrintRunner):
    """Control: SENDING is not committed before the first byte."""

    async def _claim(self, job: PrintJob) -> bool:
        return True


class Worker:
    """One life of the plant on a folder."""

    def __init__(self, folder: Path, variant: str) -> None:
        self.folder = folder
        self.database = Database(folder / "plant.db", Clock())
        self.desk = Desk(make_plant(), self.database, LiveHub())
        self.station = Station(self.desk)
        pictures = PictureStore(folder / "pictures")
        setup = LaneSetup("1", Words("一号磅", "lane 1"), "toledo", RULES, None)
        scale = SimulatedScale("scale", SimulatedScaleConfig(type="simulated"))
        self.lane = LaneRunner(setup, scale, None, self.desk, pictures, self.station.link)
        runner = Careless if variant == "careless" else PrintRunner
        self.station.printers.append(runner(PrinterSetup("printer", ("1",)), FilePaper(folder / "paper"), self.desk))
        gate = GateSetup("south", Words("南门", "south gate"))
        barrier = FileBarrier(folder / "pulses")
        self.gate = GateRunner(gate, barrier, None, self.desk, pictures, self.station.link)
        self.station.gates["south"] = self.gate

    async def work(self, visits: int) -> None:
        """Recover, serve what is open, then so many new visits; all papers out at the end."""
        started = asyncio.Event()
        running = asyncio.create_task(self.station.run(started.set))
        async with asyncio.timeout(_DEADLINE_S):
            await started.wait()
            for visit in list(self.desk.snapshot.visits.values()):
                await self.serve(visit.visit)
            for slip in await self.database.read(lambda books: books.slips.recent(10)):
                if slip.used_at is None:
                    await self.leave(slip.slip.visit)
            for _ in range(visits):
                await self.serve(await self.new_visit())
            await self.papers()
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
        self.database.close()

    async def new_visit(self) -> str:
        """Head office grants money and sends a notice, and acknowledges what it got."""
        number = await self.database.read(lambda books: books.number("documents_applied")) + 1
        order = notice(f"N{number}", plate=f"浙A{number:05}")
        await self.desk.commit(lambda books: take_grant(books, ACCOUNT, 5_000_000 * number))
        wire = WireDocument(number=number, kind="notice", body=order.model_dump(mode="json"))
        await self.desk.commit(lambda books: apply_documents(books, [wire]))
        if number % RESTORED_EVERY == 0:
            await self.restored(number + 1)
        head = await self.database.read(lambda books: books.ledger.head())
        await self.station.head_office.acked(head.seq, head.hash)
        return order.notice

    async def restored(self, number: int) -> None:
        """Head office came back from a backup: a new term, and it recalls the money that is not held."""
        await self.station.head_office.follows(Term(number=number, id=f"{number:032x}"))
        recall = WireDocument(number=number, kind="recall", body=Recall(account=ACCOUNT).model_dump(mode="json"))
        await self.desk.commit(lambda books: apply_documents(books, [recall]))

    async def visit(self, name: str) -> Visit:
        found = await self.database.read(lambda books: books.visits.get(name))
        assert found is not None
        return found

    async def serve(self, name: str) -> None:
        """Carry one visit from wherever it stands to its exit."""
        visit = await self.visit(name)
        if visit.state is VisitState.NOTICED:
            done(await self.station.yard.arrive(visit.plate, "调度"))
        on_lane = self.desk.snapshot.on_lane("1")
        if on_lane is not None and on_lane.visit != name:
            await self.lane.park("调度")
        if (await self.visit(name)).state in (VisitState.QUEUED, VisitState.ADMITTED, VisitState.LOADING):
            done(await self.lane.call(name, "调度"))
        self.stand(0)
        if (await self.visit(name)).state is VisitState.ADMITTED:
            self.stand(TARE_KG)
            done(await self.lane.tare("调度"))
        if (await self.visit(name)).state is VisitState.TARED and int(name[1:]) % EMPTY_EVERY == 0:
            self.stand(TARE_KG)
            done(await self.lane.empty_exit("调度"))
            append(self.folder / "acked", {"visit": name, "ticket": name})
            return await self.leave(name)
        if (await self.visit(name)).state is VisitState.TARED:
            done(await self.lane.call(name, "调度"))
            done(await self.lane.start_loading("调度"))
        if (await self.visit(name)).state is VisitState.LOADING:
            self.stand(TARE_KG + 18_000)
            ticket = done(await self.lane.load_complete("调度", name)).ticket
            append(self.folder / "acked", {"visit": name, "ticket": ticket})
        return await self.leave((await self.visit(name)).ticket)

    async def leave(self, ticket: str) -> None:
        """Through the gate; a pass that a crash left used is overridden with name and reason."""
        stored = await self.database.read(lambda books: books.paper(ticket))
        assert stored is not None
        verdict = await self.gate.scan(stored.pass_code, "门卫")
        if verdict.verdict != "open":
            await self.gate.override("门卫", "王五", "核对放行", ticket)
        append(self.folder / "acked", {"left": ticket})

    async def papers(self) -> None:
        """Wait for all prints; what a crash left unknown is asked for as a marked copy."""
        while True:
            jobs = await self.database.read(_unfinished)
            if not jobs:
                return
            for job in jobs:
                if job.state in ("unknown", "failed"):
                    await self.station.tickets.confirm_print(job.ticket, paper_out=False, by="调度")
            await asyncio.sleep(0.002)

    def stand(self, weight_kg: int) -> None:
        """Frames of a stable weight, as if the indicator had sent them."""
        for _ in range(RULES.frames_in_a_row):
            now_ms = self.desk.clock.monotonic_ms()
            self.lane.scale.monitor.feed(WeightReading(weight_kg, True, now_ms, b"frame"))


def _unfinished(books: Books) -> list[PrintJob]:
    jobs = [job for state in ("queued", "sending", "unknown", "failed") for job in books.print_jobs.in_state(state)]
    return [job for job in jobs if books.print_jobs.latest(job.ticket) == job]


def done(outcome: Done | Refusal) -> Done:
    """The command was carried out; a refusal here is a bug of plant or test."""
    assert isinstance(outcome, Done), outcome
    return outcome


def two_commits(worker: Worker) -> None:
    """Control: the ticket in one commit, its debit in the next."""
    book: Callable[..., Done | Refusal] = weighing.load_complete
    late: dict[str, PlantCounters] = {}

    def ticket_only(books: Books, *rest: Any) -> Done | Refusal:
        put = books.accounts.put
        books.accounts.put = late.__setitem__  # type: ignore[method-assign,assignment]
        try:
            return book(books, *rest)
        finally:
            books.accounts.put = put  # type: ignore[method-assign]

    def debit(books: Books) -> None:
        for account, counters in late.items():
            books.accounts.put(account, counters)

    async def serve_and_debit(name: str) -> None:
        try:
            await plain(name)
        finally:
            await worker.desk.commit(debit)

    weighing.load_complete = ticket_only  # type: ignore[assignment]
    plain, worker.serve = worker.serve, serve_and_debit  # type: ignore[method-assign]


def live(job: dict[str, Any]) -> None:
    """The forked process: work until the end or the crash point."""
    crashpoint.arm(job["point"], job["count"])
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())

    async def work() -> None:
        worker = Worker(Path(job["folder"]), job["variant"])
        if job["variant"] == "two_commits":
            two_commits(worker)
        await worker.work(job["visits"])

    asyncio.run(work())


def main() -> None:
    """One fork for each line on stdin; one line on stdout with the status `os.waitpid` gave."""
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            status = 1
            try:
                live(json.loads(line))
                status = 0
            except BaseException:
                sys.excepthook(*sys.exc_info())
            finally:
                sys.stderr.flush()
                os._exit(status)
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{status}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
