"""The books inside one transaction: ledger, accounts, visits, tickets, print jobs, and the few numbers kept beside them."""

import sqlite3

from edge.store.clock import Clock
from edge.store.ledger import Ledger
from edge.store.tickets import PrintJobs, TicketTable
from edge.store.visits import AccountTable, VisitTable


class Books:
    """What `Database.transact` and `Database.read` hand to their function. Valid only while that function runs."""

    def __init__(self, connection: sqlite3.Connection, clock: Clock) -> None:
        self._connection = connection
        self.clock = clock
        self.ledger = Ledger(connection, clock)
        self.accounts = AccountTable(connection)
        self.visits = VisitTable(connection)
        self.tickets = TicketTable(connection)
        self.print_jobs = PrintJobs(connection)

    def number(self, key: str) -> int:
        """A kept number (`acked_seq`, `documents_applied`), 0 when never set."""
        return int(self.text(key) or "0")

    def text(self, key: str) -> str:
        """A kept text (`instance`), '' when never set."""
        row = self._connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return str(row["value"]) if row else ""

    def keep(self, key: str, value: int | str) -> None:
        """Keep a number or text."""
        self._connection.execute("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", (key, str(value)))

    def stock_kg(self, product: str) -> int | None:
        """What the yard has left of a product; None when no stock is kept for it."""
        row = self._connection.execute(
            "SELECT received_kg - sold_kg AS left FROM stock WHERE product = ?", (product,)
        ).fetchone()
        return int(row["left"]) if row else None

    def stock_received(self, product: str, received_kg: int) -> None:
        """The cumulative quantity taken into the yard, as head office counts it."""
        self._connection.execute(
            "INSERT INTO stock (product, received_kg) VALUES (?, ?)"
            " ON CONFLICT (product) DO UPDATE SET received_kg = MAX(received_kg, excluded.received_kg)",
            (product, received_kg),
        )

    def stock_moved(self, product: str, sold_kg: int) -> None:
        """A ticket took `sold_kg` from the yard (a void gives it back, negative). No effect where no stock is kept."""
        self._connection.execute("UPDATE stock SET sold_kg = sold_kg + ? WHERE product = ?", (sold_kg, product))

    def lane_visits(self, lane: str) -> tuple[str, str]:
        """The visit now on a lane, and the visit of that lane's last capture ('' for none)."""
        row = self._connection.execute("SELECT visit, captured_visit FROM lanes WHERE lane = ?", (lane,)).fetchone()
        return (row["visit"], row["captured_visit"]) if row else ("", "")

    def put_lane(self, lane: str, visit: str, captured_visit: str) -> None:
        """Remember what stands on a lane; survives a restart in the middle of a loading."""
        self._connection.execute(
            "INSERT OR REPLACE INTO lanes (lane, visit, captured_visit) VALUES (?, ?, ?)", (lane, visit, captured_visit)
        )
