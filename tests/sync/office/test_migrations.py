"""Books of an older release become this one's when they are opened, with everything that stood in them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, insert, inspect, select, text, update

from sync.office.store.database import Store, StoreError
from sync.office.store.money import grant_by_hand
from sync.office.store.schema import SCHEMA_VERSION, instances, meta, metadata, terms
from sync.office.store.verification import verify_books
from tests.sync.office.plant import FakePlant
from tests.sync.office.test_corrections import undo
from tests.sync.office.test_money import ACCOUNT, account, issue, pay

SCHEMA_1 = Path(__file__).parent / "books" / "schema_1.sql"


def url_of(store_url: str) -> str:
    return store_url.replace("postgresql://", "postgresql+psycopg://")


@pytest.fixture
def engine(store_url: str) -> Iterator[Engine]:
    """An empty database in which the first release made its tables."""
    made = create_engine(url_of(store_url))
    lines = [line for line in SCHEMA_1.read_text("utf-8").splitlines() if not line.startswith("--")]
    with made.begin() as tx:
        for line in lines:
            tx.execute(text(line))
    yield made
    made.dispose()


def filled(engine: Engine) -> FakePlant:
    """A plant, a payment and a grant, written as the first release wrote them."""
    plant = FakePlant()
    row = {
        "instance": plant.instance.wire_id, "plant": "HX01", "epoch": 1, "fingerprint": plant.instance.fingerprint,
        "plant_name": "一厂", "public_key": plant.key.public_key().public_bytes_raw().hex(), "state": "open",
        "last_hash": "0" * 64, "enrolled_at": "2026-11-01T00:00:00.000+00:00",
    }  # fmt: skip
    with engine.begin() as tx:
        tx.execute(insert(meta), [{"name": "schema", "number": 1}, {"name": "change", "number": 7}])
        tx.execute(insert(instances).values(**row))
        for line in (
            "INSERT INTO customers VALUES ('C001', '示例客户甲')",
            "INSERT INTO accounts (account, customer_id, kind, fund_fen) VALUES"
            " ('C001/prepaid', 'C001', 'prepaid', 10000000)",
            "INSERT INTO payments (reference, account, amount_fen, posted_at) VALUES"
            " ('B1', 'C001/prepaid', 10000000, '2026-11-01T00:00:00.000+00:00')",
            f"INSERT INTO allotments (account, instance, granted_fen) VALUES"
            f" ('C001/prepaid', '{plant.instance.wire_id}', 4000000)",
        ):
            tx.execute(text(line))
    return plant


def test_books_of_the_first_release_go_on(engine: Engine, store_url: str) -> None:
    plant = filled(engine)
    for _ in range(2):
        store = Store(url_of(store_url))
        with store.read() as tx:
            assert tx.execute(select(meta.c.number).where(meta.c.name == "schema")).scalar_one() == SCHEMA_VERSION
            assert verify_books(tx).ok
            number, why = tx.execute(select(terms.c.number, terms.c.why)).one()
            assert (number, why) == (1, "books of schema 1"), "one term, also when they are opened again"
        store.close()
    store = Store(url_of(store_url))
    assert account(store)["free_fen"] == 6_000_000
    with store.write() as tx:
        grant_by_hand(tx, ACCOUNT, plant.instance.wire_id, 1_000_000)
    issue(store, limit_kg=10_000)
    assert not pay(store, 10_000_000), "its payments are known"
    assert undo(store)["exposure_fen"] == 5_000_000
    store.close()


def test_migrated_books_have_every_table_and_column_of_new_ones(engine: Engine, store_url: str) -> None:
    filled(engine)
    Store(url_of(store_url)).close()
    found = inspect(engine)
    for table in metadata.sorted_tables:
        columns = {column["name"]: column for column in found.get_columns(table.name)}
        assert set(columns) == set(table.columns.keys()), table.name
        assert all(columns[column.name]["nullable"] == column.nullable for column in table.columns), table.name


def test_books_of_a_newer_release_are_left_alone(engine: Engine, store_url: str) -> None:
    filled(engine)
    with engine.begin() as tx:
        tx.execute(update(meta).where(meta.c.name == "schema").values(number=SCHEMA_VERSION + 1))
    with pytest.raises(StoreError, match=f"schema {SCHEMA_VERSION + 1} — this program reads schema {SCHEMA_VERSION}"):
        Store(url_of(store_url))
    assert "exposure_fen" not in {column["name"] for column in inspect(engine).get_columns("accounts")}
