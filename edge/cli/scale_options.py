"""What the `weighgate scale` commands share: options, and how lines and mistakes are told."""

import json
from collections.abc import Iterable
from typing import Any

import click

from drivers.scale.profile import IndicatorProfile, load_profile
from drivers.scale.serial_indicator import SerialIndicatorConfig
from edge.cli.common import Problem

INDICATOR = click.option("--indicator", required=True, help="Name of a profile in config/indicators.")
BAUD = click.option("--baud", type=int, default=None, help="Baud rate; the profile's own if not given.")
ADDRESS = click.option("--address", type=int, default=None, help="Its address on a shared line.")
SECONDS = click.option("--seconds", type=float, default=None, help="Stop after so many seconds.")

ANY_INDICATOR = "toledo"
"""Stands where only a port's form is checked."""


def profile_of(indicator: str) -> IndicatorProfile:
    """The profile, or exit 2 with the valid names."""
    try:
        return load_profile(indicator)
    except ValueError as error:
        raise Problem(f"--indicator: {error}") from None


def config_of(port: str, indicator: str, baud: int | None, address: int | None = None) -> SerialIndicatorConfig:
    """The configuration of an indicator at a port, or exit 2 with what is wrong."""
    profile_of(indicator)
    try:
        return SerialIndicatorConfig(type="serial", port=port, indicator=indicator, baud=baud, address=address)
    except ValueError as error:
        raise Problem(f"{port}: {_words(error)}") from None


def _words(error: ValueError) -> str:
    """Without the model's own frame around them."""
    found = getattr(error, "errors", None)
    return "; ".join(str(each["msg"]).removeprefix("Value error, ") for each in found()) if found else str(error)


def print_lines(lines: Iterable[Any], as_json: bool) -> None:
    """One object a line, as JSON or as name=value."""
    for line in lines:
        if as_json:
            click.echo(json.dumps(line, ensure_ascii=False))
        else:
            click.echo("  ".join(f"{name}={value}" for name, value in line.items()))
