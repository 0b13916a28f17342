"""Barriers without iron: `VirtualBarrier` at the wire (a real Modbus TCP server), and type = "simulated"."""

import asyncio
import threading
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from drivers.gate.model import BarrierFault, BarrierModel
from drivers.ports import DeviceTimeout
from drivers.readings import GateInputs
from drivers.simulators import ModbusServer, ModbusSimulator
from drivers.worker import monotonic_ms

OPEN_COIL, GREEN_COIL, RED_COIL = 0, 1, 2
LOOP_INPUT, BOOM_INPUT = 0, 1
DEVICE_ID = 1
_FLASH_BASE, _FLASH_STEP, _FLASH_MODE = 3, 5, 4
_WRITE_COIL, _WRITE_COILS, _READ_INPUTS, _WRITE_REGISTERS = 5, 15, 2, 16


class SimulatedGateConfig(BaseModel):
    """`[gate] type = "simulated"`: a barrier that works, with a vehicle that passes after each opening."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Literal["simulated"]
    rise_ms: Annotated[int, Field(ge=0, le=60_000)] = 800
    pass_ms: Annotated[int, Field(ge=0, le=60_000)] = 1500


class SimulatedGate:
    """Fulfils `drivers.ports.Gate` without a wire. `model` counts the pulses; set `dead` to make it time out."""

    def __init__(self, name: str, config: SimulatedGateConfig) -> None:
        self.model = BarrierModel(rise_ms=config.rise_ms, pass_ms=config.pass_ms)
        self.dead = False
        self._name = name

    def open_once(self) -> None:
        self._alive()
        self.model.pulse(monotonic_ms())

    def inputs(self) -> GateInputs:
        self._alive()
        return self.model.inputs(monotonic_ms())

    def lamp(self, green: bool) -> None:
        self._alive()
        self.model.green = green

    def close(self) -> None:
        """Nothing to close."""

    def _alive(self) -> None:
        if self.dead:
            raise DeviceTimeout(self._name, "the simulated barrier is dead", "Set it alive again")


class VirtualBarrier(ModbusSimulator):
    """A relay module with a barrier, on 127.0.0.1, in its own thread with its own loop.

    Coil 0 opens (also by flash-on registers, as `relay_flash`), 1 is the green lamp, 2 the red; input 0 is the loop, 1
    the boom's limit switch. Use as a context manager or call `close`.
    """

    def __init__(self, model: BarrierModel | None = None, *, port: int = 0) -> None:
        super().__init__("virtual barrier", port)
        self.hung = False
        """Takes connections and requests and never answers."""
        self.refuses: ExcCodes | None = None
        """Answers every request with this Modbus exception."""
        self._model = model or BarrierModel()
        self._lock = threading.Lock()
        self._coils = [False] * 16
        self.switch_on()

    @property
    def port(self) -> int:
        """The TCP port; the same after it was off."""
        return self._port

    @property
    def target(self) -> str:
        """For `ModbusRelayConfig.target`."""
        return f"tcp://127.0.0.1:{self._port}"

    @property
    def pulses(self) -> int:
        """How often the open input was pressed."""
        with self._lock:
            return self._model.pulses

    @property
    def coils(self) -> tuple[bool, ...]:
        """The 16 coils as they are now."""
        with self._lock:
            return tuple(self._coils)

    @property
    def inputs(self) -> GateInputs:
        """What the loop and the limit switch say now."""
        with self._lock:
            return self._model.inputs(monotonic_ms())

    def set_fault(self, fault: BarrierFault | None) -> None:
        """Make the boom stick or crawl, or let it be."""
        with self._lock:
            self._model.fault = fault

    def vehicle(self, on_loop: bool) -> None:
        """A vehicle drives onto the loop or off it."""
        with self._lock:
            if on_loop:
                self._model.arrive(monotonic_ms())
            else:
                self._model.leave()

    def switch_off(self) -> None:
        """Break the connections and stop listening; the coils fall."""
        super().switch_off()
        with self._lock:
            self._coils = [False] * 16

    def _server(self) -> ModbusServer:
        return ModbusTcpServer(self._device(), address=("127.0.0.1", self._port))

    def _device(self) -> SimDevice:
        bits = [False] * 16
        return SimDevice(
            id=DEVICE_ID,
            simdata=(
                [SimData(0, values=bits, datatype=DataType.BITS)],
                [SimData(0, values=bits, datatype=DataType.BITS)],
                [SimData(0, values=0, count=64, datatype=DataType.REGISTERS)],
                [SimData(0, values=0, datatype=DataType.REGISTERS)],
            ),
            action=self._on_request,
        )

    async def _on_request(
        self,
        function: int,
        start: int,
        address: int,
        count: int,
        registers: list[int],
        values: list[int] | list[bool] | None,
    ) -> ExcCodes | None:
        """pymodbus asks before each answer."""
        del count
        while self.hung:  # noqa: ASYNC110 - set from other threads, where an asyncio.Event must not be touched
            await asyncio.sleep(0.02)
        if self.refuses is not None:
            return self.refuses
        now_ms = monotonic_ms()
        with self._lock:
            if function == _READ_INPUTS:
                seen = self._model.inputs(now_ms)
                registers[0 - start] = seen.vehicle_on_loop << LOOP_INPUT | seen.boom_up << BOOM_INPUT
            elif function in (_WRITE_COIL, _WRITE_COILS) and values is not None:
                self._set_coils(address, [bool(value) for value in values], now_ms)
            elif function == _WRITE_REGISTERS and values is not None:
                self._flash(address, [int(value) for value in values], now_ms)
        return None

    def _set_coils(self, address: int, values: list[bool], now_ms: int) -> None:
        pressed_before = self._coils[OPEN_COIL]
        self._coils[address : address + len(values)] = values
        if self._coils[OPEN_COIL] and not pressed_before:
            self._model.pulse(now_ms)
        self._model.green = self._coils[GREEN_COIL]

    def _flash(self, address: int, values: list[int], now_ms: int) -> None:
        if address == _FLASH_BASE + _FLASH_STEP * OPEN_COIL and values[0] == _FLASH_MODE:
            self._model.pulse(now_ms)
