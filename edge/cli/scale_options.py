"""What the `weighgate scale` commands share: options, and how lines and mistakes are told."""

import json
from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any

import click

from drivers.scale.modbus_indicator import ModbusIndicatorConfig
from drivers.scale.profile import IndicatorProfile, load_profile
from drivers.scale.registers import Order, register_map_names
from drivers.scale.serial_indicator import SerialIndicatorConfig
from edge.cli.common import Problem

INDICATOR = click.option("--indicator", required=True, help="Name of a profile in config/indicators.")
PROFILE = click.option("--indicator", default=None, help="Name of a profile in config/indicators.")
BAUD = click.option("--baud", type=int, default=None, help="Baud rate; the profile's own if not given.")
ADDRESS = click.option("--address", type=int, default=None, help="Its address on a shared line.")
REGISTERS = click.option("--registers", default=None, help="Modbus: name of a map in config/registers.")
WORD_ORDER = click.option(
    "--word-order", type=click.Choice(["big", "little"]), default=None, help="Of a register map that leaves it open."
)
DECIMALS = click.option("--decimals", type=int, default=None, help="Of a register map that leaves them open.")
SECONDS = click.option("--seconds", type=float, default=None, help="Stop after so many seconds.")

ANY_INDICATOR = "toledo"
"""Stands where only a port's form is checked."""

Device = SerialIndicatorConfig | ModbusIndicatorConfig


def device_at_port(command: Callable[..., None]) -> Callable[..., None]:
    """The options that say what stands at PORT: an indicator, or a register map. The command is given its `config`."""

    @PROFILE
    @REGISTERS
    @BAUD
    @ADDRESS
    @WORD_ORDER
    @DECIMALS
    @wraps(command)
    def with_config(
        port: str, indicator: str | None, registers: str | None, baud: int | None, address: int | None,
        word_order: Order | None, decimals: int | None, **others: Any,
    ) -> None:  # fmt: skip
        config = one_device(port, indicator, registers, baud, address, word_order, decimals)
        command(port=port, config=config, **others)

    return with_config


def one_device(
    port: str, indicator: str | None, registers: str | None, baud: int | None, address: int | None,
    word_order: Order | None, decimals: int | None,
) -> Device:  # fmt: skip
    """What the options say stands at PORT, or exit 2: one indicator, or one register map."""
    if (indicator is None) == (registers is None):
        raise Problem(
            "give --indicator NAME, or for a Modbus device --registers NAME; `weighgate scale detect PORT` finds out"
        )
    if indicator is not None:
        return config_of(port, indicator, baud, address)
    return modbus_of(port, registers or "", address, word_order, decimals)


def modbus_of(
    target: str, registers: str, device_id: int | None, word_order: Order | None, decimals: int | None
) -> ModbusIndicatorConfig:
    """The configuration of a Modbus device at a target such as tcp://host:502, or exit 2 with what is wrong."""
    try:
        return ModbusIndicatorConfig(
            type="modbus", target=target, registers=registers, device_id=device_id, word_order=word_order,
            decimals=decimals,
        )  # fmt: skip
    except ValueError as error:
        raise Problem(f"{target}: {_words(error)}") from None


def profile_of(indicator: str) -> IndicatorProfile:
    """The profile, or exit 2 with the valid names."""
    if indicator in register_map_names():
        raise Problem(
            f"--indicator: {indicator} is a Modbus register map, no indicator that sends: look at it with `weighgate "
            f"scale watch tcp://HOST:502 --registers {indicator}`"
        )
    try:
        return load_profile(indicator)
    except ValueError as error:
        raise Problem(f"--indicator: {error}") from None


def config_of(port: str, indicator: str, baud: int | None, address: int | None = None) -> SerialIndicatorConfig:
    """The configuration of an indicator at a port, or exit 2 with what is wrong."""
    profile_of(indicator)
    if port.startswith(("tcp://", "rtu+", "serial://")):
        raise Problem(
            f"{port} is a Modbus target: give --registers NAME; a converter in the network is socket://host:port"
        )
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
