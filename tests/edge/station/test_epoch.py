"""Money recalled, an epoch closed: holds stay, the last one ends it, and afterwards only gate and reprints work."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from edge.domain.refusal import Reason
from edge.domain.visit import VisitState
from edge.station.views import Done
from edge.store.verify import verify
from sync.records import EpochClosed
from tests.edge.station.rig import PLATE, TARE_KG, PlantRig, done, notice, refused, running, until, until_async

pytestmark = pytest.mark.anyio
ACCOUNT = "C1/coke"


async def mode(rig: PlantRig) -> str:
    return (await rig.station.head_office.state()).mode


async def money(rig: PlantRig) -> tuple[int, int, int]:
    """Granted, returned, held."""
    counters = await rig.database.read(lambda books: books.accounts.get(ACCOUNT))
    return counters.granted_fen, counters.returned_fen, counters.held_fen


async def close(rig: PlantRig) -> None:
    await rig.send_document("close_epoch", {"reason": "换新机"})


async def reprinted(rig: PlantRig, ticket: str) -> bool:
    """Whether a reprint was taken; it is not while the original is still being booked as printed."""
    return isinstance(await rig.station.tickets.reprint(ticket, "调度"), Done)


async def closed_record(rig: PlantRig) -> EpochClosed:
    rows = await rig.database.read(lambda books: books.ledger.bodies("closed", 10))
    assert len(rows) == 1
    return EpochClosed.model_validate_json(rows[0][1])


async def test_a_recall_takes_what_is_free_and_leaves_holds(rig: PlantRig) -> None:
    await rig.send(notice(hold_fen=4_000_000))
    await rig.send_document("recall", {"account": ACCOUNT, "keep_fen": 1_000_000})
    assert await money(rig) == (10_000_000, 5_000_000, 4_000_000)
    await rig.send_document("recall", {"account": ACCOUNT})
    await rig.send_document("recall", {"account": ACCOUNT})
    assert await money(rig) == (10_000_000, 6_000_000, 4_000_000), "the second one has nothing left to take"
    assert (await rig.kinds()).count("return") == 2
    await rig.send_document("recall", {"account": "nobody's"})
    await rig.ticketed(net_kg=18_000)


async def test_an_epoch_closes_with_its_last_truck(rig: PlantRig) -> None:
    await rig.send(notice(), notice("N2", plate="浙B00002"))
    lane = await rig.loading()
    await close(rig)
    assert (await rig.visit("N2")).state is VisitState.CANCELLED, "it has not arrived"
    assert await money(rig) == (10_000_000, 6_000_000, 4_000_000)
    assert await mode(rig) == "live", "a truck is on the scale"
    await rig.send(notice("N3", plate="浙C00003"))
    await lane.stand(TARE_KG + 18_000)
    ticket = done(await lane.runner.load_complete("调度", "N1")).ticket
    assert ticket is not None
    assert await mode(rig) == "closed"
    assert await money(rig) == (10_000_000, 6_400_000, 0)
    final = (await closed_record(rig)).accounts[ACCOUNT]
    assert (final.granted_fen - final.returned_fen, final.spent_fen) == (3_600_000, 3_600_000)
    refused(await rig.station.tickets.void(ticket, "甲", "乙", "装错货"), Reason.EPOCH_CLOSED)
    await until(lambda: len(lane.printer.papers) == 1)
    await until_async(lambda: reprinted(rig, ticket))
    await until(lambda: len(lane.printer.papers) == 2)
    assert (await rig.gate.scan(await rig.pass_code(ticket), "门卫")).verdict == "open"


async def test_nothing_new_in_a_closed_epoch(rig: PlantRig) -> None:
    await close(rig)
    await close(rig)
    assert await mode(rig) == "closed"
    await rig.grant(50_000_000)
    assert await money(rig) == (10_000_000, 10_000_000, 0)
    await rig.send(notice())
    assert await rig.database.read(lambda books: books.visits.get("N1")) is None
    refused(await rig.station.yard.arrive(PLATE, "调度"), Reason.NO_NOTICE)
    await rig.send_document("recall", {"account": ACCOUNT})
    kinds = await rig.kinds()
    assert (kinds.count("closed"), kinds[-1]) == (1, "notice_refused")
    await closed_record(rig)


async def test_lanes_say_what_becomes_of_the_epoch(rig: PlantRig) -> None:
    """While it closes an alarm stands beside the work that goes on; afterwards the lane says why it does nothing."""
    await rig.send(notice())
    done(await rig.station.yard.arrive(PLATE, "调度"))
    await close(rig)
    await until(lambda: any(alarm.source == "epoch" for alarm in rig.desk.alarms))
    assert "关闭本账期" in rig.desk.alarms[0].words.zh and "closing" in rig.desk.alarms[0].words.en
    assert not rig.lane.runner.view().barred.zh
    done(await rig.lane.runner.call("N1", "调度"))
    done(await rig.lane.runner.cancel("调度", "不装了"))
    assert "已关闭" in rig.lane.runner.view().barred.zh and "closed" in rig.lane.runner.view().barred.en
    await until(lambda: any("已关闭" in alarm.words.zh for alarm in rig.desk.alarms))


async def test_cancel_closes_it_too(rig: PlantRig) -> None:
    await rig.send(notice())
    done(await rig.station.yard.arrive(PLATE, "调度"))
    done(await rig.lane.runner.call("N1", "调度"))
    await close(rig)
    assert await mode(rig) == "live"
    done(await rig.lane.runner.cancel("调度", "不装了"))
    assert await mode(rig) == "closed"


async def test_a_notice_that_runs_out_closes_it_too(rig: PlantRig) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=0.5)
    await rig.send(notice(expires_at=soon))
    done(await rig.station.yard.arrive(PLATE, "调度"))
    await close(rig)
    assert await mode(rig) == "live"

    async def ended() -> bool:
        await rig.station.yard.expire()
        return await mode(rig) == "closed"

    await until_async(ended)


async def test_a_truck_without_money_keeps_the_epoch_open(rig: PlantRig) -> None:
    await rig.send(notice(hold_fen=0))
    done(await rig.station.yard.arrive(PLATE, "调度"))
    await close(rig)
    assert await mode(rig) == "live"


async def test_money_for_a_held_truck_still_counts_while_closing(rig: PlantRig) -> None:
    await rig.send(notice(hold_fen=4_000_000))
    lane = await rig.loading()
    await close(rig)
    await lane.stand(TARE_KG + 25_000)
    refused(await lane.runner.load_complete("调度", "N1"), Reason.OVER_BALANCE)
    await rig.grant(12_000_000)

    async def gone() -> bool:
        return await mode(rig) == "closed"

    await until_async(gone)
    assert (await rig.visit()).ticket
    assert await money(rig) == (12_000_000, 7_000_000, 0)


async def test_money_that_comes_free_while_closing_goes_first_to_a_held_truck(rig: PlantRig) -> None:
    await rig.send(notice(hold_fen=6_000_000), notice("N2", plate="浙B00002", hold_fen=4_000_000))
    ticket = await rig.ticketed(net_kg=30_000)
    await rig.lane.drive_off()
    lane = await rig.loading("N2", plate="浙B00002")
    await close(rig)
    await lane.stand(TARE_KG + 25_000)
    refused(await lane.runner.load_complete("调度", "N2"), Reason.OVER_BALANCE)
    done(await rig.station.tickets.void(ticket, "甲", "乙", "装错货"))

    async def gone() -> bool:
        return await mode(rig) == "closed"

    await until_async(gone)
    assert (await rig.visit("N2")).ticket
    assert await money(rig) == (10_000_000, 5_000_000, 0)


async def test_a_closed_epoch_stays_closed_after_a_restart(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        await rig.grant(10_000_000)
        await rig.send(notice())
        code = await rig.pass_code(await rig.ticketed())
        await close(rig)
    async with running(tmp_path) as rig:
        assert await mode(rig) == "closed"
        rig.gate_camera.seen = PLATE
        assert (await rig.gate.scan(code, "门卫")).verdict == "open"
    assert verify(tmp_path / "plant.db").ok


async def test_a_void_by_a_stopped_plant_is_given_back_at_the_next_start(tmp_path: Path) -> None:
    """The command line has no desk; what it leaves open is finished by the plant."""
    async with running(tmp_path) as rig:
        await rig.grant(10_000_000)
        await rig.send(notice())
        lane = await rig.loading()
        await rig.database.transact(lambda books: books.keep("closing", "x"))
        await lane.stand(TARE_KG + 18_000)
        await rig.database.transact(lambda books: books.keep("closing", ""))
        done(await lane.runner.load_complete("调度", "N1"))
        await rig.database.transact(lambda books: books.keep("closing", "x"))
    async with running(tmp_path) as rig:
        assert await mode(rig) == "closed"


async def test_fenced_books_give_nothing_back_and_close_nothing(rig: PlantRig) -> None:
    """They do not know what was spent: what they return, head office would free a second time."""
    await rig.send(notice())
    ticket = await rig.ticketed()
    before = await money(rig)
    await rig.desk.commit(lambda books: books.fence("a test"))
    await rig.send_document("recall", {"account": ACCOUNT})
    await close(rig)
    assert await money(rig) == before
    assert await mode(rig) == "fenced"
    refused(await rig.station.tickets.void(ticket, "甲", "乙", "装错货"), Reason.FENCED)
    assert "return" not in await rig.kinds()
