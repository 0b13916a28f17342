"""Visits and accounts as rows: where each truck stands and what money is reserved for it."""

import json
import sqlite3
from datetime import datetime
from functools import lru_cache

from edge.domain.dispatch import DispatchNotice, tidy_plate
from edge.domain.refusal import Reason, Refusal
from edge.domain.ticket import SaleMode
from edge.domain.visit import IN_PLANT, HeldLoad, Visit, VisitState
from edge.store.row_sums import Rows
from sync.allotment import PlantCounters
from sync.documents import Notice
from sync.orders import digest

# The same words as the partial index `visits_open`, so that SQLite uses it.
_OPEN = "state NOT IN ('released', 'closed', 'cancelled', 'empty_exit', 'voided', 'returned', 'expired')"


def notice_from_wire(body: Notice) -> DispatchNotice:
    """Head office's document as the domain's notice."""
    fields = body.model_dump(exclude={"issued_at", "issued_by", "mode", "plate"})
    return DispatchNotice(mode=SaleMode(body.mode.value), plate=tidy_plate(body.plate), **fields)


class VisitTable:
    """All visits of this plant epoch."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._rows = Rows(connection, "visits")
        self._meta = Rows(connection, "meta")
        self._changed: set[str] = set()

    def get(self, visit: str) -> Visit | None:
        """One visit by its notice's number."""
        row = self._connection.execute("SELECT * FROM visits WHERE visit = ?", (visit,)).fetchone()
        return _visit(row) if row else None

    def take_changed(self) -> set[str]:
        """The visits written since this was asked last, perhaps by a transaction that was rolled back."""
        changed, self._changed = self._changed, set()
        return changed

    def add(self, visit: Visit, order: Notice) -> None:
        """A new visit with the notice it follows."""
        self._changed.add(visit.visit)
        self._rows.add(
            visit=visit.visit,
            notice=visit.notice.notice,
            version=visit.notice.version,
            order_body=order.model_dump_json(),
            plate=visit.plate,
            account=visit.notice.account,
            state=visit.state.value,
            hold_fen=visit.hold_fen,
            wanted_fen=visit.wanted_fen,
        )

    def came_as(self, visit: str, order: Notice) -> bool:
        """Whether the order that a visit follows is this very one."""
        row = self._connection.execute("SELECT order_body FROM visits WHERE visit = ?", (visit,)).fetchone()
        return row is not None and digest(Notice.model_validate_json(row[0])) == digest(order)

    def put(self, visit: Visit) -> None:
        """Write back all that changes in a visit's life."""
        held = visit.held
        self._changed.add(visit.visit)
        self._rows.change(
            {"visit": visit.visit},
            state=visit.state.value,
            hold_fen=visit.hold_fen,
            wanted_fen=visit.wanted_fen,
            queue_number=visit.queue_number,
            arrived_at=_text(visit.arrived_at),
            tare_kg=visit.tare_kg,
            tare_at=_text(visit.tare_at),
            held_at=_text(held.at) if held else "",
            held_refusal=json.dumps({"reason": held.refusal.reason, "numbers": held.refusal.numbers}) if held else "",
            held_gross_kg=held.gross_kg if held else None,
            ticket=visit.ticket,
        )

    def amend(self, visit: Visit, order: Notice) -> None:
        """A higher version of the notice takes the place of the old one; the plate may change, the name may not."""
        self._changed.add(visit.visit)
        self._rows.change(
            {"visit": visit.visit},
            version=order.version,
            order_body=order.model_dump_json(),
            plate=visit.plate,
            account=order.account,
        )

    def open(self) -> list[Visit]:
        """Every visit that is not finished, in the order of arrival, then of notice. No clock is asked for that."""
        rows = self._connection.execute(f"SELECT * FROM visits WHERE {_OPEN} ORDER BY queue_number, visit")
        return [_visit(row) for row in rows]

    def get_open(self, visit: str) -> Visit | None:
        """One visit while it is not finished."""
        row = self._connection.execute(f"SELECT * FROM visits WHERE visit = ? AND {_OPEN}", (visit,)).fetchone()
        return _visit(row) if row else None

    def lacking(self, account: str = "") -> list[Visit]:
        """Open visits that want more money than they hold, and held loads; of one account, or of all."""
        rows = self._connection.execute(
            f"SELECT * FROM visits WHERE {_OPEN} AND (wanted_fen > hold_fen OR held_refusal <> '')"
            " AND (account = :account OR :account = '') ORDER BY queue_number, visit",
            {"account": account},
        )
        return [_visit(row) for row in rows]

    def in_plant(self, plate: str) -> Visit | None:
        """The visit this plate is on, inside the fence."""
        marks = ",".join("?" * len(IN_PLANT))
        row = self._connection.execute(
            f"SELECT * FROM visits WHERE plate = ? AND state IN ({marks})", (plate, *sorted(IN_PLANT))
        ).fetchone()
        return _visit(row) if row else None

    def arrived_after(self, plate: str, visit: str) -> bool:
        """Whether a truck with this plate has been registered again after a visit: by queue numbers, which only grow,
        since a clock may have jumped in between.
        """
        row = self._connection.execute(
            "SELECT 1 FROM visits WHERE plate = ?"
            " AND queue_number > (SELECT queue_number FROM visits WHERE visit = ?) LIMIT 1",
            (plate, visit),
        ).fetchone()
        return row is not None

    def tares_kg(self, plate: str, without: str, limit: int) -> list[int]:
        """What this plate weighed empty in its last visits but one, oldest first; by queue numbers, as above."""
        rows = self._connection.execute(
            "SELECT tare_kg FROM visits WHERE plate = ? AND visit <> ? AND tare_kg IS NOT NULL"
            " ORDER BY queue_number DESC LIMIT ?",
            (plate, without, limit),
        ).fetchall()
        return [row["tare_kg"] for row in reversed(rows)]

    def noticed(self, plate: str) -> list[Visit]:
        """Notices waiting for this plate to arrive, oldest first."""
        rows = self._connection.execute(
            "SELECT * FROM visits WHERE plate = ? AND state = 'noticed' ORDER BY visit", (plate,)
        )
        return [_visit(row) for row in rows]

    def next_queue_number(self) -> int:
        """The next number called out to drivers."""
        row = self._connection.execute("SELECT value FROM meta WHERE key = 'queue_number'").fetchone()
        number = int(row["value"]) + 1 if row else 1
        self._meta.put(key="queue_number", value=str(number))
        return number


class AccountTable:
    """The allotment counters of each account at this plant."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._rows = Rows(connection, "accounts")

    def get(self, account: str) -> PlantCounters:
        """The counters; all zero for an account never heard of."""
        row = self._connection.execute("SELECT * FROM accounts WHERE account = ?", (account,)).fetchone()
        return _counters(row) if row else PlantCounters()

    def put(self, account: str, counters: PlantCounters) -> None:
        """Write the counters; the table's CHECKs repeat the invariant."""
        self._rows.put(
            account=account,
            granted_fen=counters.granted_fen,
            returned_fen=counters.returned_fen,
            spent_fen=counters.spent_fen,
            voided_fen=counters.voided_fen,
            held_fen=counters.held_fen,
        )

    def following(self, account: str, limit: int) -> dict[str, PlantCounters]:
        """This account and those behind it by name, at most `limit`; '' begins with the first."""
        rows = self._connection.execute(
            "SELECT * FROM accounts WHERE account >= ? ORDER BY account LIMIT ?", (account, limit)
        )
        return {row["account"]: _counters(row) for row in rows}

    def all(self) -> dict[str, PlantCounters]:
        """Every account."""
        return {row["account"]: _counters(row) for row in self._connection.execute("SELECT * FROM accounts")}


def _counters(row: sqlite3.Row) -> PlantCounters:
    return PlantCounters(row["granted_fen"], row["returned_fen"], row["spent_fen"], row["voided_fen"], row["held_fen"])


@lru_cache(512)
def _notice(order_body: str) -> DispatchNotice:
    return notice_from_wire(Notice.model_validate_json(order_body))


def _visit(row: sqlite3.Row) -> Visit:
    held = None
    if row["held_refusal"]:
        stored = json.loads(row["held_refusal"])
        refusal = Refusal(Reason(stored["reason"]), stored["numbers"])
        held = HeldLoad(row["held_gross_kg"], refusal, datetime.fromisoformat(row["held_at"]))
    return Visit(
        notice=_notice(row["order_body"]),
        state=VisitState(row["state"]),
        hold_fen=row["hold_fen"],
        wanted_fen=row["wanted_fen"],
        queue_number=row["queue_number"],
        arrived_at=_time(row["arrived_at"]),
        tare_kg=row["tare_kg"],
        tare_at=_time(row["tare_at"]),
        held=held,
        ticket=row["ticket"],
    )


def _text(moment: datetime | None) -> str:
    return moment.isoformat() if moment else ""


def _time(text: str) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
