"""Tickets, their seals, their passes and their print jobs as rows."""

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import datetime

from pydantic_core import to_json

from edge.domain.ticket import OutboundTicket, SaleMode, SealKind, SealMark
from edge.store.row_sums import Rows


@dataclass(frozen=True, slots=True)
class StoredTicket:
    """A ticket with what happened to it since. `print_state` and `copies` are of its latest print job."""

    ticket: OutboundTicket
    pass_code: str
    ledger_mark: str
    voided: bool
    seals: tuple[SealMark, ...]
    used_at: datetime | None
    opened: bool
    copies: int
    print_state: str

    @property
    def lane(self) -> str:
        """Where it was weighed, and is printed."""
        return self.ticket.lane

    @property
    def missing_seal(self) -> SealKind | None:
        """The first seal that is still missing."""
        present = {seal.kind for seal in self.seals}
        return next((kind for kind in SealKind if kind not in present), None)


_SELECT = """
SELECT t.*, u.at AS used_at, u.opened AS opened,
    (SELECT COUNT(*) - 1 FROM print_jobs p WHERE p.ticket = t.ticket) AS copies,
    (SELECT state FROM print_jobs p WHERE p.ticket = t.ticket ORDER BY copy_number DESC LIMIT 1) AS print_state
FROM tickets t LEFT JOIN passes_used u ON u.pass_id = t.pass_id
"""


class TicketTable:
    """All tickets of this plant epoch, numbered without gaps from 1."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._rows = Rows(connection, "tickets")
        self._passes = Rows(connection, "passes_used")

    def next_number(self) -> int:
        """The next number; taken by adding the ticket in the same transaction."""
        row = self._connection.execute("SELECT COALESCE(MAX(number), 0) + 1 AS number FROM tickets").fetchone()
        return int(row["number"])

    def add(self, ticket: OutboundTicket, pass_code: str, ledger_mark: str, seals: Iterable[SealMark] = ()) -> None:
        """A new ticket; visit, number and pass are unique."""
        body = {name: _plain(getattr(ticket, name)) for name in _FIELDS}
        self._rows.add(
            number=ticket.number,
            ticket=ticket.ticket,
            visit=ticket.visit,
            pass_id=ticket.pass_id,
            pass_code=pass_code,
            business_date=ticket.business_date,
            body=to_json(body).decode(),
            ledger_mark=ledger_mark,
            net_kg=ticket.net_kg,
            amount_fen=ticket.amount_fen,
            **_sealed(*seals),
        )

    def get(self, ticket: str) -> StoredTicket | None:
        """One ticket by its printed number."""
        row = self._connection.execute(f"{_SELECT} WHERE t.ticket = ?", (ticket,)).fetchone()
        return _stored(row) if row else None

    def by_number(self, number: int) -> StoredTicket | None:
        """One ticket by its plain number, as a pass carries it."""
        row = self._connection.execute(f"{_SELECT} WHERE t.number = ?", (number,)).fetchone()
        return _stored(row) if row else None

    def recent(self, limit: int) -> list[StoredTicket]:
        """The newest tickets first."""
        return [_stored(row) for row in self._connection.execute(f"{_SELECT} ORDER BY t.number DESC LIMIT ?", (limit,))]

    def of_day(self, business_date: str) -> list[StoredTicket]:
        """All tickets of a business date (YYYY-MM-DD) in their order."""
        rows = self._connection.execute(f"{_SELECT} WHERE t.business_date = ? ORDER BY t.number", (business_date,))
        return [_stored(row) for row in rows]

    def sums(self, period: str) -> dict[str, int]:
        """Counts and sums over business dates that begin with `period` (YYYY-MM-DD or YYYY-MM)."""
        row = self._connection.execute(
            "SELECT COUNT(*) AS tickets, COUNT(void_seq) AS voided, COUNT(u.pass_id) AS released,"
            " COALESCE(SUM(CASE WHEN void_seq IS NULL THEN net_kg END), 0) AS net_kg,"
            " COALESCE(SUM(CASE WHEN void_seq IS NULL THEN amount_fen END), 0) AS amount_fen"
            " FROM tickets t LEFT JOIN passes_used u ON u.pass_id = t.pass_id"
            " WHERE business_date >= ? AND business_date < ?",
            (period, f"{period}~"),
        ).fetchone()
        return {name: int(row[name]) for name in ("tickets", "released", "voided", "net_kg", "amount_fen")}

    def seal(self, ticket: str, seal: SealMark) -> None:
        """Set one of the two seals."""
        self._rows.change({"ticket": ticket}, **_sealed(seal))

    def void(self, ticket: str, seq: int) -> None:
        """Mark as void, pointing at the ledger row that says so."""
        self._rows.change({"ticket": ticket}, void_seq=seq)

    def use_pass(self, pass_id: str, ticket: str, gate: str, at: datetime) -> None:
        """The single use of a pass; a second one violates the primary key."""
        self._passes.add(pass_id=pass_id, ticket=ticket, gate=gate, at=at.isoformat())

    def opened(self, pass_id: str) -> None:
        """The barrier took the command for this pass."""
        self._passes.change({"pass_id": pass_id}, opened=1)


_OPEN_JOB = "state <> 'sent'"  # the partial index's own words: without them every job ever printed is read


@dataclass(frozen=True, slots=True)
class PrintJob:
    """One printing of one ticket, or of a visit's empty slip: copy 0 is the original, n is 补打 n."""

    job: int
    ticket: str
    lane: str
    copy_number: int
    state: str
    detail: str
    by: str


class PrintJobs:
    """The print journal QUEUED → SENDING → SENT (or FAILED, UNKNOWN after a crash)."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._rows = Rows(connection, "print_jobs")

    def add(self, ticket: str, lane: str, by: str) -> PrintJob:
        """Queue the next copy of a ticket: the original first, then reprints."""
        number, copy = self._connection.execute(
            "SELECT (SELECT COALESCE(MAX(job), 0) + 1 FROM print_jobs), COALESCE(MAX(copy_number), -1) + 1"
            " FROM print_jobs WHERE ticket = ?",
            (ticket,),
        ).fetchone()
        job = PrintJob(number, ticket, lane, copy, "queued", "", by)
        self._rows.add(job=number, ticket=ticket, lane=lane, copy_number=copy, state=job.state, by=by)
        return job

    def move(self, job: int, state: str, detail: str = "") -> None:
        """Set a job's state."""
        self._rows.change({"job": job}, state=state, detail=detail)

    def next_queued(self, lanes: tuple[str, ...]) -> PrintJob | None:
        """The oldest job waiting for one of these lanes' printers."""
        marks = ",".join("?" * len(lanes))
        row = self._connection.execute(
            f"SELECT * FROM print_jobs WHERE state = 'queued' AND {_OPEN_JOB} AND lane IN ({marks})"
            " ORDER BY job LIMIT 1",
            lanes,
        ).fetchone()
        return _job(row) if row else None

    def in_state(self, state: str) -> list[PrintJob]:
        """All jobs in a state other than sent, oldest first."""
        rows = self._connection.execute(
            f"SELECT * FROM print_jobs WHERE state = ? AND {_OPEN_JOB} ORDER BY job", (state,)
        )
        return [_job(row) for row in rows]

    def state(self, job: int) -> str:
        """A job's state now, '' when there is no such job."""
        row = self._connection.execute("SELECT state FROM print_jobs WHERE job = ?", (job,)).fetchone()
        return str(row["state"]) if row else ""

    def latest(self, ticket: str) -> PrintJob | None:
        """The newest job of a ticket."""
        row = self._connection.execute(
            "SELECT * FROM print_jobs WHERE ticket = ? ORDER BY copy_number DESC LIMIT 1", (ticket,)
        ).fetchone()
        return _job(row) if row else None


def _job(row: sqlite3.Row) -> PrintJob:
    return PrintJob(**{name: row[name] for name in PrintJob.__slots__})


_FIELDS = tuple(field.name for field in fields(OutboundTicket))


def _sealed(*seals: SealMark) -> dict[str, str]:
    """The columns of these seals."""
    return {
        column: value
        for seal in seals
        for column, value in ((f"{seal.kind.value}_seal", seal.person), (f"{seal.kind.value}_at", seal.at.isoformat()))
    }


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else value


def _ticket(body: str) -> OutboundTicket:
    told = json.loads(body)
    told["mode"] = SaleMode(told["mode"])
    for name in ("tare_at", "gross_at"):
        told[name] = datetime.fromisoformat(told[name])
    return OutboundTicket(**told)


def _stored(row: sqlite3.Row) -> StoredTicket:
    seals = tuple(
        SealMark(kind, row[f"{kind.value}_seal"], datetime.fromisoformat(row[f"{kind.value}_at"]))
        for kind in SealKind
        if row[f"{kind.value}_seal"]
    )
    return StoredTicket(
        ticket=_ticket(row["body"]),
        pass_code=row["pass_code"],
        ledger_mark=row["ledger_mark"],
        voided=row["void_seq"] is not None,
        seals=seals,
        used_at=datetime.fromisoformat(row["used_at"]) if row["used_at"] else None,
        opened=bool(row["opened"]),
        copies=max(0, row["copies"] or 0),
        print_state=row["print_state"] or "",
    )
