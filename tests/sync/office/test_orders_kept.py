"""Head office holds what a plant took and sold against every version of the notice that it had sent there."""

from typing import Any

import pytest

from sync import records as wire
from sync.documents import Notice
from sync.fields import Mode
from sync.office.store import views
from sync.office.store.database import Store
from sync.office.store.inbox import ingest
from sync.office.store.orders import amend_notice
from sync.office.store.verification import verify_books
from sync.orders import digest
from tests.sync.office.plant import START, FakePlant
from tests.sync.office.test_money import ACCOUNT, issue, pay

PRICE = 200_000


def take(store: Store, plant: FakePlant) -> list[str]:
    """All rows of the plant; what head office says about its orders."""
    with store.write() as tx:
        ingest(tx, plant.instance.wire_id, plant.rows)
    with store.read() as tx:
        assert verify_books(tx).problems == []
        return [row["what"] for row in views.list_incidents(tx) if row["kind"] == "order_differs"]


def sell(plant: FakePlant, **changes: Any) -> None:
    """A ticket for N1 with these fields changed behind the program's back."""
    visit = plant.taken("N1", ACCOUNT, 2_000_000)
    before = FakePlant()
    before.ticket(visit, "N1", ACCOUNT, 1_000, PRICE, 2_000_000)
    honest = wire.Ticketed.model_validate_json(before.rows[0].body)
    plant.write(honest.model_copy(update=changes))


def test_a_ticket_as_ordered_is_no_incident(store: Store, plant: FakePlant) -> None:
    pay(store, 10_000_000)
    issue(store, limit_kg=10_000)
    sell(plant)
    assert take(store, plant) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"price_fen_per_t": 190_000}, "price ¥1,900.00/t, 通知单 ordered ¥2,000.00/t"),
        ({"account": "C002/prepaid"}, "account C002/prepaid, 通知单 ordered C001/prepaid"),
        ({"customer_id": "C002"}, "customer C002, 通知单 ordered C001"),
        ({"plate": "浙B22222"}, "plate 浙B22222, 通知单 ordered 浙A12345"),
        ({"product": "煤"}, "product 煤, 通知单 ordered 焦炭"),
        ({"notice": "N7"}, "N7): 总部没有给该厂开过此通知单"),
    ],
)
def test_a_ticket_other_than_ordered_is_booked_and_told(
    store: Store, plant: FakePlant, changes: dict[str, Any], said: str
) -> None:
    pay(store, 10_000_000)
    pay(store, 10_000_000, "B2", customer_id="C002", customer_name="示例客户乙")
    issue(store, limit_kg=10_000)
    issue(store, notice="N2", customer_id="C002", limit_kg=10_000, plate="浙B33333")
    sell(plant, **changes)
    with store.write() as tx:
        ingest(tx, plant.instance.wire_id, plant.rows)
    with store.read() as tx:
        (told,) = [row["what"] for row in views.list_incidents(tx) if row["kind"] == "order_differs"]
        assert views.totals(tx)["amount_fen"] == PRICE, "never rejected"
    assert said in told and told.startswith("HX01-01-0000001"), told


@pytest.mark.parametrize("price", [200_000, 210_000])
def test_any_version_that_was_issued_counts(store: Store, plant: FakePlant, price: int) -> None:
    """The amendment may come when the truck has left."""
    pay(store, 10_000_000)
    issue(store, limit_kg=10_000)
    with store.write() as tx:
        amend_notice(tx, "N1", {"price_fen_per_t": 210_000}, START)
    sell(plant, price_fen_per_t=price, amount_fen=price)
    assert take(store, plant) == []


def test_versions_are_not_mixed(store: Store, plant: FakePlant) -> None:
    """The old price for the new truck was never ordered."""
    pay(store, 10_000_000)
    issue(store, limit_kg=10_000)
    with store.write() as tx:
        amend_notice(tx, "N1", {"price_fen_per_t": 210_000, "plate": "浙B22222"}, START)
    sell(plant, plate="浙B22222")
    (told,) = take(store, plant)
    assert "price" in told or "plate" in told


def test_an_order_taken_otherwise_than_issued_is_told(store: Store, plant: FakePlant) -> None:
    pay(store, 10_000_000)
    order = issue(store, limit_kg=10_000)
    fields: dict[str, Any] = {
        "notice": "N1", "visit": "N1", "account": ACCOUNT, "plate": order.plate, "hold_fen": 0, "wanted_fen": 0,
    }  # fmt: skip
    plant.write(wire.NoticeTaken(**fields, version=1, order_sha256=digest(order)))
    assert take(store, plant) == []
    heavier = order.model_copy(update={"limit_kg": 90_000})
    plant.write(wire.NoticeTaken(**fields, version=1, order_sha256=digest(heavier)))
    (told,) = take(store, plant)
    assert told.startswith("N1 v1: ") and "another order" in told


def test_a_field_added_later_changes_no_older_digest() -> None:
    class Newer(Notice):
        weighed_twice: bool = False

    order = Notice(
        notice="N1", mode=Mode.PREPAID, account="A", customer_id="C", customer_name="C", product="P",
        plate="浙A12345", axles=6, price_fen_per_t=1, hold_fen=0, issued_at=START, expires_at=START,
    )  # fmt: skip
    fields = order.model_dump(mode="json")
    assert digest(Newer.model_validate(fields)) == digest(order)
    assert digest(Newer.model_validate({**fields, "weighed_twice": True})) != digest(order)
