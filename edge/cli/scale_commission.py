"""`weighgate scale commission`: weighs an empty deck, a known weight and a loaded truck, and writes a report."""

import select
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click

from drivers.ports import DriverError, Scale
from drivers.readings import WeightReading
from drivers.registry import AnyScaleConfig, build_scale, says_net
from drivers.scale.commission import HIDES_NET
from drivers.scale.commission_judge import Mark, Site
from drivers.scale.commission_report import About, Report
from drivers.scale.commission_steps import Motion, Observer, Step, Weighed
from drivers.scale.modbus_indicator import ModbusIndicatorConfig
from drivers.scale.registers import RegisterMap
from drivers.scale.serial_indicator import SerialIndicatorConfig
from edge.cli.common import Problem, read_settings
from edge.cli.scale_capture import lane_of
from edge.cli.scale_options import ADDRESS, BAUD, DECIMALS, WORD_ORDER, one_device
from edge.cli.table import table

WAIT_S = 120.0
CHANGE_DIVISIONS = 10
_PROMPTS = {
    Step.EMPTY: "空秤：秤台上什么都没有 Empty the deck",
    Step.KNOWN: "已知重量 {kg} kg 上秤 Put the known weight of {kg} kg on",
    Step.TRUCK: "重车上秤，停稳 Drive a loaded truck on, let it stand",
}
_MARKS = {Mark.PASSED: "✓", Mark.FAILED: "✗", Mark.NOT_SHOWN: "–"}


@dataclass(frozen=True, slots=True)
class _Target:
    """What is commissioned."""

    name: str
    device: str
    config: AnyScaleConfig
    site: Site
    place: str = ""
    zone: ZoneInfo | None = None
    """The plant's; None: this machine's."""


@click.command()
@click.argument("where")
@click.option("--lane", default=None, help="WHERE is a plant's configuration: which lane.")
@click.option("--indicator", default=None, help="WHERE is a port: the profile of what stands there.")
@click.option("--registers", default=None, help="WHERE is a Modbus target: the register map of what stands there.")
@BAUD
@ADDRESS
@WORD_ORDER
@DECIMALS
@click.option("--division-kg", type=click.IntRange(1, 200), default=None, help="Without a configuration: e.")
@click.option("--maximum-kg", type=click.IntRange(1000, 300_000), default=None, help="Without a configuration: Max.")
@click.option("--empty", is_flag=True, help="Do this step.")
@click.option("--known-kg", type=click.IntRange(1), default=None, help="Do the step with a known weight of so much.")
@click.option("--truck", is_flag=True, help="Do the step with a loaded truck.")
@click.option("--truck-shows-kg", type=int, default=None, help="What the indicator's own display shows for the truck.")
@click.option("--auto", is_flag=True, help="Do not wait for Enter: take each weight when it has changed and stands.")
@click.option("--operator", default=None, help="Who does it, for the report.")
@click.option("--seconds", type=click.FloatRange(0.2, 60), default=3.0, help="How long each weight is watched.")
@click.option("--report", type=click.Path(dir_okay=False, path_type=Path), default=None, help="The page to write.")
def commission(
    where: str, lane: str | None, division_kg: int | None, maximum_kg: int | None, empty: bool, known_kg: int | None,
    truck: bool, truck_shows_kg: int | None, auto: bool, operator: str | None, seconds: float, report: Path | None,
    **device: Any,
) -> None:  # fmt: skip
    """Show that a scale's readings are right, and write a report.

    WHERE is a plant's configuration (with --lane), or a port with --indicator, or a Modbus target such as
    tcp://host:502 with --registers; the last two need --division-kg and --maximum-kg. The plant itself must be stopped.
    Three weighings: the empty deck, a known weight, a loaded truck; for each it says what to do
    and waits for Enter. --empty, --known-kg and --truck choose the steps; what is left out is "not shown", and then
    the result is never "passed". A device on Modbus gets its word order proven too.

    Exit code 0: passed. 1: failed, or something was not shown. 2: wrong use, or the scale cannot be reached.
    """
    target = _target(where, lane, division_kg, maximum_kg, device)
    asks = not (empty or known_kg or truck)
    if asks:
        operator = (
            operator if operator is not None else click.prompt("操作人 Your name", default="", show_default=False)
        )
        known_kg = click.prompt("已知重量 kg, the known weight (0: none)", type=click.IntRange(0)) or None
        empty = truck = True
    began_at = datetime.now().astimezone(target.zone)
    file = report or Path(f"commission-{target.name}-{began_at:%Y%m%d-%H%M}.md")
    if file.exists():
        raise Problem(f"{file}: exists already; a report is never overwritten")
    steps = [(Step.EMPTY, 0)] * empty + [(Step.KNOWN, known_kg or 0)] * bool(known_kg) + [(Step.TRUCK, 0)] * truck
    scale = build_scale(target.name, target.config)
    try:
        _open(scale)
        try:
            guide = _Guide(scale, target.site, auto=auto, seconds=seconds, asks=asks, shows_kg=truck_shows_kg)
            weighings = tuple(guide.weigh(step, kg) for step, kg in steps)
        finally:
            scale.close()
    except DriverError as error:
        raise Problem(str(error)) from None
    about = About(
        target.name, target.place, target.device, operator or "", f"weighgate {version('weighgate')}", began_at
    )
    done = Report(about, target.site, weighings, guide.motion)
    try:
        with file.open("x", encoding="utf-8") as page:
            page.write(done.markdown())
    except OSError as error:
        raise Problem(f"{file}: {error.strerror}") from None
    for line in _summary(done, file):
        click.echo(line)
    sys.exit(0 if done.mark is Mark.PASSED else 1)


def _open(scale: Scale) -> None:
    try:
        scale.open()
    except DriverError as error:
        raise Problem(f"{error}. If a plant runs on it, stop the plant for this") from None


class _Guide:
    """Leads through the steps."""

    def __init__(
        self, scale: Scale, site: Site, *, auto: bool, seconds: float, asks: bool, shows_kg: int | None
    ) -> None:
        self._site = site
        self._auto = auto
        self._seconds = seconds
        self._asks = asks
        self._shows_kg = shows_kg
        self._last_kg: int | None = None
        self._changed = False
        self._live = sys.stdout.isatty()
        self._observer = Observer(scale, site.division_kg, self._show)

    @property
    def motion(self) -> Motion:
        """The stable flag's behaviour over all steps."""
        return self._observer.motion

    def weigh(self, step: Step, known_kg: int) -> Weighed:
        """Say what to do, wait for it, take it."""
        click.echo(f"\n{_PROMPTS[step].format(kg=known_kg)}{'' if self._auto else '，按回车 then press Enter'}")
        if not self._auto:
            self._until_enter()
        self._observer.until_still(WAIT_S, lambda kg: not self._auto or self._fits(step, kg))
        shows_kg = self._display_kg() if step is Step.TRUCK else known_kg
        weighed = self._observer.take(step, shows_kg, self._seconds)
        self._last_kg, self._changed = weighed.kg, False
        click.echo(f"\r  {'-----' if weighed.kg is None else weighed.kg} kg, {weighed.readings} readings")
        return weighed

    def _fits(self, step: Step, kg: int) -> bool:
        """Nobody presses Enter: this weight can be the one of this step."""
        if step is Step.EMPTY:
            return abs(kg) < self._site.truck_kg
        least_kg = CHANGE_DIVISIONS * self._site.division_kg
        # The same weight may come again, once the deck was empty in between.
        self._changed = self._changed or self._last_kg is None or abs(kg - self._last_kg) >= least_kg
        return self._changed and abs(kg) >= (self._site.truck_kg if step is Step.TRUCK else least_kg)

    def _until_enter(self) -> None:
        """Go on reading until Enter, so that the weight is seen to change."""
        if not sys.stdin.isatty():
            sys.stdin.readline()
            return
        while not select.select([sys.stdin], [], [], 0)[0]:
            self._observer.read()
        sys.stdin.readline()

    def _display_kg(self) -> int | None:
        if self._shows_kg is not None or not self._asks:
            return self._shows_kg
        question = "仪表显示多少 kg, what does the indicator's display show (Enter: not read)"
        text = click.prompt(question, default="", show_default=False)
        return int(text) if text.strip().isdigit() else None

    def _show(self, reading: WeightReading) -> None:
        if self._live:
            kg = "-----" if reading.gross_kg is None else str(reading.gross_kg)
            click.echo(f"\r  {kg:>8} kg ", nl=False)


def _summary(done: Report, file: Path) -> Iterator[str]:
    yield ""
    yield from table([(_MARKS[each.mark], each.question.zh, each.found.zh) for each in done.answers])
    yield ""
    yield from table([(_MARKS[each.mark], each.question.en, each.found.en) for each in done.answers])
    yield ""
    if not done.site.says_net:
        yield f"⚠ {HIDES_NET.zh} {HIDES_NET.en}"
    yield f"{done.words.zh} {done.words.en}   {file}"


def _target(
    where: str, lane: str | None, division_kg: int | None, maximum_kg: int | None, device: dict[str, Any]
) -> _Target:
    if device["indicator"] is None and device["registers"] is None:
        if "://" in where or where.startswith("/dev/"):
            raise Problem(f"{where}: what stands there? Give --indicator NAME, or for a Modbus device --registers NAME")
        settings = read_settings(Path(where))
        section, plant = lane_of(Path(where), lane), settings.plant
        scale, config = section.scale, section.indicator
        site = Site(scale.division_kg, scale.maximum_kg, scale.truck_kg, _map(config), says_net(config))
        place = f"{plant.code} {plant.name}, {section.name} {section.name_en}"
        return _Target(f"lane-{section.id}", _device(config), config, site, place, ZoneInfo(plant.timezone))
    if division_kg is None or maximum_kg is None:
        raise Problem("--division-kg and --maximum-kg: as on the scale's plate")
    found = one_device(where, **device)
    site = Site(division_kg, maximum_kg, registers=_map(found), says_net=says_net(found))
    return _Target(device["indicator"] or device["registers"], _device(found), found, site)


def _map(config: AnyScaleConfig) -> RegisterMap | None:
    return config.map() if isinstance(config, ModbusIndicatorConfig) else None


def _device(config: AnyScaleConfig) -> str:
    match config:
        case SerialIndicatorConfig():
            return f"{config.indicator}, {config.port}"
        case ModbusIndicatorConfig():
            return f"Modbus {config.registers}, {config.target}"
        case _:
            return f"simulated {config.indicator}"
