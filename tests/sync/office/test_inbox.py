"""Rows come in any order, any number of times, and are applied once; forks and broken chains are kept and told."""

import random

import pytest
from sqlalchemy import func, select, update

from sync.canonical import canonical
from sync.messages import AccountState, WireRecord
from sync.office.store import views
from sync.office.store.corrections import undo_payment
from sync.office.store.database import Store
from sync.office.store.inbox import Ingested, UnknownInstance, Unstorable, ingest
from sync.office.store.money import Payment, grant_by_hand, post_payment
from sync.office.store.plants import hear_state, read_committed
from sync.office.store.schema import allotments, forks, inbox
from sync.office.store.verification import verify_books
from sync.records import Returned, ScaleCommanded, ScaleCommandEnded, VisitMoved
from tests.sync.office.plant import FakePlant, tampered

ACCOUNT = "C001/prepaid"
PRICE = 200_000


def take(store: Store, plant: FakePlant, rows: list[WireRecord]) -> Ingested:
    with store.write() as tx:
        return ingest(tx, plant.instance.wire_id, rows)


def fund(store: Store, plant: FakePlant, fen: int) -> None:
    with store.write() as tx:
        post_payment(tx, Payment("B1", "C001", "示例客户甲", fen))
        grant_by_hand(tx, ACCOUNT, plant.instance.wire_id, fen)


def counters(store: Store) -> tuple[int, int, int]:
    with store.read() as tx:
        row = tx.execute(select(allotments).where(allotments.c.account == ACCOUNT)).mappings().one()
    return row["spent_fen"], row["voided_fen"], row["held_fen"]


def check(store: Store) -> list[str]:
    with store.read() as tx:
        return verify_books(tx).problems


def test_a_visit_becomes_a_shipment_and_counters(store: Store, plant: FakePlant) -> None:
    fund(store, plant, 10_000_000)
    plant.truck("N1", ACCOUNT, 7_000_000, 28_340, PRICE)
    done = take(store, plant, plant.rows)
    assert (done.last_seq, done.last_hash) == (len(plant.rows), plant.rows[-1].hash)
    assert counters(store) == (5_668_000, 0, 0)
    with store.read() as tx:
        (row,) = views.list_shipments(tx)
        sums = views.totals(tx)
    assert (row["state"], row["net_kg"], row["amount_fen"]) == ("released", 28_340, 5_668_000)
    assert sums["plants"]["HX01"]["released"] == 1
    assert (sums["net_kg"], sums["amount_fen"]) == (28_340, 5_668_000)
    assert check(store) == []


def test_any_order_any_number_of_times_gives_the_same_books(store: Store, plant: FakePlant) -> None:
    fund(store, plant, 100_000_000)
    for number in range(6):
        plant.truck(f"N{number}", ACCOUNT, 7_000_000, 28_000 + 20 * number, PRICE)
    chance = random.Random(7)
    pieces = [plant.rows[start : start + 3] for start in range(0, len(plant.rows), 3)] * 3
    chance.shuffle(pieces)
    for piece in pieces:
        take(store, plant, piece)
    assert take(store, plant, []).last_seq == len(plant.rows)
    assert counters(store)[0] == sum((28_000 + 20 * n) * 200 for n in range(6))
    with store.read() as tx:
        assert tx.execute(select(func.count()).select_from(inbox)).scalar_one() == len(plant.rows)
    assert check(store) == []


def test_rows_past_a_gap_wait_and_the_answer_names_the_last_before_it(store: Store, plant: FakePlant) -> None:
    plant.truck("N1", ACCOUNT, 0, 1000, PRICE)
    assert take(store, plant, plant.rows[2:]).last_seq == 0
    with store.read() as tx:
        assert views.list_shipments(tx) == []
        assert views.list_plants(tx)[0]["parked"] == len(plant.rows) - 2
    assert take(store, plant, plant.rows[:2]).last_seq == len(plant.rows)


def test_the_same_number_with_another_hash_is_a_fork(store: Store, plant: FakePlant) -> None:
    fund(store, plant, 10_000_000)
    plant.truck("N1", ACCOUNT, 7_000_000, 1000, PRICE)
    take(store, plant, plant.rows)
    other = tampered(plant.rows[0], plate="浙B00000")
    done = take(store, plant, [other])
    assert done.forked and done.last_seq == len(plant.rows)
    with store.read() as tx:
        kept = tx.execute(select(forks)).mappings().one()
        row = views.list_plants(tx)[0]
        kinds = {each["kind"] for each in views.list_incidents(tx)}
    assert kept["hash"] == other.hash and "twice" in row["frozen"] and "fork" in kinds
    assert any("no_forks" in problem for problem in check(store))
    with store.write() as tx, pytest.raises(Exception, match="frozen"):
        grant_by_hand(tx, ACCOUNT, plant.instance.wire_id, 1)


def test_a_fork_inside_one_message_is_seen_too(store: Store, plant: FakePlant) -> None:
    plant.truck("N1", ACCOUNT, 0, 1000, PRICE)
    assert take(store, plant, [plant.rows[0], tampered(plant.rows[0], plate="x")]).forked


def test_a_broken_chain_is_kept_but_not_applied(store: Store, plant: FakePlant) -> None:
    plant.truck("N1", ACCOUNT, 0, 1000, PRICE)
    rows = [*plant.rows[:2], tampered(plant.rows[2], lane="x"), *plant.rows[3:]]
    assert take(store, plant, rows).last_seq == 2
    with store.read() as tx:
        assert "does not follow" in views.list_plants(tx)[0]["frozen"]
        assert tx.execute(select(func.count()).select_from(inbox)).scalar_one() == len(rows)


def test_a_row_changed_in_the_database_is_found(store: Store, plant: FakePlant) -> None:
    plant.truck("N1", ACCOUNT, 0, 1000, PRICE)
    take(store, plant, plant.rows)
    with store.write() as tx:
        body = plant.rows[3].body.replace("1000", "2000")
        tx.execute(update(inbox).where(inbox.c.seq == 4).values(body=body))
    assert any("row 4" in problem for problem in check(store))


def test_what_a_person_told_an_indicator_is_shown_with_what_became_of_it(store: Store, plant: FakePlant) -> None:
    now = plant.now()
    plant.write(
        ScaleCommanded(
            lane="1",
            command="zero",
            indicator="toledo",
            weight_kg=-40,
            person="王芳",
            business_date="2026-11-23",
            at=now,
        )
    )
    plant.write(ScaleCommandEnded(commanded=1, lane="1", result="refused", what="it cannot now", weight_kg=-40, at=now))
    take(store, plant, plant.rows)
    with store.read() as tx:
        (told,) = views.list_incidents(tx)
    assert (told["kind"], told["what"]) == ("scale_command_refused", "1: refused, -40 kg (it cannot now)")
    assert (told["command"]["person"], told["command"]["weight_kg"], told["command"]["after_kg"]) == ("王芳", -40, -40)
    assert check(store) == []


def test_voids_overrides_reprints_and_unreadable_rows_are_told(store: Store, plant: FakePlant) -> None:
    fund(store, plant, 10_000_000)
    visit = plant.taken("N1", ACCOUNT, 200_000)
    ticket = plant.ticket(visit, "N1", ACCOUNT, 1000, PRICE, 200_000)
    plant.void(visit, ticket, ACCOUNT, 200_000)
    second = plant.taken("N2", ACCOUNT, 200_000)
    other = plant.ticket(second, "N2", ACCOUNT, 1000, PRICE, 200_000)
    plant.exit(second, other, override="王五")
    plant.write_raw("ticket", canonical({"ticket": "?"}))
    plant.write_raw("something_new", canonical({"a": 1}))
    assert take(store, plant, plant.rows).last_seq == len(plant.rows)
    assert counters(store) == (400_000, 200_000, 0)
    with store.read() as tx:
        assert {row["kind"] for row in views.list_incidents(tx)} == {"void", "override", "unreadable", "order_differs"}
        sums = views.totals(tx)
    assert (sums["shipments"], sums["voided"], sums["amount_fen"], sums["voided_fen"]) == (2, 1, 200_000, 200_000)
    assert [line.partition("row")[2] for line in check(store)] == [" 7 counts nowhere: ticket: number: Field required"]


def test_an_empty_truck_leaves_with_its_slip_and_counts_nowhere(store: Store, plant: FakePlant) -> None:
    fund(store, plant, 10_000_000)
    plant.truck("N1", ACCOUNT, 200_000, 1000, PRICE)
    visit = plant.empty("N2", ACCOUNT, 5_000_000)
    take(store, plant, plant.rows)
    with store.read() as tx:
        row = next(row for row in views.list_shipments(tx) if row["visit"] == visit)
    assert (row["state"], row["exit_at"], row["hold_fen"], row["pass_id"]) == ("empty", "", 0, "slip-N2")
    plant.exit(visit, visit, override="王五")
    take(store, plant, plant.rows)
    with store.read() as tx:
        row = next(row for row in views.list_shipments(tx) if row["visit"] == visit)
        sums = views.totals(tx)
        (incident,) = (each for each in views.list_incidents(tx) if each["kind"] != "order_differs")
    assert (row["state"], row["ticket"], row["net_kg"], row["amount_fen"]) == ("empty", "", 0, 0)
    assert row["exit_at"] and row["exit_at"] == row["changed_at"]
    assert (incident["kind"], visit in incident["what"]) == ("override", True)
    assert (sums["shipments"], sums["released"], sums["amount_fen"]) == (1, 1, 200_000)
    assert check(store) == []


def test_a_held_truck_shows_what_is_over_until_it_is_cleared(store: Store, plant: FakePlant) -> None:
    fund(store, plant, 10_000_000)
    visit = plant.taken("N1", ACCOUNT, 5_000_000)
    plant.held(visit, "N1", ACCOUNT, 33_680, 256_000)
    take(store, plant, plant.rows)
    with store.read() as tx:
        (row,) = views.list_shipments(tx)
        assert (row["state"], row["over_fen"], row["hold_fen"]) == ("held", 256_000, 5_000_000)
        assert views.yard_counts(tx) == {"held": 1}
    plant.ticket(visit, "N1", ACCOUNT, 25_000, PRICE, 5_000_000)
    take(store, plant, plant.rows)
    with store.read() as tx:
        (row,) = views.list_shipments(tx)
    assert (row["state"], row["over_fen"], row["hold_fen"]) == ("ticketed", 0, 0)


def test_a_ticket_beyond_the_allotment_is_booked_and_told(store: Store, plant: FakePlant) -> None:
    fund(store, plant, 100_000)
    plant.truck("N1", ACCOUNT, 200_000, 1000, PRICE)
    plant.truck("N2", "C999/prepaid", 200_000, 1000, PRICE)
    take(store, plant, plant.rows)
    with store.read() as tx:
        kinds = {row["kind"] for row in views.list_incidents(tx)}
        assert kinds == {"over_allotment", "unknown_account", "order_differs"}
        assert views.totals(tx)["shipments"] == 2


def test_a_row_no_database_keeps_is_refused_and_a_nul_in_a_name_stops_nothing(store: Store, plant: FakePlant) -> None:
    plant.write_raw("alarm", '{"source":"a\\u0000","what":"b","at":"2026-11-23T06:00:00Z"}')
    plant.truck("N1", ACCOUNT, 0, 1000, PRICE)
    assert take(store, plant, plant.rows).last_seq == len(plant.rows)
    with store.read() as tx:
        assert sorted(row["kind"] for row in views.list_incidents(tx)) == [
            "order_differs", "unknown_account", "unreadable",
        ]  # fmt: skip
    for changes in ({"seq": 10**30}, {"seq": 0}, {"body": "\0"}, {"at": "\ud800"}):
        with pytest.raises(Unstorable):
            take(store, plant, [plant.rows[0].model_copy(update=changes)])


def test_rows_of_an_unknown_instance_are_refused(store: Store) -> None:
    stranger = FakePlant(code="ZZ99")
    stranger.truck("N1", ACCOUNT, 0, 1000, PRICE)
    with store.write() as tx, pytest.raises(UnknownInstance):
        ingest(tx, stranger.instance.wire_id, stranger.rows)


def test_grants_are_answered_from_the_books(store: Store, plant: FakePlant) -> None:
    fund(store, plant, 100_000)
    with store.read() as tx:
        assert read_committed(tx, plant.instance.wire_id, 0, 10).granted_fen == {ACCOUNT: 100_000}


def test_rows_that_make_the_plant_lack_something_say_so(store: Store, plant: FakePlant) -> None:
    fund(store, plant, 10_000_000)
    visit = plant.taken("N1", ACCOUNT, 7_000_000)
    assert not take(store, plant, plant.rows).owed
    with store.write() as tx:
        undo_payment(tx, "B1", "支票退回", "F01")
    plant.write(Returned(account=ACCOUNT, returned_fen=3_000_000))
    counters = AccountState(
        granted_fen=10_000_000, returned_fen=3_000_000, spent_fen=0, voided_fen=0, held_fen=7_000_000
    )  # fmt: skip
    with store.write() as tx:
        hear_state(tx, plant.instance.wire_id, plant.state({ACCOUNT: counters}, documents=1))
    plant.write(
        VisitMoved(
            visit=visit, notice="N1", plate="浙A12345", event="cancel", state="cancelled", at=plant.now(),
            account=ACCOUNT, released_fen=7_000_000,
        )
    )  # fmt: skip
    assert take(store, plant, plant.rows).owed, "what the truck held is recalled"


def test_a_void_of_goods_that_left_or_never_were_gives_no_money_back(store: Store, plant: FakePlant) -> None:
    fund(store, plant, 10_000_000)
    visit = plant.taken("N1", ACCOUNT, 200_000)
    gone = plant.ticket(visit, "N1", ACCOUNT, 1000, PRICE, 200_000)
    plant.exit(visit, gone)
    plant.void(visit, gone, ACCOUNT, 200_000)
    second = plant.taken("N2", ACCOUNT, 200_000)
    plant.void(second, plant.ticket(second, "N2", ACCOUNT, 1000, PRICE, 200_000), ACCOUNT, 300_000)
    plant.void("N9", "HX01-01-0000009", ACCOUNT, 900_000)
    take(store, plant, plant.rows)
    assert counters(store) == (400_000, 0, 0)
    with store.read() as tx:
        odd = sorted(row["what"] for row in views.list_incidents(tx) if row["kind"] == "odd_void")
        states = {row["notice"]: row["state"] for row in views.list_shipments(tx)}
    assert len(odd) == 3 and any("is released" in what for what in odd) and any("no such" in what for what in odd)
    assert states == {"N1": "released", "N2": "ticketed"}
    assert check(store) == []
