"""type = "modbus_relay": barrier, lamp and loop behind a Modbus relay module, over TCP or a serial line.

Blocking code for one thread (`drivers.worker.CommandWorker`).
"""

import time
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from drivers.gate.relay_link import NeverSentError, RelayLink
from drivers.gate.relay_module import Bit, FlashOn, RelayModule, check_bit, relay_module
from drivers.modbus import parse_modbus_target
from drivers.ports import DeviceRefused, DeviceTimeout, DriverError
from drivers.readings import GateInputs

_RELEASE_TRIES = 2


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
            check_bit(name, getattr(self, name), module.coils, self.module)
        for name in ("loop_input", "boom_input"):
            check_bit(name, getattr(self, name), module.inputs, self.module)
        if self.pulse == "module" and module.flash_on is None:
            raise ValueError(f'pulse = "module": {self.module} has no flash_on; allowed: pulse = "software"')
        if self.pulse == "module" and module.flash_on and self.pulse_ms % module.flash_on.unit_ms:
            raise ValueError(f"pulse_ms {self.pulse_ms}: {self.module} counts in steps of {module.flash_on.unit_ms} ms")
        return self


class ModbusBarrier:
    """Fulfils `drivers.ports.Gate`."""

    def __init__(self, name: str, config: ModbusRelayConfig) -> None:
        self._config = config
        self._name = name
        self._module: RelayModule = relay_module(config.module)
        self._link = RelayLink(name, config.target, config.device_id, self._module, config.timeout_ms)

    def open_once(self) -> None:
        """Press the barrier's open input once. Raises DriverError when the module did not confirm the press, or when
        the press could not be taken back (the message says which)."""
        if self._config.pulse == "module" and self._module.flash_on:
            self._flash(self._module.flash_on)
            return
        try:
            self._write_coil(self._config.open_coil, True)
            time.sleep(self._config.pulse_ms / 1000)
        except (DeviceRefused, NeverSentError):
            raise
        except BaseException:
            self._release()  # the press was not confirmed, but may have arrived all the same
            raise
        self._release()

    def inputs(self) -> GateInputs:
        """The loop and the limit switch now."""
        bits = self._link.inputs(max(self._config.loop_input, self._config.boom_input or 0) + 1)
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
        self._link.close()

    def _flash(self, flash: FlashOn) -> None:
        address = flash.base + flash.step * self._config.open_coil
        values = [flash.mode, self._config.pulse_ms // flash.unit_ms]
        self._link.write_registers(address, values)

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
        self._link.write_coil(coil, on)
