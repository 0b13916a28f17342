"""type = "modbus_relay": barrier, lamp and loop behind a Modbus relay module, over TCP or a serial line.

Blocking code for one thread (`drivers.worker.CommandWorker`). Each request has one time limit and no hidden repeats: a
module that hangs is noticed, its connection dropped and opened afresh by the next call.
"""

import time
from collections.abc import Callable
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pymodbus.exceptions import ConnectionException, ModbusException
from pymodbus.pdu import ModbusPDU

from drivers.gate.relay_module import FlashOn, RelayModule, relay_module
from drivers.modbus import exception_text, modbus_client, parse_modbus_target
from drivers.ports import DeviceRefused, DeviceTimeout, DeviceUnavailable, DriverError
from drivers.readings import GateInputs

Bit = Annotated[int, Field(ge=0, le=255)]

_RELEASE_TRIES = 2
_CHECK_MODULE = "Check the relay module's power and cable 检查继电器模块电源和网线"


class _NeverSentError(DeviceUnavailable):
    """No connection, so nothing can have reached the module."""


class ModbusRelayConfig(BaseModel):
    """`[gate] type = "modbus_relay"`. Coils and inputs count from 0, as on the wire."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Literal["modbus_relay"]
    target: str
    """`tcp://host:502`, `rtu+tcp://host:port` or `serial:///dev/ttyS1?baud=9600&parity=N`."""
    device_id: Annotated[int, Field(ge=0, le=247)] = 1
    module: str = "relay_generic"
    """The module's family: a file `config/registers/<module>.toml`."""
    open_coil: Bit
    pulse: Literal["software", "module"] = "software"
    """Who ends the pulse: weighgate, or the module's own flash-on (which survives a cut cable)."""
    pulse_ms: Annotated[int, Field(ge=20, le=10_000)] = 500
    loop_input: Bit
    boom_input: Bit | None = None
    """Limit switch "boom is up"; without one the boom is reported as down."""
    green_coil: Bit | None = None
    red_coil: Bit | None = None
    timeout_ms: Annotated[int, Field(ge=50, le=10_000)] = 1000

    @model_validator(mode="after")
    def _fits_module(self) -> Self:
        parse_modbus_target(self.target)
        module = relay_module(self.module)
        for name in ("open_coil", "green_coil", "red_coil"):
            _in_range(name, getattr(self, name), module.coils, self.module)
        for name in ("loop_input", "boom_input"):
            _in_range(name, getattr(self, name), module.inputs, self.module)
        if self.pulse == "module" and module.flash_on is None:
            raise ValueError(f'pulse = "module": {self.module} has no flash_on; allowed: pulse = "software"')
        if self.pulse == "module" and module.flash_on and self.pulse_ms % module.flash_on.unit_ms:
            raise ValueError(f"pulse_ms {self.pulse_ms}: {self.module} counts in steps of {module.flash_on.unit_ms} ms")
        return self


def _in_range(name: str, bit: int | None, count: int, module: str) -> None:
    if bit is not None and bit >= count:
        raise ValueError(f"{name} {bit}: {module} has 0 to {count - 1}")


class ModbusBarrier:
    """Fulfils `drivers.ports.Gate`."""

    def __init__(self, name: str, config: ModbusRelayConfig) -> None:
        self._config = config
        self._name = name
        self._module: RelayModule = relay_module(config.module)
        self._client = modbus_client(parse_modbus_target(config.target), config.timeout_ms / 1000)

    def open_once(self) -> None:
        """Press the barrier's open input once. Raises DriverError when the module did not confirm the press, or when
        the press could not be taken back (the message says which)."""
        if self._config.pulse == "module" and self._module.flash_on:
            self._flash(self._module.flash_on)
            return
        try:
            self._write_coil(self._config.open_coil, True)
            time.sleep(self._config.pulse_ms / 1000)
        except (DeviceRefused, _NeverSentError):
            raise
        except BaseException:
            self._release()  # the press was not confirmed, but may have arrived all the same
            raise
        self._release()

    def inputs(self) -> GateInputs:
        """The loop and the limit switch now."""
        count = max(self._config.loop_input, self._config.boom_input or 0) + 1
        base, device_id = self._module.input_base, self._config.device_id
        if self._module.input_function == 1:
            bits = self._request(lambda: self._client.read_coils(base, count=count, device_id=device_id)).bits
        else:
            bits = self._request(lambda: self._client.read_discrete_inputs(base, count=count, device_id=device_id)).bits
        boom = self._config.boom_input
        return GateInputs(bits[self._config.loop_input], boom is not None and bits[boom])

    def lamp(self, green: bool) -> None:
        """Green on and red off, or the other way round; the lamp to go dark goes dark first."""
        lamps = [(self._config.green_coil, green), (self._config.red_coil, not green)]
        for coil, on in sorted(lamps, key=lambda lamp: lamp[1]):
            if coil is not None:
                self._write_coil(coil, on)

    def close(self) -> None:
        """Close the line to the module; the next call opens it again."""
        self._close()

    def _close(self) -> None:
        self._client.close()  # type: ignore[no-untyped-call]

    def _flash(self, flash: FlashOn) -> None:
        address = flash.base + flash.step * self._config.open_coil
        values = [flash.mode, self._config.pulse_ms // flash.unit_ms]
        self._request(lambda: self._client.write_registers(address, values, device_id=self._config.device_id))

    def _release(self) -> None:
        for attempt in range(_RELEASE_TRIES):
            try:
                self._write_coil(self._config.open_coil, False)
            except DriverError as error:
                if attempt == _RELEASE_TRIES - 1:
                    what = f"the open contact could not be released: {error.what}"
                    raise DeviceTimeout(
                        self._name,
                        what,
                        "The barrier may stay open: watch it, switch the module off 看住道闸,断模块电源",
                    ) from error
            else:
                return

    def _write_coil(self, coil: int, on: bool) -> None:
        self._request(lambda: self._client.write_coil(coil, on, device_id=self._config.device_id))

    def _request(self, send: Callable[[], ModbusPDU]) -> ModbusPDU:
        """One request. Repeated once when the connection turns out to be dead, as modules drop idle ones: the same
        coil set or the same timed pulse started again within it is still one press."""
        try:
            answer = self._once(send)
        except (ConnectionException, OSError):
            self._close()
            try:
                answer = self._once(send)
            except (ConnectionException, OSError, _NeverSentError) as error:
                self._close()
                what = f"{self._config.target} cannot be reached"
                raise DeviceUnavailable(self._name, what, _CHECK_MODULE) from error
        if answer.isError():
            what = f"the relay module refused ({exception_text(answer.exception_code)})"
            raise DeviceRefused(self._name, what, "Check device_id, module and the coil and input numbers")
        return answer

    def _once(self, send: Callable[[], ModbusPDU]) -> ModbusPDU:
        try:
            if not self._client.connect():
                what = f"{self._config.target} cannot be reached"
                raise _NeverSentError(self._name, what, _CHECK_MODULE)
            return send()
        except ConnectionException:
            raise
        except ModbusException as error:
            # an answer that comes too late must not be taken for the next one
            self._close()
            what = f"{self._config.target} did not answer for {self._config.timeout_ms} ms"
            raise DeviceTimeout(self._name, what, _CHECK_MODULE) from error
