"""`weighgate scale watch`: weight, state, rate and errors of a live line, as a screen or as lines."""

import sys
from collections import deque
from collections.abc import Iterable, Iterator

import click

from drivers.ports import DriverError
from drivers.registry import build_scale
from drivers.scale.serial_indicator import SerialIndicatorConfig
from drivers.scale.tool import ReadingLine, watch, watched
from edge.cli.common import JSON, No, Problem, counted
from edge.cli.scale_options import SECONDS, Device, device_at_port, print_lines

STILL_READINGS = 5
_BIG = {
    "0": ("█▀█", "█ █", "▀▀▀"), "1": ("▀█ ", " █ ", "▀▀▀"), "2": ("▀▀█", "█▀▀", "▀▀▀"), "3": ("▀▀█", " ▀█", "▀▀▀"),
    "4": ("█ █", "▀▀█", "  ▀"), "5": ("█▀▀", "▀▀█", "▀▀▀"), "6": ("█▀▀", "█▀█", "▀▀▀"), "7": ("▀▀█", "  █", "  ▀"),
    "8": ("█▀█", "█▀█", "▀▀▀"), "9": ("█▀█", "▀▀█", "▀▀▀"), "-": ("   ", "▀▀▀", "   "), " ": ("   ", "   ", "   "),
}  # fmt: skip
_FAULTS = {
    "overload": "超载 overload",
    "underload": "低于零点 below zero",
    "not_gross": "不是毛重 not a gross weight (is it tared?)",
    "bad_unit": "单位不认识 unit not known",
    "not_whole_kg": "不是整公斤 not whole kg",
}

_GARBLED = "有字节不成帧 bytes but no frames: baud rate or indicator wrong (weighgate scale detect)"
_SILENT = "无数据 silent: nothing comes"
_STARTING = "等待第一个读数 starting: waiting for the first reading"
_TOO_SHORT = "时间太短 too short to tell why: watch it for five seconds"
_STARTING_LINES = 2
"""Without a reading a line comes once a second."""


@click.command("watch")
@click.argument("port")
@device_at_port
@SECONDS
@JSON
def watch_port(port: str, config: Device, seconds: float | None, as_json: bool) -> None:
    """Show weight, state, rate and errors of a live line, until Ctrl-C.

    PORT is a serial port, socket://host:port or rfc2217://host:port; with --registers a Modbus target such as
    tcp://host:502 or serial:///dev/ttyS1?baud=9600. On a terminal one screen that is refreshed; else, and with --json,
    one line a reading. Exit code 1: not one reading came.
    """
    lines = Counting(_lines(port, config, seconds))
    try:
        if as_json or not sys.stdout.isatty():
            print_lines(lines, as_json)
        else:
            what = config.indicator if isinstance(config, SerialIndicatorConfig) else config.registers
            _show(lines, f"{port}   {what}")
    except DriverError as error:
        raise Problem(str(error)) from None
    if not lines.readings:
        raise No(f"{port}: not one reading: {lines.state}")


def _lines(port: str, config: Device, seconds: float | None) -> Iterator[ReadingLine]:
    if isinstance(config, SerialIndicatorConfig):
        scale, wrong = watched(config)
        return watch(scale, seconds, wrong)
    return watch(build_scale(port, config), seconds)


class Counting:
    """The lines as they pass, and what the last of them said."""

    def __init__(self, lines: Iterator[ReadingLine]) -> None:
        self._lines = lines
        self.readings = 0
        self.state = _TOO_SHORT

    def __iter__(self) -> Iterator[ReadingLine]:
        for number, line in enumerate(self._lines, 1):
            self.readings = line["readings"]
            self.state = _GARBLED if line["garbled"] else _TOO_SHORT if _starting(line, number) else _SILENT
            yield line


def _show(lines: Iterable[ReadingLine], title: str) -> None:
    drawn = 0
    for screen in screens(lines, title):
        click.echo(f"\x1b[{drawn}F\x1b[J" if drawn else "", nl=False)
        click.echo("\n".join(screen))
        drawn = len(screen)


def screens(lines: Iterable[ReadingLine], title: str) -> Iterator[list[str]]:
    """What the screen shows after each line."""
    row: deque[int | None] = deque(maxlen=STILL_READINGS)
    for number, line in enumerate(lines, 1):
        row.append(line["kg"])
        wrong = "" if line["checksums_wrong"] is None else f"   校验错 wrong checksums {line['checksums_wrong']}"
        yield [
            title,
            "",
            *(f"    {each}" for each in big(line["kg"])),
            "",
            f"  {_STARTING if _starting(line, number) else _state(line, row)}",
            f"  {line['per_second']:g} /s   {counted(line['readings'], 'reading')}   "
            f"无重量 without a weight {line['faults']}{wrong}",
            f"  {line['raw']}"[:100],
        ]


def big(kg: int | None) -> tuple[str, ...]:
    """A weight in large figures; dashes where there is none."""
    text = "-----" if kg is None else str(kg)
    rows = [" ".join(_BIG[each][row] for each in text) for row in range(3)]
    return (*rows[:2], f"{rows[2]}  kg")


def _starting(line: ReadingLine, number: int) -> bool:
    return number <= _STARTING_LINES and not line["readings"] and not line["garbled"]


def _state(line: ReadingLine, row: "deque[int | None]") -> str:
    if line["fault"]:
        return _FAULTS.get(line["fault"], line["fault"])
    if line["kg"] is None:
        return _GARBLED if line["garbled"] else _SILENT
    if line["stable"] is not None:
        return "稳定 stable" if line["stable"] else "动态 moving"
    still = len(row) == STILL_READINGS and len(set(row)) == 1
    return "不动 standing still (no stable flag)" if still else "变化 changing (no stable flag)"
