"""Alarms of a plant's scale watch at head office: kept, counted, listed with their truck, seen, and verified."""

import pytest
from sqlalchemy import delete, select, update

from sync.office import reading
from sync.office.store.database import Store
from sync.office.store.inbox import ingest
from sync.office.store.scale_alarms import alarms_of_day, alarms_of_visits
from sync.office.store.schema import inbox, meta, scale_alarms
from sync.office.store.verification import verify_books
from sync.office.store.views import list_incidents
from sync.records import ScaleAlarmed, ScaleAlarmSeen
from tests.sync.office.plant import FakePlant
from tests.sync.office.test_money import pay

DAY = "2026-11-23"


def take(store: Store, plant: FakePlant, since: int = 0) -> None:
    with store.write() as tx:
        ingest(tx, plant.instance.wire_id, plant.rows[since:])


def two_alarms(plant: FakePlant) -> tuple[int, int]:
    """One of a truck, one of no truck; nobody has seen them."""
    visit = plant.taken("N1", "C001/prepaid", 0)
    return plant.alarmed(visit), plant.alarmed(plate="", kind="zero_drift")


def test_an_alarm_is_listed_with_its_truck_and_counted_on_its_day(store: Store, plant: FakePlant) -> None:
    pay(store, 10_000_000)
    first, second = two_alarms(plant)
    for _ in range(2):
        take(store, plant)
    with store.read() as tx:
        assert alarms_of_day(tx, DAY) == {"HX01": (2, 2)} and alarms_of_day(tx, "2026-11-24") == {}
        assert alarms_of_visits(tx, ["v-N1", "v-N2", ""]) == {(plant.instance.wire_id, "v-N1"): 1}
        told = [row["alarm"] for row in list_incidents(tx) if row["kind"] == "scale_alarm"]
        assert sorted((each["kind"], each["curve_kg"], each["seen_by"]) for each in told) == [
            ("step", [14_520, 14_520, 13_720], ""), ("zero_drift", [14_520, 14_520, 13_720], ""),
        ]  # fmt: skip
        assert [row["seq"] for row in list_incidents(tx, visit="v-N1")] == [first]
        assert verify_books(tx).ok
    before = len(plant.rows)
    plant.alarm_seen(second, "清了秤台")
    plant.alarm_seen(second, "again, too late")
    plant.alarm_seen(2**53, "none such")
    take(store, plant, before)
    with store.read() as tx:
        assert alarms_of_day(tx, DAY) == {"HX01": (2, 1)}
        seen = tx.execute(select(scale_alarms.c.seen_by, scale_alarms.c.note).where(scale_alarms.c.seq == second)).one()
        assert tuple(seen) == ("李敏", "清了秤台"), "the first who looked stays"
        assert verify_books(tx).ok


@pytest.mark.parametrize("spoilt", [delete(scale_alarms), update(scale_alarms).values(seen_by="somebody")])
def test_an_alarm_that_was_made_away_with_is_found(store: Store, plant: FakePlant, spoilt: object) -> None:
    pay(store, 10_000_000)
    two_alarms(plant)
    take(store, plant)
    with store.write() as tx:
        tx.execute(spoilt)  # type: ignore[call-overload]
    with store.read() as tx:
        found = verify_books(tx)
        assert not found.ok and not found.checks["alarms"] and len(found.problems) == 2


def test_an_older_head_office_keeps_the_rows_and_the_next_one_understands_them(
    store: Store, store_url: str, plant: FakePlant, monkeypatch: pytest.MonkeyPatch
) -> None:
    pay(store, 10_000_000)
    with monkeypatch.context() as older:
        for record in (ScaleAlarmed, ScaleAlarmSeen):
            older.delitem(reading._READ_AS, record.KIND)  # noqa: SLF001 - what an older release did not know
        first, _ = two_alarms(plant)
        plant.alarm_seen(first)
        take(store, plant)
        with store.write() as tx:
            tx.execute(update(meta).where(meta.c.name == "schema").values(number=2))
            assert len(tx.execute(select(inbox.c.seq)).all()) == len(plant.rows), "stored, and nothing stopped"
            assert tx.execute(select(scale_alarms)).all() == [] and list_incidents(tx) == []
            assert verify_books(tx).ok
    store.close()
    opened = Store(store_url.replace("postgresql://", "postgresql+psycopg://"))
    with opened.read() as tx:
        assert alarms_of_day(tx, DAY) == {"HX01": (2, 1)} and len(list_incidents(tx)) == 2
        assert verify_books(tx).ok
    opened.close()
