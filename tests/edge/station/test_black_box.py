"""A capture played through the plant's own rules, and over a line into a running plant up to its ticket."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from drivers.scale.capture import Capture, Event, Player
from drivers.scale.encoders import ENCODERS, Shown
from drivers.scale.serial_indicator import SerialIndicator, SerialIndicatorConfig
from drivers.scale.simulated_links import PtyFarEnd
from edge.domain.refusal import Words
from edge.domain.scale_monitor import ScaleState
from edge.domain.scale_watch import WatchRules
from edge.station.black_box import judge
from edge.station.lane_scale import LaneSetup
from tests.edge.station import rig as plants
from tests.edge.station.rig import RULES, TARE_KG, done, notice, running, until

SETUP = LaneSetup("1", Words("一号磅", "lane 1"), "toledo", RULES, None, WatchRules())
CONFIG = SerialIndicatorConfig(type="serial", port="socket://127.0.0.1:1", indicator="toledo")
STEP_MS = 50
GROSS_KG = TARE_KG + 18_000


def visit(*stands: tuple[int, int]) -> Capture:
    """The bytes of an indicator that shows each weight for so many milliseconds."""
    events: list[Event] = []
    for kg, lasts_ms in stands:
        for _ in range(lasts_ms // STEP_MS):
            events.append(Event((len(events) + 1) * STEP_MS, ENCODERS["toledo"](Shown(kg)), sent=False))
    return Capture(None, events)


def test_it_says_what_the_lane_would_have_seen() -> None:
    capture = visit((0, 1_000), (TARE_KG, 2_000), (0, 1_000))
    cut = Capture(None, [*capture.events, Event(capture.lasts_ms + 2_000, b"", sent=False)])
    seen = list(judge(cut, CONFIG, SETUP))
    states = [(each.words, each.kg) for each in seen if each.what == "state"]
    assert [word for word, _ in states] == ["moving", "empty", "moving", "stable", "moving", "empty", "lost"]
    assert states[3] == ("stable", TARE_KG) and states[-1] == ("lost", None)
    (weighing,) = (each for each in seen if each.what == "possible")
    assert weighing.kg == TARE_KG and len(weighing.more["frames"]) == RULES.frames_in_a_row
    assert weighing.at_ms == pytest.approx(1_000 + RULES.frames_in_a_row * STEP_MS, abs=STEP_MS)


def test_a_truck_that_came_without_a_zero_is_refused() -> None:
    (refused,) = (each for each in judge(visit((TARE_KG, 1_000)), CONFIG, SETUP) if each.what == "refused")
    assert "zero" in refused.words


def findings(capture: Capture, setup: LaneSetup = SETUP, booked_ms: Sequence[int] = ()) -> list[str]:
    return [each.more["kind"] for each in judge(capture, CONFIG, setup, booked_ms) if each.what == "finding"]


def test_a_jump_before_the_weight_was_booked_is_found() -> None:
    fallen = visit((0, 2_000), (TARE_KG, 6_000), (TARE_KG - 600, 6_000), (0, 3_000))
    assert "step" in findings(fallen, booked_ms=[12_000])
    assert findings(fallen, replace(SETUP, watch=None), [12_000]) == []
    assert findings(fallen, booked_ms=[6_000]) == [], "booked before it fell"


def test_between_tare_and_gross_goods_are_loaded() -> None:
    loaded = visit((0, 2_000), (TARE_KG, 6_000), (TARE_KG + 600, 6_000), (0, 3_000))
    assert findings(loaded, booked_ms=[6_000, 12_000]) == []
    assert "step" in findings(loaded, booked_ms=[6_000]), "after the gross nothing is loaded"
    seen = [each for each in judge(loaded, CONFIG, SETUP, [6_000, 12_000]) if each.what == "booked"]
    assert [(each.kg, each.words.split()[3]) for each in seen] == [(TARE_KG, "tare:"), (TARE_KG + 600, "gross:")]


@pytest.mark.anyio
async def test_a_running_plant_weighs_a_replayed_truck_up_to_its_ticket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    capture = visit((0, 700), (TARE_KG, 1_000), (GROSS_KG, 1_500))
    port = str(tmp_path / "port")
    config = SerialIndicatorConfig(type="serial", port=port, indicator="toledo")
    monkeypatch.setattr(plants, "PullableScale", lambda name, _: SerialIndicator(name, config))
    async with running(tmp_path) as rig:
        await rig.grant(10_000_000)
        await rig.send(notice())
        with Player(capture, PtyFarEnd(tmp_path / "port")):
            scale = rig.lane.runner.scale
            await until(lambda: scale.monitor.zero_seen)
            done(await rig.station.yard.arrive(plants.PLATE, "调度"))
            done(await rig.lane.runner.call("N1", "调度"))
            await until(lambda: (scale.state(), scale.shown_kg()) == (ScaleState.STABLE, TARE_KG))
            done(await rig.lane.runner.tare("调度"))
            done(await rig.lane.runner.start_loading("调度"))
            await until(lambda: (scale.state(), scale.shown_kg()) == (ScaleState.STABLE, GROSS_KG))
            number = done(await rig.lane.runner.load_complete("调度", "N1")).ticket
        assert number is not None
        stored = await rig.database.read(lambda books: books.tickets.get(number))
        assert stored is not None
        assert (stored.ticket.net_kg, stored.ticket.amount_fen) == (18_000, 3_600_000)
