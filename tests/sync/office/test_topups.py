"""Top-up codes and whom a dispatcher means, on both databases: the same total is the same text, nobody is a guess."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import delete, update

from sync import carried
from sync.office import topups as office_topups
from sync.office.refusal import NotAllowed
from sync.office.store.database import Store
from sync.office.store.money import grant_by_hand
from sync.office.store.schema import notices, topups
from sync.office.store.topups import Found, find_account
from tests.sync.office.plant import FakePlant
from tests.sync.office.test_money import ACCOUNT, account, issue, pay

PLATE = "浙A12345"
LONG_AGO = "2020-01-01T00:00:00.000+00:00"


def find(store: Store, who: str) -> Found:
    with store.read() as tx:
        return find_account(tx, who)


def two_customers(store: Store) -> None:
    pay(store, 10_000_000)
    pay(store, 10_000_000, "B2", customer_id="A001", customer_name="乙公司")


def expire(store: Store, notice: str) -> None:
    with store.write() as tx:
        tx.execute(update(notices).where(notices.c.notice == notice).values(expires_at=LONG_AGO))


def shown(store: Store, key: Ed25519PrivateKey, plant: FakePlant) -> str:
    return office_topups.code_of(store, key, plant.instance.wire_id, ACCOUNT).text


def test_a_total_is_the_same_text_each_time_it_is_shown(store: Store, plant: FakePlant) -> None:
    """Finance reads the lines out, and may open the page again between two of them."""
    pay(store, 10_000)
    key = Ed25519PrivateKey.generate()
    texts = {}
    for total_fen, more_fen in ((1_000, 1_000), (3_000, 2_000)):
        with store.write() as tx:
            grant_by_hand(tx, ACCOUNT, plant.instance.wire_id, more_fen)
            granted_at = (datetime.now(UTC) - timedelta(hours=2)).isoformat()
            tx.execute(update(topups).where(topups.c.granted_fen == total_fen).values(granted_at=granted_at))
        first, again = shown(store, key, plant), shown(store, key, plant)
        assert first == again
        told = carried.read(first, key.public_key())
        assert told.granted_fen == total_fen
        assert told.made_at == datetime.fromisoformat(granted_at).replace(microsecond=0), "when it was granted, not now"
        texts[total_fen] = first
    assert texts[1_000] != texts[3_000]


def test_a_grant_whose_moment_was_not_noted_has_one_text_too(store: Store, plant: FakePlant) -> None:
    pay(store, 10_000)
    key = Ed25519PrivateKey.generate()
    with store.write() as tx:
        grant_by_hand(tx, ACCOUNT, plant.instance.wire_id, 1_000)
        tx.execute(delete(topups))
    text = shown(store, key, plant)
    assert datetime.now(UTC) - carried.read(text, key.public_key()).made_at < timedelta(minutes=5), "when it enrolled"
    assert text == shown(store, key, plant)


def test_a_plate_of_two_customers_books_to_neither(store: Store, plant: FakePlant) -> None:
    """The notice of one expired while its plant had no link; the truck came again for the other."""
    two_customers(store)
    issue(store, notice="N1", customer_id="C001")
    expire(store, "N1")
    issue(store, notice="N2", customer_id="A001")
    paid: dict[str, Any] = {"reference": "BANK77", "payment_fen": 5_000_000, "payer": "乙公司"}
    with pytest.raises(NotAllowed, match="means more than one: A001/prepaid 乙公司 N2, C001/prepaid .* N1") as caught:
        office_topups.top_up(store, office_topups.TopupIn(plant="HX01", who=PLATE, **paid), "F01")
    assert caught.value.field == "who"
    assert account(store)["fund_fen"] == 10_000_000
    assert find(store, "N2").account == "A001/prepaid" and find(store, "N1").account == ACCOUNT
    assert find(store, "C001").order == "", "its own number is no guess"


def test_a_plate_whose_only_notice_has_expired_is_not_enough(store: Store, plant: FakePlant) -> None:
    two_customers(store)
    issue(store, notice="N1")
    assert find(store, PLATE.lower()) == Found(ACCOUNT, "C001", "prepaid", find(store, ACCOUNT).customer_name, "N1")
    expire(store, "N1")
    with pytest.raises(NotAllowed, match="its notice N1 has expired"):
        find(store, PLATE)
    assert find(store, "N1").account == ACCOUNT, "who reads out the number means that notice"


def test_a_customer_who_is_named_like_a_notice_is_not_guessed(store: Store, plant: FakePlant) -> None:
    two_customers(store)
    issue(store, notice="A001", customer_id="C001")
    with pytest.raises(NotAllowed, match="means more than one"):
        find(store, "A001")
    assert find(store, "A001/prepaid").account == "A001/prepaid", "an account's own name is always that account"


@pytest.mark.parametrize(
    ("granted_fen", "said"),
    [
        (0, r"at most the ¥100.00 that is free"),
        (10_000, r"nothing is free: post a payment first, or recall the ¥100.00"),
    ],
)
def test_a_grant_that_is_too_large_says_what_to_do(store: Store, plant: FakePlant, granted_fen: int, said: str) -> None:
    pay(store, 10_000)
    body: dict[str, Any] = {"plant": "HX01", "who": "C001"}
    if granted_fen:
        office_topups.top_up(store, office_topups.TopupIn(grant_fen=granted_fen, **body), "F01")
    with pytest.raises(NotAllowed, match=said):
        office_topups.top_up(store, office_topups.TopupIn(grant_fen=10_001, **body), "F01")
