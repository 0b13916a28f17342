"""What the books say right now, read after each commit before anybody writes again: the source of all views."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from edge.domain.visit import HOLD_OPEN, Visit, VisitState
from edge.store.books import Books, LaneRow, Mode
from sync.allotment import PlantCounters
from sync.road_limits import road_limit_kg
from sync.units import amount_fen


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Open visits by name, their accounts, what stands on the lanes, print states, what waits for
    head office.
    """

    visits: dict[str, Visit] = field(default_factory=dict)
    accounts: dict[str, PlantCounters] = field(default_factory=dict)
    lanes: dict[str, LaneRow] = field(default_factory=dict)
    print_states: dict[str, str] = field(default_factory=dict)
    waiting_records: int = 0
    oldest_waiting_at: datetime | None = None
    mode: Mode = "live"
    closing: bool = False

    def on_lane(self, lane: str) -> Visit | None:
        """The visit standing on a lane, finished or not known any more = None."""
        row = self.lanes.get(lane)
        return self.visits.get(row.visit) if row else None

    def captured_on(self, lane: str) -> str:
        """Whose weight was taken last on this lane."""
        row = self.lanes.get(lane)
        return row.captured_visit if row else ""

    def lane_of(self, visit: str) -> str:
        """The lane a visit stands on, '' for none."""
        return next((lane for lane, row in self.lanes.items() if row.visit == visit), "")

    def in_states(self, *states: VisitState) -> list[Visit]:
        """Open visits in any of these states, by queue number, then notice."""
        found = [visit for visit in self.visits.values() if visit.state in states]
        return sorted(found, key=lambda visit: (visit.queue_number, visit.visit))


def read_snapshot(books: Books, before: Snapshot | None) -> Snapshot:
    """Everything the views need. Of the visits only those are read that were written since `before`: with thousands of
    open notices all of them would take seconds. None reads all.
    """
    changed = books.visits.take_changed()
    if before is None:
        visits = {visit.visit: visit for visit in books.visits.open()}
    else:
        visits = dict(before.visits)
        for name in changed:
            visits.pop(name, None)
            if (visit := books.visits.get_open(name)) is not None:
                visits[name] = visit
    tickets = [visit.ticket for visit in visits.values() if visit.ticket]
    jobs = {ticket: books.print_jobs.latest(ticket) for ticket in tickets}
    acked = books.number("acked_seq")
    head = books.ledger.head().seq
    return Snapshot(
        visits=visits,
        accounts={name: books.accounts.get(name) for name in {visit.notice.account for visit in visits.values()}},
        lanes=books.lanes(),
        print_states={ticket: job.state for ticket, job in jobs.items() if job},
        waiting_records=head - acked,
        oldest_waiting_at=books.ledger.at(acked + 1),
        mode=books.mode,
        closing=books.closing,
    )


def missing_fen(lacking: Iterable[Visit]) -> Counter[str]:
    """How much more the visits of each account can use here: short holds, and what held loads are over."""
    missing: Counter[str] = Counter()
    for visit in lacking:
        if visit.state in HOLD_OPEN:
            wanted_fen = max(min(visit.wanted_fen, _most_fen(visit)), visit.held_amount_fen)
            missing[visit.notice.account] += max(0, wanted_fen - visit.hold_fen)
    return missing


def _most_fen(visit: Visit) -> int:
    """The price of the heaviest load that this truck may leave with: more money than that is of no use to it."""
    notice = visit.notice
    hard_kg = road_limit_kg(notice.axles, notice.articulated)
    if notice.vehicle_max_kg is not None:
        hard_kg = min(hard_kg, notice.vehicle_max_kg)
    net_kg = max(0, hard_kg - (visit.tare_kg or 0))
    if notice.limit_kg is not None:
        net_kg = min(net_kg, notice.limit_kg)
    return amount_fen(net_kg, notice.price_fen_per_t)
