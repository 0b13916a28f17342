"""Mass and money as integers: rounding, writing, reading."""

import doctest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync import units
from sync.units import amount_fen, format_fen, format_kg, parse_yuan


def test_the_examples_in_the_docstrings_hold() -> None:
    failed, attempted = doctest.testmod(units)
    assert attempted >= 2
    assert failed == 0


@pytest.mark.parametrize(
    ("net_kg", "price", "amount"),
    [
        (0, 200_000, 0),
        (1, 499, 0),
        (1, 500, 1),
        (28_340, 200_000, 5_668_000),
        (3, 333_333, 1_000),
        (20, 123_456, 2_469),
    ],
)
def test_amounts_round_half_up_once(net_kg: int, price: int, amount: int) -> None:
    assert amount_fen(net_kg, price) == amount


@given(st.integers(0, 10**6), st.integers(0, 10**10))
def test_an_amount_is_within_half_a_fen_of_the_exact_price(net_kg: int, price: int) -> None:
    assert -500 <= net_kg * price - amount_fen(net_kg, price) * 1000 < 500


@pytest.mark.parametrize(("net_kg", "price"), [(-1, 1), (1, -1)])
def test_negative_mass_or_price_is_a_bug(net_kg: int, price: int) -> None:
    with pytest.raises(ValueError, match="must not be negative"):
        amount_fen(net_kg, price)


def test_numbers_are_written_for_people() -> None:
    assert format_kg(14_520) == "14\u2009520"
    assert format_kg(-20) == "\u221220"
    assert format_fen(-5) == "\u22120.05"
    assert format_fen(123_456_789) == "1,234,567.89"


@given(st.integers(0, 10**13))
def test_what_is_written_is_read_back(money_fen: int) -> None:
    assert parse_yuan(format_fen(money_fen)) == money_fen


@pytest.mark.parametrize(
    ("text", "fen"), [("0", 0), ("1.5", 150), ("¥ 100", 10_000), ("￥1,234.56", 123_456), (" 7 ", 700)]
)
def test_amounts_are_read_as_people_type_them(text: str, fen: int) -> None:
    assert parse_yuan(text) == fen


@pytest.mark.parametrize(
    "text", ["", "-1", "1.234", "1e3", "abc", "1.", ".5", "1" * 13, "１00x", "NaN", "56,5", "1000,50", "1,23,456", ","]
)
def test_anything_else_is_refused_in_words(text: str) -> None:
    with pytest.raises(ValueError, match="is not an amount"):
        parse_yuan(text)
