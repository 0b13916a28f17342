"""docs/drivers.md cannot lie: its tables are the data's, its reference is the models', its examples are valid."""

import re
import tomllib
import typing

import pytest
from pydantic import BaseModel, TypeAdapter

from drivers.scale import asking, profile, registers
from drivers.scale.frames import FrameDecoder, indicator_names
from drivers.scale.registers import register_map_names
from tests.drivers.scale.driver_docs import KINDS, PAGE, TABLES, golden, with_tables

TEXT = PAGE.read_text(encoding="utf-8")
INDICATOR_PARTS: dict[str, type[BaseModel]] = {
    "(top)": profile.IndicatorProfile,
    "[serial]": profile.SerialDefaults,
    "[frame]": profile.Framing,
    "[check]": profile.Checksum,
    "[[layout]]": profile.Layout,
    "literal": profile.Literally,
    "skip": profile.Skip,
    "choice": profile.Choice,
    "digits": profile.Digits,
    "number": profile.Number,
    "decimals": profile.Decimals,
    "unit": profile.UnitText,
    "alibi": profile.Alibi,
    "status": profile.StatusByte,
    "bits": profile.Bit,
    "code": profile.Code,
    "point": profile.Point,
    "check": profile.CheckChars,
    "[poll]": asking.Poll,
    "[[command]]": asking.Command,
    "request: literal": asking.RequestBytes,
    "request: address": asking.RequestAddress,
    "request: xor": asking.RequestCheck,
}
REGISTER_PARTS: dict[str, type[BaseModel]] = {
    "(top)": registers.RegisterMap,
    "[weight]": registers.Weight,
    "[decimals]": registers.DecimalsCode,
    "[unit]": registers.UnitCode,
    "[[status]]": registers.Status,
    "bits": registers.Bit,
    "codes": registers.Code,
    "[heartbeat]": registers.Heartbeat,
    "[[command]]": registers.Telling,
    "step: write": registers.Write,
    "step: wait": registers.Wait,
    "step: until": registers.Until,
}


def section(heading: str) -> str:
    """The page from a heading to the next of any level."""
    found = re.search(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#+ |\Z)", TEXT, re.DOTALL | re.MULTILINE)
    assert found, f"no heading {heading!r}"
    return found[1]


def reference(heading: str) -> dict[str, tuple[set[str], str]]:
    """The rows of a reference table: part, the fields it names, its example in TOML."""
    rows = [line.strip("| ").split(" | ") for line in section(heading).splitlines() if line.startswith("| `")]
    return {row[0].strip("`"): (set(re.findall(r"`(\w+)`", row[1])), row[-1].strip("`")) for row in rows}


def fields(model: type[BaseModel]) -> set[str]:
    return set(model.model_fields) - {"kind"}


@pytest.mark.parametrize("name", TABLES)
def test_the_tables_are_those_of_the_data(name: str) -> None:
    assert with_tables(TEXT) == TEXT, "run: python -m tests.drivers.scale.driver_docs"
    assert TABLES[name]() in TEXT


def test_the_readme_counts_what_there_is() -> None:
    readme = " ".join((PAGE.parents[1] / "README.md").read_text(encoding="utf-8").split())
    counts = len(indicator_names()), len(register_map_names())
    told = re.findall(r"(\d+) indicator protocols and (\d+) Modbus register maps", readme)
    assert [tuple(map(int, each)) for each in told] == [counts]


def test_every_golden_frame_says_what_it_is() -> None:
    for name in indicator_names():
        assert set(golden(name)) <= set(KINDS) and golden(name).total() > 1


@pytest.mark.parametrize(
    ("heading", "parts"),
    [("Reference: config/indicators", INDICATOR_PARTS), ("Reference: config/registers", REGISTER_PARTS)],
)
def test_the_reference_has_every_field_and_no_other(heading: str, parts: dict[str, type[BaseModel]]) -> None:
    told = reference(heading)
    assert set(told) == set(parts)
    assert {part: names for part, (names, _) in told.items()} == {part: fields(each) for part, each in parts.items()}


def test_every_kind_of_field_is_in_the_reference() -> None:
    union, _ = typing.get_args(profile.LayoutField)
    for model in typing.get_args(union):
        assert model in INDICATOR_PARTS.values()
    for union in (asking.RequestField, registers.Step):
        assert set(typing.get_args(typing.get_args(union)[0])) <= {*INDICATOR_PARTS.values(), *REGISTER_PARTS.values()}


@pytest.mark.parametrize(
    ("heading", "parts"),
    [("Reference: config/indicators", INDICATOR_PARTS), ("Reference: config/registers", REGISTER_PARTS)],
)
def test_every_example_is_valid(heading: str, parts: dict[str, type[BaseModel]]) -> None:
    for part, (_, example) in reference(heading).items():
        if part != "(top)":
            TypeAdapter(parts[part]).validate_python(tomllib.loads(f"x = {example}")["x"])


def test_the_meanings_are_all_there() -> None:
    told = set(re.findall(r"`(\w+)`", section("What a character can mean")))
    assert told == set(typing.get_args(profile.Meaning))
    assert set(re.findall(r"`(\w+)`", section("What a status can mean"))) == set(typing.get_args(registers.Meaning))


def test_the_whole_examples_are_valid() -> None:
    """The two files in the page are a profile that decodes its frame, and a register map."""
    indicator, registers_example = re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL)
    found = profile.IndicatorProfile.model_validate(tomllib.loads(indicator))
    (wire,) = FrameDecoder(found).feed(b"N     +    45120 kg \r\n")
    assert (str(wire.weight), wire.unit, wire.stable) == ("45120", "kg", True)
    registers.RegisterMap.model_validate(tomllib.loads(registers_example))


def test_the_reference_fails_when_a_field_is_missing() -> None:
    """The control."""

    class Wider(profile.Alibi):
        more: int = 0

    told = reference("Reference: config/indicators")
    assert told["alibi"][0] == fields(profile.Alibi) != fields(Wider)
