"""Payments, credit, notices and grants on both databases: posted once, never beyond the fund, one clear error."""

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from sync.documents import Notice
from sync.fields import Mode
from sync.messages import AccountState
from sync.office import requests
from sync.office.refusal import NotAllowed
from sync.office.store import views
from sync.office.store.balances import balances
from sync.office.store.database import Store
from sync.office.store.inbox import ingest
from sync.office.store.money import grant_by_hand, read_accounts
from sync.office.store.plants import enrol, hear_state, read_committed
from sync.office.store.schema import credits
from sync.office.store.verification import verify_books
from tests.sync.office.plant import FakePlant

ACCOUNT = "C001/prepaid"
DUE = (datetime.now(UTC) + timedelta(days=27)).date().isoformat()
NOTICE = {
    "plant": "HX01", "customer_id": "C001", "plate": "浙A12345", "product": "焦炭", "price_fen_per_t": 200_000,
    "notice": "N1",
}  # fmt: skip


def pay(store: Store, fen: int, reference: str = "B1", **more: Any) -> bool:
    fields = {"reference": reference, "customer_id": "C001", "customer_name": "示例客户甲", "amount_fen": fen, **more}
    return bool(requests.book_payment(store, requests.read_body(requests.PaymentIn, fields), "F01")["new"])


def issue(store: Store, **more: Any) -> Notice:
    body = requests.read_body(requests.NoticeIn, {**NOTICE, **more})
    return requests.book_notice(store, body, "B01", 8)


def account(store: Store, name: str = ACCOUNT) -> dict[str, Any]:
    with store.read() as tx:
        row = next(row for row in balances(tx) if row["account"] == name)
        assert verify_books(tx).ok, verify_books(tx).problems
    assert row["agrees"], row
    return row


def granted(store: Store, name: str = ACCOUNT) -> dict[str, int]:
    with store.read() as tx:
        return {
            instance.split("/")[0]: each.counters.granted_fen
            for row in read_accounts(tx)
            if row.account == name
            for instance, each in row.allotments.items()
        }


def test_a_payment_is_booked_once(store: Store) -> None:
    assert pay(store, 100_000)
    assert not pay(store, 100_000)
    assert account(store)["fund_fen"] == 100_000
    with pytest.raises(NotAllowed, match="already booked as C001/prepaid ¥1,000.00"):
        pay(store, 100_001)
    with pytest.raises(NotAllowed, match="already booked"):
        pay(store, 100_000, payer="another")
    assert account(store)["fund_fen"] == 100_000


def test_payments_from_many_threads_are_all_booked(store: Store) -> None:
    pay(store, 1)
    threads = [threading.Thread(target=pay, args=(store, 10, f"T{n % 8}")) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert account(store)["fund_fen"] == 81


BAD_PAYMENTS: list[tuple[dict[str, Any], str]] = [
    ({"amount_fen": 0}, "amount_fen"),
    ({"amount_fen": -5}, "amount_fen"),
    ({"amount_fen": "1"}, "amount_fen"),
    ({"amount_fen": 1.5}, "amount_fen"),
    ({"reference": "a b"}, "reference"),
    ({"customer_id": "C001/x"}, "customer_id"),
    ({"customer_name": ""}, "customer_id"),
    ({"payer": "x\x1b[2J"}, "payer"),
    ({"colour": "red"}, "colour"),
]


def test_a_bad_payment_names_its_field(store: Store) -> None:
    for changes, field in BAD_PAYMENTS:
        with pytest.raises(NotAllowed) as caught:
            pay(store, **{"fen": 100, **changes})
        assert caught.value.field == field, changes


def test_a_notice_reserves_and_grants_exactly_what_is_missing(store: Store, plant: FakePlant) -> None:
    pay(store, 10_000_000)
    first = issue(store, limit_kg=20_000)
    assert first.hold_fen == 4_000_000 and granted(store) == {"HX01": 4_000_000}
    second = issue(store, notice="N2", plate="浙B22222")
    assert second.hold_fen == 6_000_000, "as much as is left"
    assert account(store)["free_fen"] == 0
    with pytest.raises(NotAllowed, match="¥0.00 can be spent.*cost ¥2,000.00"):
        issue(store, notice="N3", plate="浙C33333")
    with store.read() as tx:
        assert [row["number"] for row in views.documents_of(tx, plant.instance.wire_id)] == [1, 2]


def test_money_a_plant_has_left_is_used_before_more_is_granted(store: Store, plant: FakePlant) -> None:
    pay(store, 10_000_000)
    with store.write() as tx:
        grant_by_hand(tx, ACCOUNT, plant.instance.wire_id, 3_000_000)
    issue(store, limit_kg=20_000)
    assert granted(store) == {"HX01": 4_000_000}
    visit = plant.taken("N1", ACCOUNT, 4_000_000)
    plant.ticket(visit, "N1", ACCOUNT, 10_000, 200_000, 4_000_000)
    with store.write() as tx:
        ingest(tx, plant.instance.wire_id, plant.rows)
    issue(store, notice="N2", limit_kg=10_000, plate="浙B22222")
    assert granted(store) == {"HX01": 4_000_000}, "half of the first hold was left over"


def test_two_plants_never_share_a_fen(store: Store, plant: FakePlant) -> None:
    other = FakePlant(code="HX02")
    with store.write() as tx:
        enrol(tx, "HX02", "二厂", other.key.public_key())
    pay(store, 6_000_000)
    issue(store, limit_kg=20_000)
    taken = issue(store, notice="N2", plant="HX02", plate="浙B22222")
    assert taken.hold_fen == 2_000_000 and granted(store) == {"HX01": 4_000_000, "HX02": 2_000_000}


def test_a_want_is_granted_as_far_as_free_and_the_rest_when_paid(store: Store, plant: FakePlant) -> None:
    pay(store, 4_100_000)
    issue(store, limit_kg=20_000)
    told = AccountState(
        granted_fen=4_000_000, returned_fen=0, spent_fen=0, voided_fen=0, held_fen=4_000_000, want_granted_fen=4_256_000
    )
    with store.write() as tx:
        assert hear_state(tx, plant.instance.wire_id, plant.state({ACCOUNT: told})).granted
    assert granted(store) == {"HX01": 4_100_000}
    assert account(store)["allotted"][0]["wanted_fen"] == 156_000
    pay(store, 10_000_000, "B2")
    assert granted(store) == {"HX01": 4_256_000}
    with store.read() as tx:
        seen = read_committed(tx, plant.instance.wire_id, 0, 10)
    assert seen.granted_fen == {ACCOUNT: 4_256_000}


def test_returned_money_is_free_again_and_never_more_than_was_granted(store: Store, plant: FakePlant) -> None:
    pay(store, 4_000_000)
    issue(store, limit_kg=20_000)
    for returned_fen, free_fen in ((1_000_000, 1_000_000), (500_000, 1_000_000), (9_000_000_000, 4_000_000)):
        told = AccountState(granted_fen=4_000_000, returned_fen=returned_fen, spent_fen=0, voided_fen=0, held_fen=0)
        with store.write() as tx:
            hear_state(tx, plant.instance.wire_id, plant.state({ACCOUNT: told}))
        with store.read() as tx:
            assert read_accounts(tx)[0].free_fen == free_fen


BAD_NOTICES: list[tuple[dict[str, Any], str]] = [
    ({"plant": "ZZ99"}, "plant"),
    ({"customer_id": "C999"}, "customer_id"),
    ({"plate": "A12345"}, "plate"),
    ({"plate": "浙I12345"}, "plate"),
    ({"plate": "<b>"}, "plate"),
    ({"price_fen_per_t": 0}, "price_fen_per_t"),
    ({"axles": 9}, "axles"),
    ({"mode": "barter"}, "mode"),
    ({"mode": "credit"}, "credit_application"),
    ({"mode": "consigned", "carrier": "某物流"}, "pickup_person"),
    ({"expires_at": "2020-01-01T00:00:00+08:00"}, "expires_at"),
    ({"expires_at": "tomorrow"}, "expires_at"),
    ({"expires_at": "2099-01-01T00:00:00+08:00"}, "expires_at"),
    ({"product": ""}, "product"),
    ({"limit_kg": 0}, "limit_kg"),
    ({"notice": "N 1"}, "notice"),
]


def test_a_bad_notice_names_its_field_and_books_nothing(store: Store, plant: FakePlant) -> None:
    pay(store, 10_000_000)
    for changes, field in BAD_NOTICES:
        with pytest.raises(NotAllowed) as caught:
            issue(store, **changes)
        assert caught.value.field == field and caught.value.zh and caught.value.en, changes
    assert granted(store) == {}


def test_a_number_and_an_open_plate_are_used_once(store: Store, plant: FakePlant) -> None:
    pay(store, 100_000_000)
    issue(store)
    with pytest.raises(NotAllowed, match="this number is used"):
        issue(store, plate="浙B22222")
    with pytest.raises(NotAllowed, match="has an open notice already: N1"):
        issue(store, notice="N2")
    first, second = issue(store, notice="", plate="浙C33333"), issue(store, notice="", plate="浙D44444")
    assert int(second.notice[-4:]) == int(first.notice[-4:]) + 1


def test_amend_and_cancel_are_documents_of_their_own(store: Store, plant: FakePlant) -> None:
    pay(store, 10_000_000)
    issue(store, limit_kg=10_000)
    changed = requests.change_notice(store, "N1", requests.read_body(requests.AmendIn, {"limit_kg": 20_000}), 8)
    assert (changed.version, changed.hold_fen) == (2, 4_000_000) and granted(store) == {"HX01": 4_000_000}
    visit = plant.taken("N1", ACCOUNT, 4_000_000)
    with store.write() as tx:
        ingest(tx, plant.instance.wire_id, plant.rows)
    again = requests.change_notice(store, "N1", requests.read_body(requests.AmendIn, {"limit_kg": 21_000}), 8)
    assert (again.version, granted(store)) == (3, {"HX01": 4_200_000}), visit
    requests.withdraw_notice(store, "N1", "客户不来了")
    with store.read() as tx:
        sent = [row["kind"] for row in views.documents_of(tx, plant.instance.wire_id)]
    assert sent == ["notice", "notice", "notice", "notice_cancelled"]
    with pytest.raises(NotAllowed, match="no such notice"):
        requests.withdraw_notice(store, "N9", "x")


def test_credit_takes_the_place_of_cash(store: Store, plant: FakePlant) -> None:
    fields = {
        "application": "2611-01", "customer_id": "C002", "customer_name": "示例客户乙", "product": "焦炭",
        "quantity_kg": 50_000, "price_fen_per_t": 200_000, "due": DUE, "responsible": "李四",
    }  # fmt: skip
    body = requests.read_body(requests.CreditIn, fields)
    assert requests.book_credit(store, body, "A01", 8)["amount_fen"] == 10_000_000
    assert not requests.book_credit(store, body, "A01", 8)["new"]
    with pytest.raises(NotAllowed, match="quantity_kg 50000"):
        requests.book_credit(store, body.model_copy(update={"quantity_kg": 60_000}), "A01", 8)
    credit = {"mode": "credit", "customer_id": "C002", "credit_application": "2611-01"}
    notice = issue(store, limit_kg=30_000, **credit)
    assert notice.mode is Mode.CREDIT and notice.account == "C002/credit-2611-01"
    assert (notice.credit_due, notice.responsible) == (DUE, "李四")
    assert account(store, notice.account)["free_fen"] == 4_000_000
    for changes, field in (
        ({"price_fen_per_t": 190_000}, "price_fen_per_t"), ({"product": "煤"}, "product"),
        ({"customer_id": "C001"}, "customer_id"), ({"limit_kg": 60_000}, "limit_kg"),
    ):  # fmt: skip
        with pytest.raises(NotAllowed) as caught:
            issue(store, **{"notice": "N2", "plate": "浙B22222", **credit, **changes})
        assert caught.value.field == field


def test_overdue_credit_is_refused(store: Store, plant: FakePlant) -> None:
    fields = {
        "application": "old", "customer_id": "C002", "customer_name": "乙", "product": "焦炭", "quantity_kg": 50_000,
        "price_fen_per_t": 200_000, "due": DUE, "responsible": "李四",
    }  # fmt: skip
    body = requests.read_body(requests.CreditIn, fields)
    past = (datetime.now(UTC) - timedelta(days=2)).date().isoformat()
    with pytest.raises(NotAllowed, match="is past; allowed: .* or later") as caught:
        requests.book_credit(store, body.model_copy(update={"due": past}), "A01", 8)
    assert (caught.value.field, caught.value.value) == ("due", past)
    assert requests.book_credit(store, body, "A01", 8)["new"], "nothing was booked before"
    with store.write() as tx:
        tx.execute(update(credits).values(due=past))
    body = body.model_copy(update={"due": past})
    assert not requests.book_credit(store, body, "A01", 8)["new"], "the same one again, long after"
    with pytest.raises(NotAllowed, match="was due on"):
        issue(store, mode="credit", customer_id="C002", credit_application="old")


def test_a_new_epoch_gets_the_notices_and_the_old_one_keeps_its_reserve(store: Store, plant: FakePlant) -> None:
    pay(store, 10_000_000)
    issue(store, limit_kg=20_000)
    second = FakePlant(epoch=2)
    with store.write() as tx:
        again = enrol(tx, "HX01", "一厂", plant.key.public_key())
        new = enrol(tx, "HX01", "一厂", second.key.public_key())
        with pytest.raises(NotAllowed, match="above 2"):
            enrol(tx, "HX01", "一厂", FakePlant().key.public_key(), epoch=1)
    assert (again.epoch, new.epoch) == (1, 2)
    with store.read() as tx:
        states = {row["epoch"]: row["state"] for row in views.list_plants(tx)}
        assert read_accounts(tx)[0].free_fen == 6_000_000
    assert states == {1: "closing", 2: "open"}
    issue(store, notice="N2", plate="浙B22222", limit_kg=10_000)
    with store.read() as tx:
        assert [row["subject"] for row in views.documents_of(tx, new.wire_id)] == ["N2"]
        with pytest.raises(NotAllowed, match="at most the ¥40,000.00 that is free"):
            grant_by_hand(tx, ACCOUNT, new.wire_id, 5_000_000)
