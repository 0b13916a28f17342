"""The road's limits stand once; the plant and head office go by the same table."""

import pytest

from edge.domain.load_limit import LimitFacts, load_limit
from sync import road_limits
from sync.office.accounts import largest_net_kg
from sync.road_limits import road_limit_kg


@pytest.mark.parametrize(
    ("axles", "articulated", "limit_kg"),
    [
        (2, False, 18_000), (3, False, 25_000), (4, False, 31_000), (5, False, 31_000), (8, False, 31_000),
        (2, True, 27_000), (3, True, 27_000), (4, True, 36_000), (5, True, 43_000), (6, True, 49_000),
        (8, True, 49_000),
    ],
)  # fmt: skip
def test_road_limits(axles: int, articulated: bool, limit_kg: int) -> None:
    assert road_limit_kg(axles, articulated) == limit_kg


def test_both_ends_read_this_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(road_limits.ARTICULATED_KG, 6, 40_000)
    facts = LimitFacts(
        tare_kg=14_500, axles=6, articulated=True, vehicle_max_kg=None, scale_max_kg=100_000, division_kg=20,
        notice_limit_kg=None, spendable_fen=10**9, price_fen_per_t=1, on_credit=False,
    )  # fmt: skip
    assert load_limit(facts).hardest.gross_kg == 40_000
    assert largest_net_kg(6, articulated=True, vehicle_max_kg=None) == 30_000
