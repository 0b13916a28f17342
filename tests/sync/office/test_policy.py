"""The grant policy's arithmetic: bounded, exact in whole fen, and never more than what is free."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.office.policy import (
    DAY_S,
    HOUR_S,
    MOST_PERCENT,
    TRUCK_KG,
    Site,
    Way,
    is_forecast,
    nearest_rank,
    outage_s,
    plan_account,
    target_fen,
    window_sums,
)
from sync.units import amount_fen

NOW_S = 1_800_000_000
FEN = st.integers(0, 10**12)
SITES = st.lists(
    st.builds(
        Site,
        instance=st.sampled_from([f"HX{n:02}/1/00" for n in range(6)]),
        target_fen=FEN,
        unused_fen=FEN,
        over_since_s=st.none() | st.integers(NOW_S - 3 * DAY_S, NOW_S + DAY_S),
        sure=st.booleans(),
    ),
    max_size=6,
    unique_by=lambda site: site.instance,
)


@given(free=st.integers(-(10**12), 10**12), sites=SITES, several=st.booleans(), exposed=st.booleans())
def test_never_more_than_free_and_never_most_of_it_to_one_of_several(
    free: int, sites: list[Site], several: bool, exposed: bool
) -> None:
    plan = plan_account(free, sites, NOW_S, several, exposed)
    gifts = dict(plan.grants)
    assert all(fen > 0 for fen in gifts.values())
    assert sum(gifts.values()) <= max(0, free)
    if exposed or free <= 0:
        assert not gifts
    pool = max(0, free) + sum(site.unused_fen for site in sites)
    for site in sites:
        after = site.unused_fen + gifts.get(site.instance, 0)
        if several:
            assert gifts.get(site.instance, 0) * 100 <= max(0, free) * MOST_PERCENT
            assert after == site.unused_fen or after * 100 <= pool * MOST_PERCENT
        assert after == site.unused_fen or after <= site.target_fen


@given(free=FEN, sites=SITES)
def test_a_minute_later_nothing_more_is_wanted_than_the_bound(free: int, sites: list[Site]) -> None:
    """The control of a bound that holds for one step only: repeated each minute, it would give everything away."""
    start = {site.instance: site.unused_fen for site in sites}
    pool = free + sum(start.values())
    for minute in range(40):
        plan = plan_account(free, sites, NOW_S + 60 * minute, several=True)
        gifts = dict(plan.grants)
        free -= sum(gifts.values())
        sites = [Site(site.instance, site.target_fen, site.unused_fen + gifts.get(site.instance, 0)) for site in sites]
    for site in sites:
        if site.unused_fen > start[site.instance]:
            assert site.unused_fen * 100 <= pool * MOST_PERCENT


@given(values=st.lists(FEN, min_size=1, max_size=60), percent=st.integers(1, 100))
def test_nearest_rank_is_the_definition(values: list[int], percent: int) -> None:
    rank = nearest_rank(values, percent)
    below = sum(1 for value in values if value <= rank)
    assert rank in values and below * 100 >= percent * len(values)
    smaller = [value for value in values if value < rank]
    assert not smaller or sum(1 for v in values if v <= max(smaller)) * 100 < percent * len(values)


def test_nearest_rank_of_worked_numbers() -> None:
    assert nearest_rank(range(1, 101), 95) == 95
    assert nearest_rank([15, 20, 35, 40, 50], 30) == 20
    assert nearest_rank([7], 95) == 7
    assert nearest_rank([], 95) == 0


@given(
    sales=st.lists(st.tuples(st.integers(NOW_S - 40 * DAY_S, NOW_S + DAY_S), FEN), max_size=60),
    price=st.integers(0, 10**7),
)
def test_a_target_is_at_least_one_truck_and_covers_p95(sales: list[tuple[int, int]], price: int) -> None:
    sums = window_sums(sales, NOW_S)
    assert len(sums) <= 27
    target = target_fen(sums, price)
    if price == 0:
        assert target == 0
        return
    assert target >= amount_fen(TRUCK_KG, price)
    assert target in (amount_fen(TRUCK_KG, price), (3 * nearest_rank(sums, 95) + 1) // 2)
    assert 2 * target >= 3 * nearest_rank(sums, 95)


def test_windows_overlap_by_a_day_and_begin_with_the_first_sale() -> None:
    assert window_sums([], NOW_S) == ()
    assert window_sums([(NOW_S - 29 * DAY_S, 5)], NOW_S) == ()
    assert window_sums([(NOW_S - HOUR_S, 5)], NOW_S) == (5,)
    assert window_sums([(NOW_S - HOUR_S, 5), (NOW_S - 30 * HOUR_S, 7)], NOW_S) == (12, 7)
    assert window_sums([(NOW_S + 1, 5)], NOW_S) == ()
    steady = [(NOW_S - HOUR_S - n * DAY_S, 10) for n in range(28)]
    assert window_sums(steady, NOW_S) == (20,) * 27


@pytest.mark.parametrize(
    ("gaps", "seconds"),
    [
        ([], 0),
        ([(NOW_S - 7200, NOW_S - 3600)], 3600),
        ([(NOW_S - 7200, NOW_S + 500)], 7200),
        ([(NOW_S - 20 * DAY_S, NOW_S - 14 * DAY_S + 60)], 60),
        ([(NOW_S - 100, NOW_S - 50), (NOW_S - 80, NOW_S - 20)], 80),
        ([(NOW_S - 100, NOW_S - 10), (NOW_S - 80, NOW_S - 20)], 90),
    ],
)
def test_an_outage_counts_once_and_only_lately(gaps: list[tuple[int, int]], seconds: int) -> None:
    assert outage_s(gaps, NOW_S) == seconds


def test_auto_forecasts_after_two_hours_without_a_word() -> None:
    assert not is_forecast(Way.AUTO, 2 * HOUR_S - 1)
    assert is_forecast(Way.AUTO, 2 * HOUR_S)
    assert is_forecast(Way.FORECAST, 0)
    assert not is_forecast(Way.EXACT, 14 * DAY_S)


def test_a_plant_keeps_its_target_and_no_message_for_every_truck() -> None:
    one = Site("HX01", 1000, 0)
    assert plan_account(5000, [one], NOW_S, several=False).grants == (("HX01", 1000),)
    assert plan_account(400, [one], NOW_S, several=False).grants == (("HX01", 400),)
    assert plan_account(5000, [Site("HX01", 1000, 750)], NOW_S, several=False).grants == ()
    assert plan_account(5000, [Site("HX01", 1000, 749)], NOW_S, several=False).grants == (("HX01", 251),)
    two = [Site("HX01", 1000, 0), Site("HX02", 1000, 0)]
    assert plan_account(1000, two, NOW_S, several=True).grants == (("HX01", 600), ("HX02", 240))


def test_what_lies_unused_for_a_day_is_asked_back_once_a_day() -> None:
    def site(unused: int, since: int | None, sure: bool = True) -> list[Site]:
        return [Site("HX01", 100, unused, since, sure)]

    assert plan_account(0, site(101, None), NOW_S, several=False).over_since == (("HX01", NOW_S),)
    waiting = plan_account(0, site(101, NOW_S - DAY_S + 1), NOW_S, several=False)
    assert waiting.recalls == () and waiting.over_since == ()
    due = plan_account(0, site(101, NOW_S - DAY_S), NOW_S, several=False)
    assert due.recalls == (("HX01", 100),) and due.over_since == (("HX01", NOW_S),)
    assert plan_account(0, site(100, NOW_S - DAY_S), NOW_S, several=False).over_since == (("HX01", None),)
    unheard = plan_account(0, site(101, NOW_S - 3 * DAY_S, sure=False), NOW_S, several=False)
    assert unheard.recalls == () and unheard.over_since == ()
    back = plan_account(0, site(101, NOW_S + 9 * DAY_S), NOW_S, several=False)
    assert back.recalls == () and back.over_since == (("HX01", NOW_S),)
