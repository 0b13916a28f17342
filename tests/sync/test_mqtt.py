"""The pipe against a real mosquitto over TLS: drained through a killed broker, closed to strangers, deaf to garbage."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from sync.broker import Broker
from sync.certificates import TlsFiles
from sync.documents import NoticeCancelled
from sync.engine import PlantEngine
from sync.envelope import MAX_PAYLOAD_BYTES
from sync.mqtt import MqttSettings, MqttTransport
from sync.session import Tuning
from sync.simulated import MemoryOffice
from sync.transport import Listener, NotConnected
from tests.sync.support import HX01, OFFICE_KEY, PLANT_KEY, MemoryBooks, until

pytestmark = pytest.mark.anyio
IssueTls = Callable[[str], TlsFiles]
QUICK = Tuning(retry_min_ms=300, state_every_ms=2_000)


class Ear:
    """A `Listener` that writes down what it hears."""

    def __init__(self) -> None:
        self.up = False
        self.whys: list[str] = []
        self.heard: list[tuple[str, bytes]] = []

    def connected(self) -> None:
        self.up = True

    def disconnected(self, why: str) -> None:
        self.up = False
        self.whys.append(why)

    def message(self, topic: str, payload: bytes) -> None:
        self.heard.append((topic, payload))


def settings(broker: Broker, name: str, tls: TlsFiles | None) -> MqttSettings:
    """Settings of `name` with short times."""
    office = name == "office"
    return MqttSettings(
        host=broker.host,
        port=broker.port,
        client_id=name,
        subscriptions=("up/#",) if office else (f"down/{name}/#",),
        presence_topic="down/office/link" if office else f"up/{name}/link",
        tls=tls,
        connect_timeout_s=3,
        reconnect_min_s=0.05,
        reconnect_max_s=0.3,
        heartbeat_s=0.5,
        silence_s=5,
    )


@asynccontextmanager
async def running(transport: MqttTransport, listener: Listener) -> AsyncIterator[MqttTransport]:
    """The transport runs inside the block."""
    task = asyncio.create_task(transport.run(listener))
    try:
        yield transport
    finally:
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled():
            task.result()


def make_pair(
    broker: Broker, client_tls: IssueTls, books: MemoryBooks, plant_end: MqttTransport | None = None
) -> tuple[PlantEngine, MemoryOffice]:
    """A plant and a head office on this broker."""
    office = MemoryOffice(
        MqttTransport(settings(broker, "office", client_tls("office"))),
        OFFICE_KEY,
        {HX01: PLANT_KEY.public_key()},
        QUICK,
    )
    plant = PlantEngine(
        HX01, PLANT_KEY, OFFICE_KEY.public_key(), books,
        plant_end or MqttTransport(settings(broker, "HX01", client_tls("HX01"))), tuning=QUICK,
    )  # fmt: skip
    return plant, office


async def test_2000_records_survive_a_broker_killed_in_the_middle(broker: Broker, client_tls: IssueTls) -> None:
    books = MemoryBooks(2_000)
    plant, office = make_pair(broker, client_tls, books)
    received = office.plants[HX01].rows
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(office.run()), group.create_task(plant.run())]
        await until(lambda: len(received) >= 300)
        broker.kill()
        held = len(received)
        assert held < 2_000, "killed too late to prove anything"
        await until(lambda: not plant.status.connected)
        assert plant.status.why
        broker.start()
        await until(lambda: books.acked_rows == 2_000, 20)
        assert plant.status.pending == 0
        assert plant.status.last_ack_at is not None
        for task in tasks:
            task.cancel()
    assert received == books.rows
    assert office.plants[HX01].forks == 0
    assert not books.forks


async def test_grants_and_documents_come_down(broker: Broker, client_tls: IssueTls) -> None:
    books = MemoryBooks(5)
    plant, office = make_pair(broker, client_tls, books)
    # Before anybody is connected: nothing is retained, so the plant's first STATE must fetch them.
    await office.grant(HX01, "K1/coke", 5_000_000)
    await office.issue(HX01, NoticeCancelled(notice="FH-1"))
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(office.run()), group.create_task(plant.run())]
        await until(lambda: books.granted_fen == {"K1/coke": 5_000_000} and len(books.applied) == 1)
        await office.grant(HX01, "K1/coke", 1)
        await until(lambda: books.granted_fen == {"K1/coke": 5_000_001})
        for task in tasks:
            task.cancel()


async def test_a_client_without_certificate_is_refused_in_words(broker: Broker) -> None:
    ear = Ear()
    async with running(MqttTransport(replace(settings(broker, "HX01", None), connect_timeout_s=0.5)), ear):
        await until(lambda: ear.whys)
        assert str(broker.port) in ear.whys[0]
    assert not ear.up


async def test_a_certificate_of_another_authority_is_refused(
    broker: Broker, client_tls: IssueTls, stranger_tls: TlsFiles
) -> None:
    # The stranger knows our public ca.crt, so it is the broker that must refuse.
    files = replace(stranger_tls, authority=client_tls("HX01").authority)
    ear = Ear()
    async with running(MqttTransport(replace(settings(broker, "HX01", files), connect_timeout_s=1)), ear):
        await until(lambda: ear.whys)
    assert not ear.up


async def test_a_broker_of_another_authority_is_refused(broker: Broker, stranger_tls: TlsFiles) -> None:
    ear = Ear()
    async with running(MqttTransport(settings(broker, "HX01", stranger_tls)), ear):
        await until(lambda: ear.whys)
        assert "certificate verify failed" in ear.whys[0]


async def test_a_plant_cannot_write_or_read_for_another(broker: Broker, client_tls: IssueTls) -> None:
    office, thief, owner = Ear(), Ear(), Ear()
    thief_settings = replace(settings(broker, "HX02", client_tls("HX02")), subscriptions=("down/HX01/#", "up/#"))
    async with (
        running(MqttTransport(settings(broker, "office", client_tls("office"))), office) as office_end,
        running(MqttTransport(settings(broker, "HX01", client_tls("HX01"))), owner) as owner_end,
        running(MqttTransport(thief_settings), thief) as thief_end,
    ):
        await until(lambda: office.up and owner.up and thief.up)
        await thief_end.send("up/HX01/rec", b"forged")
        await until(lambda: thief_end.counts.not_authorized)
        await owner_end.send("up/HX01/rec", b"genuine")
        await office_end.send("down/HX01/grant", b"for HX01")
        await until(lambda: owner.heard and ("up/HX01/rec", b"genuine") in office.heard)
    assert ("up/HX01/rec", b"forged") not in office.heard
    assert owner.heard == [("down/HX01/grant", b"for HX01")]
    assert thief.heard == []


async def test_presence_is_seen_and_a_death_too(broker: Broker, client_tls: IssueTls) -> None:
    office = Ear()
    link = "up/HX01/link"
    async with running(MqttTransport(settings(broker, "office", client_tls("office"))), office):
        await until(lambda: office.up)
        async with running(MqttTransport(settings(broker, "HX01", client_tls("HX01"))), Ear()):
            await until(lambda: (link, b"1") in office.heard)
        await until(lambda: office.heard[-1] == (link, b"0"))


async def test_garbage_unsigned_and_oversize_are_counted_and_dropped(broker: Broker, client_tls: IssueTls) -> None:
    books = MemoryBooks(3)
    plant_end = MqttTransport(settings(broker, "HX01", client_tls("HX01")))
    plant, office = make_pair(broker, client_tls, books, plant_end)
    # Only head office may write here, so this is the worst case: its certificate in bad hands.
    forger = MqttTransport(
        replace(settings(broker, "office", client_tls("office")), client_id="forger", subscriptions=())
    )
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(office.run()), group.create_task(plant.run())]
        await until(lambda: books.acked_rows == 3)
        ear = Ear()
        async with running(forger, ear):
            await until(lambda: ear.up)
            await forger.send("down/HX01/grant", b"\x00garbage")
            await forger.send("down/HX01/ack", b"")
            await until(lambda: plant.dropped["not zstd"] == 2)
            await forger.send("down/HX01/grant", b"x" * (MAX_PAYLOAD_BYTES + 100))
            await until(lambda: plant_end.counts.oversize == 1)
            await forger.send("down/HX01/grant", b"x" * 300_000)
            await until(lambda: ear.whys, 5)
        books.write(2)
        plant.wake()
        await until(lambda: books.acked_rows == 5)
        for task in tasks:
            task.cancel()


async def test_sending_without_a_link_is_refused_at_once(broker: Broker, client_tls: IssueTls) -> None:
    transport = MqttTransport(settings(broker, "HX01", client_tls("HX01")))
    with pytest.raises(NotConnected):
        await transport.send("up/HX01/rec", b"x")


async def test_a_full_window_waits_and_gives_up_with_the_link(broker: Broker, client_tls: IssueTls) -> None:
    ear = Ear()
    async with running(MqttTransport(settings(broker, "HX01", client_tls("HX01"))), ear) as transport:
        await until(lambda: ear.up)
        broker.kill()

        async def flood() -> None:
            while True:
                await transport.send("up/HX01/rec", b"x" * 1000)

        with pytest.raises(NotConnected):
            await asyncio.wait_for(flood(), 10)
        await until(lambda: ear.whys)


async def test_a_port_that_says_nothing_is_named_within_the_time_limit(broker: Broker, client_tls: IssueTls) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port: int = server.sockets[0].getsockname()[1]
    ear = Ear()
    plain = replace(settings(broker, "HX01", None), port=port, connect_timeout_s=0.3)
    async with running(MqttTransport(plain), ear):
        await until(lambda: ear.whys)
        assert "no CONNACK in 0.3 s" in ear.whys[0]
    server.close()
    await server.wait_closed()


async def test_a_broker_that_falls_silent_is_noticed_and_found_again(broker: Broker, client_tls: IssueTls) -> None:
    ear = Ear()
    quick = replace(settings(broker, "HX01", client_tls("HX01")), heartbeat_s=0.1, silence_s=0.3, connect_timeout_s=0.5)
    async with running(MqttTransport(quick), ear) as transport:
        await until(lambda: ear.up)
        assert broker.pid is not None
        os.kill(broker.pid, signal.SIGSTOP)

        async def flood() -> None:
            while True:
                await transport.send("up/HX01/rec", b"x")

        try:
            with pytest.raises(NotConnected):
                await asyncio.wait_for(flood(), 10)
            await until(lambda: not ear.up)
            assert "no PUBACK for 0.3 s" in ear.whys[0]
        finally:
            os.kill(broker.pid, signal.SIGCONT)
        await until(lambda: ear.up)
        await transport.send("up/HX01/rec", b"alive")
