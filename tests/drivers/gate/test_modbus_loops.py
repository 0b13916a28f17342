"""The deck's loops over real Modbus TCP: seen, not seen, hung, switched off and back."""

from collections.abc import Iterator

import pytest
from pydantic import ValidationError

from drivers.gate.modbus_loops import ModbusLoops, ModbusLoopsConfig, SimulatedLoops, SimulatedLoopsConfig
from drivers.gate.model import BarrierModel
from drivers.gate.simulated import VirtualBarrier
from drivers.ports import DeviceTimeout, DeviceUnavailable, Loops
from drivers.registry import build_loops


@pytest.fixture
def module() -> Iterator[VirtualBarrier]:
    """A relay module; its input 0 is a loop, input 1 stays off."""
    with VirtualBarrier(BarrierModel(vehicle_waits=True)) as made:
        yield made


def config(module: VirtualBarrier, **changed: object) -> ModbusLoopsConfig:
    fields = {"type": "modbus", "target": module.target, "inputs": (0,), "timeout_ms": 200, **changed}
    return ModbusLoopsConfig.model_validate(fields)


def test_any_loop_sees_the_vehicle(module: VirtualBarrier) -> None:
    loops = ModbusLoops("loops 1", config(module, inputs=(1, 0)))
    dark = ModbusLoops("loops 1", config(module, inputs=(1,)))
    seen = []
    for there in (False, True, False):
        module.vehicle(there)
        seen.append((loops.vehicle(), dark.vehicle()))
    loops.close()
    dark.close()
    assert seen == [(False, False), (True, False), (False, False)]


def test_a_hung_module_is_noticed_and_comes_back(module: VirtualBarrier) -> None:
    loops = ModbusLoops("loops 1", config(module))
    module.vehicle(True)
    assert loops.vehicle()
    module.hung = True
    with pytest.raises(DeviceTimeout, match="200 ms"):
        loops.vehicle()
    module.hung = False
    assert loops.vehicle()
    module.switch_off()
    with pytest.raises(DeviceUnavailable, match="cannot be reached"):
        loops.vehicle()
    module.switch_on()
    assert loops.vehicle()
    loops.close()


@pytest.mark.parametrize(
    ("changed", "said"),
    [({"inputs": ()}, "at least 1"), ({"inputs": (0, 99)}, "inputs 99"), ({"target": "here"}, "no Modbus target")],
)
def test_a_wrong_configuration_says_what_is_allowed(changed: dict[str, object], said: str) -> None:
    fields = {"type": "modbus", "target": "tcp://127.0.0.1:502", "inputs": (0,), **changed}
    with pytest.raises(ValidationError, match=said):
        ModbusLoopsConfig.model_validate(fields)


def test_simulated_loops_say_what_they_are_told() -> None:
    loops: Loops = build_loops("loops 1", SimulatedLoopsConfig(type="simulated", vehicle=True))
    assert isinstance(loops, SimulatedLoops) and loops.vehicle()
    loops.there = False
    assert not loops.vehicle()
