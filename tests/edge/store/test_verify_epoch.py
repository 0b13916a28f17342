"""`verify` on books whose epoch was closed, that follow head office's term, took a code and gave money back."""

import shutil
from pathlib import Path

import pytest

from edge.station.epoch import finish_closing
from edge.station.head_office import follow_term
from edge.station.notices import take_grant
from edge.store.books import Books
from edge.store.clock import Clock
from edge.store.database import Database
from edge.store.verify import verify
from sync.messages import Term
from sync.records import EpochClosed, Granted, Returned, TermAdopted
from tests.edge.station.rig import make_plant
from tests.edge.store.books import ACCOUNT, document, leave, load, order, print_all
from tests.edge.store.test_verify import failed, rechain, spoil

TERM = Term(number=2, id="0123456789abcdef" * 2)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two tickets, a recall, a top-up by hand, an unused notice, and the end."""
    path = tmp_path_factory.mktemp("books") / "plant.db"
    database, plant = Database(path, Clock()), make_plant()

    def fill(books: Books) -> None:
        follow_term(books, TERM.model_copy(update={"number": 1}))
        follow_term(books, TERM)
        tickets = [load(books, plant, order(books, number)) for number in (1, 2)]
        print_all(books)
        leave(books, plant, tickets[0])
        document(books, "recall", {"account": ACCOUNT, "keep_fen": 1_000_000})
        order(books, 3)
        take_grant(books, ACCOUNT, 30_000_000, by="李静")
        document(books, "close_epoch", {})
        finish_closing(books)

    database.transact_now(fill)
    assert database.transact_now(lambda books: books.mode) == "closed"
    database.close()
    return path


@pytest.fixture
def books(template: Path, tmp_path: Path) -> Path:
    """A copy to spoil."""
    return Path(shutil.copy(template, tmp_path / "plant.db"))


def test_closed_books_hold(books: Path) -> None:
    report = verify(books)
    assert report.ok, report.as_json()


SPOILT = {
    "the end was left out": "DELETE FROM meta WHERE key = 'closed'",
    "another term is followed": f"UPDATE meta SET value = '{'f' * 32}' WHERE key = 'term_id'",
    "an older term is followed": "UPDATE meta SET value = '1' WHERE key = 'term_number'",
    "a key nobody knows": "UPDATE meta SET key = 'closee' WHERE key = 'closing'",
    "a number that is none": "UPDATE meta SET value = '4x' WHERE key = 'documents_applied'",
    "other final counters": "UPDATE ledger SET body = json_replace(body, '$.accounts.\"C1/coke\".spent_fen', 1) WHERE kind = 'closed'",  # noqa: E501
    "an end that was never reached": "UPDATE ledger SET kind = 'alarm' WHERE kind = 'closed'",
}


@pytest.mark.parametrize("case", SPOILT)
def test_what_was_changed_is_found(books: Path, case: str) -> None:
    spoil(books, SPOILT[case])
    rechain(books)
    assert "epoch" in failed(books)


@pytest.mark.parametrize(
    "late",
    [Granted(account=ACCOUNT, granted_fen=99_000_000), Returned(account=ACCOUNT, returned_fen=99_000_000)],
)
def test_money_after_the_end_is_found(books: Path, late: Granted | Returned) -> None:
    database = Database(books, Clock())
    database.transact_now(lambda each: each.ledger.append(late))
    database.close()
    assert "epoch" in failed(books)


def test_a_term_that_goes_back_is_found(books: Path) -> None:
    database = Database(books, Clock())
    database.transact_now(lambda each: each.ledger.append(TermAdopted(number=2, id=TERM.id)))
    database.close()
    assert "epoch" in failed(books)


def test_an_end_with_money_or_holds_left_is_found(tmp_path: Path) -> None:
    database = Database(tmp_path / "plant.db", Clock())

    def fill(books: Books) -> None:
        order(books, 1)
        books.keep("closing", "x")
        books.keep("closed", "1")

    database.transact_now(fill)
    database.transact_now(lambda books: books.ledger.append(EpochClosed(accounts={}, at=books.clock.now())))
    database.close()
    assert failed(tmp_path / "plant.db") == {"epoch"}
