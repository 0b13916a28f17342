"""The three figures and the policy's turns over real books: counts, times, and who gets what."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from sync.documents import Recall
from sync.messages import AccountState, State
from sync.office import requests
from sync.office.clock import time_text
from sync.office.policy import Way
from sync.office.refusal import NotAllowed
from sync.office.store import views
from sync.office.store.database import Store
from sync.office.store.figures import per_mille, read_figures
from sync.office.store.inbox import ingest
from sync.office.store.money import grant_by_hand, read_accounts
from sync.office.store.plants import enrol, hear_state
from sync.office.store.policy_inputs import Demand, OpenPlant, open_plants, read_marks
from sync.office.store.policy_run import MOST_STEPS, Turn, run_policy
from sync.office.store.reconcile import begin_reconcile
from sync.office.store.schema import instances, outages, shipments, topups
from sync.office.store.topups import Grant, find_grant, list_grants
from sync.records import NoticeTaken
from tests.sync.office.plant import FakePlant

ACCOUNT = "C001/prepaid"
PRICE = 200_000
TRUCK_FEN = 10_000_000


def pay(store: Store, fen: int, reference: str = "B1") -> None:
    body = requests.PaymentIn(reference=reference, customer_id="C001", customer_name="甲", amount_fen=fen)
    requests.book_payment(store, body, "F01")


def grant(store: Store, instance: str, fen: int) -> None:
    with store.write() as tx:
        grant_by_hand(tx, ACCOUNT, instance, fen)


def notice(store: Store, number: str, plant: str, plate: str) -> None:
    body = requests.NoticeIn(plant=plant, customer_id="C001", plate=plate, product="焦炭", price_fen_per_t=PRICE,
                             notice=number, limit_kg=20_000)  # fmt: skip
    requests.book_notice(store, body, "B01", 8)


def tell(store: Store, plant: FakePlant, granted_fen: int = 0, **more: int) -> None:
    """The plant's STATE, with everything that was sent to it applied."""
    with store.write() as tx:
        wire_id = plant.instance.wire_id
        sent = tx.execute(select(instances.c.documents).where(instances.c.instance == wire_id)).scalar_one()
        counters = {"returned_fen": 0, "spent_fen": 0, "voided_fen": 0, "held_fen": 0, **more}
        state: State = plant.state({ACCOUNT: AccountState(granted_fen=granted_fen, **counters)}, documents=sent)
        hear_state(tx, wire_id, state)


def figures(store: Store) -> dict[str, Any]:
    with store.read() as tx:
        return read_figures(tx)


def free_and_granted(store: Store) -> tuple[int, dict[str, int]]:
    with store.read() as tx:
        (account,) = read_accounts(tx)
    return account.free_fen, {name: each.counters.granted_fen for name, each in account.allotments.items()}


def other(store: Store, code: str = "HX02") -> FakePlant:
    made = FakePlant(code=code)
    with store.write() as tx:
        enrol(tx, code, "二厂", made.key.public_key())
    return made


def sold(store: Store, plant: FakePlant, kg: int, days_ago: int, number: str) -> None:
    """A ticket as it stands in the books some days later."""
    visit = plant.taken(number, ACCOUNT, 0)
    plant.ticket(visit, number, ACCOUNT, kg, PRICE, 0)
    with store.write() as tx:
        ingest(tx, plant.instance.wire_id, plant.rows)
        at = datetime.now(UTC) - timedelta(days=days_ago, hours=1)
        fields = {"gross_at": time_text(at), "business_date": at.date().isoformat()}
        tx.execute(update(shipments).where(shipments.c.visit == visit).values(**fields))


def turn(store: Store, way: Way, demand: Demand | None = None, after: timedelta = timedelta()) -> Turn:
    return run_policy(store, lambda _: way, demand or Demand(), datetime.now(UTC) + after)


def test_stranded_is_what_no_notice_and_no_truck_has_a_claim_on(store: Store, plant: FakePlant) -> None:
    assert figures(store)["stranded"]["good"] is None
    pay(store, 10_000_000)
    grant(store, plant.instance.wire_id, 3_000_000)
    notice(store, "N1", "HX01", "浙A12345")
    told = figures(store)["stranded"]
    # 20 t at ¥2,000 are ¥40,000: the notice uses the ¥30,000 there and gets ¥10,000 more.
    assert (told["unused_fen"], told["remaining_fen"], told["good"]) == (0, 10_000_000, True)
    grant(store, plant.instance.wire_id, 2_500_000)
    told = figures(store)["stranded"]
    assert (told["unused_fen"], told["per_mille"], told["good"]) == (2_500_000, 250, False)
    assert told["rows"][0]["account"] == ACCOUNT


def test_latency_counts_grants_to_plants_that_are_there(store: Store, plant: FakePlant) -> None:
    pay(store, 10_000_000)
    grant(store, plant.instance.wire_id, 1_000)
    assert figures(store)["latency"]["not_heard"] == 1
    tell(store, plant, 0)
    for total in (2_000, 3_000, 4_000):
        grant(store, plant.instance.wire_id, total)
    assert figures(store)["latency"]["waiting"] == 3
    tell(store, plant, 3_000)  # the first two totals are 1,000 and 3,000
    with store.write() as tx:
        tx.execute(update(topups).where(topups.c.granted_fen == 3_000).values(granted_at=time_text(_ago(1.5))))
    told = figures(store)["latency"]
    assert (told["count"], told["waiting"], told["not_heard"]) == (1, 2, 1)
    assert 0 < told["p50_ms"] == told["p95_ms"] <= 1500
    tell(store, plant, 10_000)
    told = figures(store)["latency"]
    assert told["count"] == 3 and told["waiting"] == 0 and told["good"] is (told["p95_ms"] < 2000)


def test_a_grant_says_what_the_plant_has_of_it(store: Store, plant: FakePlant) -> None:
    pay(store, 10_000_000)
    for fen in (1_000, 500):
        grant(store, plant.instance.wire_id, fen)
    assert _grant(store, plant).new_fen == 1_500 and not _grant(store, plant).seen_at
    tell(store, plant, 1_000)
    assert (_grant(store, plant).had_fen, _grant(store, plant).new_fen) == (1_000, 500)
    tell(store, plant, 1_500)
    assert _grant(store, plant).new_fen == 0 and _grant(store, plant).seen_at
    grant(store, other(store).instance.wire_id, 7)
    with store.read() as tx:
        assert [each.granted_fen for each in list_grants(tx)] == [7, 1_500], "what is not there yet comes first"


def test_a_truck_counts_once_and_only_when_the_money_lay_elsewhere(store: Store, plant: FakePlant) -> None:
    second = other(store)
    pay(store, 4_000_000)
    notice(store, "N1", "HX01", "浙A12345")
    visit = plant.taken("N1", ACCOUNT, 4_000_000)
    plant.held(visit, "N1", ACCOUNT, 21_000, 200_000)
    with store.write() as tx:
        ingest(tx, plant.instance.wire_id, plant.rows)
    told = figures(store)["refusals"]
    assert (told["lacking"], told["elsewhere"], told["asked"]) == (1, 0, 1), "there was no money anywhere"
    pay(store, 5_000_000, "B2")
    grant(store, second.instance.wire_id, 5_000_000)
    for _ in range(2):
        with pytest.raises(NotAllowed):
            notice(store, "N2", "HX01", "浙B12345")
    told = figures(store)["refusals"]
    assert (told["lacking"], told["elsewhere"], told["asked"]) == (2, 1, 2), "asked twice, counted once"
    assert told["per_mille"] == 500 and told["good"] is False
    assert told["rows"][0]["what"] == "refused" and told["rows"][0]["elsewhere_fen"] == 5_000_000
    taken = NoticeTaken(notice="N3", version=1, visit="v3", account=ACCOUNT, plate="浙C12345", hold_fen=1,
                        wanted_fen=4_000_000)  # fmt: skip
    plant.write(taken)
    with store.write() as tx:
        ingest(tx, plant.instance.wire_id, plant.rows)
    assert [row["what"] for row in figures(store)["refusals"]["rows"]] == ["short", "refused"]


def test_an_outage_is_a_gap_between_two_states(store: Store, plant: FakePlant) -> None:
    tell(store, plant)
    tell(store, plant)
    assert _plants(store)[0].down_s == 0
    with store.write() as tx:
        tx.execute(update(instances).values(status_at=time_text(_ago(3 * 3600))))
    assert not _plants(store)[0].sure and 3 * 3600 <= _plants(store)[0].down_s < 3 * 3600 + 60, "it lasts still"
    tell(store, plant)
    (now,) = _plants(store)
    assert now.sure and now.forecast and 3 * 3600 <= now.down_s < 3 * 3600 + 60
    with store.read() as tx:
        assert len(tx.execute(select(outages)).all()) == 1


def test_an_exact_plant_gets_nothing_ahead_and_is_asked_back_after_a_day(store: Store, plant: FakePlant) -> None:
    pay(store, 50_000_000)
    sold(store, plant, 30_000, 1, "N0")
    grant(store, plant.instance.wire_id, 20_000_000)
    tell(store, plant, 20_000_000)
    notice(store, "N1", "HX01", "浙A12345")  # of ¥40,000, within what lies there
    assert turn(store, Way.EXACT) == Turn(), "its last document is not applied yet, so nothing is sure"
    tell(store, plant, 20_000_000)
    assert turn(store, Way.EXACT) == Turn()
    with store.write() as tx:
        tx.execute(update(instances).values(status_at=time_text(datetime.now(UTC) + timedelta(days=1))))
    assert turn(store, Way.EXACT, after=timedelta(hours=23)) == Turn()
    assert turn(store, Way.EXACT, after=timedelta(hours=24, seconds=1)) == Turn(0, 1)
    with store.read() as tx:
        last = views.documents_of(tx, plant.instance.wire_id)[-1]
    assert last["kind"] == Recall.KIND and Recall.model_validate_json(last["body"]).keep_fen == 4_000_000


def test_a_forecast_plant_keeps_what_it_needs_and_leaves_the_others_theirs(store: Store, plant: FakePlant) -> None:
    other(store)
    pay(store, 60_000_000)
    for day in range(10):
        sold(store, plant, 30_000, day, f"N{day}")  # 60 t in 48 h, every day: p95 ¥120,000, target ¥180,000
    with store.write() as tx:
        tx.exec_driver_sql("UPDATE allotments SET spent_fen = 0")  # as if it had been granted and paid for
    demand = Demand()
    assert turn(store, Way.FORECAST, demand) == Turn(1, 0)
    assert free_and_granted(store) == (42_000_000, {plant.instance.wire_id: 18_000_000})
    assert turn(store, Way.FORECAST, demand) == Turn(), "it has its target"
    with store.write() as tx:
        begin_reconcile(tx, "restored")
    assert turn(store, Way.FORECAST) == Turn()


def test_a_forecast_is_bounded_to_three_fifths_however_often_it_is_asked(store: Store, plant: FakePlant) -> None:
    other(store)
    pay(store, 15_000_000)
    notice(store, "N1", "HX01", "浙A12345")
    for _ in range(5):
        turn(store, Way.FORECAST)
    free, granted = free_and_granted(store)
    assert free == 15_000_000 - 4_000_000 - 6_600_000  # three fifths of what the notice left
    assert granted == {plant.instance.wire_id: 10_600_000}


def test_a_customer_who_never_bought_there_gets_nothing_there(store: Store, plant: FakePlant) -> None:
    pay(store, 90_000_000)
    assert turn(store, Way.FORECAST) == Turn()
    notice(store, "N1", "HX01", "浙A12345")
    assert turn(store, Way.FORECAST) == Turn(1, 0), "one truck of 50 t beyond the notice on its way"
    assert free_and_granted(store)[0] == 90_000_000 - 4_000_000 - TRUCK_FEN


def test_a_turn_is_bounded_and_each_begins_elsewhere(store: Store, plant: FakePlant) -> None:
    pay(store, 90_000_000)
    for number in range(MOST_STEPS + 20):
        name = f"C{number + 100}"
        body = requests.PaymentIn(reference=name, customer_id=name, customer_name="客", amount_fen=2_000)
        requests.book_payment(store, body, "F01")
        with store.write() as tx:
            grant_by_hand(tx, f"{name}/prepaid", plant.instance.wire_id, 1_000)
    tell(store, plant)
    assert turn(store, Way.EXACT) == Turn()  # marks that more lies there than the target of nothing
    turn(store, Way.EXACT, after=timedelta(minutes=1))
    with store.read() as tx:
        assert len(read_marks(tx)) == MOST_STEPS + 20


def test_a_frozen_plant_is_no_plant_of_the_policy(store: Store, plant: FakePlant) -> None:
    with store.write() as tx:
        tx.execute(update(instances).values(frozen="fork"))
    assert _plants(store) == []


def test_per_mille_rounds_half_up() -> None:
    assert [per_mille(part, 3) for part in range(4)] == [0, 333, 667, 1000]
    assert per_mille(1, 2000) == 1 and per_mille(1, 2001) == 0 and per_mille(5, 0) == 0


def _grant(store: Store, plant: FakePlant) -> Grant:
    with store.read() as tx:
        found = find_grant(tx, plant.instance.wire_id, ACCOUNT)
    assert found is not None
    return found


def _plants(store: Store) -> list[OpenPlant]:
    with store.read() as tx:
        return open_plants(tx, lambda _: Way.AUTO, int(datetime.now(UTC).timestamp()))


def _ago(seconds: float) -> datetime:
    return datetime.now(UTC) - timedelta(seconds=seconds)
