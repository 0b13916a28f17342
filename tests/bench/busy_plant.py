"""`weighgate run` with drivers in it who never rest: `python -m tests.bench.busy_plant plant.toml`.

The real program of `edge.main`, whole; trucks arrive for every notice that comes, drive over every lane as soon as its
simulated scale stands still, and leave through the gate. Says its pages' address like the real program.
"""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import structlog

import edge.main
from drivers.scale.simulated import SimulatedScale
from edge.domain.refusal import Refusal
from edge.domain.visit import VisitState
from edge.settings import PlantSettings, load_settings
from edge.station.desk import Desk
from edge.station.lane_runner import LaneRunner
from edge.station.station import Station
from edge.station.views import Done, VerdictView

_TARE_KG, _NET_KG = 14_520, 18_000
_GATE, _BY = "south", "D01"
_STANDS_S = 20
_at_the_gate = asyncio.Lock()
_scales: list[SimulatedScale] = []
_stations: list[tuple[Station, Desk]] = []


def main() -> None:
    """Run until SIGTERM."""
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    program: Any = edge.main  # its parts are caught as it builds them
    build_scale, build_station = program.build_scale, program.build_station

    def keep_scale(*told: Any) -> Any:
        _scales.append(build_scale(*told))
        return _scales[-1]

    def keep_station(settings: PlantSettings, desk: Desk) -> Station:
        station: Station = build_station(settings, desk)
        _stations.append((station, desk))
        return station

    program.build_scale, program.build_station = keep_scale, keep_station
    workers: list[asyncio.Task[None]] = []

    def announce(url: str) -> None:
        sys.stdout.write(json.dumps({"pages": url}) + "\n")
        sys.stdout.flush()
        ((station, desk),) = _stations
        for (name, lane), scale in zip(station.lanes.items(), _scales, strict=True):
            work = asyncio.get_running_loop().create_task(Drivers(station, desk, name, lane, scale).work())
            work.add_done_callback(lambda ended: _tell(desk, ended))
            workers.append(work)

    edge.main.run_plant(load_settings(Path(sys.argv[1])), announce)


class Drivers:
    """All trucks of one lane, one after the other."""

    def __init__(self, station: Station, desk: Desk, name: str, lane: LaneRunner, scale: SimulatedScale) -> None:
        self._station, self._desk, self._name, self._lane, self._scale = station, desk, name, lane, scale

    async def work(self) -> None:
        """Serve the notices whose last digit is this lane's, for ever."""
        while True:
            mine = [
                visit
                for visit in self._desk.snapshot.in_states(VisitState.NOTICED)
                if int(visit.visit[-1]) % len(_scales) == int(self._name) - 1
            ]
            for visit in mine[:20]:
                await self._visit(visit.visit, visit.plate)
            await asyncio.sleep(0.02)

    async def _visit(self, name: str, plate: str) -> None:
        lane = self._lane
        _done(await self._station.yard.arrive(plate, _BY))
        await self._stand(0)
        _done(await lane.call(name, _BY))
        await self._stand(_TARE_KG)
        _done(await lane.tare(_BY))
        _done(await lane.start_loading(_BY))
        await self._stand(_TARE_KG + _NET_KG)
        ticket = _done(await lane.load_complete(_BY, name)).ticket
        self._scale.set_weight_kg(0)
        stored = await self._desk.database.read(lambda books: books.tickets.get(ticket or ""))
        assert stored is not None
        gate = self._station.gates[_GATE]
        async with _at_the_gate:
            await gate.scan(stored.pass_code, _BY)
            opened = await gate.override(_BY, "赵门卫", "核对车牌", ticket or "")
        assert isinstance(opened, VerdictView) and opened.verdict == "open", opened

    async def _stand(self, weight_kg: int) -> None:
        self._scale.set_weight_kg(weight_kg)
        async with asyncio.timeout(_STANDS_S):
            while True:
                scale = self._lane.view().scale
                if scale.zero_seen if weight_kg == 0 else (scale.gross_kg == weight_kg and scale.state == "stable"):
                    return
                await asyncio.sleep(0.02)


def _tell(desk: Desk, ended: "asyncio.Task[None]") -> None:
    """A driver who failed ends the plant."""
    if not ended.cancelled() and (why := ended.exception()) is not None:
        desk.fail(why)


def _done(outcome: Done | Refusal) -> Done:
    assert isinstance(outcome, Done), outcome
    return outcome


if __name__ == "__main__":
    main()
