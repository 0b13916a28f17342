"""The barrier driver against a real Modbus TCP server: one pulse, always taken back, and every failure by its name."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError
from pymodbus.constants import ExcCodes

from drivers.gate.modbus_barrier import ModbusBarrier, ModbusRelayConfig
from drivers.gate.model import BarrierFault, BarrierModel
from drivers.gate.relay_module import load_relay_module
from drivers.gate.simulated import BOOM_INPUT, GREEN_COIL, LOOP_INPUT, OPEN_COIL, RED_COIL, VirtualBarrier
from drivers.modbus import ModbusTarget, parse_modbus_target, registers_folder
from drivers.ports import DeviceRefused, DeviceTimeout, DeviceUnavailable
from drivers.readings import GateInputs
from drivers.registry import GateConfig


@pytest.fixture
def virtual() -> Iterator[VirtualBarrier]:
    with VirtualBarrier(BarrierModel(rise_ms=30, pass_ms=80)) as barrier:
        yield barrier


def _config(target: str, **settings: Any) -> ModbusRelayConfig:
    bits = {"open_coil": OPEN_COIL, "green_coil": GREEN_COIL, "red_coil": RED_COIL}
    inputs = {"loop_input": LOOP_INPUT, "boom_input": BOOM_INPUT}
    return ModbusRelayConfig(
        type="modbus_relay", target=target, **({"pulse_ms": 20, "timeout_ms": 150} | bits | inputs | settings)
    )


@pytest.fixture
def make(virtual: VirtualBarrier) -> Iterator[Callable[..., ModbusBarrier]]:
    made: list[ModbusBarrier] = []

    def build(**settings: Any) -> ModbusBarrier:
        made.append(ModbusBarrier("gate", _config(virtual.target, **settings)))
        return made[-1]

    yield build
    for barrier in made:
        barrier.close()


def _until(condition: Callable[[], bool], timeout_s: float = 2.0) -> bool:
    ends_s = time.monotonic() + timeout_s
    while not condition() and time.monotonic() < ends_s:
        time.sleep(0.005)
    return condition()


def test_one_pulse_opens_once_and_the_coil_falls(virtual: VirtualBarrier, make: Callable[..., ModbusBarrier]) -> None:
    barrier = make()
    assert barrier.inputs() == GateInputs(vehicle_on_loop=False, boom_up=False)
    barrier.open_once()
    assert (virtual.pulses, virtual.coils[OPEN_COIL]) == (1, False)
    assert _until(lambda: barrier.inputs() == GateInputs(vehicle_on_loop=True, boom_up=True))
    assert _until(lambda: barrier.inputs() == GateInputs(vehicle_on_loop=False, boom_up=False))


def test_the_press_lasts_as_long_as_configured(virtual: VirtualBarrier, make: Callable[..., ModbusBarrier]) -> None:
    started_s = time.monotonic()
    make(pulse_ms=120).open_once()
    assert time.monotonic() - started_s >= 0.12
    assert virtual.pulses == 1


def test_the_module_can_time_the_pulse_itself(virtual: VirtualBarrier, make: Callable[..., ModbusBarrier]) -> None:
    started_s = time.monotonic()
    make(pulse="module", module="relay_flash", pulse_ms=2000).open_once()
    assert time.monotonic() - started_s < 1.5, "the driver does not wait for the module's pulse"
    assert virtual.pulses == 1


def test_the_lamp(virtual: VirtualBarrier, make: Callable[..., ModbusBarrier]) -> None:
    barrier = make()
    barrier.lamp(green=True)
    assert (virtual.coils[GREEN_COIL], virtual.coils[RED_COIL]) == (True, False)
    barrier.lamp(green=False)
    assert (virtual.coils[GREEN_COIL], virtual.coils[RED_COIL]) == (False, True)
    make(green_coil=None, red_coil=None).lamp(green=True)
    assert (virtual.coils[GREEN_COIL], virtual.coils[RED_COIL]) == (False, True)


def test_without_a_limit_switch_the_boom_counts_as_down(
    virtual: VirtualBarrier, make: Callable[..., ModbusBarrier]
) -> None:
    barrier = make(boom_input=None)
    barrier.open_once()
    assert _until(lambda: virtual.inputs.boom_up)
    assert barrier.inputs() == GateInputs(vehicle_on_loop=True, boom_up=False)


def test_a_stuck_boom_shows_in_the_inputs(virtual: VirtualBarrier, make: Callable[..., ModbusBarrier]) -> None:
    virtual.set_fault(BarrierFault.STUCK)
    virtual.vehicle(on_loop=True)
    barrier = make()
    barrier.open_once()
    time.sleep(0.1)
    assert (virtual.pulses, barrier.inputs()) == (1, GateInputs(vehicle_on_loop=True, boom_up=False))


def test_a_module_that_says_no_is_refused(virtual: VirtualBarrier, make: Callable[..., ModbusBarrier]) -> None:
    virtual.refuses = ExcCodes.DEVICE_FAILURE
    barrier = make()
    for act in (barrier.open_once, barrier.inputs, lambda: barrier.lamp(green=True)):
        with pytest.raises(DeviceRefused, match="Modbus exception 4"):
            act()
    assert virtual.pulses == 0


def test_a_module_that_hangs_is_noticed_and_found_again(
    virtual: VirtualBarrier, make: Callable[..., ModbusBarrier]
) -> None:
    barrier = make()
    barrier.inputs()
    virtual.hung = True
    started_s = time.monotonic()
    with pytest.raises(DeviceTimeout, match="did not answer for 150 ms"):
        barrier.inputs()
    assert time.monotonic() - started_s < 1
    with pytest.raises(DeviceTimeout, match="the open contact could not be released"):
        barrier.open_once()
    virtual.hung = False
    assert barrier.inputs() is not None


def test_switched_off_and_on_again(virtual: VirtualBarrier, make: Callable[..., ModbusBarrier]) -> None:
    barrier = make()
    virtual.switch_off()
    with pytest.raises(DeviceUnavailable, match="cannot be reached"):
        barrier.open_once()
    with pytest.raises(DeviceUnavailable, match="cannot be reached"):
        barrier.inputs()
    virtual.switch_on()
    barrier.open_once()
    assert virtual.pulses == 1


def test_a_connection_that_died_while_idle_costs_no_opening(
    virtual: VirtualBarrier, make: Callable[..., ModbusBarrier]
) -> None:
    barrier = make()
    barrier.inputs()
    virtual.switch_off()
    virtual.switch_on()
    barrier.open_once()
    assert virtual.pulses == 1


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"open_coil": 16}, "open_coil 16: relay_generic has 0 to 15"),
        ({"loop_input": 99}, "loop_input 99: relay_generic has 0 to 15"),
        ({"module": "relay_x"}, "'relay_x' is no relay module; allowed: relay_flash, relay_generic"),
        ({"pulse": "module"}, "relay_generic has no flash_on"),
        ({"pulse": "module", "module": "relay_flash", "pulse_ms": 250}, "counts in steps of 100 ms"),
        ({"target": "modbus://h"}, "allowed: tcp://host:502"),
        ({"coil": 1}, "Extra inputs are not permitted"),
        ({"type": "relay"}, "'modbus_relay', 'simulated'"),
    ],
)
def test_wrong_settings_say_what_is_allowed(settings: dict[str, Any], why: str) -> None:
    right = {"type": "modbus_relay", "target": "tcp://10.0.0.5", "open_coil": 0, "loop_input": 0}
    adapter: TypeAdapter[Any] = TypeAdapter(GateConfig)
    adapter.validate_python(right)
    with pytest.raises(ValidationError) as refused:
        adapter.validate_python(right | settings)
    assert why in str(refused.value)


def test_targets() -> None:
    assert parse_modbus_target("tcp://10.0.0.5") == ModbusTarget("tcp", "10.0.0.5", 502, "N")
    assert parse_modbus_target("rtu+tcp://10.0.0.5:8899") == ModbusTarget("rtu+tcp", "10.0.0.5", 8899, "N")
    assert parse_modbus_target("serial:///dev/ttyS1?baud=19200&parity=E") == ModbusTarget(
        "serial", "/dev/ttyS1", 19200, "E"
    )


def test_every_module_file_is_whole() -> None:
    names = {path.stem: load_relay_module(path) for path in registers_folder().glob("relay_*.toml")}
    assert set(names) >= {"relay_generic", "relay_flash"}
    assert names["relay_flash"].flash_on is not None
