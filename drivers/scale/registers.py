"""What a Modbus weighing device holds in its registers, told as data: the model of `config/registers/<name>.toml`.

There is no standard for these, so a file tells everything: where the weight is, how its words are ordered, what each
status bit means and which way round. Addresses count from 0 as on the wire (a manual's 40001 or 30001 is 0).

Everything that makes one reading is read in ONE request, the shortest block that holds all the registers named: a
weight and a status from two requests may belong to two moments, and half a weight from each is a number that never was.
"""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, ValidationError, field_validator, model_validator

from drivers.device_files import Data, DeviceFile, load_device
from drivers.modbus import registers_folder
from drivers.ports import ScaleCommand
from drivers.scale.profile import SerialDefaults, Unit

Address = Annotated[int, Field(ge=0, le=65_535)]
Order = Literal["big", "little"]
Function = Literal[3, 4]
DecimalCount = Annotated[int, Field(ge=0, le=6)]
DeviceId = Annotated[int, Field(ge=0, le=255)]
"""1 to 247 on a serial line; over TCP also 0 and 255."""
WeightType = Literal["int16", "uint16", "int32", "uint32", "float32"]
WireUnit = Literal["kg", "g", "t", "lb", "oz", "n", "other"]

Meaning = Literal[
    "stable", "moving", "gross", "net", "minus", "overload", "underload", "zero", "error",
]  # fmt: skip
"""Everything a status can say. `error`: the number is no weight. `minus`: the weight is a magnitude and its sign stands
here. `zero` is for people; nothing is decided by it."""

Meanings = tuple[Meaning, ...]

LONGEST_BLOCK = 125
"""Registers in one answer. Source: Modbus Application Protocol V1.1b3, 6.3."""
RELAY_MODULES = "relay_"
"""The files of `config/registers/` that begin so are no scales."""
COMMISSION = "weighgate scale commission"


class Part(Data):
    """A register, or two as one 32-bit number, and where `mask` picks some of its bits."""

    address: Address
    type: Literal["uint16", "uint32"] = "uint16"
    mask: Annotated[int, Field(gt=0, le=0xFFFF_FFFF)] = 0xFFFF_FFFF

    @property
    def words(self) -> int:
        return 2 if self.type == "uint32" else 1

    def code(self, value: int) -> int:
        """The masked bits of the register as a number from 0."""
        lowest = (self.mask & -self.mask).bit_length() - 1
        return (value & self.mask) >> lowest


class Weight(Data):
    """Where the weight is. `of`: "gross" is gross whatever the display shows; "display" is what the status says."""

    address: Address
    type: WeightType
    of: Literal["gross", "display"]

    @property
    def words(self) -> int:
        return 2 if self.type.endswith("32") else 1


class DecimalsCode(Part):
    """Decimals from a register: `values` by the masked code, or the code itself."""

    values: dict[int, DecimalCount] = {}

    def decimals(self, code: int) -> int | None:
        """None for a code the manual does not have."""
        if self.values:
            return self.values.get(code)
        return code if code <= 6 else None


class UnitCode(Part):
    """The unit from a register; a code that is not listed is an unknown unit."""

    values: dict[int, WireUnit]


class Bit(Data):
    bit: Annotated[int, Field(ge=0, le=31)]
    set: Meanings = ()
    clear: Meanings = ()


class Code(Data):
    """A number in the bits of `mask`; a code that is not listed is an error."""

    mask: Annotated[int, Field(gt=0, le=0xFFFF_FFFF)]
    values: dict[int, Meanings]


class Status(Part):
    """One status register."""

    bits: tuple[Bit, ...] = ()
    codes: tuple[Code, ...] = ()

    def meanings(self, value: int) -> Iterator[Meaning]:
        for each in self.bits:
            yield from each.set if value >> each.bit & 1 else each.clear
        for code in self.codes:
            yield from code.values.get(Part(address=0, mask=code.mask).code(value), ("error",))


class Heartbeat(Part):
    """A register that changes while the device measures. When it has not for `within_ms`, what it shows is old."""

    within_ms: Annotated[int, Field(ge=100, le=5_000)]


class Write(Data):
    """One register with `function` 6, or one or two with 16."""

    kind: Literal["write"]
    address: Address
    value: Annotated[int, Field(ge=0, le=0xFFFF_FFFF)]
    type: Literal["uint16", "uint32"] = "uint16"
    function: Literal[6, 16] = 6

    @property
    def words(self) -> int:
        return 2 if self.type == "uint32" else 1

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.type == "uint32" and self.function == 6:
            raise ValueError("function 6 writes one register")
        if self.type == "uint16" and self.value > 0xFFFF:
            raise ValueError(f"{self.value} does not fit into one register")
        return self


class Wait(Data):
    kind: Literal["wait"]
    ms: Annotated[int, Field(ge=1, le=2_000)]


class Until(Part):
    """Read a register until its masked bits are `equals`; when they are not within `within_ms`, the device said no."""

    kind: Literal["until"]
    equals: int
    within_ms: Annotated[int, Field(ge=10, le=5_000)]


Step = Annotated[Write | Wait | Until, Field(discriminator="kind")]


class Telling(Data):
    """How to tell a command: write 0 then the value, unlock and write, write and wait for a handshake."""

    command: ScaleCommand
    steps: Annotated[tuple[Step, ...], Field(min_length=1)]


class RegisterMap(DeviceFile):
    """One family of devices. What the manual does not say for sure is left out, and the site must say it."""

    device_id: DeviceId = 1
    function: Function = 3
    poll_ms: Annotated[int, Field(ge=20, le=500)] = 100
    serial: SerialDefaults = SerialDefaults(baud=9600)
    weight: Weight
    word_order: Order | None = None
    """Of every 32-bit number: "big" has the high word in the lower register."""
    byte_order: Order = "big"
    """Within a register; Modbus says "big"."""
    decimals: DecimalCount | DecimalsCode | None = None
    division: Decimal | None = None
    """What one count of a whole number is worth, in the unit, for devices that count in divisions. Instead of
    `decimals`."""
    unit: Unit | UnitCode = "kg"
    status: tuple[Status, ...] = ()
    heartbeat: Heartbeat | None = None
    command: tuple[Telling, ...] = ()

    @field_validator("division")
    @classmethod
    def _division_is_a_step(cls, division: Decimal | None) -> Decimal | None:
        if division is not None and not (division.is_finite() and Decimal("0.000001") <= division <= 1000):
            raise ValueError(f"division {division} is not 0.000001 to 1000")
        return division

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.count > LONGEST_BLOCK:
            raise ValueError(f"the registers {self.first} to {self.first + self.count - 1} are more than one request")
        if self.decimals is not None and self.division is not None:
            raise ValueError("decimals and division exclude each other")
        if self.weight.type == "float32" and self.division is not None:
            raise ValueError("a float32 has decimals, no division")
        if "minus" in self.meanings and not self.weight.type.startswith("uint"):
            raise ValueError("a sign bit goes with uint16 or uint32")
        return self

    def parts(self) -> list[Weight | Part]:
        """Everything a reading is made of."""
        codes = [part for part in (self.decimals, self.unit) if isinstance(part, Part)]
        return [self.weight, *codes, *self.status, *([self.heartbeat] if self.heartbeat else [])]

    @property
    def first(self) -> int:
        """The first register of the block that is read."""
        return min(part.address for part in self.parts())

    @property
    def count(self) -> int:
        return max(part.address + part.words for part in self.parts()) - self.first

    @property
    def wide(self) -> bool:
        """Some number takes two registers, so that the word order matters."""
        return any(part.words == 2 for part in self.parts())

    @property
    def meanings(self) -> frozenset[Meaning]:
        """All that its status registers can say."""
        bits = [each for status in self.status for bit in status.bits for each in (*bit.set, *bit.clear)]
        codes = [
            each for status in self.status for code in status.codes for said in code.values.values() for each in said
        ]
        return frozenset(bits + codes)

    @property
    def says_net(self) -> bool:
        """Whether the weight is always gross, or a bit says that it is net. A device that cannot say must never be
        tared: its net would be booked as gross."""
        return self.weight.of == "gross" or "net" in self.meanings

    def for_site(
        self,
        *,
        word_order: Order | None = None,
        byte_order: Order | None = None,
        decimals: int | None = None,
        division: Decimal | None = None,
        unit: Unit | None = None,
    ) -> "RegisterMap":
        """The same map with what the site knows. Raises ValueError when something is still not known."""
        own: dict[str, object] = {
            "word_order": word_order, "byte_order": byte_order, "decimals": decimals, "division": division,
            "unit": unit,
        }  # fmt: skip
        told = {name: value for name, value in own.items() if value is not None}
        if "decimals" in told or "division" in told:
            told = {"decimals": None, "division": None, **told}
        try:
            complete = RegisterMap.model_validate(dict(self) | told)
        except ValidationError as error:
            raise ValueError(
                f"registers {self.name!r}: {error.errors()[0]['msg'].removeprefix('Value error, ')}"
            ) from None
        if complete.wide and complete.word_order is None:
            raise ValueError(f'registers {self.name!r}: set word_order to "big" or "little"; `{COMMISSION}` proves it')
        if complete.decimals is None and complete.division is None:
            raise ValueError(f"registers {self.name!r}: set decimals (or division), as the device displays the weight")
        return complete


def register_map_names(directory: Path | None = None) -> list[str]:
    """The valid names, sorted; relay modules are not among them."""
    names = (path.stem for path in (directory or registers_folder()).glob("*.toml"))
    return sorted(name for name in names if not name.startswith(RELAY_MODULES))


def load_register_map(name: str, directory: Path | None = None) -> RegisterMap:
    """Read one map. Raises ValueError in words: unknown name (with the valid ones), or a fault in the file."""
    folder = directory or registers_folder()
    return load_device(RegisterMap, "registers", name, folder, register_map_names(folder))
