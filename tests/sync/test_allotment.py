"""The counters of the allotment protocol: what may happen to them, and what may not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.allotment import InstanceState, OfficeCounters, PlantCounters, Shortage, covered_fen, free_fen
from sync.units import amount_fen

SMALL = st.integers(0, 1_000)


def test_a_truck_holds_spends_and_releases_the_rest() -> None:
    counters = PlantCounters().grant(1_000).hold(600)
    assert counters.available_fen == 400
    counters = counters.post(600, 550)
    assert counters == PlantCounters(granted_fen=1_000, spent_fen=550)
    assert counters.available_fen == 450
    assert counters.void(550).available_fen == 1_000
    assert PlantCounters().grant(1_000).hold(600).release(600) == PlantCounters(granted_fen=1_000)


def test_a_late_or_doubled_grant_changes_nothing() -> None:
    counters = PlantCounters().grant(500).grant(300).grant(500)
    assert counters.granted_fen == 500


@pytest.mark.parametrize(
    "change",
    [
        lambda plant: plant.hold(101),
        lambda plant: plant.give_back(101),
        lambda plant: plant.void(1),
        lambda plant: plant.release(1),
        lambda plant: plant.hold(60).post(60, 61),
        lambda plant: plant.hold(60).post(61, 60),
        lambda plant: plant.hold(-1),
        lambda plant: plant.hold(50).hold(51),
    ],
)
def test_what_the_money_does_not_cover_is_impossible(change) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(Shortage):
        change(PlantCounters(granted_fen=100))


def test_negative_counters_are_impossible() -> None:
    with pytest.raises(Shortage, match="negative"):
        PlantCounters(granted_fen=-1)


def test_head_office_grants_only_what_is_free_and_only_to_an_open_epoch() -> None:
    office = OfficeCounters().grant(300, 1_000)
    assert office.outstanding_fen == 300
    for amount_fen_, free in ((0, 100), (-1, 100), (101, 100)):
        with pytest.raises(Shortage):
            office.grant(amount_fen_, free)
    for state in (InstanceState.CLOSING, InstanceState.SETTLED):
        with pytest.raises(Shortage, match=state.value):
            OfficeCounters(state=state).grant(1, 100)


def test_a_settled_epoch_costs_what_it_spent() -> None:
    office = OfficeCounters(granted_fen=900, returned_seen_fen=100, state=InstanceState.SETTLED, settled_spend_fen=250)
    assert office.outstanding_fen == 250
    assert free_fen(1_000, (office, OfficeCounters(granted_fen=400))) == 350


def test_a_payment_undone_makes_free_negative_and_nothing_is_granted() -> None:
    office = OfficeCounters(granted_fen=900)
    assert free_fen(500, (office,)) == -400
    with pytest.raises(Shortage):
        office.grant(1, free_fen(500, (office,)))


@given(st.lists(SMALL))
def test_returns_are_merged_by_maximum_in_any_order(returns: list[int]) -> None:
    office = OfficeCounters(granted_fen=1_000)
    for returned_fen in returns:
        office = office.returned(returned_fen)
    assert office.returned_seen_fen == max(returns, default=0)


@given(
    granted=SMALL,
    steps=st.lists(st.tuples(st.sampled_from(["hold", "release", "post", "void", "return", "grant"]), SMALL, SMALL)),
)
def test_no_order_of_steps_spends_more_than_was_granted(granted: int, steps: list[tuple[str, int, int]]) -> None:
    plant = PlantCounters(granted_fen=granted)
    for step, first, second in steps:
        before = plant
        try:
            match step:
                case "hold":
                    plant = plant.hold(first)
                case "release":
                    plant = plant.release(first)
                case "post":
                    plant = plant.post(first, second)
                case "void":
                    plant = plant.void(first)
                case "return":
                    plant = plant.give_back(first)
                case _:
                    plant = plant.grant(first)
        except Shortage:
            assert plant is before
        assert plant.spent_fen - plant.voided_fen + plant.held_fen <= plant.granted_fen - plant.returned_fen
        assert plant.available_fen >= 0


@given(hold=st.integers(0, 10**9), price=st.integers(1, 10**7), division=st.sampled_from([1, 5, 10, 20, 50]))
def test_the_largest_load_within_a_hold_never_costs_more_than_the_hold(hold: int, price: int, division: int) -> None:
    net_kg = (hold * 1000 // price) // division * division
    while amount_fen(net_kg, price) > hold:
        net_kg -= division
    assert PlantCounters(granted_fen=hold).hold(hold).post(hold, amount_fen(net_kg, price)).available_fen >= 0


@given(granted=SMALL, seen=SMALL, returned=SMALL)
def test_books_that_forgot_a_grant_never_count_less_than_the_plant_has(granted: int, seen: int, returned: int) -> None:
    office = OfficeCounters(granted_fen=granted).recovered(seen, returned)
    assert office.granted_fen == max(granted, seen) and office.returned_seen_fen == returned
    assert office.recovered(0, 0) == office


@given(granted=SMALL, spend=SMALL, late=SMALL)
def test_a_settled_epoch_counts_what_it_was_settled_with(granted: int, spend: int, late: int) -> None:
    settled = OfficeCounters(granted_fen=granted, state=InstanceState.CLOSING).settle(spend)
    assert settled.outstanding_fen == spend
    assert settled.returned(granted).outstanding_fen == spend, "what is heard later changes nothing"
    assert settled.charge(late).charge(-late) == settled
    with pytest.raises(Shortage, match="settled already"):
        settled.settle(spend)
    with pytest.raises(Shortage, match="no grants"):
        settled.grant(1, free_fen=10)


def test_only_a_settled_epoch_is_charged_and_a_spend_is_never_negative() -> None:
    with pytest.raises(Shortage, match="count by themselves"):
        OfficeCounters().charge(1)
    with pytest.raises(Shortage, match="cannot be"):
        OfficeCounters().settle(-1)


@given(exposure=SMALL, free=st.integers(-100, 100))
def test_exposure_is_covered_by_what_is_free_and_by_no_debt(exposure: int, free: int) -> None:
    covered = covered_fen(exposure, free)
    assert 0 <= covered <= exposure
    assert covered == exposure or free - covered <= 0
