"""Trouble after trouble on a Modbus scale under its worker: what was weighed before is never seen after it.

Because a reading counts from its request, "never an old weight" is one line: a reading of a time after the load changed
shows the new load.
"""

import asyncio
import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from pymodbus.constants import ExcCodes

from drivers.readings import WeightReading
from drivers.registry import build_scale
from drivers.scale.registers import load_register_map
from drivers.scale.simulated_registers import SimulatedModbus, SimulatedRegisters
from drivers.worker import ReaderWorker, monotonic_ms
from tests.drivers.scale.modbus_rig import WIRES, config, on_wire
from tests.drivers.test_worker import Heard
from tests.reliability import Run

BACK_WITHIN_S = 5.5
"""The worker's longest wait is 5 s."""
Trouble = Callable[[SimulatedModbus, SimulatedRegisters, bool], None]


def _off(server: SimulatedModbus, _: SimulatedRegisters, bad: bool) -> None:
    if bad:
        server.switch_off()
    else:
        server.switch_on()


def _hung(_: SimulatedModbus, device: SimulatedRegisters, bad: bool) -> None:
    device.hung = bad


def _slow(_: SimulatedModbus, device: SimulatedRegisters, bad: bool) -> None:
    device.slow_s = 0.15 if bad else 0.0


def _busy(_: SimulatedModbus, device: SimulatedRegisters, bad: bool) -> None:
    device.refuses = ExcCodes.DEVICE_BUSY if bad else None


def _refusing(_: SimulatedModbus, device: SimulatedRegisters, bad: bool) -> None:
    device.refuses = ExcCodes.DEVICE_FAILURE if bad else None


def _noisy(server: SimulatedModbus, _: SimulatedRegisters, bad: bool) -> None:
    server.noisy = bad


TROUBLES: dict[str, Trouble] = {
    "off": _off, "hung": _hung, "slow": _slow, "busy": _busy, "refusing": _refusing, "noisy": _noisy,
}  # fmt: skip


async def _troubles(wire: str, folder: Path, rounds: int, seed: int) -> list[float]:
    """The times it took to have the new weight after each trouble, in seconds."""
    chance = random.Random(seed)
    device = SimulatedRegisters(load_register_map("hbm_wtx").for_site())
    heard, took_s = Heard(), list[float]()
    with on_wire(wire, folder, device) as server:
        scale = build_scale("lane 1 scale", config(server.target, poll_ms=20, timeout_ms=100))
        worker = ReaderWorker(
            "lane 1 scale", scale, on_reading=heard, on_status=heard, on_crash=heard, jitter=chance.random
        )
        worker.start()
        await heard.until(lambda: 0 in heard.kg)
        for turn in range(1, rounds + 1):
            trouble = TROUBLES[chance.choice(list(TROUBLES))]
            trouble(server, device, True)
            await asyncio.sleep(chance.uniform(0.02, 1.5))
            device.set_weight_kg(turn * 1_000)
            changed_ms = monotonic_ms()
            await asyncio.sleep(chance.uniform(0, 0.2))
            trouble(server, device, False)
            begin_s = time.monotonic()
            await heard.until(lambda since_ms=changed_ms: bool(_weights(heard, since_ms)), BACK_WITHIN_S)  # type: ignore[misc]
            took_s.append(time.monotonic() - begin_s)
            assert not [news for news in heard.news if isinstance(news, BaseException)]
            assert _weights(heard, changed_ms) == {turn * 1_000}, f"round {turn}"
            heard.news.clear()
        assert await worker.stop()
    return took_s


def _weights(heard: Heard, since_ms: int) -> set[int | None]:
    """The weights of all readings asked for after this time."""
    readings = [news for news in heard.news if isinstance(news, WeightReading)]
    return {reading.gross_kg for reading in readings if reading.received_ms > since_ms}


@pytest.mark.anyio
async def test_trouble_by_trouble(tmp_path: Path) -> None:
    await _troubles("serial", tmp_path, 2, seed=3)


@pytest.mark.faults
@pytest.mark.anyio
async def test_many_troubles_on_every_wire(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    run, rounds = Run("modbus_troubles"), 60
    took = [each for wire in WIRES for each in await _troubles(wire, tmp_path, rounds, run.seed)]
    run.tell(capfd, len(took), f"0 old weights; back after {max(took):.1f} s at most")
