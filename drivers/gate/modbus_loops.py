"""The vehicle loops 地感 of a deck: inputs of a Modbus relay module, over TCP or a serial line; or simulated."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from drivers.gate.relay_link import RelayLink
from drivers.gate.relay_module import Bit, check_bit, relay_module
from drivers.modbus import parse_modbus_target


class ModbusLoopsConfig(BaseModel):
    """`[lane.loops] type = "modbus"`. Inputs count from 0, as on the wire."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Literal["modbus"]
    target: str
    """`tcp://host:502`, `rtu+tcp://host:port` or `serial:///dev/ttyS1?baud=9600&parity=N`."""
    device_id: Annotated[int, Field(ge=0, le=247)] = 1
    module: str = "relay_generic"
    """The module's family: a file `config/registers/<module>.toml`."""
    inputs: Annotated[tuple[Bit, ...], Field(min_length=1, max_length=8)]
    """The loops' inputs; a vehicle is there when any of them is on."""
    timeout_ms: Annotated[int, Field(ge=50, le=1000)] = 500

    @model_validator(mode="after")
    def _fits_module(self) -> Self:
        parse_modbus_target(self.target)
        module = relay_module(self.module)
        for bit in self.inputs:
            check_bit("inputs", bit, module.inputs, self.module)
        return self


class ModbusLoops:
    """Fulfils `drivers.ports.Loops`. Blocking code for one thread."""

    def __init__(self, name: str, config: ModbusLoopsConfig) -> None:
        self._config = config
        module = relay_module(config.module)
        self._link = RelayLink(name, config.target, config.device_id, module, config.timeout_ms)

    def vehicle(self) -> bool:
        """Whether any loop sees a vehicle now."""
        bits = self._link.inputs(max(self._config.inputs) + 1)
        return any(bits[bit] for bit in self._config.inputs)

    def close(self) -> None:
        """Close the line to the module; the next call opens it again."""
        self._link.close()


class SimulatedLoopsConfig(BaseModel):
    """`[lane.loops] type = "simulated"`: loops that always say the same, for trying out a configuration."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Literal["simulated"]
    vehicle: bool = False


class SimulatedLoops:
    """Fulfils `drivers.ports.Loops` without a wire; set `there` to drive onto it and off."""

    def __init__(self, config: SimulatedLoopsConfig) -> None:
        self.there = config.vehicle

    def vehicle(self) -> bool:
        return self.there

    def close(self) -> None:
        """Nothing to close."""
