"""Whole visits through the station: prepaid, credit, consigned, and the ways out of each hold."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from edge.domain.refusal import Reason
from edge.domain.visit import VisitState
from edge.station.views import Done
from sync.documents import Stock
from sync.units import amount_fen
from tests.edge.station.rig import PLATE, PRICE, TARE_KG, PlantRig, done, notice, refused, until_async

pytestmark = pytest.mark.anyio


async def test_prepaid_visit_from_notice_to_exit(rig: PlantRig) -> None:
    await rig.send(notice())
    ticket = await rig.ticketed(net_kg=18_000)
    stored = await rig.database.read(lambda books: books.tickets.get(ticket))
    assert stored is not None
    assert (stored.ticket.net_kg, stored.ticket.amount_fen) == (18_000, 3_600_000)
    counters = await rig.database.read(lambda books: books.accounts.get("C1/coke"))
    assert (counters.spent_fen, counters.held_fen, counters.available_fen) == (3_600_000, 0, 6_400_000)
    verdict = await rig.gate.scan(await rig.pass_code(ticket), "门卫")
    assert (verdict.verdict, verdict.barrier) == ("open", "opened")
    assert rig.barrier.model.pulses == 1
    assert (await rig.visit()).state is VisitState.RELEASED


@pytest.mark.parametrize("mode", ["credit", "consigned"])
async def test_other_sales_walk_the_same_way(rig: PlantRig, mode: str) -> None:
    due = (datetime.now(UTC) + timedelta(days=30)).date().isoformat()
    more = (
        {"credit_due": due, "responsible": "王科长"}
        if mode == "credit"
        else {"carrier": "通达物流", "freight_fen": 90_000}
    )
    await rig.send(notice(mode=mode, **more))
    ticket = await rig.ticketed()
    stored = await rig.database.read(lambda books: books.tickets.get(ticket))
    assert stored is not None
    assert stored.ticket.mode == mode
    assert (stored.ticket.carrier, stored.ticket.freight_fen) == (
        ("通达物流", 90_000) if mode == "consigned" else ("", 0)
    )
    assert (await rig.gate.scan(await rig.pass_code(ticket), "门卫")).verdict == "open"


async def test_over_credit_and_overdue_have_their_own_words(rig: PlantRig) -> None:
    today = datetime.now(UTC)
    due, past = ((today + timedelta(days=days)).date().isoformat() for days in (9, -3))
    credit = {"mode": "credit", "responsible": "王科长"}
    await rig.send(notice(credit_due=due, **credit), notice("N2", plate="浙B00002", credit_due=past, **credit))
    await rig.send(notice("N3", plate="浙B00003", hold_fen=2_000_000))
    lane = await rig.loading()
    await lane.stand(TARE_KG + 20_020)
    assert refused(await lane.runner.load_complete("调度", "N1"), Reason.OVER_CREDIT).number("over_kg") == 20
    done(await lane.runner.unload("调度"))
    done(await lane.runner.park("调度"))
    lane = await rig.loading("N2", plate="浙B00002")
    await lane.stand(TARE_KG + 1_000)
    why = refused(await lane.runner.load_complete("调度", "N2"), Reason.CREDIT_OVERDUE)
    assert past in why.words.zh and "王科长" in why.words.en


async def test_over_the_balance_is_held_with_its_numbers_and_clears_by_itself(rig: PlantRig) -> None:
    await rig.send(notice(), notice("N2", plate="浙B00002", hold_fen=6_000_000))  # all that was granted is held
    lane = await rig.loading()
    await lane.stand(TARE_KG + 20_400)
    why = refused(await lane.runner.load_complete("调度", "N1"), Reason.OVER_BALANCE)
    assert (why.number("over_kg"), why.number("over_fen")) == (400, amount_fen(400, PRICE))
    held = await rig.visit()
    assert held.state is VisitState.HELD and held.ticket == ""
    view = lane.runner.view()
    assert view.hold is not None
    assert (view.hold.over_kg, view.hold.over_fen) == (400, 80_000)
    assert view.hold.ways_out == ("topup", "unload")
    refused(await lane.runner.load_complete("调度", "N1"), Reason.OVER_BALANCE)
    assert (await rig.kinds()).count("held") == 1, "the same answer to the same weight is written once"
    state = await rig.station.head_office.state()
    assert state.accounts["C1/coke"].want_granted_fen == 10_080_000
    await rig.grant(10_080_000)

    async def ticketed() -> bool:
        return bool((await rig.visit()).ticket)

    await until_async(ticketed)
    assert (await rig.visit("N2")).hold_fen == 6_000_000


async def test_what_is_paid_for_a_held_load_is_not_taken_by_a_notice_that_waits(rig: PlantRig) -> None:
    await rig.send(notice(), notice("N2", plate="浙B00002", hold_fen=9_000_000))
    lane = await rig.loading()
    await lane.stand(TARE_KG + 20_400)
    refused(await lane.runner.load_complete("调度", "N1"), Reason.OVER_BALANCE)
    await rig.grant(10_080_000)
    assert (await rig.visit("N2")).hold_fen == 6_000_000

    async def ticketed() -> bool:
        return bool((await rig.visit()).ticket)

    await until_async(ticketed)


async def test_a_grant_does_not_weigh_another_load_by_itself(rig: PlantRig) -> None:
    await rig.send(notice(), notice("N2", plate="浙B00002", hold_fen=6_000_000))
    lane = await rig.loading()
    await lane.stand(TARE_KG + 20_400)
    refused(await lane.runner.load_complete("调度", "N1"), Reason.OVER_BALANCE)
    await lane.drive_off()
    await lane.stand(TARE_KG + 5_000)  # something else stands there now
    await rig.grant(10_080_000)
    await asyncio.sleep(0.3)
    assert (await rig.visit()).state is VisitState.HELD


async def test_over_the_balance_unload_and_weigh_again(rig: PlantRig) -> None:
    await rig.send(notice(), notice("N2", plate="浙B00002", hold_fen=6_000_000))
    lane = await rig.loading()
    await lane.stand(TARE_KG + 20_400)
    refused(await lane.runner.load_complete("调度", "N1"), Reason.OVER_BALANCE)
    done(await lane.runner.unload("调度"))
    await lane.stand(TARE_KG + 20_000)
    ticket = done(await lane.runner.load_complete("调度", "N1")).ticket
    assert ticket is not None
    roles = [kind for kind in await rig.kinds() if kind == "weighment"]
    assert len(roles) == 3, "tare and both gross weighings are kept"


async def test_overload_is_cleared_by_unloading_only(rig: PlantRig) -> None:
    await rig.send(notice())
    lane = await rig.loading()
    await lane.stand(49_240)
    why = refused(await lane.runner.load_complete("调度", "N1"), Reason.OVERLOAD)
    assert (why.number("over_kg"), why.number("limit_kg")) == (240, 49_000)
    assert lane.runner.view().hold is not None
    assert lane.runner.view().hold.ways_out == ("unload",)  # type: ignore[union-attr]
    await rig.grant(90_000_000)
    await asyncio.sleep(0.25)
    refused(await lane.runner.recheck("调度"), Reason.OVERLOAD)
    done(await lane.runner.unload("调度"))
    await lane.stand(49_000)
    done(await lane.runner.load_complete("调度", "N1"))


async def test_the_notice_limit_and_its_amendment(rig: PlantRig) -> None:
    await rig.send(notice(limit_kg=15_000))
    lane = await rig.loading()
    await lane.stand(TARE_KG + 15_020)
    why = refused(await lane.runner.load_complete("调度", "N1"), Reason.OVER_NOTICE)
    assert why.number("over_kg") == 20
    await rig.send(notice(limit_kg=16_000, version=2))
    done(await lane.runner.recheck("调度"))


async def test_below_the_minimum_and_without_stock(rig: PlantRig) -> None:
    await rig.send_document("stock", Stock(product="焦炭", received_kg=10_000).model_dump())
    await rig.send(notice())
    lane = await rig.loading()
    await lane.stand(TARE_KG + 480)
    assert refused(await lane.runner.load_complete("调度", "N1"), Reason.BELOW_MINIMUM).number("minimum_kg") == 500
    await lane.stand(TARE_KG + 10_020)
    assert refused(await lane.runner.load_complete("调度", "N1"), Reason.NO_STOCK).number("over_kg") == 20
    await rig.send_document("stock", Stock(product="焦炭", received_kg=10_020).model_dump())
    done(await lane.runner.recheck("调度"))
    assert await rig.read(lambda books: books.stock_kg("焦炭") or 0) == 0


async def test_cancel_gives_the_money_back_until_the_tare(rig: PlantRig) -> None:
    await rig.send(notice())
    done(await rig.station.yard.arrive(PLATE, "调度"))
    done(await rig.lane.runner.call("N1", "调度"))
    done(await rig.lane.runner.cancel("调度", "客户不来"))
    counters = await rig.database.read(lambda books: books.accounts.get("C1/coke"))
    assert (counters.held_fen, counters.available_fen) == (0, 10_000_000)
    await rig.send(notice("N2"))
    await rig.loading("N2")
    refused(await rig.lane.runner.cancel("调度", ""), Reason.NOT_NOW)


async def test_empty_exit_is_weighed(rig: PlantRig) -> None:
    await rig.send(notice())
    lane = await rig.loading()
    await lane.stand(TARE_KG + 1_000)
    assert refused(await lane.runner.empty_exit("调度"), Reason.NOT_EMPTY).number("over_kg") == 1_000
    await lane.stand(TARE_KG + 40)
    done(await lane.runner.empty_exit("调度"))
    visit = await rig.visit()
    assert (visit.state, visit.hold_fen) == (VisitState.EMPTY_EXIT, 0)


async def test_load_elsewhere_and_come_back(rig: PlantRig) -> None:
    await rig.send(notice(), notice("N2", plate="浙B00002"))
    lane = await rig.loading()
    refused(await lane.runner.call("N2", "调度"), Reason.LANE_BUSY)
    done(await lane.runner.park("调度"))
    await rig.loading("N2", plate="浙B00002")
    await lane.stand(TARE_KG + 9_000)
    done(await lane.runner.load_complete("调度", "N2"))
    await lane.drive_off()
    done(await lane.runner.call("N1", "调度"))
    lane.camera.seen = PLATE
    await lane.stand(TARE_KG + 9_980)
    assert isinstance(await lane.runner.load_complete("调度", "N1"), Done)
