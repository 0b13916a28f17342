"""`weighgate ticket show`: what the scale watch found is told under its ticket, drawn, and whole as JSON."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from edge.cli.commands import main
from edge.domain.refusal import Words
from edge.domain.scale_watch import Finding, WatchKind
from edge.station.scale_alarms import Found, see, tell
from sync.units import format_kg
from tests.edge.one_lane import write_config
from tests.edge.station.rig import done, notice, running

pytestmark = pytest.mark.anyio
CURVE_KG = (0, 7_260, 14_520, 14_520, 13_700, 13_700, 0)


async def ticket_with_an_alarm(folder: Path, curve_kg: tuple[int, ...], note: str = "") -> str:
    """A plant's books with one ticket, and one alarm of its truck; `note`: a person has seen it and said so."""
    assert CliRunner().invoke(main, ["keygen", str(folder / "keys"), "--plant", "HX01"]).exit_code == 0
    write_config(folder, 3, "admin")
    (folder / "data").mkdir()
    async with running(folder / "data") as rig:
        await rig.grant(10_000_000)
        await rig.send(notice())
        ticket = await rig.ticketed()
        words = Words("重量突降", "The weight fell at once")
        finding = Finding(WatchKind.STEP, words, (("change_kg", 820),), curve_kg)
        found = Found(finding, "1", "toledo", "N1", "N1#1", rig.desk.clock.now())
        await rig.desk.commit(lambda books: tell(books, rig.desk.plant, [found]))
        (alarm,) = await rig.database.read(lambda books: books.scale_alarms.of_visit("N1"))
        if note:
            done(await rig.desk.commit(lambda books: see(books, "1", alarm.seq, "A01", note, "管理员")))
    return ticket


def show(folder: Path, ticket: str, *words: str) -> Result:
    result = CliRunner().invoke(main, ["ticket", "show", str(folder / "plant.toml"), ticket, *words])
    assert result.exit_code == 0, result.output
    return result


async def test_an_alarm_is_a_sentence_and_a_line_of_bars(tmp_path: Path) -> None:
    ticket = await ticket_with_an_alarm(tmp_path, CURVE_KG)
    lines = show(tmp_path, ticket).stdout.splitlines()
    (at,) = (number for number, line in enumerate(lines) if line.startswith("scale_alarms: "))
    assert lines[at].endswith("重量突降 The weight fell at once (未确认 not acknowledged)")
    assert lines[at + 1] == f"  ▁▄██▇▇▁  0 … {format_kg(14_520)} kg, 1 s", "seven points, one each 200 ms"
    (told,) = json.loads(show(tmp_path, ticket, "--json").stdout)["scale_alarms"]
    assert tuple(told["curve_kg"]) == CURVE_KG and told["numbers"] == {"change_kg": 820} and told["seen"] is None


@pytest.mark.parametrize("curve_kg", [(), (14_520,) * 3])
async def test_a_level_curve_and_none_are_drawn_too(curve_kg: tuple[int, ...], tmp_path: Path) -> None:
    ticket = await ticket_with_an_alarm(tmp_path, curve_kg, note="司机下车")
    text = show(tmp_path, ticket).stdout
    assert "A01 " in text and ": 司机下车)" in text and "not acknowledged" not in text
    kg = format_kg(14_520)
    assert text.splitlines()[-1] == (f"  ▁▁▁  {kg} … {kg} kg, 0 s" if curve_kg else "  无曲线 no curve")
