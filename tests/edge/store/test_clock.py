"""What the plant believes of its clock over a restart: one bad jump must not poison the time for ever."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from edge.store.books import Books
from edge.store.clock import Clock
from edge.store.database import Database
from sync.records import Granted

NOON = datetime(2026, 11, 23, 4, tzinfo=UTC)


class HandClock(Clock):
    """Wall and monotonic time as the test sets them."""

    def __init__(self, at: datetime) -> None:
        self.at, self.passed_ms = at, 0
        super().__init__()

    def wall(self) -> datetime:
        return self.at

    def monotonic_ms(self) -> int:
        return self.passed_ms


def write(books: Books) -> None:
    books.ledger.append(Granted(account="C1/coke", granted_fen=1))


def test_a_time_stamped_while_the_clock_was_wrong_is_no_witness(tmp_path: Path) -> None:
    clock = HandClock(NOON)
    database = Database(tmp_path / "plant.db", clock)
    database.transact_now(write)
    clock.at += timedelta(days=400)
    assert not clock.trusted()
    for _ in range(3):
        database.transact_now(write)
    database.close()
    clock = HandClock(NOON + timedelta(minutes=5))
    database = Database(tmp_path / "plant.db", clock)
    seen = database.transact_now(lambda books: books.ledger.witnessed_at())
    database.close()
    assert seen == NOON
    clock.witness(seen)
    assert clock.trusted(), "the clock is right again, whatever was written while it was wrong"


def test_new_books_have_seen_no_time(tmp_path: Path) -> None:
    database = Database(tmp_path / "plant.db", HandClock(NOON))
    assert database.transact_now(lambda books: books.ledger.witnessed_at()) is None
    database.close()
