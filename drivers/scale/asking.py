"""What an indicator can be asked and told, as data: the `[poll]` and `[[command]]` parts of a profile.

A request is a list of fields from left to right, like a frame; nothing here is a program. `conversation.py` puts it on
a line.
"""

from functools import reduce
from operator import xor
from typing import Annotated, Literal

from pydantic import Field

from drivers.device_files import Data
from drivers.ports import CommandNo, ScaleCommand

Mode = Literal["stream", "poll"]
"""Whether an indicator sends by itself or must be asked."""


class RequestBytes(Data):
    """Bytes as they are, in hex."""

    kind: Literal["literal"]
    hex: str


class RequestAddress(Data):
    """The indicator's address. `letter`: 1 is A, 26 is Z; `decimal` and `hex`: two digits of the number plus `plus`.
    `without` (hex) stands in its place where no address is set."""

    kind: Literal["address"]
    written: Literal["letter", "decimal", "hex"]
    plus: int = 0
    without: str = ""


class RequestCheck(Data):
    """All bytes so far from position `start` on, exclusive-ored, as two characters (0-9, A-F)."""

    kind: Literal["xor"]
    start: int


RequestField = Annotated[RequestBytes | RequestAddress | RequestCheck, Field(discriminator="kind")]
Request = tuple[RequestField, ...]


class Poll(Data):
    """How an indicator is asked for its weight."""

    request: Request
    every_ms: int = Field(ge=20, le=800)
    """From one request to the next. The lane takes no weight older than 0.9 s."""
    answer_ms: int = Field(ge=20, le=800)
    """From the request to the end of the answer at the profile's own baud rate; a slower line gets more."""
    addresses: tuple[int, int] | None = None
    """The lowest and the highest address; None where the protocol has none, so that two cannot share a line."""
    address: int | None = None
    """The address of an indicator as it leaves the factory, used when the site sets none."""
    answer: Request = ()
    """How an answer begins. With an address, a frame that does not begin so is another indicator's."""


class Command(Data):
    """One thing an indicator can be told, and what it says to that. Texts are ASCII as on the wire."""

    name: ScaleCommand
    request: Request
    answer_ms: int = Field(default=2_000, ge=100, le=10_000)
    """How long it may take until it is done."""
    done: tuple[str, ...] = ()
    """Texts in an answer that mean it was done. Without any, a weight frame must show it: a zero by exactly zero, a
    tare by net, a cleared tare by gross."""
    refused: dict[str, CommandNo] = {}
    """Texts in an answer that mean no."""


def written(request: Request, address: int | None) -> bytes:
    """The bytes of a request to the indicator with this address."""
    data = b""
    for field in request:
        match field:
            case RequestBytes():
                data += bytes.fromhex(field.hex)
            case RequestAddress():
                data += bytes.fromhex(field.without) if address is None else _address(field, address)
            case RequestCheck():
                data += b"%02X" % reduce(xor, data[field.start :], 0)
    return data


def _address(field: RequestAddress, address: int) -> bytes:
    match field.written:
        case "letter":
            return bytes([ord("A") - 1 + address])
        case "decimal":
            return b"%02d" % (address + field.plus)
        case "hex":
            return b"%02X" % (address + field.plus)
