"""One line that several indicators share (RS-485): they are asked in turn, and each has the line for its answer."""

import threading
from contextlib import suppress

from drivers.scale.links import LINK_ERRORS, Dial, Link, open_link
from drivers.scale.profile import SerialDefaults
from drivers.worker import monotonic_ms

DEAD_WAITS_MS = 1_000


class BusError(OSError):
    """The line cannot be shared so, or another user of it lost it."""


class Place:
    """One indicator's place at a bus; `take` a turn, use the link, and `give` it back. `dead` is set by its owner."""

    def __init__(self, bus: "Bus", address: int | None) -> None:
        self._bus = bus
        self.address = address
        self.dead = False
        """It does not answer: others go first, as long as it has not waited for `DEAD_WAITS_MS`."""

    @property
    def alone(self) -> bool:
        """Nobody else has a place at this line."""
        return self._bus.has_one_place

    def take(self, wait_s: float) -> Link | None:
        """The line when it is this indicator's turn; None when it did not come in time, and its wait goes on.

        First come, first served, so that nobody who asks seldom waits for one who asks often. Raises BusError when the
        line was lost.
        """
        return self._bus.take(self, wait_s)

    def give(self) -> None:
        """The turn is over."""
        self._bus.give(self)

    def lost(self) -> None:
        """The line failed in this turn: everybody has to open it anew."""
        self._bus.close_link()

    def leave(self) -> None:
        """The indicator is no longer asked; the last one closes the line."""
        self._bus.leave(self)


class Bus:
    """The one link of a port, and who is waiting for it. Safe for any thread."""

    def __init__(self, port: str) -> None:
        self.port = port
        self._line: SerialDefaults | None = None
        self._link: Link | None = None
        self._places: list[Place] = []
        self._holder: Place | None = None
        self._waiting: dict[Place, int] = {}
        """Since when, in monotonic ms; later for the dead."""
        self._changed = threading.Condition()

    @property
    def has_one_place(self) -> bool:
        return len(self._places) == 1

    def join(self, line: SerialDefaults, address: int | None, dial: Dial = open_link) -> Place:
        """Come in, and open the line if it is not. Raises BusError, or one of LINK_ERRORS."""
        with self._changed:
            if self._places and (address is None or any(each.address in (None, address) for each in self._places)):
                raise BusError("another scale has it open; on a shared line each needs an address of its own")
            if self._places and line != self._line:
                raise BusError("another scale on this line has other line settings")
            if self._link is None:
                self._link = dial(self.port, line)
            self._line = line
            place = Place(self, address)
            self._places.append(place)
            return place

    def leave(self, place: Place) -> None:
        self.give(place)
        with self._changed:
            self._places.remove(place)
            if self._places:
                return
        self.close_link()

    def take(self, place: Place, wait_s: float) -> Link | None:
        with self._changed:
            self._waiting.setdefault(place, monotonic_ms() + (DEAD_WAITS_MS if place.dead else 0))
            if not self._changed.wait_for(lambda: self._link is None or self._is_next(place), wait_s):
                return None
            del self._waiting[place]
            if self._link is None:
                raise BusError("another scale on this line lost it")
            self._holder = place
            return self._link

    def give(self, place: Place) -> None:
        with self._changed:
            self._waiting.pop(place, None)
            if self._holder is place:
                self._holder = None
            self._changed.notify_all()

    def close_link(self) -> None:
        with self._changed:
            link, self._link = self._link, None
            self._changed.notify_all()
        if link is not None:
            with suppress(*LINK_ERRORS):
                link.close()

    def _is_next(self, place: Place) -> bool:
        return self._holder is None and min(self._waiting, key=self._waiting.__getitem__) is place


_buses: dict[str, Bus] = {}
_lock = threading.Lock()


def join(port: str, line: SerialDefaults, address: int | None, dial: Dial = open_link) -> Place:
    """A place at the bus of this port; the first one `dial`s. Raises BusError, or one of LINK_ERRORS."""
    with _lock:
        bus = _buses.setdefault(port, Bus(port))
    return bus.join(line, address, dial)
