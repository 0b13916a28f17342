"""Settling by disk: only the last word of a box settles it. Real books of a plant, with their witness."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from edge.store.clock import Clock
from edge.store.database import Database
from edge.store.witness import Witness
from sync.messages import WireRecord
from sync.office import epochs
from sync.office.refusal import NotAllowed
from sync.office.store.database import Store
from sync.office.store.found_again import open_account
from sync.office.store.inbox import ingest
from sync.office.store.money import grant_by_hand
from sync.office.store.plants import enrol
from tests.edge.station.rig import KEY, make_plant
from tests.edge.store import books as plant_books
from tests.sync.office.plant import FakePlant
from tests.sync.office.test_epochs import PERSONS
from tests.sync.office.test_money import pay

PLANT = make_plant()
INSTANCE = PLANT.instance.wire_id


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Store]:
    """Head office with the plant's box enrolled, and the next one: the old epoch is closing."""
    store = Store(f"sqlite:///{tmp_path / 'office.sqlite3'}")
    with store.write() as tx:
        enrol(tx, "HX01", "一厂", KEY.public_key(), epoch=3)
    pay(store, 50_000_000, customer_id="C1")
    with store.write() as tx:
        open_account(
            tx, {"account": plant_books.ACCOUNT, "customer_id": "C1", "kind": "credit", "fund_fen": 50_000_000}
        )
        grant_by_hand(tx, plant_books.ACCOUNT, INSTANCE, 20_000_000)
        enrol(tx, "HX01", "一厂", FakePlant(code="HX01", epoch=4).key.public_key())
    yield store
    store.close()


@contextmanager
def running(box: Path) -> Iterator[Database]:
    """The plant with its books in `box/data` and its witness beside them."""
    (box / "data").mkdir(parents=True, exist_ok=True)
    database = Database(box / "data" / "plant.db", Clock())
    witness = Witness(box / "data.witness" / "plant.json", INSTANCE)
    try:
        witness.begin(database)
        database.transact_now(lambda books: books.keep("instance", INSTANCE))
        yield database
    finally:
        witness.close()
        database.close()


def sell(database: Database, *numbers: int) -> None:
    """A truck each, out of the gate."""
    for number in numbers:
        _truck(database, number)


def _truck(database: Database, number: int) -> None:
    visit = database.transact_now(lambda books: plant_books.order(books, number))
    ticket = database.transact_now(lambda books: plant_books.load(books, PLANT, visit))
    database.transact_now(plant_books.print_all)
    database.transact_now(lambda books: plant_books.leave(books, PLANT, ticket))


def lost_box(box: Path, stick: Path, office: Store) -> None:
    """Head office knows the first of three tickets; then the power went: `stick` has folder and witness as they lay."""
    with running(box) as database:
        sell(database, 1)
    connection = sqlite3.connect(box / "data" / "plant.db")
    told = connection.execute("SELECT seq, kind, body, at, hash FROM ledger ORDER BY seq").fetchall()
    connection.close()
    with office.write() as tx:
        ingest(tx, INSTANCE, [WireRecord(seq=a, kind=b, body=c, at=d, hash=e) for a, b, c, d, e in told])
    shutil.copytree(box / "data", box / "older")
    with running(box) as database:
        sell(database, 2, 3)
        shutil.copytree(box / "data", stick / "data")
        shutil.copytree(box / "data.witness", stick / "data.witness")


def settled(office: Store, place: Path, last_ticket: str = "") -> dict[str, Any]:
    return epochs.settle_by_disk(office, INSTANCE, place, PERSONS, last_ticket)


def test_the_folder_of_the_box_settles_and_tells_what_was_read(office: Store, tmp_path: Path) -> None:
    stick = tmp_path / "stick"
    lost_box(tmp_path / "box", stick, office)
    with pytest.raises(NotAllowed, match="the disk ends with HX01-03-0000003, 3 in all"):
        settled(office, stick / "data", "HX01-03-0000004")
    told = settled(office, stick / "data", "HX01-03-0000003")
    assert (told["disk"]["tickets"], told["disk"]["last_ticket"]) == (3, "HX01-03-0000003")
    assert told["disk"]["witness"] == str(stick / "data.witness" / "plant.json")
    assert told["spend_fen"] == 3 * 3_600_000


def test_a_log_left_behind_is_noticed_by_the_witness_and_told_without_one(office: Store, tmp_path: Path) -> None:
    stick = tmp_path / "stick"
    lost_box(tmp_path / "box", stick, office)
    (stick / "data" / "plant.db-wal").unlink()
    with pytest.raises(NotAllowed, match=r"rows are missing: the witness saw .* Was plant.db-wal left behind"):
        settled(office, stick / "data" / "plant.db")
    shutil.rmtree(stick / "data.witness")
    with pytest.raises(NotAllowed, match="no witness .* give the number on the last stub"):
        settled(office, stick / "data" / "plant.db")
    with pytest.raises(NotAllowed, match="the disk ends with HX01-03-0000001, 1 in all"):
        settled(office, stick / "data" / "plant.db", "HX01-03-0000003")
    told = settled(office, stick / "data" / "plant.db", "HX01-03-0000001")
    assert (told["disk"]["witness"], told["disk"]["tickets"]) == ("", 1)


def test_a_flipped_bit_in_the_log_settles_nothing(office: Store, tmp_path: Path) -> None:
    stick = tmp_path / "stick"
    lost_box(tmp_path / "box", stick, office)
    shutil.rmtree(stick / "data.witness")
    log = stick / "data" / "plant.db-wal"
    content = bytearray(log.read_bytes())
    content[len(content) // 8] ^= 1
    log.write_bytes(content)
    with pytest.raises(NotAllowed, match="the write-ahead log is damaged, [0-9]+ commits are lost"):
        settled(office, stick / "data")


def test_books_that_fenced_themselves_settle_nothing(office: Store, tmp_path: Path) -> None:
    box = tmp_path / "box"
    lost_box(box, tmp_path / "stick", office)
    shutil.rmtree(box / "data")
    shutil.copytree(box / "older", box / "data")
    with running(box) as database:
        assert database.transact_now(lambda books: books.fenced)
    shutil.rmtree(box / "data.witness")
    with pytest.raises(NotAllowed, match="were fenced by their plant .* settle by paper"):
        settled(office, box / "data")


def test_anothers_witness_or_a_broken_one_settles_nothing(office: Store, tmp_path: Path) -> None:
    stick = tmp_path / "stick"
    lost_box(tmp_path / "box", stick, office)
    (stick / "data.witness" / "plant.json").write_bytes(b"{}")
    with pytest.raises(NotAllowed, match="take the box's own, or none"):
        settled(office, stick / "data")
