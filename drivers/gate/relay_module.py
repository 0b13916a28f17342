"""Facts of a Modbus relay module as data: a TOML file of `config/registers/`, one per module family."""

import tomllib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from drivers.modbus import registers_folder

Address = Annotated[int, Field(ge=0, le=65535)]
Bit = Annotated[int, Field(ge=0, le=255)]
"""The number of a coil or an input; it counts from 0, as on the wire."""


class FlashOn(BaseModel):
    """The module's own timed pulse: registers [`mode`, duration in `unit_ms`] at `base + step * coil`, function 16.

    It ends the pulse by itself when the line to it breaks, which a coil switched on and off by software does not.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    base: Address
    step: Annotated[int, Field(ge=1, le=256)]
    mode: Annotated[int, Field(ge=0, le=65535)]
    unit_ms: Annotated[int, Field(ge=1, le=10_000)]


class RelayModule(BaseModel):
    """One family of relay modules. Coils are written with function 5; inputs read with function 2 or, on some, 1."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    source: str
    coils: Annotated[int, Field(ge=1, le=256)]
    inputs: Annotated[int, Field(ge=0, le=256)]
    input_function: Literal[1, 2] = 2
    input_base: Address = 0
    flash_on: FlashOn | None = None


def load_relay_module(path: Path) -> RelayModule:
    """Read one module file. ValueError (pydantic's or tomllib's) names what is wrong; OSError when it is not there."""
    return RelayModule.model_validate(tomllib.loads(path.read_text("utf-8")))


def relay_module(name: str) -> RelayModule:
    """The module `config/registers/<name>.toml`. ValueError lists the names there are."""
    folder = registers_folder()
    names = sorted(path.stem for path in folder.glob("relay_*.toml"))
    if name not in names:
        raise ValueError(f"{name!r} is no relay module; allowed: {', '.join(names)} (files of {folder.name}/)")
    return load_relay_module(folder / f"{name}.toml")


def check_bit(name: str, bit: int | None, count: int, module: str) -> None:
    """ValueError when a module has no such coil or input."""
    if bit is not None and bit >= count:
        raise ValueError(f"{name} {bit}: {module} has 0 to {count - 1}")
