"""The scale watch on a running lane: what it finds is told once, with its weighing, and stands until seen."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import NoReturn

import pytest

from drivers.ports import DeviceTimeout
from edge.domain.refusal import Reason, Words
from edge.domain.scale_watch import Finding, ScaleWatch, WatchKind, WatchRules
from edge.station import lane_watch
from edge.station.scale_alarms import Found, tell
from edge.station.views import ScaleAlarmView
from edge.store.scale_alarms import StoredScaleAlarm
from edge.store.verify import verify
from sync.records import ScaleAlarmed, Weighed
from tests.edge.station.rig import (
    DIVISION_KG,
    PLATE,
    TARE_KG,
    Lane,
    PlantRig,
    done,
    notice,
    refused,
    running,
    until,
    until_async,
)  # fmt: skip

pytestmark = pytest.mark.anyio
OTHERS = frozenset(WatchKind) - {WatchKind.STEP, WatchKind.TARE_HISTORY}
QUICK = WatchRules(off=OTHERS, rest_ms=60, stood_ms=100, quick_ms=2_000)
"""Trucks here come from nowhere and wait for no one, so only what they do on the deck is looked at."""


@asynccontextmanager
async def watched(folder: Path, rules: WatchRules = QUICK) -> AsyncIterator[PlantRig]:
    """A plant whose scale is watched; its books hold afterwards."""
    async with running(folder, watch=rules) as rig:
        await rig.grant(10_000_000)
        yield rig
    report = verify(folder / "plant.db")
    assert report.ok, [check for check in report.checks if not check.ok]


async def told(rig: PlantRig, visit: str = "N1") -> list[StoredScaleAlarm]:
    """The alarms of a visit, from the books."""
    return await rig.database.read(lambda books: books.scale_alarms.of_visit(visit))


def shown(rig: PlantRig) -> tuple[ScaleAlarmView, ...]:
    """What stands on the lane's page."""
    return rig.lane.runner.view().scale_alarms


def eyes(rig: PlantRig) -> ScaleWatch:
    """What the lane's watch has made of the readings that have reached it."""
    watch = rig.lane.runner.scale.watch._watch  # noqa: SLF001
    assert watch is not None
    return watch


async def rest(rig: PlantRig) -> None:
    """The weight on the deck stands for long enough, and the watch knows: on a busy machine readings come late."""
    since_ms = rig.desk.clock.monotonic_ms()
    kg = rig.lane.runner.scale.monitor.shown_kg(since_ms)
    assert kg is not None

    def seen() -> bool:
        rest = eyes(rig)._rests.rest  # noqa: SLF001
        return rest is not None and abs(rest.last_kg - kg) <= DIVISION_KG and rest.end_ms - since_ms > 250

    await until(seen)


async def loops_say(rig: PlantRig, there: bool) -> None:
    """A vehicle drives onto the loops or off them, and the watch has been told."""
    rig.lane.loops.there = there
    await until(lambda: eyes(rig)._loops._vehicle is there)  # noqa: SLF001


async def tared(rig: PlantRig, name: str = "N1", tare_kg: int = TARE_KG) -> Lane:
    """Bring a truck to its tare, at the pace of life."""
    lane = rig.lane
    await rig.send(notice(name))
    await lane.drive_off()
    done(await rig.station.yard.arrive(PLATE, "调度"))
    done(await lane.runner.call(name, "调度"))
    await lane.stand(tare_kg)
    await rest(rig)
    done(await lane.runner.tare("调度"))
    return lane


async def lighter(rig: PlantRig) -> None:
    """After its tare the truck grows lighter at once, where it stands; then loading starts, and the watch says so."""
    await rig.lane.stand(TARE_KG - 800)
    await rest(rig)
    done(await rig.lane.runner.start_loading("调度"))
    await until(lambda: bool(shown(rig)))


async def test_a_step_of_a_standing_truck_is_told_once_and_refuses_nothing(tmp_path: Path) -> None:
    async with watched(tmp_path) as rig:
        lane = await tared(rig)
        await lighter(rig)
        (alarm,) = shown(rig)
        assert (alarm.kind, alarm.visit, alarm.plate, alarm.seen_by) == ("step", "N1", PLATE, "")
        assert {TARE_KG, TARE_KG - 800} <= set(alarm.curve_kg)
        await lane.stand(TARE_KG + 17_000)
        ticket = done(await lane.runner.load_complete("调度", "N1")).ticket
        assert ticket is not None, "an alarm is for people to judge"
        (stored,) = await told(rig)
        assert (stored.told.lane, stored.told.indicator, stored.told.curve_step_ms) == ("1", "toledo", 200)
        (tare,) = await rig.database.read(lambda books: books.ledger.bodies(Weighed.KIND, 2)[1:])
        assert stored.told.weighment == Weighed.model_validate_json(tare[1]).weighment


async def test_a_tare_outside_the_plates_own_history_is_kept_with_its_weighing(tmp_path: Path) -> None:
    async with watched(tmp_path) as rig:
        for number in range(1, 5):
            lane = await tared(rig, f"N{number}", TARE_KG + 3_000 * (number == 4))
            assert not await told(rig, f"N{number - 1}"), "four of the same are no news"
            if number < 4:
                done(await lane.runner.empty_exit("调度"))
                await lane.drive_off()
        await until(lambda: bool(shown(rig)))
        (stored,) = await told(rig, "N4")
        assert stored.told.kind == "tare_history" and stored.told.numbers["tare_kg"] == TARE_KG + 3_000
        assert stored.told.weighment.startswith("N4#")


async def test_a_person_says_what_it_was_and_it_stands_no_more(tmp_path: Path) -> None:
    async with watched(tmp_path) as rig:
        lane = await tared(rig)
        await lighter(rig)
        (alarm,) = shown(rig)
        runner = lane.runner
        refused(await runner.see_alarm("调度", str(alarm.alarm), "  "), Reason.REASON_MISSING)
        for wrong in ("", "-1", "x", str(alarm.alarm + 1), "9" * 19):
            refused(await runner.see_alarm("调度", wrong, "看过"), Reason.ALARM_UNKNOWN)
        done(await runner.see_alarm("调度", str(alarm.alarm), "司机下车"))
        assert (shown(rig), runner.view().scale_alarm_count) == ((), 0)
        refused(await runner.see_alarm("班长", str(alarm.alarm), "看过"), Reason.ALARM_UNKNOWN)
        (stored,) = await told(rig)
        assert stored.seen is not None and (stored.seen.person, stored.seen.note) == ("调度", "司机下车")


async def test_an_alarm_stands_through_a_restart_and_what_was_known_of_the_indicator_stays(tmp_path: Path) -> None:
    async with watched(tmp_path, replace(QUICK, block=10)) as rig:
        lane = await tared(rig)
        await lighter(rig)
        await until(lambda: eyes(rig).signature is not None)  # two blocks agree, which a busy machine delays
        await lane.stand(TARE_KG + 17_000)
        done(await lane.runner.load_complete("调度", "N1"))
        key = "scale_signature 1"
        await until_async(lambda: rig.database.read(lambda books: books.text(key) != ""))
    async with running(tmp_path) as again:
        await until(lambda: bool(shown(again)))
        done(await again.lane.runner.see_alarm("调度", str(shown(again)[0].alarm), "已复称"))


async def test_loops_that_do_not_answer_are_an_alarm_and_no_more(tmp_path: Path) -> None:
    async with watched(tmp_path) as rig:

        def hang() -> NoReturn:
            raise DeviceTimeout("loops 1", "no answer", "Look")

        vehicle, rig.lane.loops.vehicle = rig.lane.loops.vehicle, hang  # type: ignore[method-assign]
        await until(lambda: any(alarm.source == "loops 1" for alarm in rig.desk.alarms))
        await rig.send(notice())
        await rig.ticketed(net_kg=17_000)
        rig.lane.loops.vehicle = vehicle  # type: ignore[method-assign]
        await until(lambda: all(alarm.source != "loops 1" for alarm in rig.desk.alarms))


async def test_weight_without_a_vehicle_on_the_loops(tmp_path: Path) -> None:
    rules = WatchRules(off=frozenset(WatchKind) - {WatchKind.NO_VEHICLE}, rest_ms=60, unseen_ms=300)
    async with watched(tmp_path, rules) as rig:
        await rig.lane.drive_off()
        await rest(rig)
        await loops_say(rig, True)
        await rig.lane.stand(TARE_KG)
        await rest(rig)
        await rig.lane.drive_off()
        await loops_say(rig, False)
        await rest(rig)
        await rest(rig)
        assert not shown(rig), "it was on the loops"
        await rig.lane.stand(TARE_KG)
        await until(lambda: bool(shown(rig)))
        assert [alarm.kind for alarm in shown(rig)] == ["no_vehicle"]


async def test_an_alarm_that_nobody_has_seen_silences_no_later_one(tmp_path: Path) -> None:
    async with watched(tmp_path) as rig:
        finding = Finding(WatchKind.INDICATOR, Words("仪表", "indicator"), (("decimals_now", 1),), (0,))
        first = rig.desk.clock.now()
        for visit in ("", "N1"):
            for minutes in (0, 1, 9, 10, 12, 600, -60):
                found = Found(finding, "1", "toledo", visit, "", first + timedelta(minutes=minutes))
                await rig.desk.commit(lambda books, found=found: tell(books, rig.desk.plant, [found]))  # type: ignore[misc]
        rows = await rig.database.read(lambda books: books.ledger.bodies(ScaleAlarmed.KIND, 20))
        assert len(rows) == 8, "at 0, 10 and 600 minutes, and when the clock was put back; of a truck and of none"
        assert await rig.database.read(lambda books: books.scale_alarms.count_standing("1")) == 8


async def test_what_is_found_as_the_program_ends_is_written(tmp_path: Path) -> None:
    async with watched(tmp_path) as rig:
        finding = Finding(WatchKind.STEP, Words("重量", "weight"), (), (0,))
        found = Found(finding, "1", "toledo", "", "", rig.desk.clock.now())
        rig.lane.runner.scale.watch._found.append(found)  # noqa: SLF001  as if its task had not come to it
    with closing(sqlite3.connect(tmp_path / "plant.db")) as books:
        assert books.execute("SELECT kind FROM scale_alarms").fetchall() == [("step",)]


def test_the_page_gets_few_alarms_however_many_stand() -> None:
    assert lane_watch.SHOWN_ALARMS <= 5


async def test_what_found_no_room_to_wait_in_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lane_watch, "_WAITING_FINDINGS", 2)
    async with watched(tmp_path) as rig:
        finding = Finding(WatchKind.STEP, Words("重量", "weight"), (), (0,))
        rig.lane.runner.scale.watch._take([finding] * 5)  # noqa: SLF001  more than wait while the disk is full
        await until(lambda: any("3 more scale alarms" in alarm.words.en for alarm in rig.desk.alarms))
        await until(lambda: bool(shown(rig)))
        done(await rig.lane.runner.see_alarm("调度", str(shown(rig)[0].alarm), "看过"))
        assert not any(alarm.source == "scale watch 1" for alarm in rig.desk.alarms)
