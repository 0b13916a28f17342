"""What each kind of device must be able to do, and the errors it may raise.

A driver is straight-line blocking code; `drivers.worker` gives it its thread. Every blocking call has a deadline.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Protocol

from drivers.printer.document import Document
from drivers.readings import GateInputs, Picture, WeightReading


class DriverError(Exception):
    """A device failed. Says which device, what happened (seen against expected), and what to try."""

    def __init__(self, device: str, what: str, try_this: str) -> None:
        super().__init__(f"{device}: {what}. {try_this}")
        self.device = device
        self.what = what
        self.try_this = try_this


class DeviceUnavailable(DriverError):
    """It cannot be reached: not plugged in, switched off, port taken."""


class DeviceTimeout(DriverError):
    """It was reached but did not answer in time."""


class DeviceRefused(DriverError):
    """It answered no: paper out, cover open, barrier blocked."""


class ScaleCommand(StrEnum):
    """What a weighing indicator can be told."""

    ZERO = "zero"
    TARE = "tare"
    CLEAR_TARE = "clear_tare"


NO_COMMANDS: frozenset[ScaleCommand] = frozenset()


class CommandNo(StrEnum):
    """Why a weighing indicator does not do what it was told."""

    NOT_NOW = "not_now"
    MOVING = "moving"
    ABOVE_RANGE = "above_range"
    BELOW_RANGE = "below_range"
    NOT_KNOWN = "not_known"
    NO_EFFECT = "no_effect"
    TOO_LATE = "too_late"


_NO_WORDS = {
    CommandNo.NOT_NOW: "it cannot do this now",
    CommandNo.MOVING: "its weight is not stable",
    CommandNo.ABOVE_RANGE: "its weight is above the range for this",
    CommandNo.BELOW_RANGE: "its weight is below the range for this",
    CommandNo.NOT_KNOWN: "it does not know this command",
    CommandNo.NO_EFFECT: "the weight does not show that it was done",
    CommandNo.TOO_LATE: "not sent, for its turn came too late",
}


class CommandRefused(DeviceRefused):
    """An indicator was told something and did not do it; `why` is for the screen's own words."""

    def __init__(self, device: str, command: ScaleCommand, why: CommandNo) -> None:
        super().__init__(device, f"{command} refused: {_NO_WORDS[why]}", "Look at the indicator, and use its own keys")
        self.why = why


class Scale(Protocol):
    """A weighing indicator. `read` blocks at most 0.3 s and may return nothing; it raises DriverError when the
    device is gone. Calls come from one thread, always open → read or command… → close."""

    def open(self) -> None: ...
    def read(self) -> Sequence[WeightReading]: ...
    def close(self) -> None: ...
    @property
    def commands(self) -> frozenset[ScaleCommand]:
        """What this device can be told; empty for most that only send."""
        ...

    def command(self, command: ScaleCommand, not_after_ms: int | None = None) -> None:
        """Tell it, between two reads; returns when it was done, after some seconds at most.

        After `not_after_ms` (monotonic) it is not begun any more, whoever else has the line until then. Raises
        CommandRefused when it said no, cannot be told this or it was too late, DeviceTimeout when it said nothing (it
        may have been done), DeviceUnavailable when it is gone.
        """
        ...

    @property
    def garbled(self) -> bool:
        """True while bytes arrive but have made no frame for 2 s."""
        ...

    @property
    def last_byte_ms(self) -> int | None:
        """Monotonic time of the last byte since `open`, None before the first."""
        ...


class Printer(Protocol):
    """A ticket printer. Connects for each document."""

    def print(self, document: Document) -> None:
        """Send the whole document; returns when the transport took every byte and no fault was reported.

        Raises DeviceUnavailable before the first byte, DeviceRefused (no paper, cover open) or DeviceTimeout after.
        """
        ...

    def check(self) -> None:
        """Raise DriverError when the printer is known to be unable to print now; silent printers pass."""
        ...


class Gate(Protocol):
    """A barrier with a lamp and a loop. `open_once` sends one pulse; the barrier's own safety closes it."""

    def open_once(self) -> None: ...
    def inputs(self) -> GateInputs: ...
    def lamp(self, green: bool) -> None: ...
    def close(self) -> None: ...


class Loops(Protocol):
    """The vehicle loops 地感 of a weighbridge's deck."""

    def vehicle(self) -> bool:
        """Whether any loop sees a vehicle now; raises DriverError when the module does not answer."""
        ...

    def close(self) -> None: ...


class Camera(Protocol):
    """A camera. Calls come from one thread, but `check` from another, also while a picture is taken."""

    def capture(self, expected: Sequence[str] = ()) -> Picture:
        """A picture taken after the call began, or DriverError.

        `expected` are the plates of the open passes and of the trucks in the yard: the picture's `match` says whether
        one of them is seen, None from a camera that cannot tell.
        """
        ...

    def check(self) -> None:
        """DriverError when no picture could be taken now; asked again and again while no truck is looked at."""
        ...

    def close(self) -> None:
        """Let the device go; `capture` opens it again."""
        ...
