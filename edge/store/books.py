"""The books inside one transaction: ledger, accounts, visits, tickets, print jobs, and the few numbers kept beside
them.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from edge.domain.exit_pass import ExitPass
from edge.store.clock import Clock
from edge.store.ledger import Ledger, LedgerRow
from edge.store.plates import PlateTable
from edge.store.row_sums import Rows
from edge.store.scale_alarms import ScaleAlarmTable
from edge.store.slips import SlipTable, StoredSlip
from edge.store.tickets import PrintJobs, StoredTicket, TicketTable
from edge.store.visits import AccountTable, VisitTable
from sync.record import Record

Mode = Literal["live", "fenced", "closed"]


_FENCED_SEQ = "fenced_seq"


@dataclass(frozen=True, slots=True)
class LaneRow:
    """The visit now on a lane, and the visit of that lane's last capture ('' for none)."""

    visit: str
    captured_visit: str


class Books:
    """What `Database.transact` and `Database.read` hand to their function. Valid only while that function runs."""

    def __init__(self, connection: sqlite3.Connection, clock: Clock) -> None:
        self._connection = connection
        self._meta = Rows(connection, "meta")
        self._stock = Rows(connection, "stock")
        self._lanes = Rows(connection, "lanes")
        self.clock = clock
        self.ledger = Ledger(connection, clock)
        self.accounts = AccountTable(connection)
        self.visits = VisitTable(connection)
        self.tickets = TicketTable(connection)
        self.slips = SlipTable(connection)
        self.print_jobs = PrintJobs(connection)
        self.scale_alarms = ScaleAlarmTable(connection)
        self.plates = PlateTable(connection)

    def paper(self, name: str) -> StoredTicket | StoredSlip | None:
        """What was printed under this name: a ticket's number, or the visit of an empty slip."""
        return self.tickets.get(name) or self.slips.get(name)

    def paper_of(self, exit_pass: ExitPass) -> StoredTicket | StoredSlip | None:
        """What a pass was printed on."""
        return self.slips.by_pass(exit_pass.pass_id) if exit_pass.empty else self.tickets.by_number(exit_pass.number)

    def tell(self, record: Record) -> LedgerRow:
        """Append a record that may tell of a visit's plate, so that it is found again by its visit."""
        row = self.ledger.append(record)
        self.plates.add(row.seq, record)
        return row

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Undo only what happens inside when it raises; the transaction around it goes on."""
        self._connection.execute("SAVEPOINT part")
        appended = self.ledger.appended
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK TO part")
            self.ledger.appended = appended
            raise
        finally:
            self._connection.execute("RELEASE part")

    def number(self, key: str) -> int:
        """A kept number (`acked_seq`, `documents_applied`), 0 when never set."""
        return int(self.text(key) or "0")

    def text(self, key: str) -> str:
        """A kept text (`instance`), '' when never set."""
        row = self._connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return str(row["value"]) if row else ""

    def keep(self, key: str, value: int | str) -> None:
        """Keep a number or text."""
        self._meta.put(key=key, value=str(value))

    @property
    def mode(self) -> Mode:
        """What these books may still do: everything, or nothing new (`fenced`, `closed`)."""
        return "fenced" if self.fenced else "closed" if self.text("closed") else "live"

    @property
    def closing(self) -> bool:
        """Head office ended this epoch: no new notices, and `closed` as soon as no hold is open."""
        return bool(self.text("closing"))

    @property
    def fenced(self) -> str:
        """Why these books may not sell any more, '' while they may. What is committed stands; there is no way back."""
        return self.text("fenced")

    def fence(self, why: str) -> None:
        """These books are an old copy, or not the only one: head office, or the witness file, knows of rows that they
        lack or tell otherwise. What was spent since is not in them, and would be spent a second time.

        The first reason stays. Rows written from here on, of trucks that leave, are this copy's own.
        """
        if not self.fenced:
            self.keep("fenced", why)
            self.keep(_FENCED_SEQ, self.ledger.head().seq)

    def shared_head(self) -> LedgerRow:
        """The last row that head office may be told: of a copy none that it wrote itself, for the original, should it
        come back, has other rows of those numbers."""
        return self.ledger.row(self.number(_FENCED_SEQ)) if self.fenced else self.ledger.head()

    def stock_kg(self, product: str) -> int | None:
        """What the yard has left of a product; None when no stock is kept for it."""
        row = self._connection.execute(
            "SELECT received_kg - sold_kg AS left FROM stock WHERE product = ?", (product,)
        ).fetchone()
        return int(row["left"]) if row else None

    def stock_received(self, product: str, received_kg: int) -> None:
        """The cumulative quantity taken into the yard, as head office counts it."""
        row = self._connection.execute("SELECT received_kg FROM stock WHERE product = ?", (product,)).fetchone()
        self._stock.put(product=product, received_kg=max(received_kg, row["received_kg"] if row else 0))

    def stock_moved(self, product: str, sold_kg: int) -> None:
        """A ticket took `sold_kg` from the yard (a void gives it back, negative). No effect where no stock is kept."""
        row = self._connection.execute("SELECT sold_kg FROM stock WHERE product = ?", (product,)).fetchone()
        if row is not None:
            self._stock.change({"product": product}, sold_kg=row["sold_kg"] + sold_kg)

    def lanes(self) -> dict[str, LaneRow]:
        """What stands on each lane; survives a restart in the middle of a loading."""
        rows = self._connection.execute("SELECT lane, visit, captured_visit FROM lanes")
        return {row["lane"]: LaneRow(row["visit"], row["captured_visit"]) for row in rows}

    def occupy(self, lane: str, visit: str) -> None:
        """Put a visit on a lane ('' frees it); what was captured there last stays known."""
        known = self.lanes().get(lane)
        self._lanes.put(lane=lane, visit=visit, captured_visit=known.captured_visit if known else "")

    def captured(self, lane: str, visit: str) -> None:
        """A weight of this visit was taken on this lane."""
        known = self.lanes().get(lane)
        self._lanes.put(lane=lane, visit=known.visit if known else visit, captured_visit=visit)

    def vacate(self, visit: str) -> None:
        """The visit stands on no lane any more."""
        self._lanes.change({"visit": visit}, visit="")
