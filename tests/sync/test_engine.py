"""The pump over a hostile network, against a head office in memory."""

import asyncio
from collections.abc import Sequence

import pytest

from sync.chain import GENESIS_HASH
from sync.documents import NoticeCancelled
from sync.engine import BooksUnavailable, PlantEngine
from sync.envelope import Kind, seal
from sync.keys import Instance
from sync.messages import Ack, Docs, Grant, WireDocument, WireRecord
from sync.session import Tuning
from sync.simulated import FAIR, FOUL, HostileNet, MemoryOffice
from sync.terms import next_term
from tests.sync.support import HX01, OFFICE_KEY, PLANT_KEY, TERM, MemoryBooks, make_rows, until

pytestmark = pytest.mark.anyio
QUICK = Tuning(
    batch_records=20, retry_min_ms=40, retry_max_ms=300, state_every_ms=300, state_spacing_ms=10, state_settle_ms=2
)  # fmt: skip


def make_pair(net: HostileNet, books: MemoryBooks) -> tuple[PlantEngine, MemoryOffice]:
    plant = PlantEngine(
        HX01, PLANT_KEY, OFFICE_KEY.public_key(), books, net.end("down/HX01/"), tuning=QUICK, jitter=lambda: 0.5
    )  # fmt: skip
    return plant, MemoryOffice(net.end("up/"), OFFICE_KEY, {HX01: PLANT_KEY.public_key()}, QUICK)


@pytest.mark.parametrize("seed", range(4))
async def test_everything_arrives_once_in_foul_weather(seed: int) -> None:
    net, books = HostileNet(FOUL, seed), MemoryBooks(400)
    plant, office = make_pair(net, books)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(plant.run()), group.create_task(office.run())]
        for number in range(1, 21):
            books.write(30)
            plant.wake()
            await office.grant(HX01, f"K{number % 3}", 1_000)
            await office.issue(HX01, NoticeCancelled(notice=f"FH-{number}"))
            await asyncio.sleep(0.01)
        await until(
            lambda: (
                books.acked_rows == 1_000
                and books.granted_fen == office.plants[HX01].granted_fen
                and len(books.applied) == 20
            ),
            25,
        )
        for task in tasks:
            task.cancel()
    assert office.plants[HX01].rows == books.rows
    assert office.plants[HX01].forks == 0
    assert books.forks == []
    assert plant.dropped.total() == 0
    assert min(net.counts[what] for what in ("lose", "double", "delay", "cut")) > 0, "the weather was not foul"


async def test_a_plant_works_for_an_office_that_starts_late_and_the_link_is_told() -> None:
    net, books = HostileNet(FAIR, 0), MemoryBooks(50)
    plant, office = make_pair(net, books)
    net.cut()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(plant.run())
        await until(lambda: plant.status.pending == 50)
        assert not plant.status.connected
        assert plant.status.why == "the simulated link is cut"
        assert plant.status.last_ack_at is None
        down_since = plant.status.since
        net.restore()
        await until(lambda: plant.status.connected)
        assert plant.status.since > down_since
        await asyncio.sleep(0.1)
        assert plant.status.pending == 50, "sent is not delivered"
        serving = group.create_task(office.run())
        await until(lambda: plant.status.pending == 0)
        task.cancel()
        serving.cancel()


async def test_a_restart_sends_what_is_not_acknowledged_and_no_more() -> None:
    net, books = HostileNet(FAIR, 0), MemoryBooks(60)
    books.acked_rows = 40
    plant, office = make_pair(net, books)
    office.plants[HX01].rows = books.rows[:50]
    office.plants[HX01].last_hash = books.rows[49].hash
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(plant.run()), group.create_task(office.run())]
        await until(lambda: books.acked_rows == 60)
        for task in tasks:
            task.cancel()
    assert office.plants[HX01].rows == books.rows


async def test_a_fork_is_reported_and_finishes_nothing() -> None:
    net, books = HostileNet(FAIR, 0), MemoryBooks(5)
    plant, office = make_pair(net, books)
    other = make_rows(9, word="of another life")
    office.plants[HX01].rows = other
    office.plants[HX01].last_hash = other[-1].hash
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(plant.run()), group.create_task(office.run())]
        await until(lambda: books.forks)
        assert (books.forks[0].seq, books.forks[0].ours) == (9, None)
        books.write(4)
        plant.wake()
        await until(lambda: books.forks[-1].ours is not None)
        for task in tasks:
            task.cancel()
    assert books.acked_rows == 0


async def test_messages_that_are_not_for_us_are_counted_and_dropped() -> None:
    net, books = HostileNet(FAIR, 0), MemoryBooks(1)
    plant, office = make_pair(net, books)
    other = Instance.of("HX01", 2, PLANT_KEY)
    grant = Grant(account="A", granted_fen=10**9, term=TERM)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(plant.run()), group.create_task(office.run())]
        await until(lambda: books.acked_rows == 1)
        net.carry("down/HX01/grant", b"garbage")
        net.carry("down/HX01/grant", seal(Kind.GRANT, HX01, grant, PLANT_KEY))
        net.carry("down/HX01/grant", seal(Kind.GRANT, other, grant, OFFICE_KEY))
        net.carry("down/HX01/rec", seal(Kind.STATE, HX01, await books.state(), PLANT_KEY))
        net.carry("down/HX01/grant", b"x" * 1_000_000)
        await until(lambda: plant.status.dropped == 5)
        books.write(1)
        plant.wake()
        await until(lambda: books.acked_rows == 2)
        for task in tasks:
            task.cancel()
    assert plant.dropped == {
        "not zstd": 1, "bad signature": 1, "wrong instance": 1, "no key for this sender": 1, "too big": 1
    }  # fmt: skip
    assert books.granted_fen == {}


async def test_a_flood_is_bounded() -> None:
    net, books = HostileNet(FAIR, 0), MemoryBooks(0)
    plant, _ = make_pair(net, books)
    payload = seal(Kind.ACK, HX01, Ack(last_seq=0, last_hash="0" * 64, term=TERM), OFFICE_KEY)
    for _ in range(1_000):
        plant.message("down/HX01/ack", payload)
    assert plant.dropped == {"inbox full": 1_000 - 256}


async def test_a_full_disk_drops_what_came_and_it_is_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    class FullBooks(MemoryBooks):
        full = True

        async def granted(self, account: str, granted_fen: int) -> None:
            if self.full:
                raise BooksUnavailable("disk full")
            await super().granted(account, granted_fen)

    monkeypatch.setattr("sync.engine._BOOKS_RETRY_S", 0.05)
    net, books = HostileNet(FAIR, 0), FullBooks(3)
    plant, office = make_pair(net, books)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(plant.run()), group.create_task(office.run())]
        await office.grant(HX01, "A", 500)
        await until(lambda: plant.dropped["store unavailable"] >= 2)
        books.full = False
        await until(lambda: books.granted_fen == {"A": 500})
        for task in tasks:
            task.cancel()


async def test_a_failing_store_ends_the_pump_loudly() -> None:
    class BrokenBooks(MemoryBooks):
        async def pending(self, after_seq: int, limit: int) -> Sequence[WireRecord]:
            raise OSError("disk gone")

    plant, _ = make_pair(HostileNet(FAIR, 0), BrokenBooks(3))
    with pytest.raises(ExceptionGroup) as caught:
        await asyncio.wait_for(plant.run(), 5)
    assert caught.group_contains(OSError, match="disk gone")


async def test_head_office_restored_from_a_copy_gets_its_rows_again() -> None:
    net, books = HostileNet(FAIR, 0), MemoryBooks(60)
    plant, office = make_pair(net, books)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(plant.run()), group.create_task(office.run())]
        await until(lambda: books.acked_rows == 60)
        account = office.plants[HX01]
        for kept in (20, 0):
            del account.rows[kept:]
            account.last_hash = account.rows[-1].hash if account.rows else GENESIS_HASH
            books.write(5)
            plant.wake()
            await until(lambda: account.rows == books.rows)
        await until(lambda: plant.status.pending == 0)
        for task in tasks:
            task.cancel()
    assert (books.acked_rows, account.forks, books.forks) == (70, 0, [])


async def test_a_state_that_fits_no_message_ends_nothing() -> None:
    net, books = HostileNet(FAIR, 0), MemoryBooks(3)
    books.granted_fen = {f"C{number:06}/credit-2611-{number:06}": 10**12 for number in range(9_000)}
    plant, office = make_pair(net, books)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(plant.run()), group.create_task(office.run())]
        await until(lambda: plant.dropped["too big to send"] and books.acked_rows == 3)
        for task in tasks:
            task.cancel()


async def test_a_key_of_another_instance_is_refused() -> None:
    with pytest.raises(ValueError, match="not the owner"):
        PlantEngine(HX01, OFFICE_KEY, OFFICE_KEY.public_key(), MemoryBooks(), HostileNet(FAIR, 0).end("down/HX01/"))


async def test_a_restored_office_begins_a_new_term_and_the_old_one_is_not_heard_any_more() -> None:
    net, books = HostileNet(FAIR, 0), MemoryBooks(1)
    plant, office = make_pair(net, books)
    old = Grant(account="A", granted_fen=700, term=office.term)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(plant.run()), group.create_task(office.run())]
        await office.grant(HX01, "A", 500)
        await until(lambda: books.granted_fen == {"A": 500})
        office.term = next_term(office.term.number)
        books.write(1)
        plant.wake()
        await until(lambda: books.acked_rows == 2)
        assert books.term == office.term
        net.carry("down/HX01/grant", seal(Kind.GRANT, HX01, old, OFFICE_KEY))
        rival = Grant(account="A", granted_fen=900, term=next_term(office.term.number - 1))
        net.carry("down/HX01/grant", seal(Kind.GRANT, HX01, rival, OFFICE_KEY))
        await until(lambda: plant.dropped["another term"] == 2)
        await office.grant(HX01, "A", 100)
        await until(lambda: books.granted_fen == {"A": 600})
        for task in tasks:
            task.cancel()


@pytest.mark.parametrize("count", [0, 3])
async def test_money_and_orders_wait_for_a_receipt_that_agrees(count: int) -> None:
    """A copy of a whole disk, or the true key over empty books, is told only by head office's receipt."""
    net, books = HostileNet(FAIR, 0), MemoryBooks(count)
    plant, _ = make_pair(net, books)
    recall = WireDocument(number=1, kind=NoticeCancelled.KIND, body={"notice": "FH-1"})
    given = [
        ("grant", seal(Kind.GRANT, HX01, Grant(account="A", granted_fen=500, term=TERM), OFFICE_KEY)),
        ("docs", seal(Kind.DOCS, HX01, Docs(documents=(recall,), term=TERM), OFFICE_KEY)),
    ]

    def receive(last_seq: int, last_hash: str) -> None:
        ack = seal(Kind.ACK, HX01, Ack(last_seq=last_seq, last_hash=last_hash, term=TERM), OFFICE_KEY)
        for kind, payload in [("ack", ack), *given]:
            plant.message(f"down/HX01/{kind}", payload)

    async with asyncio.TaskGroup() as group:
        task = group.create_task(plant.run())
        for kind, payload in given:
            plant.message(f"down/HX01/{kind}", payload)
        receive(9, "f" * 64)
        await until(lambda: books.forks)
        await asyncio.sleep(0.05)
        assert (books.granted_fen, books.applied, books.term) == ({}, [], TERM)
        receive(count, books.rows[-1].hash if count else GENESIS_HASH)
        await until(lambda: books.granted_fen == {"A": 500} and len(books.applied) == 1)
        task.cancel()


async def test_lost_receipts_only_delay_the_money() -> None:
    class LosesReceipts(HostileNet):
        lost = 0

        def carry(self, topic: str, payload: bytes) -> None:
            if topic.endswith("/ack") and self.lost < 4:
                self.lost += 1
            else:
                super().carry(topic, payload)

    net, books = LosesReceipts(FAIR, 0), MemoryBooks(3)
    plant, office = make_pair(net, books)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(plant.run()), group.create_task(office.run())]
        await office.grant(HX01, "A", 500)
        await office.issue(HX01, NoticeCancelled(notice="FH-1"))
        await until(lambda: books.granted_fen == {"A": 500} and len(books.applied) == 1, 10)
        for task in tasks:
            task.cancel()
    assert net.lost == 4
