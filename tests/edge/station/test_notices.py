"""Notices as they come: unknown, twice, expired, amended, cancelled; and tickets taken back."""

from datetime import UTC, datetime, timedelta

import pytest

from edge.domain.dispatch import tidy_plate
from edge.domain.refusal import Reason
from edge.domain.visit import VisitState
from tests.edge.station.rig import PLATE, PlantRig, done, notice, refused

pytestmark = pytest.mark.anyio
TICKET = "HX01-03-0000001"


async def test_a_truck_without_a_notice(rig: PlantRig) -> None:
    assert "浙Z00001" in refused(await rig.station.yard.arrive("浙Z00001", "调度"), Reason.NO_NOTICE).words.zh


@pytest.mark.parametrize("typed", ["", " · "])
async def test_no_plate_at_all(rig: PlantRig, typed: str) -> None:
    assert "车牌" in refused(await rig.station.yard.arrive(typed, "调度"), Reason.PLATE_MISSING).words.zh


async def test_a_plate_as_people_type_it(rig: PlantRig) -> None:
    await rig.send(notice())
    done(await rig.station.yard.arrive(" 浙a·123-45 ", "调度"))
    refused(await rig.station.yard.arrive(PLATE, "调度"), Reason.VISIT_OPEN)


@pytest.mark.parametrize("typed", ["浙a·12345", "浙A 12345", "浙A-12345\t", "浙A•12345", "浙a.1_2345"])
def test_tidy_plate(typed: str) -> None:
    assert tidy_plate(typed) == "浙A12345"
    assert tidy_plate(tidy_plate(typed)) == tidy_plate(typed)


async def test_a_notice_that_comes_twice_holds_once(rig: PlantRig) -> None:
    await rig.send(notice(), notice())
    counters = await rig.database.read(lambda books: books.accounts.get("C1/coke"))
    assert counters.held_fen == 4_000_000
    assert (await rig.kinds()).count("notice_taken") == 1


async def test_a_number_given_a_second_time_is_refused_and_says_so(rig: PlantRig) -> None:
    """By a head office that was restored from a copy: silence would leave it waiting for the second truck."""
    first, second = notice(), notice(plate="浙B00002", hold_fen=2_000_000)
    await rig.send(first, second, first)
    assert (await rig.kinds()).count("notice_refused") == 1
    refusal = (await rig.database.read(lambda books: books.ledger.rows_after(0, 50)))[-1]
    assert '"number used"' in refusal.body
    assert (await rig.visit()).plate == PLATE


@pytest.mark.parametrize("number", ["FH/1", "FH 1", "FH?1", "..", "通知1", "F" * 41])
async def test_a_number_that_breaks_addresses_is_refused(rig: PlantRig, number: str) -> None:
    await rig.send(notice(number))
    assert (await rig.kinds()).count("notice_refused") == 1
    assert await rig.database.read(lambda books: books.visits.get(number)) is None
    assert (await rig.database.read(lambda books: books.accounts.get("C1/coke"))).held_fen == 0


async def test_an_expired_notice_is_refused_and_one_that_runs_out_gives_its_money_back(rig: PlantRig) -> None:
    now = datetime.now(UTC)
    await rig.send(notice(expires_at=now - timedelta(minutes=1)))
    assert "notice_refused" in await rig.kinds()
    await rig.send(notice("N2", expires_at=now + timedelta(seconds=0.4)))
    assert (await rig.visit("N2")).state is VisitState.NOTICED
    while datetime.now(UTC) < now + timedelta(seconds=0.45):
        await rig.desk.refresh()
    refused(await rig.station.yard.arrive(PLATE, "调度"), Reason.NOTICE_EXPIRED)
    await rig.station.yard.expire()
    assert (await rig.visit("N2")).state is VisitState.EXPIRED
    assert (await rig.database.read(lambda books: books.accounts.get("C1/coke"))).held_fen == 0


async def test_an_amendment_moves_the_hold_and_an_old_version_does_nothing(rig: PlantRig) -> None:
    await rig.send(notice(version=2), notice(version=3, hold_fen=1_000_000), notice(version=2, hold_fen=9_000_000))
    visit = await rig.visit()
    assert (visit.hold_fen, visit.notice.version) == (1_000_000, 3)
    await rig.send(notice(version=4, hold_fen=99_000_000))
    visit = await rig.visit()
    assert (visit.hold_fen, visit.wanted_fen) == (10_000_000, 99_000_000), "as much as there is"


async def test_an_amendment_cannot_exchange_the_truck_in_the_plant(rig: PlantRig) -> None:
    await rig.send(notice(), notice("N2", plate="浙B00002", hold_fen=0))
    done(await rig.station.yard.arrive(PLATE, "调度"))
    done(await rig.station.yard.arrive("浙B00002", "调度"))
    await rig.send(notice("N2", version=2, plate=PLATE), notice("N2", version=3, account="C2/coke"))
    visit = await rig.visit("N2")
    assert (visit.plate, visit.notice.account) == ("浙B00002", "C1/coke")
    assert (await rig.kinds()).count("notice_refused") == 2


async def test_a_cancelled_notice_frees_the_lane_unless_the_truck_is_tared(rig: PlantRig) -> None:
    await rig.send(notice(), notice("N2", plate="浙B00002"))
    done(await rig.station.yard.arrive(PLATE, "调度"))
    done(await rig.lane.runner.call("N1", "调度"))
    await rig.send_document("notice_cancelled", {"notice": "N1", "reason": "客户撤单"})
    assert (await rig.visit()).state is VisitState.CANCELLED
    assert rig.lane.runner.view().visit is None
    refused(await rig.station.yard.arrive(PLATE, "调度"), Reason.NO_NOTICE)
    await rig.loading("N2", plate="浙B00002")
    await rig.send_document("notice_cancelled", {"notice": "N2", "reason": "客户撤单"})
    assert (await rig.visit("N2")).state is VisitState.LOADING
    await rig.send_document("notice_cancelled", {"notice": "没有的", "reason": ""})


async def test_a_document_that_cannot_be_read_blocks_nothing(rig: PlantRig) -> None:
    await rig.send_document("notice", {"notice": "坏"})
    await rig.send_document("from_the_future", {"x": 1})
    await rig.send(notice())
    assert (await rig.visit()).state is VisitState.NOTICED
    assert await rig.read(lambda books: books.number("documents_applied")) == 3


async def test_markup_in_a_name_stays_text(rig: PlantRig) -> None:
    await rig.send(notice(customer_name="<script>alert(1)</script>", carrier="'; DROP TABLE tickets;--"))
    ticket = await rig.ticketed()
    view = await rig.station.tickets.find(ticket)
    assert view is not None and view.customer_name == "<script>alert(1)</script>"


async def test_void_by_two_persons_before_the_exit(rig: PlantRig) -> None:
    await rig.send(notice())
    ticket = await rig.ticketed()
    refused(await rig.station.tickets.void(ticket, "甲", "甲", "装错货"), Reason.SAME_PERSON)
    refused(await rig.station.tickets.void(ticket, "甲", "", "装错货"), Reason.SAME_PERSON)
    refused(await rig.station.tickets.void(ticket, "甲", "乙", " "), Reason.REASON_MISSING)
    refused(await rig.station.tickets.void("HX01-03-0000009", "甲", "乙", "装错货"), Reason.TICKET_UNKNOWN)
    done(await rig.station.tickets.void(ticket, "甲", "乙", "装错货"))
    refused(await rig.station.tickets.void(ticket, "甲", "乙", "装错货"), Reason.TICKET_VOIDED)
    counters = await rig.database.read(lambda books: books.accounts.get("C1/coke"))
    assert (counters.spent_fen, counters.voided_fen, counters.available_fen) == (3_600_000, 3_600_000, 10_000_000)
    await rig.lane.drive_off()
    await rig.send(notice("N2"))
    assert await rig.ticketed("N2") == "HX01-03-0000002", "the voided number stays used"


async def test_void_after_the_exit_is_head_offices_business(rig: PlantRig) -> None:
    await rig.send(notice())
    ticket = await rig.ticketed()
    await rig.gate.scan(await rig.pass_code(ticket), "门卫")
    refused(await rig.station.tickets.void(ticket, "甲", "乙", "装错货"), Reason.TICKET_LEFT)


async def test_the_days_report_adds_up(rig: PlantRig) -> None:
    await rig.send(notice(), notice("N2", plate="浙B00002"))
    first = await rig.ticketed(net_kg=10_000)
    await rig.lane.drive_off()
    await rig.ticketed("N2", net_kg=5_000, plate="浙B00002")
    done(await rig.station.tickets.void(first, "甲", "乙", "装错货"))
    day = await rig.station.tickets.day(rig.desk.plant.business_date(datetime.now(UTC)))
    assert (day["tickets"], day["voided"], day["net_kg"], day["amount_fen"]) == (2, 1, 5_000, 1_000_000)
    assert first == TICKET
