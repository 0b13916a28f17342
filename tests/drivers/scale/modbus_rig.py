"""What the tests of Modbus scales share: a simulated device at the wire and the driver that reads it."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from drivers.ports import DriverError
from drivers.readings import WeightReading
from drivers.scale import modbus_indicator
from drivers.scale.modbus_indicator import ModbusIndicator, ModbusIndicatorConfig
from drivers.scale.simulated_registers import SimulatedModbus, SimulatedRegisters

WIRES = ("tcp", "rtu+tcp", "serial")
FAST = {"poll_ms": 20, "timeout_ms": 100}


class Rig(NamedTuple):
    device: SimulatedRegisters
    server: SimulatedModbus
    scale: ModbusIndicator


def config(target: str, registers: str = "hbm_wtx", **more: Any) -> ModbusIndicatorConfig:
    return ModbusIndicatorConfig.model_validate(
        {"type": "modbus", "target": target, "registers": registers, **FAST, **more}
    )


def on_wire(wire: str, folder: Path, *devices: SimulatedRegisters) -> SimulatedModbus:
    return SimulatedModbus(*devices, rtu=wire == "rtu+tcp", link=folder / "scale-1" if wire == "serial" else None)


@contextmanager
def rig(
    wire: str,
    folder: Path,
    registers: str = "hbm_wtx",
    registers_folder: Path | None = None,
    decimals_shown: int = 0,
    **site: Any,
) -> Iterator[Rig]:
    """A device of this map on a wire, and its driver, opened."""
    found = config("tcp://127.0.0.1:1", registers, **site).map(registers_folder)
    device = SimulatedRegisters(found, decimals=decimals_shown)
    with on_wire(wire, folder, device) as server:
        scale = ModbusIndicator("lane 1 scale", config(server.target, registers, **site), registers_folder)
        scale.open()
        try:
            yield Rig(device, server, scale)
        finally:
            scale.close()


def until(scale: ModbusIndicator, condition: Callable[[WeightReading], bool], within_s: float = 3.0) -> WeightReading:
    ends_s = time.monotonic() + within_s
    while time.monotonic() < ends_s:
        for reading in scale.read():
            if condition(reading):
                return reading
    raise AssertionError("it did not come in time")


def shows(scale: ModbusIndicator, kg: int) -> WeightReading:
    return until(scale, lambda reading: reading.gross_kg == kg)


def fails(scale: ModbusIndicator, kind: type[DriverError], match: str, within_s: float = 2.0) -> DriverError:
    """It must raise this, and say no weight before."""
    ends_s = time.monotonic() + within_s
    with pytest.raises(kind, match=match) as error:
        while time.monotonic() < ends_s:
            assert not scale.read()
    assert error.value.try_this
    return error.value


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give up after less, where not the time but the words are tested."""
    monkeypatch.setattr(modbus_indicator, "GIVE_UP_MS", 80)
