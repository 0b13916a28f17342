"""What becomes of a wire weight as a reading."""

from dataclasses import replace
from decimal import Decimal

import pytest

from drivers.readings import WeightFault, WeightReading
from drivers.scale.frames import WireWeight, to_reading


def _wire(weight: str | None, unit: str | None = "kg", **said: object) -> WireWeight:
    values: dict[str, object] = {"stable": True, "mode": "gross", "overload": False, "underload": False, "raw": b"raw"}
    return WireWeight(weight=None if weight is None else Decimal(weight), unit=unit, **(values | said))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("wire", "gross_kg", "fault"),
    [
        (_wire("45120"), 45_120, None),
        (_wire("45120.0"), 45_120, None),
        (_wire("-20"), -20, None),
        (_wire("45.12", "t"), 45_120, None),
        (_wire("45120000", "g"), 45_120, None),
        (_wire("1560", None), 1_560, None),
        (_wire("45.1234", "t"), None, WeightFault.NOT_WHOLE_KG),
        (_wire("85.5"), None, WeightFault.NOT_WHOLE_KG),
        (_wire("45120", "lb"), None, WeightFault.BAD_UNIT),
        (_wire("45120", "unknown"), None, WeightFault.BAD_UNIT),
        (_wire("30000", mode="net"), None, WeightFault.NOT_GROSS),
        (_wire("14520", mode="tare"), None, WeightFault.NOT_GROSS),
        (_wire(None), None, WeightFault.NOT_GROSS),
        (_wire(None, overload=True), None, WeightFault.OVERLOAD),
        (_wire("999999", overload=True), None, WeightFault.OVERLOAD),
        (_wire(None, underload=True), None, WeightFault.UNDERLOAD),
    ],
)
def test_a_reading_is_whole_kilograms_or_a_fault(
    wire: WireWeight, gross_kg: int | None, fault: WeightFault | None
) -> None:
    assert replace(to_reading(wire, 5), decimals=None) == WeightReading(gross_kg, True, 5, b"raw", fault)


def test_the_sites_unit_and_its_word_on_net_count() -> None:
    assert to_reading(_wire("45.12", None), 0, "t").gross_kg == 45_120
    assert to_reading(_wire("45120", mode="net"), 0, accept_net=True).gross_kg == 45_120
    assert to_reading(_wire("45120", mode="tare"), 0, accept_net=True).gross_kg is None


def test_gross_beside_a_net_weight_is_the_gross() -> None:
    both = _wire("30600", mode="net", tare=Decimal(14_520), gross=Decimal(45_120))
    assert to_reading(both, 0).gross_kg == 45_120
    out_of_range = _wire(None, mode="net", overload=True, gross=Decimal(45_120))
    assert to_reading(out_of_range, 0).gross_kg is None


def test_the_number_in_the_weighing_memory_comes_along() -> None:
    assert to_reading(_wire("45120", alibi=17), 0).alibi == 17
    assert to_reading(_wire("45120"), 0).alibi is None
