"""The decision at load complete: its order, its numbers, and that no ticket can cost more than its money."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.domain.account import lower_hold, place_hold, post_hold, raise_hold, spendable_fen
from edge.domain.decision import HOLDS, Cleared, LoadFacts, decide
from edge.domain.load_limit import HARD_LIMITS, LimitedBy, LimitFacts, load_limit
from edge.domain.plate_check import check_plate
from edge.domain.quantities import affordable_kg, excess_kg, floor_to_division
from edge.domain.refusal import Reason, Refusal
from sync.allotment import PlantCounters, Shortage
from sync.units import amount_fen
from tests.edge.looks import look

PRICE = st.integers(1, 10_000_000)
MONEY = st.integers(0, 10**11)
DIVISION = st.sampled_from([1, 2, 5, 10, 20, 50, 100])

LIMITS = LimitFacts(
    tare_kg=14_500,
    axles=6,
    articulated=True,
    vehicle_max_kg=None,
    scale_max_kg=100_000,
    division_kg=20,
    notice_limit_kg=20_000,
    spendable_fen=4_000_000,
    price_fen_per_t=200_000,
    on_credit=False,
)
FACTS = LoadFacts(
    gross_kg=30_000,
    minimum_net_kg=500,
    limits=LIMITS,
    plate=check_plate("浙A12345", look("浙A12345", "浙A12345")),
    product="焦炭",
    stock_kg=50_000,
    credit_due="",
    responsible="",
    overdue=False,
)


@given(MONEY, PRICE, DIVISION)
def test_the_affordable_mass_is_the_largest(money: int, price: int, division: int) -> None:
    limit_kg = affordable_kg(money, price, division)
    assert limit_kg % division == 0
    assert amount_fen(limit_kg, price) <= money
    assert amount_fen(limit_kg + division, price) > money


@given(st.integers(0, 100_000), MONEY, PRICE, DIVISION)
def test_what_is_over_is_just_enough_to_unload(net: int, money: int, price: int, division: int) -> None:
    net_kg = floor_to_division(net, division)
    over_kg = excess_kg(amount_fen(net_kg, price) - money, net_kg, money, price, division)
    assert amount_fen(net_kg - over_kg, price) <= money
    assert (over_kg > 0) == (amount_fen(net_kg, price) > money)
    if over_kg:
        assert amount_fen(net_kg - over_kg + division, price) > money


def test_no_money_affords_nothing() -> None:
    assert (affordable_kg(-1, 1, 20), affordable_kg(0, 200_000, 20), floor_to_division(-5, 20)) == (0, 0, 0)


@given(
    st.integers(0, 5000), st.integers(1, 3000), MONEY, PRICE, DIVISION,
    st.one_of(st.none(), st.integers(0, 60_000)), st.one_of(st.none(), st.integers(0, 90_000)),
)  # fmt: skip
def test_a_cleared_load_obeys_every_limit(
    gross_divisions: int,
    tare_divisions: int,
    money: int,
    price: int,
    division: int,
    notice: int | None,
    stock: int | None,
) -> None:
    limits = replace(
        LIMITS, tare_kg=tare_divisions * division, division_kg=division, spendable_fen=money, price_fen_per_t=price,
        notice_limit_kg=notice,
    )  # fmt: skip
    facts = replace(FACTS, gross_kg=gross_divisions * division, limits=limits, stock_kg=stock)
    outcome = decide(facts)
    limit = load_limit(limits)
    if isinstance(outcome, Refusal):
        assert outcome.reason in HOLDS
        assert all(
            number >= 0 for name, number in outcome.numbers.items() if isinstance(number, int) and name != "net_kg"
        )
        return
    assert outcome.net_kg == facts.gross_kg - limits.tare_kg > 0
    assert outcome.amount_fen == amount_fen(outcome.net_kg, price) <= money
    assert facts.gross_kg <= limit.lowest.gross_kg <= limit.hardest.gross_kg
    assert stock is None or outcome.net_kg <= stock


LIMIT_CHANGES = {"notice_limit_kg", "spendable_fen", "on_credit", "vehicle_max_kg", "scale_max_kg"}
WRONG: tuple[tuple[Reason, dict[str, Any]], ...] = (
    (Reason.PLATE_DIFFERS, {"plate": check_plate("浙A12345", look("浙C99999", "浙A12345"))}),
    (Reason.OVERLOAD, {"vehicle_max_kg": 29_980}),
    (Reason.BELOW_MINIMUM, {"minimum_net_kg": 15_520}),
    (Reason.OVER_NOTICE, {"notice_limit_kg": 15_000}),
    (Reason.OVER_BALANCE, {"spendable_fen": 3_000_000}),
    (Reason.NO_STOCK, {"stock_kg": 15_000}),
)
"""Each "no" with a change of the good load that causes only it, in the order of the decision."""


def changed(*changes: dict[str, Any]) -> LoadFacts:
    """The good load, spoilt."""
    all_changes = {name: value for change in changes for name, value in change.items()}
    limits = replace(LIMITS, **{name: value for name, value in all_changes.items() if name in LIMIT_CHANGES})
    rest = {name: value for name, value in all_changes.items() if name not in LIMIT_CHANGES}
    return replace(FACTS, limits=limits, **rest)


def test_the_good_load_is_cleared() -> None:
    assert decide(FACTS) == Cleared(15_500, 3_100_000)
    assert decide(replace(FACTS, plate=check_plate("浙A12345", None), stock_kg=None)) == Cleared(15_500, 3_100_000)


@pytest.mark.parametrize(("reason", "change"), WRONG)
def test_each_no_by_itself(reason: Reason, change: dict[str, Any]) -> None:
    outcome = decide(changed(change))
    assert isinstance(outcome, Refusal) and outcome.reason is reason


@pytest.mark.parametrize("first", range(len(WRONG)))
@pytest.mark.parametrize("later", range(len(WRONG)))
def test_an_earlier_no_wins_over_every_later_one(first: int, later: int) -> None:
    """Any exchange of two steps in the program makes at least one of these fail."""
    if first >= later:
        return
    outcome = decide(changed(WRONG[later][1], WRONG[first][1]))
    assert isinstance(outcome, Refusal) and outcome.reason is WRONG[first][0]


def test_an_unsure_plate_is_asked_about_before_anything_else_and_holds_nothing() -> None:
    """The truck stays where it is until a person compared; then the rest of the decision follows."""
    asked = check_plate("浙A12345", look("浙A12346", "浙A12345"))
    for _, change in (WRONG[1], WRONG[-1]):
        outcome = decide(replace(changed(change), plate=asked))
        assert isinstance(outcome, Refusal) and outcome.reason is Reason.PLATE_UNSURE
        assert outcome.reason not in HOLDS
    assert isinstance(decide(replace(FACTS, plate=asked.told(True))), Cleared)
    other = decide(replace(FACTS, plate=asked.told(False)))
    assert isinstance(other, Refusal) and other.reason is Reason.PLATE_DIFFERS


def test_over_by_one_division_is_over() -> None:
    exact = replace(FACTS, limits=replace(LIMITS, notice_limit_kg=15_500, spendable_fen=3_100_000), stock_kg=15_500)
    assert isinstance(decide(exact), Cleared)
    outcome = decide(replace(exact, gross_kg=30_020))
    assert isinstance(outcome, Refusal) and outcome.number("over_kg") == 20


def test_credit_has_its_own_reasons() -> None:
    credit = replace(LIMITS, on_credit=True, spendable_fen=1)
    over = decide(replace(FACTS, limits=credit))
    assert isinstance(over, Refusal) and over.reason is Reason.OVER_CREDIT
    overdue = decide(replace(FACTS, limits=credit, overdue=True, credit_due="2026-10-01", responsible="王科长"))
    assert isinstance(overdue, Refusal) and overdue.reason is Reason.CREDIT_OVERDUE
    assert isinstance(decide(replace(FACTS, overdue=True)), Cleared), "only a credit sale can be overdue"


@pytest.mark.parametrize(
    ("changes", "by", "gross_kg"),
    [
        ({}, LimitedBy.NOTICE, 34_500),  # money for 20 t too: the harder rule is named
        ({"notice_limit_kg": 19_999}, LimitedBy.NOTICE, 34_480),
        ({"spendable_fen": 3_999_999}, LimitedBy.MONEY, 34_480),
        ({"spendable_fen": 3_999_999, "on_credit": True}, LimitedBy.CREDIT, 34_480),
        ({"vehicle_max_kg": 34_499}, LimitedBy.VEHICLE, 34_480),
        ({"scale_max_kg": 34_000}, LimitedBy.SCALE, 34_000),
        ({"axles": 3, "articulated": False}, LimitedBy.ROAD, 25_000),
        ({"notice_limit_kg": None, "spendable_fen": 10**9}, LimitedBy.ROAD, 49_000),
        ({"spendable_fen": 0}, LimitedBy.MONEY, 14_500),
    ],
)
def test_the_lowest_limit_bites(changes: dict[str, Any], by: LimitedBy, gross_kg: int) -> None:
    limit = load_limit(replace(LIMITS, **changes))
    assert limit.lowest.gross_kg == gross_kg
    assert limit.lowest.by is by
    assert limit.hardest.by in HARD_LIMITS
    assert limit.left_kg(gross_kg + 20) == -20
    assert by.words.zh and by.words.en


def counters_of(granted_fen: int, spent_percent: int, held_percent: int) -> PlantCounters:
    """Any state an account may be in."""
    spent_fen = granted_fen * spent_percent // 100
    return PlantCounters(granted_fen, 0, spent_fen, 0, (granted_fen - spent_fen) * held_percent // 100)


COUNTERS = st.builds(counters_of, st.integers(0, 10**10), st.integers(0, 100), st.integers(0, 100))


@given(COUNTERS, st.integers(0, 10**10), st.integers(0, 10**10), st.integers(0, 10**10))
def test_holds_never_take_what_is_not_there(counters: PlantCounters, wanted: int, higher: int, lower: int) -> None:
    placed, hold = place_hold(counters, wanted)
    assert hold == min(wanted, counters.available_fen)
    assert placed.available_fen == counters.available_fen - hold
    raised, more = raise_hold(placed, hold, higher)
    assert hold <= more <= max(hold, higher) and raised.available_fen == counters.available_fen - more
    lowered, less = lower_hold(raised, more, lower)
    assert less == min(more, lower) and lowered.available_fen == counters.available_fen - less
    assert lowered.release(less) == counters


@given(COUNTERS, st.integers(0, 10**10), st.integers(0, 100))
def test_a_ticket_ends_its_hold_and_spends_its_amount(counters: PlantCounters, wanted: int, share: int) -> None:
    placed, hold = place_hold(counters, wanted)
    may = spendable_fen(placed, hold)
    amount = may * share // 100
    posted = post_hold(placed, hold, amount)
    assert posted.spent_fen == counters.spent_fen + amount
    assert posted.held_fen == counters.held_fen
    assert posted.available_fen == counters.available_fen - amount
    with pytest.raises(Shortage):
        post_hold(placed, hold, may + 1)
