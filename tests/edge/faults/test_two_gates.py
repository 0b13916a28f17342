"""F14: one pass at two gates at the same moment, by two threads over real HTTP: one barrier opens, once.

The control looks whether the pass was used before its transaction, as a careless gate would: then both open.
"""

import asyncio
import contextlib
import threading
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from drivers.gate.simulated import SimulatedGate, SimulatedGateConfig
from edge.domain.exit_pass import ExitPass, GateDecision, decide_exit
from edge.domain.refusal import Words
from edge.station import passage
from edge.station.desk import Desk
from edge.station.gate_runner import GateRunner, GateSetup
from edge.station.live import LiveHub
from edge.station.pictures import PictureStore
from edge.station.station import Station
from edge.station.views import VerdictView
from edge.store.books import Books
from edge.store.clock import Clock
from edge.store.database import Database
from edge.store.verify import verify
from edge.web.app import create_app
from tests.edge.station.rig import SeenCamera, make_plant
from tests.edge.store.books import load, order, print_all
from tests.reliability import Run
from tests.web.stage import people
from tests.web.talk import JSON, PINS

pytestmark = pytest.mark.anyio
SHORT, LONG = 15, 500
GATES = ("south", "north")


class Hasty(GateRunner):
    """Control: asks whether a pass was used, and then lets it out."""

    async def scan(self, code: str, by: str) -> VerdictView:
        read = passage.read_code(self._desk.plant, code)
        assert isinstance(read, ExitPass)
        stored = await self._desk.database.read(lambda books: books.paper_of(read))
        if stored is None or stored.used_at is not None:
            return await super().scan("", by)  # no pass at all: a plain no
        return await super().scan(code, by)


class Gates:
    """A plant with two gates and its pages; nothing but gates."""

    def __init__(self, folder: Path, runner: type[GateRunner]) -> None:
        self.plant, self.path = make_plant(), folder / "plant.db"
        self.database = Database(self.path, Clock())
        self.desk = Desk(self.plant, self.database, LiveHub())
        self.station = Station(self.desk)
        self.barriers, self.cameras = {}, {}
        for gate in GATES:
            barrier = SimulatedGate(gate, SimulatedGateConfig(type="simulated", rise_ms=0, pass_ms=0))
            camera = SeenCamera()
            setup = GateSetup(gate, Words(gate, gate))
            pictures = PictureStore(folder / "pictures")
            self.station.gates[gate] = runner(setup, barrier, camera, self.desk, pictures, self.station.link)
            self.barriers[gate], self.cameras[gate] = barrier, camera

    def sell(self, trucks: int) -> dict[str, str]:
        """So many trucks before the gates: plate → pass code."""

        def sale(books: Books, number: int) -> tuple[str, str]:
            ticket = load(books, self.plant, order(books, number))
            print_all(books)
            stored = books.tickets.get(ticket)
            assert stored is not None
            return stored.ticket.plate, stored.pass_code

        return dict(self.database.transact_now(partial(sale, number=number)) for number in range(1, trucks + 1))

    @property
    def pulses(self) -> int:
        """How often a barrier rose, at both."""
        return sum(barrier.model.pulses for barrier in self.barriers.values())


@contextlib.asynccontextmanager
async def serving(gates: Gates) -> AsyncIterator[str]:
    """The station and its pages; their address."""
    config = uvicorn.Config(
        create_app(gates.station, people()), port=0, log_config=None, lifespan="off", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    life = [asyncio.create_task(gates.station.run()), asyncio.create_task(server.serve())]
    try:
        while not server.started:
            await asyncio.sleep(0.01)
        host, port = server.servers[0].sockets[0].getsockname()
        yield f"http://{host}:{port}"
    finally:
        server.should_exit = True
        await asyncio.wait([life[1]], timeout=5)
        life[0].cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await life[0]
        gates.database.close()


async def scan_at_both(gates: Gates, address: str, passes: dict[str, str]) -> Counter[tuple[str, ...]]:
    """Each pass at both gates at once, from two threads with a session each; how often which pair of verdicts."""
    together = threading.Barrier(2, timeout=10)

    def guard(gate: str, cookie: str) -> list[str]:
        verdicts = []
        with httpx.Client(base_url=address, headers=JSON, cookies={"weighgate": cookie}, trust_env=False) as client:
            for plate, code in ((plate, code) for plate, code in passes.items() for _ in range(2)):
                gates.cameras[gate].seen = plate
                together.wait()
                answer = client.post(f"/gate/{gate}/scan", data={"code": code}).json()
                verdicts.append(answer["verdict"]["verdict"])
                together.wait()
        return verdicts

    async with httpx.AsyncClient(base_url=address, headers=JSON, trust_env=False) as client:
        await client.post("/login", data={"person": "G02", "pin": PINS["G02"]})
        cookie = client.cookies["weighgate"]
    told = await asyncio.gather(*(asyncio.to_thread(guard, gate, cookie) for gate in GATES))
    return Counter(tuple(sorted(pair)) for pair in zip(*told, strict=True))


async def run_gates(folder: Path, trucks: int, capfd: pytest.CaptureFixture[str]) -> None:
    run = Run("exit pass at two gates at once")
    gates = Gates(folder, GateRunner)
    passes = gates.sell(trucks)
    async with serving(gates) as address:
        seen = await scan_at_both(gates, address, passes)
        pulses = gates.pulses
    assert seen == {("open", "refuse"): trucks, ("refuse", "refuse"): trucks}
    assert pulses == trucks
    assert verify(gates.path).ok
    run.tell(capfd, 4 * trucks, f"{pulses} barriers opened for {trucks} passes shown at both gates, twice; 0 twice")


async def test_two_gates_at_once(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    await run_gates(tmp_path, SHORT, capfd)


@pytest.mark.faults
@pytest.mark.timeout(600)
async def test_two_gates_at_once_for_long(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    await run_gates(tmp_path, LONG, capfd)


async def test_control_looking_before_the_transaction_opens_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forgetful(*told: Any) -> GateDecision:
        exit_pass, facts, *rest = told
        return decide_exit(exit_pass, replace(facts, used_at=None) if facts else None, *rest)

    gates = Gates(tmp_path, Hasty)
    passes = gates.sell(SHORT)
    monkeypatch.setattr(passage, "decide_exit", forgetful)
    async with serving(gates) as address:
        seen = await scan_at_both(gates, address, passes)
    assert seen["open", "open"] > 0 and gates.pulses > SHORT
    assert seen["refuse", "refuse"] == SHORT, "one after the other it refuses, so only two at once show it"
