"""`weighgate scale`: look at an indicator's bytes before they matter."""

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from drivers.ports import DriverError, ScaleCommand
from drivers.scale import tool
from drivers.scale.profile import IndicatorProfile, load_profile
from drivers.scale.serial_indicator import SerialIndicator, SerialIndicatorConfig
from drivers.scale.simulated import SimulatedIndicator, drive, parse_ramp
from drivers.scale.simulated_links import Rfc2217FarEnd
from drivers.scale.uart import line_text, parse_line
from edge.cli.common import JSON, Problem

_INDICATOR = click.option("--indicator", required=True, help="Name of a profile in config/indicators.")
_BAUD = click.option("--baud", type=int, default=None, help="Baud rate; the profile's own if not given.")
_SECONDS = click.option("--seconds", type=float, default=None, help="Stop after so many seconds.")


@click.group()
def scale() -> None:
    """Indicators: decode, list, watch, record, replay, simulate."""


@scale.command()
@_INDICATOR
@click.option("--hex", "hex_text", default=None, help="Bytes as hex.")
@click.argument("file", required=False, type=click.File("rb"))
@JSON
def decode(indicator: str, hex_text: str | None, file: Any, as_json: bool) -> None:
    """Decode bytes from --hex, a FILE or - (standard input): one line a reading."""
    if (hex_text is None) == (file is None):
        raise Problem("give either --hex HEX or a FILE (- is standard input)")
    profile = _profile(indicator)
    chunks: Iterable[bytes]
    if hex_text is not None:
        try:
            chunks = [bytes.fromhex(hex_text)]
        except ValueError:
            raise Problem(f"--hex: {hex_text[:40]!r} — pairs of the digits 0-9 and A-F") from None
    else:
        chunks = tool.chunks_of(file)
    _print(tool.decode(profile, chunks), as_json)


@scale.command("list")
@JSON
def list_ports(as_json: bool) -> None:
    """The serial ports of this machine with the names that survive replugging."""
    _print(tool.ports(), as_json)


@scale.command()
@click.argument("port")
@_INDICATOR
@_BAUD
@_SECONDS
@JSON
def watch(port: str, indicator: str, baud: int | None, seconds: float | None, as_json: bool) -> None:
    """Show weight, state and rate of a live line."""
    device = SerialIndicator(port, _config(port, indicator, baud))
    try:
        _print(tool.watch(device, seconds), as_json)
    except DriverError as error:
        raise Problem(str(error)) from None
    except KeyboardInterrupt:
        sys.exit(0)


@scale.command("command")
@click.argument("port")
@click.argument("what", type=click.Choice([each.value for each in ScaleCommand]))
@_INDICATOR
@_BAUD
@click.option("--address", type=int, default=None, help="Its address on a shared line.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@JSON
def tell(port: str, what: str, indicator: str, baud: int | None, address: int | None, yes: bool, as_json: bool) -> None:
    """Tell an indicator: zero, tare or clear_tare. For commissioning; no ledger knows of it."""
    if not yes and not click.confirm(f"{port}: {what}? Nothing and nobody must be on the deck for a zero"):
        raise Problem("nothing was sent")
    device = SerialIndicator(port, _config(port, indicator, baud, address))
    try:
        _print([tool.tell(device, ScaleCommand(what))], as_json)
    except DriverError as error:
        raise Problem(str(error)) from None


@scale.command()
@click.argument("port")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@_INDICATOR
@_BAUD
@_SECONDS
def record(port: str, file: Path, indicator: str, baud: int | None, seconds: float | None) -> None:
    """Write what comes from a line into a capture FILE."""
    try:
        count = tool.record(_config(port, indicator, baud), file, seconds)
    except FileExistsError:
        raise Problem(f"{file}: exists already; a capture is never overwritten") from None
    except DriverError as error:
        raise Problem(str(error)) from None
    click.echo(f"{file}: {count} bytes")


@scale.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@_INDICATOR
@click.option("--speed", type=float, default=1.0, help="How many times as fast; 0 is at once.")
@JSON
def replay(file: Path, indicator: str, speed: float, as_json: bool) -> None:
    """Play a capture again, decoded, at the times it was recorded."""
    try:
        _print(tool.replay(_profile(indicator), file, speed=speed), as_json)
    except ValueError as error:
        raise Problem(str(error)) from None


@scale.command()
@_INDICATOR
@click.option("--link", type=click.Path(path_type=Path), default=None, help="The port to make: a pseudo-terminal.")
@click.option("--rfc2217", is_flag=True, help="An RFC 2217 server instead, which knows parity; else TCP.")
@click.option("--weight", "weight_kg", type=int, default=0, help="What stands on it, in kg.")
@click.option("--ramp", default=None, help="KG:SECONDS: drive on to so much, stand, drive off, for ever.")
@click.option("--noise", "noise_kg", type=int, default=0, help="Every frame is off by up to so many kg.")
@click.option("--drift", "drift_kg", type=int, default=0, help="Zero creeps by so many kg an hour.")
@click.option("--settings", default=None, help="Of its own line, like 1200,8N1; the profile's own if not given.")
@click.option("--address", type=int, default=None, help="Its address, where its protocol has one.")
@_SECONDS
def simulate(
    indicator: str, link: Path | None, rfc2217: bool, weight_kg: int, ramp: str | None, noise_kg: int, drift_kg: int,
    settings: str | None, address: int | None, seconds: float | None,
) -> None:  # fmt: skip
    """Be an indicator on a line until Ctrl-C; prints the port that a plant or `scale detect` can read."""
    profile = _profile(indicator)
    try:
        line = parse_line(settings) if settings else profile.serial
        to = parse_ramp(ramp) if ramp else None
        simulated = SimulatedIndicator(
            indicator, Rfc2217FarEnd() if rfc2217 else link, weight_kg=weight_kg, address=address, line=line,
            paced=True, settle_s=0.7,
        )  # fmt: skip
        simulated.set_noise_kg(noise_kg)
        simulated.set_drift(drift_kg)
        with simulated:
            click.echo(f"{simulated.port}  {indicator}  {line_text(line)}")
            drive(simulated, weight_kg, to, seconds)
    except (ValueError, OSError) as error:
        raise Problem(str(error)) from None
    except KeyboardInterrupt:
        sys.exit(0)


def _profile(indicator: str) -> IndicatorProfile:
    try:
        return load_profile(indicator)
    except ValueError as error:
        raise Problem(f"--indicator: {error}") from None


def _config(port: str, indicator: str, baud: int | None, address: int | None = None) -> SerialIndicatorConfig:
    try:
        return SerialIndicatorConfig(type="serial", port=port, indicator=indicator, baud=baud, address=address)
    except ValueError as error:
        raise Problem(f"{port}: {error}") from None


def _print(lines: Iterable[Any], as_json: bool) -> None:
    for line in lines:
        if as_json:
            click.echo(json.dumps(line, ensure_ascii=False))
        else:
            click.echo("  ".join(f"{name}={value}" for name, value in line.items()))
