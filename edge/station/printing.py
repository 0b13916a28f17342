"""Prints tickets and empty trucks' slips after their commit: QUEUED → SENDING (committed before the first byte) → SENT.

At most one original: a job found in SENDING after a crash is UNKNOWN and never sent again by itself; a person says
whether the paper came, or a copy marked 补打 n is printed. A printer that cannot print yet keeps its queue and raises
an alarm.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from drivers.ports import DeviceUnavailable, DriverError, Printer
from drivers.printer.document import Document
from drivers.worker import CommandWorker
from edge.domain.refusal import Refusal, Words
from edge.paper import empty_exit_document, ticket_document
from edge.station.desk import Desk
from edge.store.books import Books
from edge.store.crashpoint import crashpoint
from edge.store.slips import StoredSlip
from edge.store.tickets import PrintJob, StoredTicket
from sync.records import Printed

_CHECK_DEADLINE_S = 6.0
_PRINT_DEADLINE_S = 90.0
_TRY_AGAIN_S = 3.0
VOIDED = "ticket voided"
"""Why a job of a ticket that was taken back is not printed."""


@dataclass(frozen=True, slots=True)
class PrinterSetup:
    """A printer, the lanes whose tickets it prints, and the names of lanes and people as paper shows them."""

    name: str
    lanes: tuple[str, ...]
    names: Mapping[str, str] = field(default_factory=dict)


class PrintRunner:
    """Owns one printer and its jobs."""

    def __init__(self, setup: PrinterSetup, printer: Printer, desk: Desk) -> None:
        self._setup = setup
        self._printer = printer
        self._desk = desk
        self._worker = CommandWorker(setup.name)
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """There may be a new job."""
        self._woken.set()

    async def run(self) -> None:
        """Print until cancelled."""
        self._worker.start()
        while True:
            self._woken.clear()
            job = await self._desk.database.read(lambda books: books.print_jobs.next_queued(self._setup.lanes))
            if job is None:
                await self._woken.wait()
            elif not await self._ready() or not await self._print(job):
                await asyncio.sleep(_TRY_AGAIN_S)

    async def stop(self) -> None:
        """End the printer's thread."""
        await self._worker.stop()

    async def _ready(self) -> bool:
        try:
            await self._worker.call(self._printer.check, timeout_s=_CHECK_DEADLINE_S)
        except DriverError as error:
            self._alarm(error, Words("出库单在等打印机", "tickets are waiting for the printer"))
            return False
        self._desk.clear_alarm(self._setup.name)
        return True

    async def _print(self, job: PrintJob) -> bool:
        """False when nothing was sent and it should be tried again later."""
        stored = await self._desk.database.read(lambda books: books.paper(job.ticket))
        if stored is None:
            raise AssertionError(f"print job {job.job} names {job.ticket}, which does not exist")
        document = self._document(stored, job)
        crashpoint("print.before_sending")
        if not await self._claim(job):
            return False
        crashpoint("print.sending")
        try:
            await self._worker.call(lambda: self._printer.print(document), timeout_s=_PRINT_DEADLINE_S)
        except DeviceUnavailable as error:
            self._alarm(error, Words("出库单在等打印机", "tickets are waiting for the printer"))
            await self._finish(job, "queued")
            return False
        except DriverError as error:
            self._alarm(
                error, Words(f"{job.ticket} 没有打完,请补打", f"{job.ticket} was not printed completely: reprint")
            )
            await self._finish(job, "failed", error.what)
            return True
        crashpoint("print.sent_bytes")
        self._desk.clear_alarm(self._setup.name)
        await self._finish(job, "sent")
        crashpoint("print.done")
        return True

    def _document(self, stored: StoredTicket | StoredSlip, job: PrintJob) -> Document:
        return self._ticket(stored, job) if isinstance(stored, StoredTicket) else self._slip(stored, job)

    def _slip(self, stored: StoredSlip, job: PrintJob) -> Document:
        desk, names = self._desk, self._setup.names
        slip = stored.slip
        lane, operator = names.get(slip.lane, slip.lane), names.get(slip.operator, slip.operator)
        return empty_exit_document(
            replace(slip, lane=lane, operator=operator),
            pass_code=stored.pass_code,
            plant_name=desk.plant.name,
            copy_number=job.copy_number,
            ledger_mark=stored.ledger_mark,
            clock_ok=desk.clock.trusted(),
            software=desk.plant.software,
            printed_at=desk.clock.now().astimezone(desk.plant.timezone),
        )

    def _ticket(self, stored: StoredTicket, job: PrintJob) -> Document:
        desk, names = self._desk, self._setup.names
        ticket = stored.ticket
        lane, operator = names.get(ticket.lane, ticket.lane), names.get(ticket.operator, ticket.operator)
        seals = tuple(replace(seal, person=names.get(seal.person, seal.person)) for seal in stored.seals)
        return ticket_document(
            replace(ticket, lane=lane, operator=operator),
            pass_code=stored.pass_code,
            plant_name=desk.plant.name,
            copy_number=job.copy_number,
            ledger_mark=stored.ledger_mark,
            seals=seals,
            clock_ok=desk.clock.trusted(),
            software=desk.plant.software,
            printed_at=desk.clock.now().astimezone(desk.plant.timezone),
        )

    async def _claim(self, job: PrintJob) -> bool:
        """QUEUED → SENDING on disk before the first byte. False when the disk is full, or the job ended meanwhile."""

        def claim(books: Books) -> bool:
            if books.print_jobs.state(job.job) != "queued":
                return False
            stored = books.paper(job.ticket)
            if isinstance(stored, StoredTicket) and stored.voided:  # while the printer was being tried
                set_job_state(books, job, "failed", VOIDED)
                return False
            set_job_state(books, job, "sending")
            return True

        return await self._desk.commit(claim) is True

    async def _finish(self, job: PrintJob, state: str, detail: str = "") -> None:
        """Book how it ended, as often as it takes: with a full disk the job stays SENDING, nothing else is printed."""
        while True:
            booked = await self._desk.commit(lambda books: set_job_state(books, job, state, detail))
            if not isinstance(booked, Refusal):
                return
            await asyncio.sleep(_TRY_AGAIN_S)

    def _alarm(self, error: DriverError, then: Words) -> None:
        words = Words(f"打印机:{error.what};{then.zh}", f"printer: {error.what}; {then.en}")
        self._desk.raise_alarm(self._setup.name, words)


def set_job_state(books: Books, job: PrintJob, state: str, detail: str = "") -> None:
    """Move a print job; its end is also a ledger record."""
    books.print_jobs.move(job.job, state, detail)
    if state in ("sent", "failed", "unknown"):
        books.ledger.append(
            Printed.model_validate(
                {
                    "job": job.job,
                    "ticket": job.ticket,
                    "copy_number": job.copy_number,
                    "result": state,
                    "detail": detail,
                    "at": books.clock.now(),
                }
            )
        )


def settle_after_crash(books: Books) -> int:
    """At start-up: a job in SENDING may have reached the paper or not; only a person can tell. Returns how many."""
    interrupted = books.print_jobs.in_state("sending")
    for job in interrupted:
        set_job_state(books, job, "unknown", "the program ended while this was being printed")
    return len(interrupted)
