"""The plant's books as the synchronisation sees them: what STATE says and costs, and documents that cross."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from edge.domain.refusal import Reason
from edge.domain.visit import VisitState
from edge.station import yard
from edge.station.views import LaneView
from edge.store.books import Books
from edge.store.database import connect
from edge.store.visits import VisitTable
from sync.records import Alarm
from sync.session import Fork
from tests.edge.station.rig import PLATE, TARE_KG, PlantRig, notice, refused, running

pytestmark = pytest.mark.anyio


async def test_state_asks_for_what_each_account_lacks(rig: PlantRig) -> None:
    await rig.send(
        notice(hold_fen=4_000_000), notice("N2", plate="浙B00002", hold_fen=9_000_000),
        notice("N3", plate="浙C00003", account="C2/coke", hold_fen=500),
    )  # fmt: skip
    await rig.grant(100, "C2/coke")
    await rig.grant(7, "C3/coke")
    told = (await rig.station.head_office.state()).accounts
    assert {name: each.want_granted_fen for name, each in told.items()} == {
        "C1/coke": 13_000_000, "C2/coke": 500, "C3/coke": 0,
    }  # fmt: skip


async def test_state_reads_the_open_visits_once_however_many_accounts_there_are(
    rig: PlantRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(30):
        await rig.grant(100, f"C{number}/coke")
    reads: list[str] = []
    was = VisitTable.open

    def counted(table: VisitTable) -> list[object]:
        reads.append("open")
        return was(table)  # type: ignore[return-value]

    monkeypatch.setattr(VisitTable, "open", counted)
    await rig.station.head_office.state()
    assert len(reads) <= 2, "once for what is missing, once for who waits"


async def test_an_amendment_that_comes_while_notices_are_being_ended_wins(rig: PlantRig) -> None:
    now = datetime.now(UTC)
    await rig.send(notice(expires_at=now + timedelta(hours=1)))
    expire = getattr(yard, "_expire")  # noqa: B009 - the step behind a snapshot that is older than the amendment
    await rig.desk.commit(lambda books: expire(books, "N1"))
    assert (await rig.visit()).state is VisitState.NOTICED


async def test_books_that_lack_rows_which_head_office_holds_sell_nothing_more(rig: PlantRig) -> None:
    """Restored from a copy, they would spend a second time what they spent after it was made."""
    await rig.send(notice())
    lane = await rig.loading()
    await lane.stand(TARE_KG + 18_000)
    assert enabled(lane.runner.view(), "load_complete")
    await rig.station.head_office.forked(Fork(900, None, "f" * 64))
    assert not enabled(lane.runner.view(), "load_complete")
    refused(await lane.runner.load_complete("调度", "N1"), Reason.FENCED)
    await rig.station.head_office.granted("C1/coke", 99_000_000)
    counters = await rig.database.read(lambda books: books.accounts.get("C1/coke"))
    assert (counters.granted_fen, counters.spent_fen) == (10_000_000, 0)
    assert (await rig.station.head_office.state()).mode == "fenced"
    assert [alarm.source for alarm in rig.desk.alarms] == ["ledger"]


async def test_a_fence_outlives_a_restart_and_lets_ticketed_trucks_out(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        await rig.grant(10_000_000)
        await rig.send(notice())
        code = await rig.pass_code(await rig.ticketed())
        await rig.station.head_office.forked(Fork(2, "a" * 64, "b" * 64))
    async with running(tmp_path) as rig:
        assert (await rig.station.head_office.state()).mode == "fenced"
        rig.gate_camera.seen = PLATE
        assert (await rig.gate.scan(code, "门卫")).verdict == "open"


def enabled(view: LaneView, action: str) -> bool:
    return next(each.enabled for each in view.actions if each.name == action)


async def test_no_daily_query_of_the_plant_reads_a_whole_table(rig: PlantRig) -> None:
    """With a million tickets a scan is seconds; `Books` on a traced connection says what it asks."""
    await rig.send(notice())
    ticket = await rig.ticketed()
    asked: list[str] = []
    connection = connect(rig.path, writable=False)
    connection.set_trace_callback(asked.append)
    books = Books(connection, rig.desk.clock)
    books.visits.open()
    books.visits.in_plant("浙A12345")
    books.visits.noticed("浙A12345")
    books.visits.arrived_after("浙A12345", "N1")
    books.tickets.get(ticket)
    books.tickets.by_number(1)
    books.tickets.of_day("2026-11-23")
    books.tickets.next_number()
    books.print_jobs.latest(ticket)
    books.print_jobs.next_queued(("1",))
    books.print_jobs.in_state("queued")
    books.ledger.rows_after(3, 10)
    books.ledger.bodies("exit", 10)
    connection.set_trace_callback(None)
    plans = [row[3] for text in asked for row in connection.execute(f"EXPLAIN QUERY PLAN {text}")]
    connection.close()
    assert len(asked) >= 13
    assert [plan for plan in plans if plan.startswith("SCAN") and "USING" not in plan and "CONSTANT" not in plan] == []


async def test_a_copy_tells_what_it_shares_with_its_original_and_nothing_of_its_own(rig: PlantRig) -> None:
    """The original may come back with other rows of the same numbers: those of the copy would shut it out."""
    await rig.grant(500)
    office = rig.station.head_office
    before = await office.state()
    await rig.desk.commit(lambda books: books.fence("a copy"))
    await rig.desk.commit(lambda books: books.fence("a later reason"))
    await rig.desk.commit(lambda books: books.ledger.append(Alarm(source="x", what="y", at=datetime.now(UTC))))
    after = await office.state()
    assert (after.mode, after.last_seq, after.last_hash) == ("fenced", before.last_seq, before.last_hash)
    assert [row.seq for row in await office.pending(0, 100)] == list(range(1, before.last_seq + 1))
    assert await office.pending(before.last_seq, 100) == []
    assert await rig.desk.database.read(lambda books: books.fenced) == "a copy"
