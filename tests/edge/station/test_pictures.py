"""The picture store on a real disk: what was known then, the budget, and everything that may happen to its folder."""

import hashlib
import shutil
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest

from edge.station.pictures import PictureStore
from edge.store.picture_index import Look

pytestmark = pytest.mark.anyio
NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def _jpeg(number: int, size: int = 300_000) -> bytes:
    return b"\xff\xd8" + number.to_bytes(4, "big") + bytes(size - 8) + b"\xff\xd9"


async def _keep(store: PictureStore, number: int, size: int = 300_000) -> str:
    return await store.keep(_jpeg(number, size), what="gate south", at=NOON + timedelta(seconds=number))


async def test_a_picture_is_kept_with_what_was_known(tmp_path: Path) -> None:
    store = PictureStore(tmp_path)
    digest = await store.keep(_jpeg(1), what="tare 1", at=NOON, visit="HX01-1", plate="浙A12345", weight_kg=15_000)
    assert digest == hashlib.sha256(_jpeg(1)).hexdigest()
    assert store.get(digest) == _jpeg(1)
    gross = await store.keep(_jpeg(2), what="load complete 1", at=NOON, visit="HX01-1", weight_kg=45_000)
    await store.keep(_jpeg(3), what="tare 2", at=NOON, visit="HX01-2", plate="浙A1234学", weight_kg=15_000)
    wanted = (
        Look(digest, NOON, "tare 1", "HX01-1", "浙A12345", 15_000),
        Look(gross, NOON, "load complete 1", "HX01-1", "", 45_000),
    )
    assert await store.of_visit("HX01-1") == wanted
    assert await PictureStore(tmp_path).of_visit("HX01-1") == wanted, "after a restart"


async def test_the_oldest_make_way(tmp_path: Path) -> None:
    store = PictureStore(tmp_path, budget_mib=1)
    digests = [await _keep(store, number) for number in range(10)]
    assert [store.get(each) is not None for each in digests] == [False] * 7 + [True] * 3
    again = await _keep(store, 7)  # the same picture again is the newest
    later = [await _keep(store, number) for number in (10, 11)]
    assert [store.get(each) is not None for each in (*digests[7:], *later)] == [True, False, False, True, True]
    assert again == digests[7]
    assert sum(file.stat().st_size for file in tmp_path.glob("??/*.jpg")) <= 1024 * 1024


async def test_a_picture_above_the_whole_budget_erases_nothing(tmp_path: Path) -> None:
    store = PictureStore(tmp_path, budget_mib=1)
    small = await _keep(store, 1)
    assert await _keep(store, 2, 2 * 1024 * 1024) == ""
    assert store.get(small) is not None


async def test_the_budget_holds_for_pictures_from_before_a_restart(tmp_path: Path) -> None:
    first = [await _keep(PictureStore(tmp_path, budget_mib=1), number) for number in range(3)]
    store = PictureStore(tmp_path, budget_mib=1)
    await _keep(store, 4)
    assert [store.get(each) is not None for each in first] == [False, True, True]


@pytest.mark.parametrize("damage", ["lost", "garbage", "no table"])
async def test_an_index_that_was_damaged_is_made_anew(tmp_path: Path, damage: str) -> None:
    before = [await _keep(PictureStore(tmp_path, budget_mib=1), number) for number in range(3)]
    index = tmp_path / "index.db"
    for file in tmp_path.glob("index.db*"):
        file.unlink()
    if damage == "garbage":
        index.write_bytes(b"no database at all, " * 1000)
    if damage == "no table":
        connection = sqlite3.connect(index)
        connection.execute("CREATE TABLE pictures (something TEXT)")
        connection.close()
    store = PictureStore(tmp_path, budget_mib=1)
    after = await _keep(store, 4)
    assert store.get(after) is not None
    assert [store.get(each) is not None for each in before] == [False, True, True]


async def test_an_index_that_breaks_while_it_is_used(tmp_path: Path) -> None:
    store = PictureStore(tmp_path, budget_mib=1)
    await _keep(store, 1)
    connection = sqlite3.connect(tmp_path / "index.db")
    connection.execute("DROP TABLE looks")
    connection.commit()
    connection.close()
    assert await _keep(store, 2) == "", "nothing is raised"
    assert await store.of_visit("x") == ()
    third = await _keep(store, 3)
    assert store.get(third) is not None


async def test_erased_by_hand(tmp_path: Path) -> None:
    store = PictureStore(tmp_path, budget_mib=1)
    gone = await store.keep(_jpeg(1), what="tare 1", at=NOON, visit="v")
    shutil.rmtree(tmp_path / gone[:2])
    assert store.get(gone) is None
    assert await PictureStore(tmp_path).of_visit("v") == ()
    assert store.get(await _keep(store, 1)) == _jpeg(1)


async def test_a_full_disk_stops_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Usage(NamedTuple):
        total: int
        free: int

    store = PictureStore(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(1000, 49))
    assert await _keep(store, 1) == ""
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(1000, 50))
    assert await _keep(store, 1) != ""


@pytest.mark.parametrize("key", ["", "../../plant.db", "A" * 64, "0" * 63, "0" * 64])
def test_only_what_is_a_hash_is_looked_for(tmp_path: Path, key: str) -> None:
    assert PictureStore(tmp_path).get(key) is None
