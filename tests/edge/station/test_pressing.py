"""Load complete pressed twice, from two browsers, on two lanes, at the wrong moment: one ticket or a reason."""

import asyncio
from pathlib import Path

import pytest

from edge.domain.refusal import Reason, Refusal
from edge.domain.visit import VisitState
from edge.station.views import Done
from tests.edge.station.rig import PLATE, TARE_KG, PlantRig, done, notice, refused, running, until

pytestmark = pytest.mark.anyio


async def test_pressed_twice_answers_with_the_same_ticket(rig: PlantRig) -> None:
    await rig.send(notice())
    first = await rig.ticketed()
    again = done(await rig.lane.runner.load_complete("调度", "N1"))
    assert again.ticket == first
    await rig.gate.scan(await rig.pass_code(first), "门卫")
    await rig.lane.drive_off()
    assert done(await rig.lane.runner.load_complete("调度", "N1")).ticket == first, "even after the truck has left"
    assert (await rig.kinds()).count("ticket") == 1


async def test_two_browsers_at_the_same_moment(rig: PlantRig) -> None:
    await rig.send(notice())
    lane = await rig.loading()
    await lane.stand(TARE_KG + 18_000)
    answers = await asyncio.gather(*(lane.runner.load_complete(f"页面{n}", "N1") for n in range(2)))
    assert len({done(answer).ticket for answer in answers}) == 1
    assert (await rig.kinds()).count("ticket") == 1


async def test_two_browsers_showing_different_trucks(rig: PlantRig) -> None:
    await rig.send(notice(), notice("N2", plate="浙B00002"))
    lane = await rig.loading()
    await lane.stand(TARE_KG + 18_000)
    refused(await lane.runner.load_complete("旧页面", "N2"), Reason.LANE_CHANGED)
    refused(await lane.runner.load_complete("旧页面", "不存在"), Reason.LANE_CHANGED)
    assert "ticket" not in await rig.kinds()


async def test_two_lanes_at_one_customers_last_money(two_lanes: PlantRig) -> None:
    rig = two_lanes
    await rig.grant(4_000_000)
    await rig.send(notice(hold_fen=1_000_000), notice("N2", plate="浙B00002", hold_fen=1_000_000))
    for name, plate, lane in (("N1", PLATE, "1"), ("N2", "浙B00002", "2")):
        there = await rig.loading(name, plate=plate, lane=lane)
        await there.stand(TARE_KG + 12_000)  # each needs 2.4 M of 1 M held and 2 M free
    answers = await asyncio.gather(
        rig.lanes["1"].runner.load_complete("甲", "N1"), rig.lanes["2"].runner.load_complete("乙", "N2")
    )
    assert sorted(type(answer).__name__ for answer in answers) == ["Done", "Refusal"]
    loser = next(answer for answer in answers if isinstance(answer, Refusal))
    assert (loser.reason, loser.number("over_fen")) == (Reason.OVER_BALANCE, 800_000)
    counters = await rig.database.read(lambda books: books.accounts.get("C1/coke"))
    assert counters.spent_fen == 2_400_000 and counters.available_fen >= 0


async def test_not_while_moving(rig: PlantRig) -> None:
    await rig.send(notice())
    lane = await rig.loading()
    lane.deck.set_weight_kg(30_000)
    lane.deck.set_moving(True)
    await until(lambda: lane.runner.view().scale.state == "moving")
    refused(await lane.runner.load_complete("调度", "N1"), Reason.SCALE_MOVING)
    button = next(action for action in lane.runner.view().actions if action.name == "load_complete")
    assert not button.enabled and button.why.zh


async def test_not_after_the_cable_was_pulled(rig: PlantRig) -> None:
    await rig.send(notice())
    lane = await rig.loading()
    await lane.stand(TARE_KG + 18_000)
    lane.deck.pulled = True
    await until(lambda: lane.runner.view().scale.state == "lost", timeout_s=1.2)
    view = lane.runner.view()
    assert view.scale.gross_kg is None, "dashes, never the last weight"
    refused(await lane.runner.load_complete("调度", "N1"), Reason.SCALE_LOST)
    lane.deck.pulled = False
    await lane.stand(TARE_KG + 18_000)
    done(await lane.runner.load_complete("调度", "N1"))


async def test_the_next_truck_needs_a_zero_first(rig: PlantRig) -> None:
    await rig.send(notice(), notice("N2", plate="浙B00002"))
    await rig.ticketed()
    lane = rig.lane
    done(await rig.station.yard.arrive("浙B00002", "调度"))
    refused(await lane.runner.call("N2", "调度"), Reason.LANE_BUSY)  # ticketed, but still on the deck
    await lane.stand(500)  # it drives off, and leaves coke on the deck
    done(await lane.runner.call("N2", "调度"))
    lane.camera.seen = "浙B00002"
    await lane.stand(TARE_KG)  # the deck never went to zero
    refused(await lane.runner.tare("调度"), Reason.NOT_ZEROED)
    await lane.drive_off()
    await lane.stand(TARE_KG)
    done(await lane.runner.tare("调度"))


async def test_a_silent_scale_has_not_said_that_the_truck_is_gone(rig: PlantRig) -> None:
    await rig.send(notice(), notice("N2", plate="浙B00002"))
    await rig.ticketed()
    lane = rig.lane
    done(await rig.station.yard.arrive("浙B00002", "调度"))
    lane.deck.pulled = True
    await until(lambda: lane.runner.view().scale.state == "lost", timeout_s=1.2)
    button = next(action for action in lane.runner.view().actions if action.name == "call")
    assert not button.enabled and PLATE in button.why.zh
    refused(await lane.runner.call("N2", "调度"), Reason.LANE_BUSY)
    lane.deck.pulled = False
    await lane.drive_off()
    done(await lane.runner.call("N2", "调度"))


async def test_the_wrong_truck_on_the_deck(rig: PlantRig) -> None:
    await rig.send(notice())
    lane = await rig.loading()
    lane.camera.seen = "浙C99999"
    await lane.stand(TARE_KG + 18_000)
    why = refused(await lane.runner.load_complete("调度", "N1"), Reason.PLATE_DIFFERS)
    assert "浙C99999" in why.words.zh and PLATE in why.words.en
    assert (await rig.visit()).state is VisitState.HELD
    lane.camera.seen = None  # dirt on the plate, or a rag: the dispatcher's own eyes count, and his name
    refused(await lane.runner.recheck("调度"), Reason.PLATE_UNSURE)
    question = lane.runner.view().plate_question
    assert question is not None and (question.claimed, question.look.free) == (PLATE, "")
    assert isinstance(await lane.runner.compare("调度", "N1", True, question.look.picture), Done)


async def test_a_press_on_an_old_page_does_not_touch_the_next_truck(rig: PlantRig) -> None:
    """A dialog left open, a second browser: what was meant for the truck before is refused for this one."""
    await rig.send(notice())
    done(await rig.station.yard.arrive(PLATE, "调度"))
    lane = rig.lane.runner
    done(await lane.call("N1", "调度"))
    for old in (
        lane.tare("旧页面", "N0"), lane.start_loading("旧页面", "N0"), lane.unload("旧页面", "N0"),
        lane.recheck("旧页面", "N0"), lane.park("旧页面", "N0"), lane.cancel("旧页面", "司机放弃", "N0"),
        lane.empty_exit("旧页面", "N0"),
    ):  # fmt: skip
        refused(await old, Reason.LANE_CHANGED)
    assert (await rig.visit()).state is VisitState.ADMITTED
    done(await lane.cancel("调度", "司机放弃", "N1"))


async def test_only_a_held_load_is_checked_again(rig: PlantRig) -> None:
    """A biller may ask for it; that must not be another way to press load complete."""
    await rig.send(notice())
    lane = await rig.loading()
    await lane.stand(TARE_KG + 18_000)
    refused(await lane.runner.recheck("开票", "N1"), Reason.NOT_NOW)
    assert (await rig.visit()).state is VisitState.LOADING


async def test_commands_without_a_truck(rig: PlantRig) -> None:
    lane = rig.lane.runner
    for answer in (await lane.tare("调度"), await lane.start_loading("调度"), await lane.load_complete("调度", "N1")):
        refused(answer, Reason.NO_VISIT)
    refused(await lane.call("N9", "调度"), Reason.VISIT_UNKNOWN)
    await rig.send(notice())
    done(await rig.station.yard.arrive(PLATE, "调度"))
    done(await lane.call("N1", "调度"))
    refused(await lane.start_loading("调度"), Reason.NOT_NOW)


async def test_restart_in_the_middle_of_loading(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        await rig.grant(10_000_000)
        await rig.send(notice())
        await rig.loading()
    async with running(tmp_path) as rig:
        lane = rig.lane
        await until(lambda: lane.runner.view().visit is not None)
        view = lane.runner.view().visit
        assert view is not None and (view.visit, view.state, view.tare_kg) == ("N1", "loading", TARE_KG)
        await lane.stand(TARE_KG + 18_000)  # the same truck: no zero is needed
        assert done(await lane.runner.load_complete("调度", "N1")).ticket == "HX01-03-0000001"


async def test_a_bug_in_a_command_ends_the_plant_instead_of_weighing_on(tmp_path: Path) -> None:
    with pytest.RaisesGroup(pytest.RaisesExc(KeyError, match="not a device error")):
        async with running(tmp_path) as rig:
            await rig.send(notice())
            lane = await rig.loading()
            await lane.stand(TARE_KG + 18_000)
            lane.camera.error = KeyError("not a device error")  # type: ignore[assignment]
            with pytest.raises(KeyError):
                await lane.runner.load_complete("调度", "N1")
            await until(rig.desk.failed.done)
            await asyncio.sleep(0.2)


async def test_a_bug_in_a_scales_driver_ends_the_plant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> list[object]:
        raise KeyError("a bug in the driver")

    with pytest.RaisesGroup(pytest.RaisesExc(KeyError, match="a bug in the driver")):
        async with running(tmp_path) as rig:
            monkeypatch.setattr(rig.lane.deck, "read", broken)
            await until(rig.desk.failed.done)
            await asyncio.sleep(0.2)
