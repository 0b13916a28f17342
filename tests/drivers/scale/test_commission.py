"""The word order is proven by a weight that takes both words, and by nothing less."""

import struct
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.scale.commission import Observation, Verdict, word_order_evidence
from drivers.scale.register_words import words_of
from drivers.scale.registers import Order, RegisterMap, load_register_map

DIVISION_KG = 20
GENERIC = load_register_map("generic_transmitter")


def weighed(order: Order, *loads_kg: int | None, step: Decimal = Decimal(1), zero: int = 0) -> list[Observation]:
    """A device of this word order, one count worth `step` kg, that shows `zero` counts when empty."""
    counts = [round((kg or 0) / step) + zero for kg in loads_kg]
    return [Observation(kg, tuple(words_of(count, 2, order))) for kg, count in zip(loads_kg, counts, strict=True)]


def judged(observations: list[Observation], found: RegisterMap = GENERIC) -> Verdict:
    return word_order_evidence(found, observations, DIVISION_KG)


@pytest.mark.parametrize("order", ["big", "little"])
def test_a_heavy_truck_proves_the_word_order_whatever_the_map_believes(order: Order) -> None:
    verdict = judged(weighed(order, None, 2_000, 70_520))
    assert verdict.proven
    (only,) = verdict.candidates
    assert (only.word_order, only.settings) == (order, {"word_order": order, "decimals": 0})
    assert [int(kg) for kg in only.read_kg] == [0, 2_000, 70_520]
    assert verdict.words.en.startswith(f"proven: {order}, one count is 1 kg: empty reads 0 kg (0000 0000), 2000 kg")
    assert verdict.words.zh.startswith("已证明：")


@pytest.mark.parametrize("order", ["big", "little"])
def test_a_light_weight_agrees_and_proves_nothing(order: Order) -> None:
    verdict = judged(weighed(order, None, 2_000, 45_000))
    assert not verdict.proven
    assert [fit.word_order for fit in verdict.candidates] == [order]
    assert "weigh 65536 kg or more" in verdict.words.en and "negative" in verdict.words.en
    assert "未证明" in verdict.words.zh


def test_a_device_of_16_bits_is_not_taken_for_32_bits() -> None:
    """Weight in the first register, and 0 in the second: low word first fits, until a truck is above 65535."""
    light = [Observation(None, (0, 0)), Observation(2_000, (2_000, 0)), Observation(45_000, (45_000, 0))]
    assert not judged(light).proven
    heavy = judged([*light, Observation(70_000, (70_000 & 0xFFFF, 0))])
    assert not heavy.proven and heavy.candidates == ()
    assert "no word order and no count agrees" in heavy.words.en


def test_a_negative_weight_proves_it_where_no_truck_is_heavy_enough() -> None:
    counts_of_20 = Decimal(20)
    light = judged(weighed("little", None, 2_000, 45_000, step=counts_of_20))
    assert not light.proven and "weigh 1310720 kg or more" in light.words.en
    proven = judged(weighed("little", None, 2_000, 45_000, -2_000, step=counts_of_20))
    assert proven.proven
    assert proven.candidates[0].settings == {"word_order": "little", "division": "20"}


@pytest.mark.parametrize(
    ("step", "settings"),
    [("0.01", {"decimals": 2}), ("0.1", {"decimals": 1}), ("0.5", {"division": "0.5"}), ("10", {"division": "10"})],
)
def test_it_finds_what_one_count_is_worth(step: str, settings: dict[str, Any]) -> None:
    verdict = judged(weighed("big", None, 2_000, -40_000, step=Decimal(step)))
    assert verdict.proven
    assert verdict.candidates[0].settings == {"word_order": "big"} | settings


@pytest.mark.parametrize("order", ["big", "little"])
def test_bytes_that_are_swapped_within_each_word_are_found_too(order: Order) -> None:
    loads_kg = (None, 2_000, 70_520)
    verdict = judged([Observation(kg, tuple(words_of(kg or 0, 2, order, "little"))) for kg in loads_kg])
    assert verdict.proven
    assert verdict.candidates[0].settings == {"word_order": order, "byte_order": "little", "decimals": 0}
    assert "low byte first in each word" in verdict.words.en


def test_an_empty_deck_or_one_load_is_not_enough() -> None:
    assert "nothing has stood on the deck" in judged(weighed("big", None)).words.en
    assert not judged(weighed("big", None, 70_520)).proven
    assert not judged([]).proven


def test_zero_may_be_off_by_a_division_and_weights_too() -> None:
    assert judged(weighed("big", None, 2_000, 70_520, zero=-DIVISION_KG)).proven
    assert not judged(weighed("big", None, 2_000, 70_520, zero=2 * DIVISION_KG)).candidates


def test_a_device_that_tells_its_decimals_and_unit_is_held_to_them() -> None:
    wtx = load_register_map("hbm_wtx")

    def seen(kg: int | None, count: int, decimals: int, order: Order = "big") -> Observation:
        return Observation(kg, (*words_of(count, 2, order), 0, decimals << 4))

    assert judged([seen(None, 0, 2), seen(2_000, 200_000, 2), seen(40_000, 4_000_000, 2)], wtx).proven
    assert not judged([seen(None, 0, 0), seen(2_000, 200_000, 0), seen(40_000, 4_000_000, 0)], wtx).candidates
    with pytest.raises(ValueError, match="2 registers instead of 4"):
        judged(weighed("big", None, 2_000), wtx)


def test_floats_and_magnitudes() -> None:
    id551, laumas = load_register_map("id551"), load_register_map("laumas")

    def as_float(kg: int | None, order: Order) -> Observation:
        words = struct.unpack(">HH", struct.pack(">f", float(kg or 0)))
        return Observation(kg, (*(words if order == "big" else words[::-1]), 1 << 15))

    assert judged([as_float(kg, "little") for kg in (None, 2_000, 70_521)], id551).proven
    round_numbers = judged([as_float(kg, "little") for kg in (None, 2_000, 4_000)], id551)
    assert not round_numbers.proven and "both not 0" in round_numbers.words.en
    minus = [Observation(None, (0, 0, 0)), Observation(2_000, (0, 0, 2_000)), Observation(-2_000, (1 << 7, 0, 2_000))]
    assert not judged(minus, laumas).proven, "a sign bit says nothing of the words"
    assert judged([*minus, Observation(70_000, (0, 1, 4_464))], laumas).proven


@given(
    st.sampled_from(["big", "little"]),
    st.lists(st.integers(-80_000, 120_000), min_size=1, max_size=5),
    st.sampled_from([Decimal(1), Decimal("0.1"), Decimal(10), Decimal(20)]),
)
def test_it_never_proves_the_wrong_order(order: Order, loads: list[int], step: Decimal) -> None:
    verdict = judged(weighed(order, None, *loads, step=step))
    assert all(fit.word_order == order for fit in verdict.candidates) or not verdict.proven
