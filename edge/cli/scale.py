"""`weighgate scale`: look at an indicator's bytes before they matter."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from drivers.ports import CommandRefused, DriverError, ScaleCommand
from drivers.registry import build_scale
from drivers.scale import tool
from drivers.scale.capture import is_capture
from drivers.scale.profile import SerialDefaults
from drivers.scale.registers import Order, RegisterMap, load_register_map
from drivers.scale.simulated import SimulatedIndicator, SimulatedLoad, drive, parse_ramp
from drivers.scale.simulated_links import FarEnd, Rfc2217FarEnd
from drivers.scale.uart import line_text, parse_line
from edge.cli.common import JSON, No, Problem, counted
from edge.cli.scale_capture import record, replay
from edge.cli.scale_commission import commission
from edge.cli.scale_detect import detect
from edge.cli.scale_options import (
    DECIMALS,
    INDICATOR,
    PROFILE,
    REGISTERS,
    SECONDS,
    WORD_ORDER,
    Device,
    device_at_port,
    print_lines,
    profile_of,
)
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
    """Decode bytes from --hex, a FILE or - (standard input): one line a reading. Exit code 1: no frame in them."""
    if (hex_text is None) == (file is None):
        raise Problem("give either --hex HEX or a FILE (- is standard input)")
    profile = profile_of(indicator)
    size = frames = 0

    def chunks() -> Iterator[bytes]:
        nonlocal size
        for chunk in tool.chunks_of(file) if hex_text is None else [_from_hex(hex_text)]:
            if size == 0 and is_capture(chunk):
                raise Problem("this is a capture, text that holds bytes: use `weighgate scale replay`")
            size += len(chunk)
            yield chunk

    for line in tool.decode(profile, chunks()):
        frames += 1
        print_lines([line], as_json)
    if not frames:
        raise No(f"{counted(size, 'byte')}, no frame of {indicator}")


def _from_hex(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise Problem(f"--hex: {text[:40]!r} — pairs of the digits 0-9 and A-F") from None


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
        rows = [(each["by_path"] or "-", each["port"], each["description"].replace("n/a", "-")) for each in found]
        for line in table([("固定名 name to configure", "现在是 now", "适配器 adapter"), *rows]):
            click.echo(line)
        stays = any(each["by_path"] for each in found)
        click.echo(f"\n{'The first name stays with the socket. ' if stays else ''}Next: weighgate scale detect NAME")


@scale.command("command")
@click.argument("port")
@click.argument("what", type=click.Choice([each.value for each in ScaleCommand]))
@device_at_port
@click.option("--yes", is_flag=True, help="Do not show the weight and ask first.")
@JSON
def tell(port: str, config: Device, what: str, yes: bool, as_json: bool) -> None:
    """Tell an indicator: zero, tare or clear_tare. For commissioning only: NO LEDGER KNOWS OF IT.

    Stop the plant first. A serial port that a running plant has open is refused; a converter (socket://, rfc2217://)
    may let a second program in without either of them knowing. Exit code 1: the indicator said no.
    """
    device = build_scale(port, config)
    try:
        if not yes:
            kg = tool.look(device)
            shown = "no weight comes" if kg is None else f"it shows {kg} kg"
            if not click.confirm(f"{port}: {shown}. {what}? Nothing and nobody must be on the deck for a zero"):
                raise No("nothing was sent")
        print_lines([tool.tell(device, ScaleCommand(what))], as_json)
    except CommandRefused as error:
        raise No(str(error)) from None
    except DriverError as error:
        raise Problem(str(error)) from None


@scale.command()
@PROFILE
@REGISTERS
@WORD_ORDER
@DECIMALS
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
    indicator: str | None, registers: str | None, word_order: Order | None, decimals: int | None, link: Path | None,
    rfc2217: bool, weight_kg: int, ramp: str | None, noise_kg: int, drift_kg: int, settings: str | None,
    address: int | None, seconds: float | None,
) -> None:  # fmt: skip
    """Be an indicator on a line until Ctrl-C; prints the port that a plant or `scale detect` can read.

    With --registers be a Modbus device over TCP, or RTU on --link; prints the target for the configuration.
    """
    if (indicator is None) == (registers is None):
        raise Problem("give --indicator NAME, or for a Modbus device --registers NAME")
    if link is not None and not link.parent.is_dir():
        raise Problem(f"--link {link}: there is no folder {link.parent}")
    try:
        to = parse_ramp(ramp) if ramp else None
        if indicator is not None:
            line = parse_line(settings) if settings else profile_of(indicator).serial
            far = Rfc2217FarEnd() if rfc2217 else link
            running = _indicator(indicator, far, address, line, weight_kg)
        else:
            found = load_register_map(registers or "").for_site(word_order=word_order, decimals=decimals)
            running = _modbus(found, link, address, weight_kg)
        with running as (load, words):
            load.set_noise_kg(noise_kg)
            load.set_drift(drift_kg)
            click.echo(words)
            drive(load, weight_kg, to, seconds)
    except (ValueError, OSError) as error:
        raise Problem(str(error)) from None


@contextmanager
def _indicator(
    name: str, far: Path | FarEnd | None, address: int | None, line: SerialDefaults, weight_kg: int
) -> Iterator[tuple[SimulatedLoad, str]]:
    with SimulatedIndicator(
        name, far, weight_kg=weight_kg, address=address, line=line, paced=True, settle_s=0.7
    ) as simulated:
        yield simulated, f"{simulated.port}  {name}  {line_text(line)}"


@contextmanager
def _modbus(
    found: RegisterMap, link: Path | None, device_id: int | None, weight_kg: int
) -> Iterator[tuple[SimulatedLoad, str]]:
    from drivers.scale.simulated_registers import SimulatedModbus, SimulatedRegisters  # a server: heavy

    told = found if device_id is None else found.model_copy(update={"device_id": device_id})
    device = SimulatedRegisters(told, weight_kg)
    with SimulatedModbus(device, link=link) as server:
        yield device, f"{server.target}  {found.name}  device {device.device_id}"


for _command in (detect, watch_port, commission, record, replay):
    scale.add_command(_command)
