"""What every barrier type must do. A new driver adds one row to GATES: how to build it, count its pulses, kill it."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import NamedTuple

import pytest

from drivers.gate.modbus_barrier import ModbusRelayConfig
from drivers.gate.model import BarrierModel
from drivers.gate.simulated import SimulatedGate, SimulatedGateConfig, VirtualBarrier
from drivers.ports import DriverError, Gate
from drivers.readings import GateInputs
from drivers.registry import build_gate


class Rig(NamedTuple):
    """A barrier, how often it was pressed, and a way to make it dead or alive."""

    gate: Gate
    pulses: Callable[[], int]
    kill: Callable[[bool], None]


@contextmanager
def _modbus() -> Iterator[Rig]:
    with VirtualBarrier(BarrierModel(rise_ms=20, pass_ms=60)) as virtual:
        gate = build_gate(
            "gate",
            ModbusRelayConfig(
                type="modbus_relay", target=virtual.target, open_coil=0, green_coil=1, red_coil=2, loop_input=0,
                boom_input=1, pulse_ms=20, timeout_ms=150,
            ),
        )  # fmt: skip

        def kill(dead: bool) -> None:
            virtual.hung = dead

        yield Rig(gate, lambda: virtual.pulses, kill)
        gate.close()


@contextmanager
def _simulated() -> Iterator[Rig]:
    gate = build_gate("gate", SimulatedGateConfig(type="simulated", rise_ms=20, pass_ms=60))
    assert isinstance(gate, SimulatedGate)

    def kill(dead: bool) -> None:
        gate.dead = dead

    yield Rig(gate, lambda: gate.model.pulses, kill)


GATES: dict[str, Callable[[], AbstractContextManager[Rig]]] = {"modbus_relay": _modbus, "simulated": _simulated}


@pytest.fixture(params=GATES)
def rig(request: pytest.FixtureRequest) -> Iterator[Rig]:
    with GATES[request.param]() as made:
        yield made


def test_opens_once_and_the_vehicle_clears_the_loop(rig: Rig) -> None:
    rig.gate.lamp(green=True)
    rig.gate.open_once()
    assert rig.pulses() == 1
    seen: list[GateInputs] = []
    ends_s = time.monotonic() + 2
    while time.monotonic() < ends_s and (not seen or seen[-1].vehicle_on_loop or not any(i.boom_up for i in seen)):
        seen.append(rig.gate.inputs())
        time.sleep(0.002)
    assert any(inputs.boom_up and inputs.vehicle_on_loop for inputs in seen)
    assert not seen[-1].vehicle_on_loop
    assert rig.pulses() == 1


def test_a_dead_barrier_raises_and_comes_back(rig: Rig) -> None:
    rig.kill(True)
    for act in (rig.gate.inputs, lambda: rig.gate.lamp(green=False)):
        with pytest.raises(DriverError) as failed:
            act()
        assert failed.value.device == "gate"
        assert failed.value.what
        assert failed.value.try_this
    rig.kill(False)
    rig.gate.inputs()


def test_close_may_be_called_twice_and_the_next_call_opens_again(rig: Rig) -> None:
    rig.gate.close()
    rig.gate.close()
    rig.gate.inputs()
