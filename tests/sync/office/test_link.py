"""Head office's link against a real mosquitto over TLS, with the plant's own engine at the other end."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sync.broker import Broker
from sync.certificates import TlsFiles
from sync.engine import PlantEngine
from sync.envelope import MAX_PAYLOAD_BYTES, Kind, seal
from sync.messages import AccountState, Ack, Rec, State, Term, WireDocument, WireRecord
from sync.mqtt import MqttSettings, MqttTransport
from sync.office import requests
from sync.office.link import PRESENCE_TOPIC, SUBSCRIPTIONS, OfficeLink
from sync.office.store import views
from sync.office.store.database import Store
from sync.office.store.inbox import ingest
from sync.office.store.plants import enrol
from sync.session import Fork, Tuning
from sync.transport import Listener
from tests.sync.office.plant import FakePlant
from tests.sync.support import TERM, until

pytestmark = pytest.mark.anyio
ACCOUNT = "C001/prepaid"
OFFICE_KEY = Ed25519PrivateKey.generate()
QUICK = Tuning(retry_min_ms=300, state_every_ms=1_000)


class Books:
    """`PlantBooks` over a `FakePlant`."""

    def __init__(self, plant: FakePlant) -> None:
        self.plant = plant
        self.acked_rows = 0
        self.accounts: dict[str, AccountState] = {}
        self.documents_applied: list[WireDocument] = []
        self.forks: list[Fork] = []

    async def pending(self, after_seq: int, limit: int) -> Sequence[WireRecord]:
        return self.plant.rows[after_seq : after_seq + limit]

    async def state(self) -> State:
        return self.plant.state(self.accounts, len(self.documents_applied))

    async def position(self) -> tuple[int, int]:
        return len(self.plant.rows), len(self.documents_applied)

    async def follows(self, term: Term) -> bool:
        return True

    async def acked_seq(self) -> int:
        return self.acked_rows

    async def acked(self, last_seq: int, last_hash: str) -> None:
        assert self.plant.rows[last_seq - 1].hash == last_hash
        self.acked_rows = last_seq

    async def granted(self, account: str, granted_fen: int) -> None:
        before = self.accounts.get(account, AccountState(**dict.fromkeys(_COUNTERS, 0)))
        seen = max(before.granted_fen, granted_fen)
        self.accounts[account] = before.model_copy(update={"granted_fen": seen})

    async def documents(self, documents: Sequence[WireDocument]) -> None:
        assert [each.number for each in documents][:1] == [len(self.documents_applied) + 1]
        self.documents_applied += documents

    async def forked(self, fork: Fork) -> None:
        self.forks.append(fork)


_COUNTERS = ("granted_fen", "returned_fen", "spent_fen", "voided_fen", "held_fen")


def transport(broker: Broker, name: str, tls: TlsFiles) -> MqttTransport:
    office = name == "office"
    return MqttTransport(
        MqttSettings(
            host=broker.host, port=broker.port, client_id=f"{name}-test", tls=tls,
            subscriptions=SUBSCRIPTIONS if office else (f"down/{name}/#",),
            presence_topic=PRESENCE_TOPIC if office else f"up/{name}/link",
            connect_timeout_s=3, reconnect_min_s=0.05, reconnect_max_s=0.3, heartbeat_s=0.5, silence_s=5,
        )
    )  # fmt: skip


@contextmanager
def opened(path: Path) -> Iterator[Store]:
    store = Store(f"sqlite:///{path / 'office.sqlite3'}")
    try:
        yield store
    finally:
        store.close()


@asynccontextmanager
async def running(*services: Any) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(service) for service in services]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        for task in tasks:
            if not task.cancelled():
                task.result()


@pytest.fixture
def books() -> Books:
    return Books(FakePlant())


@pytest.fixture
def office_store(tmp_path: Path, books: Books) -> Iterator[Store]:
    with opened(tmp_path) as store:
        with store.write() as tx:
            enrol(tx, "HX01", "一厂", books.plant.key.public_key())
        yield store


def make(
    broker: Broker, client_tls: Callable[[str], TlsFiles], store: Store, books: Books
) -> tuple[OfficeLink, PlantEngine, MqttTransport]:
    link = OfficeLink(store, transport(broker, "office", client_tls("office")), OFFICE_KEY, lambda: None)
    pipe = transport(broker, "HX01", client_tls("HX01"))
    engine = PlantEngine(
        books.plant.instance, books.plant.key, OFFICE_KEY.public_key(), books, pipe, tuning=QUICK, jitter=lambda: 0.0
    )
    return link, engine, pipe


def pay(store: Store, fen: int, reference: str = "B1") -> None:
    body = requests.PaymentIn(reference=reference, customer_id="C001", customer_name="示例客户甲", amount_fen=fen)
    requests.book_payment(store, body, "F01")


def issue(store: Store) -> None:
    body = requests.NoticeIn(
        plant="HX01", customer_id="C001", plate="浙A12345", product="焦炭", price_fen_per_t=200_000, limit_kg=20_000
    )
    requests.book_notice(store, body, "B01", 8)


async def test_rows_are_acknowledged_after_the_commit_and_money_goes_down(
    broker: Broker, client_tls: Callable[[str], TlsFiles], office_store: Store, books: Books
) -> None:
    link, engine, _ = make(broker, client_tls, office_store, books)
    pay(office_store, 10_000_000)
    issue(office_store)
    async with running(link.run(), engine.run()):
        await until(lambda: books.accounts and books.documents_applied)
        assert books.accounts[ACCOUNT].granted_fen == 4_000_000
        assert books.documents_applied[0].body["plate"] == "浙A12345"
        requests.receive_stock(office_store, "HX01", "焦炭", 40_000)
        await until(lambda: len(books.documents_applied) == 2)
        assert books.documents_applied[1].body == {"product": "焦炭", "received_kg": 40_000}
        books.plant.truck("FH", ACCOUNT, 4_000_000, 20_000, 200_000)
        engine.wake()
        await until(lambda: books.acked_rows == len(books.plant.rows))
    with office_store.read() as tx:
        assert views.totals(tx)["amount_fen"] == 4_000_000


async def test_a_want_is_answered_when_the_payment_comes_from_another_process(
    broker: Broker, client_tls: Callable[[str], TlsFiles], office_store: Store, books: Books, tmp_path: Path
) -> None:
    link, engine, _ = make(broker, client_tls, office_store, books)
    pay(office_store, 4_000_000)
    issue(office_store)
    async with running(link.run(), engine.run()):
        await until(lambda: ACCOUNT in books.accounts)
        books.accounts[ACCOUNT] = books.accounts[ACCOUNT].model_copy(update={"want_granted_fen": 4_256_000})
        engine.wake()
        await asyncio.sleep(0.3)
        with opened(tmp_path) as elsewhere:
            await asyncio.to_thread(pay, elsewhere, 10_000_000, "B2")
        await until(lambda: books.accounts[ACCOUNT].granted_fen == 4_256_000, 2.0)


async def test_head_office_started_long_after_the_plant_catches_up_through_a_killed_broker(
    broker: Broker, client_tls: Callable[[str], TlsFiles], office_store: Store, books: Books
) -> None:
    for number in range(300):
        books.plant.truck(f"N{number}", ACCOUNT, 7_000_000, 28_000, 200_000)
    link, engine, _ = make(broker, client_tls, office_store, books)
    async with running(engine.run()):
        await asyncio.sleep(0.4)
        assert books.acked_rows == 0
        async with running(link.run()):
            await until(lambda: books.acked_rows > 100)
            broker.kill()
            await until(lambda: not link.up)
            broker.start()
            await until(lambda: books.acked_rows == len(books.plant.rows), 20)
    with office_store.read() as tx:
        assert views.totals(tx)["shipments"] == 300
    assert books.forks == []


class Notes:
    """A pipe that notes the topics of what is sent."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    async def run(self, listener: Listener) -> None:
        await asyncio.Event().wait()

    async def send(self, topic: str, payload: bytes) -> None:
        self.sent.append(topic)


async def test_what_was_written_while_only_the_offices_link_was_down_goes_out_at_once(
    office_store: Store, books: Books
) -> None:
    pipe = Notes()
    link = OfficeLink(office_store, pipe, OFFICE_KEY, lambda: None)
    link.connected()
    async with running(link.run()):
        link.message("up/HX01/state", seal(Kind.STATE, books.plant.instance, books.plant.state(), books.plant.key))
        await until(lambda: "down/HX01/ack" in pipe.sent)
        link.disconnected("cable")
        pay(office_store, 10_000_000)
        issue(office_store)
        await asyncio.sleep(0.7)
        assert "down/HX01/docs" not in pipe.sent
        link.connected()
        await until(lambda: {"down/HX01/docs", "down/HX01/grant"} <= set(pipe.sent), 2.0)


async def test_who_tells_fewer_rows_than_came_hears_the_ack_alone(office_store: Store, books: Books) -> None:
    """A copy, perhaps: all that it may hear is where head office stands. The original tells everything again."""
    pay(office_store, 10_000_000)
    issue(office_store)
    books.plant.truck("N1", ACCOUNT, 0, 1000, 200_000)
    with office_store.write() as tx:
        ingest(tx, books.plant.instance.wire_id, books.plant.rows)
    pipe = Notes()
    link = OfficeLink(office_store, pipe, OFFICE_KEY, lambda: None)
    link.connected()
    plant = books.plant
    async with running(link.run()):
        for teller in (replace(plant, rows=plant.rows[:2]), plant):
            link.message("up/HX01/state", seal(Kind.STATE, plant.instance, teller.state(), plant.key))
            await until(lambda: "down/HX01/ack" in pipe.sent)
            more = {"down/HX01/docs", "down/HX01/grant"}
            if teller is plant:
                await until(lambda more=more: more <= set(pipe.sent))  # type: ignore[misc]
            else:
                await asyncio.sleep(0.4)
                assert not more & set(pipe.sent)
            pipe.sent.clear()
            pay(office_store, 1, f"B-{len(teller.rows)}")


async def test_what_is_not_ours_is_counted_shown_and_dropped(
    broker: Broker, client_tls: Callable[[str], TlsFiles], office_store: Store, books: Books
) -> None:
    link, engine, pipe = make(broker, client_tls, office_store, books)
    stranger = FakePlant()
    forged = seal(Kind.REC, books.plant.instance, Rec(records=()), stranger.key)
    unknown = seal(Kind.REC, stranger.instance, Rec(records=()), stranger.key)
    down = seal(Kind.ACK, books.plant.instance, Ack(last_seq=1, last_hash="0" * 64, term=TERM), books.plant.key)
    swapped = seal(Kind.STATE, books.plant.instance, books.plant.state(), books.plant.key)
    junk = [
        ("up/HX01/rec", b"hello"), ("up/HX01/rec", forged), ("up/HX01/rec", unknown), ("up/HX01/rec", down),
        ("up/HX01/rec", swapped), ("up/HX01/other", b""), ("up/HX01/link", b"x" * 2000),
        ("up/HX01/rec", b"\0" * (MAX_PAYLOAD_BYTES - 200)),
    ]  # fmt: skip
    async with running(link.run(), engine.run()):
        await until(lambda: link.up and engine.status.connected)
        for topic, payload in junk:
            await pipe.send(topic, payload)

        def counted() -> int:
            with office_store.read() as tx:
                return sum(row["count"] for row in views.list_dropped(tx))

        await until(lambda: counted() == len(junk))
        books.plant.truck("N1", ACCOUNT, 0, 1000, 200_000)
        engine.wake()
        await until(lambda: books.acked_rows == len(books.plant.rows))
    with office_store.read() as tx:
        reasons = {row["reason"] for row in views.list_dropped(tx)}
    assert {"not zstd", "bad signature", "no key for this sender", "unknown topic", "wrong presence"} <= reasons


async def test_a_state_that_tells_another_row_freezes_the_plant(
    broker: Broker, client_tls: Callable[[str], TlsFiles], office_store: Store, books: Books
) -> None:
    link, engine, _ = make(broker, client_tls, office_store, books)
    books.plant.truck("N1", ACCOUNT, 0, 1000, 200_000)
    async with running(link.run(), engine.run()):
        await until(lambda: books.acked_rows == len(books.plant.rows))
        restored = FakePlant(key=books.plant.key)
        restored.truck("N9", ACCOUNT, 0, 2000, 200_000)
        books.plant.rows[:] = restored.rows
        engine.wake()

        def frozen() -> bool:
            with office_store.read() as tx:
                return bool(views.list_plants(tx)[0]["frozen"])

        await until(frozen)
