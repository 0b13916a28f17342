"""`weighgate scale record` and `replay`: the black box of a scale's line."""

import time
from collections.abc import Iterator
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import click

from drivers.ports import DriverError
from drivers.scale import capture
from drivers.scale.capture import Capture, Player
from drivers.scale.profile import IndicatorProfile, SerialDefaults
from drivers.scale.serial_indicator import SerialIndicatorConfig
from drivers.scale.simulated_links import FarEnd, PtyFarEnd, TcpFarEnd
from drivers.scale.tool import decoded
from drivers.scale.uart import parse_line
from edge.cli.common import JSON, No, Problem, counted, read_settings
from edge.cli.scale_options import ADDRESS, ANY_INDICATOR, BAUD, SECONDS, config_of, print_lines, profile_of
from edge.settings import LaneSection

if TYPE_CHECKING:
    from edge.station.black_box import Seen

_FILE = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))


@click.command()
@click.argument("port")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--indicator", default=None, help="Ask it as a plant would, where its profile is asked; else only listen."
)
@BAUD
@click.option(
    "--settings", default=None, help="Line settings to listen with, like 4800,7E1, where no indicator is named."
)
@ADDRESS
@SECONDS
def record(
    port: str, file: Path, indicator: str | None, baud: int | None, settings: str | None, address: int | None,
    seconds: float | None,
) -> None:  # fmt: skip
    """Write all that happens on a line into a capture FILE, with its times, until Ctrl-C.

    Without --indicator nothing is sent, and the line settings are --settings (9600,8N1 if not given).
    """
    config = config_of(port, indicator, baud, address) if indicator else None
    line = config.line(config.profile()) if config else _line(settings, baud)
    config_of(port, indicator or ANY_INDICATOR, baud)  # the port's form
    began_s = time.monotonic()
    try:
        capture.record(port, file, line=line, software=_software(), config=config, seconds=seconds)
    except FileExistsError:
        raise Problem(f"{file}: exists already; a capture is never overwritten") from None
    except OSError as error:
        raise Problem(f"{file}: {error.strerror}") from None
    except DriverError as error:
        raise Problem(str(error)) from None
    except KeyboardInterrupt:
        _tell_size(file, began_s)
        raise
    _tell_size(file, began_s)


def _tell_size(file: Path, began_s: float) -> None:
    size = sum(len(event.data) for event in capture.load_capture(file).reads())
    click.echo(f"{file}: {counted(size, 'byte')} in {time.monotonic() - began_s:.1f} s")


def _line(settings: str | None, baud: int | None) -> SerialDefaults:
    try:
        line = parse_line(settings) if settings else SerialDefaults(baud=9600)
    except ValueError as error:
        raise Problem(f"--settings: {error}") from None
    return line if baud is None else line.model_copy(update={"baud": baud})


def _software() -> str:
    return f"weighgate {version('weighgate')}"


@click.command()
@_FILE
@click.option(
    "--indicator", default=None, help="Decode with this profile, without --config; the capture's own if not given."
)
@click.option("--speed", type=float, default=1.0, help="How many times as fast; 0 is at once.")
@click.option("--config", "config", type=click.Path(dir_okay=False, path_type=Path), default=None,
              help="Judge it with this plant's rules: states, captures, scale watch.")  # fmt: skip
@click.option("--lane", default=None, help="Which lane of the plant; its only one if not given.")
@click.option("--booked", type=float, multiple=True, metavar="SECONDS",
              help="With --config: when a weight was booked; of several the first is the tare.")  # fmt: skip
@click.option("--serve", is_flag=True, help="Send it over a line that a plant can read, TCP or --link.")
@click.option("--link", type=click.Path(path_type=Path), default=None, help="With --serve: the port to make, a pty.")
@click.option("--again", is_flag=True, help="With --serve: play it again and again.")
@JSON
def replay(
    file: Path, indicator: str | None, speed: float, config: Path | None, lane: str | None,
    booked: tuple[float, ...], serve: bool, link: Path | None, again: bool, as_json: bool,
) -> None:  # fmt: skip
    """Play a capture again: decoded; with --config through a lane's rules; with --serve over a line, as if live."""
    try:
        found = capture.load_capture(file)
    except ValueError as error:
        raise Problem(str(error)) from None
    if indicator and (config or serve):
        raise Problem(
            "--indicator: not with --config, where the lane says which, nor with --serve (it decodes nothing)"
        )
    if config is not None:
        seen = _through_the_plant(found, lane_of(config, lane), [round(at_s * 1000) for at_s in booked])
        _print_seen(seen, found, as_json)
    elif serve:
        _serve(found, PtyFarEnd(link) if link else TcpFarEnd(), again)
    else:
        name = indicator or (found.header.indicator if found.header else None)
        if name is None:
            raise Problem("--indicator: the capture does not say which it was; give one")
        _need_frames(found, profile_of(name))
        frames = capture.frames(found, profile_of(name))
        print_lines((decoded(weight) for _, weight in capture.at_its_pace(frames, speed)), as_json)


def lane_of(config: Path, lane: str | None) -> LaneSection:
    """A lane of a plant's configuration, or exit 2; its only one where none is named."""
    lanes = {each.id: each for each in read_settings(config).lane}
    names = ", ".join(lanes)
    if lane is None and len(lanes) > 1:
        raise Problem(f"--lane: {config} has {len(lanes)} lanes; which one: {names}?")
    name = lane or next(iter(lanes))
    if name not in lanes:
        raise Problem(f"--lane: {config} has no lane {name!r}; valid: {names}")
    return lanes[name]


def _through_the_plant(found: Capture, lane: LaneSection, booked_ms: list[int]) -> "Iterator[Seen]":
    from edge.main import lane_setup  # heavy, and only needed here
    from edge.station.black_box import judge

    indicator = lane.indicator
    if not isinstance(indicator, SerialIndicatorConfig):
        raise Problem(f"lane {lane.id} is no indicator on a line")
    _need_frames(found, indicator.profile())
    return judge(found, indicator, lane_setup(lane), booked_ms)


def _need_frames(found: Capture, profile: IndicatorProfile) -> None:
    """Exit 1 where the capture has no frame of this protocol: silence would read as "nothing happened"."""
    if next(capture.frames(found, profile), None) is None:
        size = counted(sum(len(event.data) for event in found.reads()), "byte")
        own = found.header.indicator if found.header else None
        raise No(f"{size}, no frame of {profile.name}" + (f"; it was recorded as {own}" if own else ""))


def _print_seen(seen: "Iterator[Seen]", found: Capture, as_json: bool) -> None:
    header = found.header
    began_at = header.began_at if header else None
    if as_json:
        print_lines((each.facts(began_at) for each in seen), as_json)
        return
    if header:
        began = header.began_at.isoformat(sep=" ", timespec="seconds")
        click.echo(f"{began}  {header.port}  {header.line}  {header.software}\n")
    for each in seen:
        at = f"{began_at + timedelta(milliseconds=each.at_ms):%H:%M:%S}  " if began_at else ""
        kg = "-----" if each.kg is None else str(each.kg)
        click.echo(f"{at}{each.at_ms / 1000:8.2f} s  {kg:>7} kg  {each.what:9} {each.words}")


def _serve(found: Capture, far: FarEnd, again: bool) -> None:
    try:
        with Player(found, far, again=again) as player:
            click.echo(f"{player.port}  {found.lasts_ms / 1000:.1f} s, from the moment somebody reads; Ctrl-C ends it")
            while not player.done:
                time.sleep(0.05)
    except OSError as error:
        raise Problem(f"--link: {error.strerror}") from None
