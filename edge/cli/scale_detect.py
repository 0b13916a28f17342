"""`weighgate scale detect`: what it found, for a person at a terminal and as JSON."""

import json
import sys
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import click

from drivers.scale import detect as judging
from drivers.scale.commission import HIDES_NET
from drivers.scale.detect import Candidate, Said, Verdict, readable
from drivers.scale.detect_line import SECONDS, Detection, Try
from drivers.scale.detect_line import detect as listen
from drivers.scale.frames import decimal_text, load_profile
from drivers.scale.tool import stable_name
from drivers.scale.uart import line_text
from edge.cli.common import JSON, counted
from edge.cli.scale_options import ANY_INDICATOR, config_of
from edge.cli.table import table

_VERDICTS = {
    Verdict.FOUND: Said("找到", "FOUND"),
    Verdict.AMBIGUOUS: Said("分不清", "CANNOT BE TOLD APART"),
    Verdict.UNSURE: Said("不确定", "NOT SURE"),
    Verdict.NO_FRAMES: Said("有字节，但任何波特率都不成帧", "BYTES BUT NO FRAMES at any baud rate"),
    Verdict.SILENT: Said("线路无声", "SILENT LINE"),
    Verdict.CANNOT_OPEN: Said("打不开端口", "CANNOT OPEN"),
}
_WHAT_TO_DO = {
    Verdict.UNSURE: Said(
        "多压几次重量后重试，或用 --seconds 30 听得更久；接地、屏蔽、接头不良也会这样",
        "try again with --seconds 30; bad earthing, a bad screen or plug, or two talkers on one line look like this",
    ),
    Verdict.NO_FRAMES: Said(
        "不是称重仪表，或者是本程序不认识的格式：把仪表改为另一种连续输出格式再试；"
        "仍不行就录一段（weighgate scale record）寄来",
        "no weighing indicator, or a format that is not known here: set the indicator to another continuous output "
        "format and try again; else keep a recording (weighgate scale record) for whoever adds it",
    ),
    Verdict.SILENT: Said(
        "一个字节也没有：看仪表是否开机、连续输出是否打开、TXD/RXD/GND 是否接反或断线、是否插对口",
        "not one byte came: is the indicator on, does its menu say continuous output, are TXD, RXD and GND right and "
        "whole, is this the right socket",
    ),
    Verdict.CANNOT_OPEN: Said(
        "看插头和端口名（weighgate scale list），本用户是否在 dialout 组，"
        "以及是否有别的程序（例如正在运行的 weighgate）占用它",
        "check the plug and the name (weighgate scale list), that your user is in the group dialout, and that no other "
        "program has the port, such as a running plant",
    ),
}


@click.command()
@click.argument("port")
@click.option("--seconds", type=click.FloatRange(3, 120), default=SECONDS, show_default=True, help="At most so long.")
@click.option("--listen-only", is_flag=True, help="Send nothing, not even to a silent line.")
@JSON
def detect(port: str, seconds: float, listen_only: bool, as_json: bool) -> None:
    """Find out which indicator speaks at PORT, and with which line settings.

    PORT is a serial port, socket://host:port or rfc2217://host:port; nothing else may have it open. It listens first.
    Only a line that says nothing is then asked: this SENDS the requests for a weight of the protocols that have one
    (never zero, never tare), unless --listen-only. Two protocols that cannot be told apart are both named.

    Exit code 0: one clear answer. 1: several, none, or a silent line. 2: the port cannot be opened.
    """
    show_tries = not as_json and sys.stderr.isatty()
    config_of(port, ANY_INDICATOR, None)  # the port's form
    found = listen(port, seconds=seconds, ask=not listen_only, tell=_show_try if show_tries else lambda _: None)
    for line in _json(found) if as_json else _text(found, asked=not listen_only):
        click.echo(line)
    sys.exit({Verdict.FOUND: 0, Verdict.CANNOT_OPEN: 2}.get(found.verdict, 1))


def _show_try(one: Try) -> None:
    click.echo(f"  {one.line:12} {'asked ' if one.asked else 'heard '} {counted(one.size, 'byte')}", err=True)


def _text(found: Detection, *, asked: bool) -> Iterator[str]:
    zh, en = _VERDICTS[found.verdict]
    names = "  |  ".join(each.indicator for each in found.about) or found.reason
    yield f"{zh} {en}{': ' if names else ''}{names}   ({found.port}, {found.seconds} s)"
    if found.candidates:
        yield ""
        yield from table([*_HEADINGS, *map(_row, found.candidates[:6])])
        yield ""
        for each in found.about:
            yield f"{each.indicator}: {each.title}"
            yield f"    {_example(each)}"
    for said in _advice(found):
        yield ""
        yield f"  {said.zh}"
        yield f"  {said.en}"
    if found.verdict in (Verdict.NO_FRAMES, Verdict.SILENT, Verdict.UNSURE):
        yield ""
        yield from _tried(found, asked)
    if found.verdict in (Verdict.FOUND, Verdict.AMBIGUOUS):
        yield ""
        yield "写进配置 Put this into the plant's configuration:"
        yield from (f"  {line}" for line in _toml(found))
        if not all(load_profile(each.indicator).says_net for each in found.about):
            yield f"⚠ {HIDES_NET.zh} {HIDES_NET.en}"


def _example(each: Candidate) -> str:
    seven_bits = each.line is not None and each.line.bytesize == 7
    return readable(bytes(byte & 0x7F for byte in each.example) if seven_bits else each.example)


def _advice(found: Detection) -> Iterator[Said]:
    if found.verdict is Verdict.AMBIGUOUS:
        yield from judging.tell_apart(found.about)
    elif found.verdict in _WHAT_TO_DO:
        yield _WHAT_TO_DO[found.verdict]
    if found.verdict is Verdict.NO_FRAMES and (text := found.text):
        yield Said(
            f"在 {text.line} 下读得出文字，所以波特率多半是它：{readable(text.sample)}",
            f"at {text.line} it reads as text, so that is probably the baud rate: {readable(text.sample)}",
        )


def _tried(found: Detection, asked: bool) -> Iterator[str]:
    listened = ", ".join(dict.fromkeys(each.line for each in found.tries if not each.asked))
    yield f"  听过 listened at: {listened}"
    if found.verdict is Verdict.SILENT:
        lines = ", ".join(dict.fromkeys(each.line for each in found.tries if each.asked))
        hint = " (--seconds 30 asks at more)" if asked else " (--listen-only)"
        yield f"  问过 asked at: {lines or '-'}{hint}"


_HEADINGS = (
    ("候选", "线路", "帧", "占字节", "校验", "重量", "稳定", "每秒"),
    ("candidate", "line", "frames", "of bytes", "checksum", "weights", "stable", "per s"),
)


def _row(each: Candidate) -> tuple[str, ...]:
    return (
        each.indicator,
        line_text(each.line) if each.line else "-",
        f"{each.frames}{' 问 asked' if each.asked else ''}",
        f"{each.share * 100:.0f} %",
        _checksums(each),
        _range(each),
        f"{each.stable}/{each.stable + each.moving}" if each.stable + each.moving else "无 no flag",
        "-" if each.per_second is None else f"{each.per_second:g}",
    )


def _checksums(each: Candidate) -> str:
    if each.checksums_right is None or each.checksums_wrong is None:
        return "无 none"
    return f"{each.checksums_right}/{each.checksums_right + each.checksums_wrong}"


def _range(each: Candidate) -> str:
    if each.lowest is None:
        return f"超限 out of range {each.out_of_range}" if each.out_of_range else "-"
    units = " ".join(each.units)
    both = (decimal_text(each.lowest), decimal_text(each.highest))
    return f"{both[0]} {units}" if both[0] == both[1] else f"{both[0]} .. {both[1]} {units}"


def _toml(found: Detection) -> list[str]:
    return judging.toml_lines(stable_name(found.port), [(each, load_profile(each.indicator)) for each in found.about])


def _json(found: Detection) -> Iterator[str]:
    """One object a candidate, and the verdict last."""
    for rank, each in enumerate(found.candidates, 1):
        yield _dumps(_facts(rank, each))
    advice = list(_advice(found))
    yield _dumps(
        {
            "verdict": found.verdict.value,
            "port": found.port,
            "indicators": [each.indicator for each in found.about],
            "seconds": found.seconds,
            "reason": found.reason or None,
            "todo_zh": [said.zh for said in advice],
            "todo_en": [said.en for said in advice],
            "toml": _toml(found) if found.verdict is Verdict.FOUND else None,
            "tries": [
                {"line": each.line, "asked": each.asked, "bytes": each.size, "text": each.text} for each in found.tries
            ],
        }
    )


def _facts(rank: int, each: Candidate) -> dict[str, Any]:
    def text(number: Decimal | None) -> str | None:
        return decimal_text(number)

    line = each.line.model_dump() if each.line else dict.fromkeys(("baud", "bytesize", "parity", "stopbits"))
    return {
        "candidate": each.indicator,
        "rank": rank,
        **line,
        "asked": each.asked,
        "frames": each.frames,
        "share": round(each.share, 3),
        "checksums_right": each.checksums_right,
        "checksums_wrong": each.checksums_wrong,
        "lowest": text(each.lowest),
        "highest": text(each.highest),
        "units": each.units,
        "stable": each.stable,
        "moving": each.moving,
        "out_of_range": each.out_of_range,
        "per_second": each.per_second,
        "says_net": load_profile(each.indicator).says_net,
        "example": each.example.hex().upper(),
    }


def _dumps(facts: dict[str, Any]) -> str:
    return json.dumps(facts, ensure_ascii=False)
