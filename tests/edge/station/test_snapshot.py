"""A picture carried on from the one before it is the picture read from the whole books, after whatever happened."""

import asyncio
from pathlib import Path

import pytest

from edge.station.snapshot import Snapshot, missing_fen, read_snapshot
from edge.store.books import Books
from edge.store.clock import Clock
from edge.store.database import Database
from tests.edge.station.test_random_days import Day

SEED, STEPS = 7, 600

pytestmark = pytest.mark.anyio


class Spoilt(Exception):
    """Ends a transaction that must leave nothing behind."""


def differing_steps(database: Database, *, forgetful: bool = False) -> int:
    """After how many steps of a day the carried picture differs; `forgetful`: writes of visits are not told."""
    day, seen, differing = Day(SEED), Snapshot(), 0

    def spoilt(books: Books) -> None:
        day.step(books)
        raise Spoilt

    for number in range(STEPS):
        if number % 10 == 0:
            with pytest.raises(Spoilt):
                database.transact_now(spoilt)
        database.transact_now(day.step)
        if forgetful:
            database.transact_now(lambda books: books.visits.take_changed())
        seen = database.transact_now(lambda books, before=seen: read_snapshot(books, before))  # type: ignore[misc]
        differing += seen != database.transact_now(lambda books: read_snapshot(books, None))
    assert len(day.done) > 12, day.done
    return differing


@pytest.mark.parametrize("forgetful", [False, True], ids=["", "control"])
async def test_a_picture_that_is_carried_on_is_the_whole_picture(tmp_path: Path, forgetful: bool) -> None:
    database = Database(tmp_path / "plant.db", Clock())
    differing = differing_steps(database, forgetful=forgetful)
    database.close()
    assert bool(differing) is forgetful


async def test_the_look_belongs_to_its_own_transaction(tmp_path: Path) -> None:
    database = Database(tmp_path / "plant.db", Clock())
    answers = await asyncio.gather(
        *(
            database.transact_and_look(lambda books, n=n: books.keep("number", n), lambda books: books.number("number"))  # type: ignore[misc]
            for n in range(20)
        )
    )
    database.close()
    assert [seen for _, seen in answers] == list(range(20))


async def test_whoever_lacks_money_is_among_the_lacking(tmp_path: Path) -> None:
    database, day = Database(tmp_path / "plant.db", Clock()), Day(SEED)
    short = 0
    for _ in range(STEPS):
        database.transact_now(day.step)
        some, everybody = database.transact_now(lambda books: (books.visits.lacking(), books.visits.open()))
        assert missing_fen(some) == +missing_fen(everybody)
        assert [visit for visit in some if visit.held] == [visit for visit in everybody if visit.held]
        short += bool(some) and len(some) < len(everybody)
    database.close()
    assert short > 20
