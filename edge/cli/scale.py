"""`weighgate scale`: look at an indicator's bytes before they matter."""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from drivers.ports import DriverError, ScaleCommand
from drivers.scale import tool
from drivers.scale.serial_indicator import SerialIndicator
from drivers.scale.simulated import SimulatedIndicator, drive, parse_ramp
from drivers.scale.simulated_links import Rfc2217FarEnd
from drivers.scale.uart import line_text, parse_line
from edge.cli.common import JSON, Problem
from edge.cli.scale_capture import record, replay
from edge.cli.scale_commission import commission
from edge.cli.scale_detect import detect
from edge.cli.scale_options import ADDRESS, BAUD, INDICATOR, SECONDS, config_of, print_lines, profile_of
from edge.cli.scale_watch import watch_port
from edge.cli.table import table


@click.group()
def scale() -> None:
    """Scales: find out what speaks at a port, watch it, commission it, record it and play it again."""


@scale.command()
@INDICATOR
@click.option("--hex", "hex_text", default=None, help="Bytes as hex.")
@click.argument("file", required=False, type=click.File("rb"))
@JSON
def decode(indicator: str, hex_text: str | None, file: Any, as_json: bool) -> None:
    """Decode bytes from --hex, a FILE or - (standard input): one line a reading."""
    if (hex_text is None) == (file is None):
        raise Problem("give either --hex HEX or a FILE (- is standard input)")
    profile = profile_of(indicator)
    chunks: Iterable[bytes]
    if hex_text is not None:
        try:
            chunks = [bytes.fromhex(hex_text)]
        except ValueError:
            raise Problem(f"--hex: {hex_text[:40]!r} — pairs of the digits 0-9 and A-F") from None
    else:
        chunks = tool.chunks_of(file)
    print_lines(tool.decode(profile, chunks), as_json)


@scale.command("list")
@JSON
def list_ports(as_json: bool) -> None:
    """The serial ports of this machine with the names that survive replugging."""
    found = tool.ports()
    if as_json:
        print_lines(found, as_json)
    elif not found:
        click.echo("没有串口 no serial port: plug the USB adapter in; a converter in the network is socket://host:port")
    else:
        rows = [(each["by_path"] or "-", each["port"], each["description"]) for each in found]
        for line in table([("固定名 name to configure", "现在是 now", "适配器 adapter"), *rows]):
            click.echo(line)
        click.echo("\nThe first name stays with the socket. Next: weighgate scale detect NAME")


@scale.command("command")
@click.argument("port")
@click.argument("what", type=click.Choice([each.value for each in ScaleCommand]))
@INDICATOR
@BAUD
@ADDRESS
@click.option("--yes", is_flag=True, help="Do not ask.")
@JSON
def tell(port: str, what: str, indicator: str, baud: int | None, address: int | None, yes: bool, as_json: bool) -> None:
    """Tell an indicator: zero, tare or clear_tare. For commissioning only: NO LEDGER KNOWS OF IT.

    Stop the plant first. A serial port that a running plant has open is refused; a converter (socket://, rfc2217://)
    may let a second program in without either of them knowing.
    """
    if not yes and not click.confirm(f"{port}: {what}? Nothing and nobody must be on the deck for a zero"):
        raise Problem("nothing was sent")
    device = SerialIndicator(port, config_of(port, indicator, baud, address))
    try:
        print_lines([tool.tell(device, ScaleCommand(what))], as_json)
    except DriverError as error:
        raise Problem(str(error)) from None


@scale.command()
@INDICATOR
@click.option("--link", type=click.Path(path_type=Path), default=None, help="The port to make: a pseudo-terminal.")
@click.option("--rfc2217", is_flag=True, help="An RFC 2217 server instead, which knows parity; else TCP.")
@click.option("--weight", "weight_kg", type=int, default=0, help="What stands on it, in kg.")
@click.option("--ramp", default=None, help="KG:SECONDS: drive on to so much, stand, drive off, for ever.")
@click.option("--noise", "noise_kg", type=int, default=0, help="Every frame is off by up to so many kg.")
@click.option("--drift", "drift_kg", type=int, default=0, help="Zero creeps by so many kg an hour.")
@click.option("--settings", default=None, help="Of its own line, like 1200,8N1; the profile's own if not given.")
@click.option("--address", type=int, default=None, help="Its address, where its protocol has one.")
@SECONDS
def simulate(
    indicator: str, link: Path | None, rfc2217: bool, weight_kg: int, ramp: str | None, noise_kg: int, drift_kg: int,
    settings: str | None, address: int | None, seconds: float | None,
) -> None:  # fmt: skip
    """Be an indicator on a line until Ctrl-C; prints the port that a plant or `scale detect` can read."""
    profile = profile_of(indicator)
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


for _command in (detect, watch_port, commission, record, replay):
    scale.add_command(_command)
