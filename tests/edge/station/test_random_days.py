"""Days in which people press anything in any order: whatever happened, the books hold, and no step raises."""

import random
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edge.domain.plate_check import Place
from edge.domain.refusal import Reason, Refusal
from edge.domain.scale_watch import WatchKind
from edge.domain.visit import HOLD_OPEN, Visit, VisitEvent
from edge.station import moves, passage, ticket_desk, weighing
from edge.station.epoch import finish_closing
from edge.station.eyes import NOT_SEEN, Seen
from edge.station.notices import end_visit, take_grant
from edge.station.passage import Scan
from edge.station.plates import Compared, Standpoint, decided
from edge.station.printing import set_job_state, settle_after_crash
from edge.station.scale_alarms import see
from edge.station.yard import Sighting, arrive
from edge.store.books import Books
from edge.store.clock import Clock
from edge.store.database import Database
from edge.store.tickets import StoredTicket
from edge.store.verify import verify
from sync.records import RECORDS
from tests.edge.looks import seen
from tests.edge.station.rig import TARE_KG, make_plant, notice
from tests.edge.store.books import alarm, document, press

PLANT = make_plant()
STEPS, PLATES = 200, 12


class Day:
    """Random presses on one plant's books."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.done: Counter[str] = Counter()
        self.notices = 0

    def step(self, books: Books) -> None:
        """One press of something."""
        name = self.dice.choice(sorted(each for each in dir(self) if each.startswith("do_")))
        outcome = getattr(self, name)(books)
        if not isinstance(outcome, Refusal):
            self.done[name] += 1

    def visit(self, books: Books) -> Visit | None:
        visits = books.visits.open()
        inside = [visit for visit in visits if visit.arrived_at and not visit.ticket]
        return self.dice.choice(inside if inside and self.dice.random() < 0.9 else visits) if visits else None

    def ticket(self, books: Books) -> str:
        tickets = books.tickets.recent(6)
        return self.dice.choice(tickets).ticket.ticket if tickets else "none"

    def look(self, books: Books, visit: Visit) -> tuple[Seen, Compared | None]:
        """At a lane; what a person says there is written down before it counts."""
        saw, compared = self.look_at(visit.plate)
        if compared is not None:
            decided(books, Standpoint(Place.LOAD, "1", visit.visit, visit.plate), saw, compared)
        return saw, compared

    def look_at(self, plate: str) -> tuple[Seen, Compared | None]:
        """What the camera sees of this truck, and what a person has said of it."""
        same = self.dice.choice([None, None, True, False])
        compared = None if same is None else Compared(same, "调度")
        reads = self.dice.choice([plate] * 4 + [f"{plate[:-1]}X", "苏E6H369", None])
        return self.dice.choice([NOT_SEEN, seen(reads, plate)]), compared if self.dice.random() < 0.3 else None

    def do_grant(self, books: Books) -> None:
        account = self.dice.choice(["A", "B"])
        more_fen = self.dice.randrange(-1_000_000, 12_000_000)
        take_grant(books, account, max(0, books.accounts.get(account).granted_fen + more_fen))

    def do_recall(self, books: Books) -> None:
        if self.dice.random() < 0.2:
            keep_fen = self.dice.choice([0, 2_000_000, 9_000_000])
            document(books, "recall", {"account": self.dice.choice(["A", "B", "C"]), "keep_fen": keep_fen})

    def do_notice(self, books: Books) -> None:
        old = self.notices and self.dice.random() < 0.3
        self.notices += not old
        changed: dict[str, Any] = {
            "account": self.dice.choice(["A", "A", "B"]),
            "plate": f"浙A{self.dice.randrange(PLATES):05}",
            "hold_fen": self.dice.randrange(9_000_000),
            "price_fen_per_t": self.dice.choice([1, 99_999, 200_000]),
            "limit_kg": self.dice.choice([None, 20_000, 33_333]),
            "version": self.dice.randrange(1, 6),
        }
        number = self.dice.randrange(1, self.notices + 1) if old else self.notices
        document(books, "notice", notice(f"N{number}", **changed).model_dump(mode="json"))

    do_another_notice = do_notice

    def do_cancel_notice(self, books: Books) -> None:
        if self.dice.random() < 0.1:
            document(
                books, "notice_cancelled", {"notice": f"N{self.dice.randrange(1, self.notices + 2)}", "reason": "撤"}
            )

    def do_stock(self, books: Books) -> None:
        if self.dice.random() < 0.3:
            document(books, "stock", {"product": "焦炭", "received_kg": (books.stock_kg("焦炭") or 0) + 900_000})

    def do_alarm(self, books: Books) -> None:
        visit = self.visit(books)
        alarm(books, PLANT, visit.visit if visit else "", self.dice.choice(list(WatchKind)))

    def do_see_alarm(self, books: Books) -> object:
        standing = books.scale_alarms.standing("1", 5)
        return see(books, "1", self.dice.choice(standing).seq, "调度", "看过") if standing else None

    def do_arrive(self, books: Books) -> object:
        plate = f"浙A{self.dice.randrange(PLATES):05}"
        sighting = Sighting(seen("浙A00001", plate), 0, self.dice.random() < 0.5)
        return arrive(books, PLANT.local, plate, "调度", self.dice.choice([None, sighting]))

    def do_move(self, books: Books) -> object:
        visit = self.visit(books)
        if visit is None:
            return None
        lane = str(self.dice.randrange(6))
        match self.dice.randrange(16):
            case 0:
                return moves.park(books, visit)
            case 1:
                return moves.cancel(books, visit.visit, "调度", "不来")
            case 2:
                return weighing.unload(books, visit, "调度")
            case 3:
                return end_visit(books, visit, VisitEvent.EXPIRE, by="system", reason="过期")
            case 4 | 5 | 6 | 7 | 8:
                return moves.step(books, lane, visit.visit, VisitEvent.START_LOADING, "调度")
            case _:
                return moves.call_to_lane(books, lane, visit.visit, "调度")

    do_another_move = do_third_move = do_fourth_move = do_move

    def do_tare(self, books: Books) -> object:
        visit = self.visit(books)
        weight_kg = TARE_KG + 20 * self.dice.randrange(20)
        return visit and weighing.weigh_tare(books, PLANT, visit, press(weight_kg, *self.look(books, visit)))

    def do_load_complete(self, books: Books) -> object:
        visit = self.visit(books)
        weight_kg = TARE_KG + 20 * self.dice.randrange(1_400)
        return visit and weighing.load_complete(books, PLANT, visit, press(weight_kg, *self.look(books, visit)))

    do_recheck = do_press_again = do_load_complete

    def do_leave_empty(self, books: Books) -> object:
        visit = self.visit(books)
        if visit is None or self.dice.random() < 0.6:
            return None
        return weighing.leave_empty(books, PLANT, visit, press(TARE_KG))

    def do_void(self, books: Books) -> object:
        return ticket_desk.void(books, self.ticket(books), "甲", "乙", "错") if self.dice.random() < 0.4 else None

    def do_reprint(self, books: Books) -> object:
        return ticket_desk.reprint(books, self.ticket(books), "调度")

    def do_print(self, books: Books) -> None:
        for job in books.print_jobs.in_state("queued"):
            set_job_state(books, job, "sending")
            if self.dice.random() < 0.2:
                settle_after_crash(books)
            else:
                set_job_state(books, job, self.dice.choice(["sent", "sent", "failed", "queued"]))

    def do_leave(self, books: Books) -> object:
        slips = books.slips.recent(3)
        stored = (
            self.dice.choice(slips) if slips and self.dice.random() < 0.2 else books.tickets.get(self.ticket(books))
        )
        if stored is None:
            return None
        unread = Reason.PLATE_NOT_READ
        overruled = self.dice.choice(
            [(), (unread,), (unread,), (Reason.PASS_USED, unread), (Reason.BARRIER_FAILED, unread)]
        )
        scan = Scan("south", PLANT.pass_key.read(stored.pass_code), NOT_SEEN, "门卫", "王", "对", overruled)
        if not overruled:
            plate = stored.ticket.plate if isinstance(stored, StoredTicket) else stored.slip.plate
            saw, compared = self.look_at(plate)
            scan = replace(scan, seen=saw, compared=compared, told_now=compared is not None)
        return passage.pass_gate(books, PLANT, scan).decision.why


@pytest.mark.parametrize("seed", range(12))
def test_whatever_is_pressed_the_books_hold(tmp_path: Path, seed: int) -> None:
    day, database = Day(seed), Database(tmp_path / "plant.db", Clock())
    for _ in range(STEPS):
        database.transact_now(day.step)
    database.close()
    report = verify(tmp_path / "plant.db")
    assert report.ok, [check for check in report.checks if not check.ok]


def test_the_days_are_not_empty(tmp_path: Path) -> None:
    day, database = Day(100), Database(tmp_path / "plant.db", Clock())
    for _ in range(2_500):
        database.transact_now(day.step)
    kinds = {row.kind for row in database.transact_now(lambda books: books.ledger.rows_after(0, 100_000))}
    database.close()
    report = verify(tmp_path / "plant.db")
    assert report.ok, [check for check in report.checks if not check.ok]
    assert report.tickets > 8 and min(day.done.values()) > 3
    by_devices = {"alarm", "scale_command", "scale_command_ended"}
    assert kinds == RECORDS.keys() - {"term", "closed", *by_devices}, "everything that can be written was written"


@pytest.mark.parametrize("seed", range(6))
def test_whatever_is_pressed_while_it_closes_the_epoch_ends_with_its_last_hold(tmp_path: Path, seed: int) -> None:
    """And nothing that is pressed afterwards moves money."""
    day, database = Day(200 + seed), Database(tmp_path / "plant.db", Clock())

    def closing_step(books: Books) -> None:
        day.step(books)
        finish_closing(books)
        held = any(visit.state in HOLD_OPEN for visit in books.visits.open())
        assert (books.mode == "closed") == (not held), "exactly when no hold is open"
        assert all(counters.available_fen == 0 for counters in books.accounts.all().values())

    for _ in range(STEPS):
        database.transact_now(day.step)
    database.transact_now(lambda books: document(books, "close_epoch", {"reason": "换机"}))
    for _ in range(STEPS // 2):
        database.transact_now(closing_step)
    while waiting := database.transact_now(lambda books: [v for v in books.visits.open() if v.state in HOLD_OPEN]):
        for visit in waiting:
            database.transact_now(lambda books, visit=visit: give_up(books, visit.visit))  # type: ignore[misc]
    final = database.transact_now(lambda books: books.accounts.all())
    for _ in range(STEPS // 2):
        database.transact_now(day.step)
    assert database.transact_now(lambda books: (books.mode, books.accounts.all())) == ("closed", final)
    database.close()
    report = verify(tmp_path / "plant.db")
    assert report.ok, [check for check in report.checks if not check.ok]


def give_up(books: Books, name: str) -> None:
    """A truck goes as it came."""
    visit = moves.fresh(books, name)
    for event in (VisitEvent.CANCEL, VisitEvent.LEAVE_EMPTY):
        if not isinstance(end_visit(books, visit, event, by="调度", reason="关账"), Refusal):
            break
    finish_closing(books)
