"""The report of a commissioning as a Markdown page."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from drivers.scale.commission import Said
from drivers.scale.commission_judge import Answer, Mark, Site, judge, not_proven, overall
from drivers.scale.commission_steps import Motion, Step, Weighed
from drivers.scale.detect import readable

_OVERALL = {
    Mark.PASSED: Said("通过", "PASSED"),
    Mark.FAILED: Said("不通过", "FAILED"),
    Mark.NOT_SHOWN: Said("未通过：有的没有演示", "NOT PASSED: not everything was shown"),
}
_MARKS = {Mark.PASSED: "✓ 合格 passed", Mark.FAILED: "✗ 不合格 FAILED", Mark.NOT_SHOWN: "– 未演示 not shown"}
_BLANK = "______________________________"
_STEPS = {Step.EMPTY: "空秤 empty", Step.KNOWN: "已知重量 known weight", Step.TRUCK: "重车 loaded truck"}


@dataclass(frozen=True, slots=True)
class About:
    """Who commissioned what, when, where and with what. `place` is the plant and its lane, empty where only a port is
    known; `began_at` is the plant's own time."""

    scale: str
    place: str
    device: str
    operator: str
    software: str
    began_at: datetime


@dataclass(frozen=True, slots=True)
class Report:
    """A finished commissioning."""

    about: About
    site: Site
    weighings: tuple[Weighed, ...]
    motion: Motion

    @property
    def answers(self) -> list[Answer]:
        return judge(self.site, self.weighings, self.motion)

    @property
    def mark(self) -> Mark:
        return overall(self.answers)

    @property
    def words(self) -> Said:
        """The whole result."""
        return _OVERALL[self.mark]

    def markdown(self) -> str:
        """The page."""
        return "\n".join(self._lines()) + "\n"

    def _lines(self) -> Iterator[str]:
        about, site, words = self.about, self.site, self.words
        yield from (f"# 秤的调试记录 Commissioning of {about.scale}", "", f"**{words.zh} {words.en}**", "")
        yield from _table(
            ("", ""),
            [
                ("地点 place", about.place or _BLANK),
                ("日期 date", f"{about.began_at:%Y-%m-%d %H:%M:%S} {_zone(about.began_at)}"),
                ("操作人 operator", about.operator or "—"),
                ("仪表 indicator", about.device),
                ("仪表编号 serial number", _BLANK),
                ("铅封号 seals", _BLANK),
                ("分度值 division e", f"{site.division_kg} kg"),
                ("最大秤量 Max", f"{site.maximum_kg} kg"),
                ("软件 software", about.software),
            ],
        )
        yield from ("", "## 结论 Verdicts", "")
        yield from _table(
            ("项目 question", "结论 verdict", "数据 numbers"),
            [(_cell(each.question), _MARKS[each.mark], _cell(each.found)) for each in self.answers],
        )
        yield from ("", "误差限 errors allowed: OIML R 76-1, 3.5.1, table 6, class III, initial verification.", "")
        yield from ("## 称量 Weighings", "")
        yield from _table(
            ("秤上 on the deck", "应为 kg should be", "读数 kg read", "最低 最高 kg lowest, highest", "每秒 per s",
             "最长间隔 gap", "稳定/动态 stable/moving"),
            [_weighing(each) for each in self.weighings],
        )  # fmt: skip
        yield from ("", "## 证据 Evidence", "", "```text")
        for weighed in self.weighings:
            yield from (f"{weighed.step.value:6} {raw.hex(' ').upper()}  {readable(raw)}" for raw in weighed.raws)
        yield from ("```", "", "## 没有证明的 Not proven by this", "")
        yield from (f"- {said.zh}\n  {said.en}" for said in not_proven(site, self.weighings))
        yield from ("", f"签名 signature: {_BLANK}")


def _zone(at: datetime) -> str:
    """The zone's name where it has one, and its distance from UTC."""
    name = at.tzname() or ""
    return f"{name} " * name.isalpha() + f"(UTC{at.isoformat()[-6:]})"


def _weighing(weighed: Weighed) -> Sequence[str]:
    flags = f"{weighed.said_stable}/{weighed.said_moving}" if weighed.said_stable + weighed.said_moving else "—"
    return (
        _STEPS[weighed.step],
        "0" if weighed.step is Step.EMPTY else _number(weighed.known_kg),
        _number(weighed.kg),
        f"{_number(weighed.lowest_kg)} … {_number(weighed.highest_kg)}",
        f"{weighed.per_second:g}",
        f"{weighed.longest_gap_ms} ms",
        flags,
    )


def _cell(said: Said) -> str:
    return said.zh if said.zh == said.en else f"{said.zh}<br>{said.en}"


def _number(kg: int | None) -> str:
    return "—" if kg is None else str(kg)


def _table(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    for cells in (heading, ["---"] * len(heading), *rows):
        yield f"| {' | '.join(cells)} |"
