"""The ledger replayed row by row: accounts, visits and stock as they must be, and where the tables differ.

Used by `verify` only. Rules of the replay are those of the protocol (`sync.allotment`) and of the visit's states.
"""

import sqlite3
from collections import defaultdict
from dataclasses import dataclass, field

from pydantic import ValidationError

from edge.domain.visit import HOLD_OPEN
from edge.store.findings import Findings
from edge.store.replay_alarms import AlarmReplay
from edge.store.replay_commands import CommandReplay
from edge.store.replay_epoch import EpochReplay
from edge.store.replay_orders import check_order
from edge.store.replay_plates import PlateReplay
from edge.store.replay_tickets import TicketReplay
from sync.allotment import PlantCounters, Shortage
from sync.records import (
    RECORDS,
    EpochClosed,
    Exited,
    Granted,
    Held,
    HoldChanged,
    NoticeTaken,
    Printed,
    Record,
    Returned,
    ScaleAlarmed,
    ScaleAlarmSeen,
    ScaleCommanded,
    ScaleCommandEnded,
    Sealed,
    SlipIssued,
    StockSeen,
    TermAdopted,
    Ticketed,
    VisitMoved,
    Voided,
    Weighed,
)

_FINISHED = frozenset({"cancelled", "expired", "empty_exit", "voided", "released"})
_AFTER_RELEASE = ("released", "closed", "returned")


@dataclass(slots=True)
class OpenVisit:
    """A visit that the replay has not seen end."""

    taken: NoticeTaken
    """Its newest version."""
    hold_fen: int
    state: str = "noticed"
    weighings: list[tuple[str, int]] = field(default_factory=list)
    seals: set[str] = field(default_factory=set)
    ticket: Ticketed | None = None

    @property
    def account(self) -> str:
        """Whose money is held."""
        return self.taken.account

    @property
    def tare_kg(self) -> int | None:
        """As weighed last; None before."""
        return next((mass_kg for role, mass_kg in reversed(self.weighings) if role == "tare"), None)


class Replay:
    """Feed it every ledger row in order, then `finish`."""

    def __init__(self, connection: sqlite3.Connection, findings: Findings) -> None:
        self._connection = connection
        self._findings = findings
        self._accounts: defaultdict[str, PlantCounters] = defaultdict(PlantCounters)
        self._visits: dict[str, OpenVisit] = {}
        self._finished = 0
        self._received: dict[str, int] = {}
        self._sold: defaultdict[str, int] = defaultdict(int)
        self._epoch = EpochReplay(connection, findings)
        self._alarms = AlarmReplay(connection, findings)
        self._commands = CommandReplay(findings)
        self.plates = PlateReplay(connection, findings)
        self.tickets = TicketReplay(connection, findings)

    def feed(self, seq: int, kind: str, body: str, row_hash: str) -> None:
        """One row. An unknown kind is skipped: a newer program may have written it."""
        model = RECORDS.get(kind)
        if model is None:
            return
        try:
            record = model.model_validate_json(body)
        except ValidationError as error:
            self._findings.say("records", f"ledger row {seq} ({kind}) cannot be read: {error.errors()[0]['msg']}")
            return
        self._epoch.seen(seq, kind)
        self.plates.feed(seq, record)
        try:
            self._apply(seq, record, row_hash)
        except Shortage as error:
            self._findings.say("accounts", f"ledger row {seq} ({kind}): {error}")

    def _apply(self, seq: int, record: Record, row_hash: str) -> None:
        match record:
            case NoticeTaken():
                self._taken(record)
            case HoldChanged():
                self._hold(seq, record.visit, record.hold_fen)
            case VisitMoved():
                self._moved(seq, record)
            case Weighed():
                self._weighed(seq, record)
            case Held():
                self._reach(seq, record.visit, "held")
            case Ticketed():
                self._ticketed(seq, record, row_hash)
            case Granted(account=account, granted_fen=granted_fen):
                self._accounts[account] = self._accounts[account].grant(granted_fen)
            case Returned(account=account, returned_fen=returned_fen):
                more = returned_fen - self._accounts[account].returned_fen
                if more < 0:
                    self._findings.say("accounts", f"ledger row {seq} takes back {-more} fen that {account} returned")
                self._accounts[account] = self._accounts[account].give_back(more)
            case _:
                self._afterwards(seq, record, row_hash)

    def _afterwards(self, seq: int, record: Record, row_hash: str) -> None:
        """Records about a ticket that stands already, an empty truck's slip, stock, and the scale watch."""
        match record:
            case Sealed():
                self._sealed(seq, record)
            case Exited():
                if self.tickets.left(seq, record):
                    self._end(seq, record.visit, "released")
            case SlipIssued():
                if (visit := self._open(seq, record.visit)) is not None:
                    self.tickets.slips.issued(seq, record, row_hash, visit.weighings)
            case Voided():
                self._voided(seq, record)
            case Printed():
                self.tickets.printed(seq, record)
            case StockSeen():
                self._received[record.product] = max(self._received.get(record.product, 0), record.received_kg)
            case ScaleAlarmed() | ScaleAlarmSeen() | ScaleCommanded() | ScaleCommandEnded():
                self._scale(seq, record)
            case _:
                self._epoch_changed(seq, record)

    def _scale(self, seq: int, record: ScaleAlarmed | ScaleAlarmSeen | ScaleCommanded | ScaleCommandEnded) -> None:
        if isinstance(record, ScaleAlarmed | ScaleAlarmSeen):
            self._alarms.feed(seq, record)
        elif isinstance(record, ScaleCommandEnded):
            self._commands.ended(seq, record)
        else:
            visit = self._visits.get(record.visit)
            self._commands.told(seq, record, visit.state if visit else "")

    def _epoch_changed(self, seq: int, record: Record) -> None:
        """Records about the epoch itself."""
        if isinstance(record, TermAdopted):
            self._epoch.adopted(seq, record)
        elif isinstance(record, EpochClosed):
            holds = sum(1 for visit in self._visits.values() if visit.state in HOLD_OPEN)
            self._epoch.closed(seq, record, self._accounts, holds)

    def _taken(self, record: NoticeTaken) -> None:
        known = self._visits.get(record.visit)
        before_fen = known.hold_fen if known else 0
        self._change_hold(record.account, before_fen, record.hold_fen)
        if known is None:
            self._visits[record.visit] = OpenVisit(record, record.hold_fen)
        else:
            known.taken, known.hold_fen = record, record.hold_fen

    def _hold(self, seq: int, name: str, hold_fen: int) -> None:
        visit = self._open(seq, name)
        if visit is not None:
            self._change_hold(visit.account, visit.hold_fen, hold_fen)
            visit.hold_fen = hold_fen

    def _change_hold(self, account: str, before_fen: int, hold_fen: int) -> None:
        self._accounts[account] = self._accounts[account].release(before_fen).hold(hold_fen)

    def _moved(self, seq: int, record: VisitMoved) -> None:
        visit = self._open(seq, record.visit)
        if visit is None:
            return
        visit.state = record.state
        if record.state in _FINISHED:
            if record.released_fen != visit.hold_fen:
                wrong = f"ledger row {seq} releases {record.released_fen} fen, the hold was {visit.hold_fen} fen"
                self._findings.say("accounts", wrong)
            self._accounts[visit.account] = self._accounts[visit.account].release(visit.hold_fen)
            self._end(seq, record.visit, record.state)

    def _weighed(self, seq: int, record: Weighed) -> None:
        visit = self._open(seq, record.visit)
        if visit is None:
            return
        visit.weighings.append((record.role, record.gross_kg))
        if record.role == "tare":
            visit.state = "tared"

    def _reach(self, seq: int, name: str, state: str) -> None:
        visit = self._open(seq, name)
        if visit is not None:
            visit.state = state

    def _ticketed(self, seq: int, record: Ticketed, row_hash: str) -> None:
        self.tickets.issued(seq, record, row_hash)
        if record.product in self._received:
            self._sold[record.product] += record.net_kg
        visit = self._open(seq, record.visit)
        if visit is None:
            return
        self._check_weighings(record, visit)
        counters = self._accounts[visit.account]
        lacking_fen = max(0, record.amount_fen - visit.hold_fen)
        counters = counters.hold(lacking_fen).post(visit.hold_fen + lacking_fen, record.amount_fen)
        self._accounts[visit.account] = counters
        visit.hold_fen, visit.state, visit.ticket = 0, "ticketed", record

    def _check_weighings(self, record: Ticketed, visit: OpenVisit) -> None:
        """Its gross was weighed last, its tare before any gross."""
        if visit.weighings[-1:] != [("gross", record.gross_kg)]:
            self._findings.say("weighments", f"{record.ticket}: {record.gross_kg} kg gross was not weighed last")
        roles = [role for role, _ in visit.weighings]
        before_gross = visit.weighings[: roles.index("gross")] if "gross" in roles else visit.weighings
        if before_gross[-1:] != [("tare", record.tare_kg)]:
            self._findings.say("weighments", f"{record.ticket}: no tare of {record.tare_kg} kg was weighed before it")

    def _sealed(self, seq: int, record: Sealed) -> None:
        name = self.tickets.sealed(seq, record)
        visit = self._visits.get(name)
        if visit is not None:
            visit.seals.add(record.seal)
            if len(visit.seals) == 2:  # noqa: PLR2004 - enterprise and finance
                visit.state = "sealed"

    def _voided(self, seq: int, record: Voided) -> None:
        product, net_kg = self.tickets.voided(seq, record)
        self._accounts[record.account] = self._accounts[record.account].void(record.amount_fen)
        if product in self._received:
            self._sold[product] -= net_kg
        self._end(seq, record.visit, "voided")

    def _open(self, seq: int, name: str) -> OpenVisit | None:
        visit = self._visits.get(name)
        if visit is None:
            self._findings.say("visits", f"ledger row {seq} is about visit {name}, which is not open")
        return visit

    def _end(self, seq: int, name: str, state: str) -> None:
        """A visit is over: its row must say the same, and hold nothing."""
        visit = self._visits.pop(name, None)
        if visit is None:
            self._findings.say("visits", f"ledger row {seq} ends visit {name}, which is not open")
            return
        self._finished += 1
        row = self._connection.execute("SELECT * FROM visits WHERE visit = ?", (name,)).fetchone()
        if row is None:
            self._findings.say("visits", f"visit {name} is missing from its table")
            return
        if row["state"] != state and not (state == "released" and row["state"] in _AFTER_RELEASE):
            self._findings.differ("visits", f"state of {name}", row["state"], state)
        self._findings.differ("visits", f"hold of {name} in fen", row["hold_fen"], 0)
        check_order(self._findings, row, visit.taken, visit.ticket)

    def finish(self) -> None:
        """Compare the tables with where the replay ended."""
        for name, visit in self._visits.items():
            row = self._connection.execute("SELECT * FROM visits WHERE visit = ?", (name,)).fetchone()
            if row is None:
                self._findings.say("visits", f"visit {name} is missing from its table")
                continue
            self._findings.differ("visits", f"state of {name}", row["state"], visit.state)
            self._findings.differ("visits", f"hold of {name} in fen", row["hold_fen"], visit.hold_fen)
            self._findings.differ("visits", f"tare of {name} in kg", row["tare_kg"], visit.tare_kg)
            check_order(self._findings, row, visit.taken, visit.ticket)
        count = self._connection.execute("SELECT COUNT(*) FROM visits").fetchone()[0]
        self._findings.differ("visits", "number of visits", count, self._finished + len(self._visits))
        self._compare_accounts()
        stock = {row["product"]: (row["received_kg"], row["sold_kg"]) for row in self._table("stock")}
        ledger = {product: (received, self._sold[product]) for product, received in self._received.items()}
        self._findings.differ("stock", "kg received and sold", stock, ledger)
        self.tickets.finish()
        self._alarms.finish()
        self.plates.finish()
        self._epoch.finish()

    def _compare_accounts(self) -> None:
        rows = {row["account"]: row for row in self._table("accounts")}
        for account in rows.keys() | self._accounts.keys():
            counters = self._accounts.get(account, PlantCounters())
            for name in PlantCounters.__slots__:
                table = rows[account][name] if account in rows else 0
                self._findings.differ("accounts", f"{name} of {account}", table, getattr(counters, name))
        held = self._connection.execute("SELECT COALESCE(SUM(hold_fen), 0) FROM visits").fetchone()[0]
        total = sum(row["held_fen"] for row in rows.values())
        if held != total:
            self._findings.say("accounts", f"the visits hold {held} fen together, the accounts {total} fen")

    def _table(self, name: str) -> list[sqlite3.Row]:
        return self._connection.execute(f"SELECT * FROM {name}").fetchall()
