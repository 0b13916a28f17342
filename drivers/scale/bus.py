"""One line that several indicators share (RS-485): they are asked in turn, and each has the line for its answer."""

import threading
from collections import deque
from contextlib import suppress

from drivers.scale.links import LINK_ERRORS, Link, open_link
from drivers.scale.profile import SerialDefaults


class BusError(OSError):
    """The line cannot be shared so, or another user of it lost it."""


class Place:
    """One indicator's place at a bus; `take` a turn, use `link`, and `give` it back."""

    def __init__(self, bus: "Bus", address: int | None) -> None:
        self._bus = bus
        self.address = address

    def take(self, wait_s: float) -> Link | None:
        """The line when it is this indicator's turn; None when it did not come in time, the place in the row stays.

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

    def __init__(self, port: str, line: SerialDefaults) -> None:
        self.port = port
        self.line = line
        self._link: Link | None = None
        self._places: list[Place] = []
        self._row: deque[Place] = deque()
        self._changed = threading.Condition()

    def join(self, line: SerialDefaults, address: int | None) -> Place:
        """Come in, and open the line if it is not. Raises BusError, or one of LINK_ERRORS."""
        with self._changed:
            if self._places and (address is None or any(each.address in (None, address) for each in self._places)):
                raise BusError("another scale has it open; on a shared line each needs an address of its own")
            if line != self.line and self._places:
                raise BusError("another scale on this line has other line settings")
            self.line = line
            if self._link is None:
                self._link = open_link(self.port, line)
            place = Place(self, address)
            self._places.append(place)
            return place

    def leave(self, place: Place) -> None:
        with self._changed:
            self._places.remove(place)
            self._step_back(place)
            if not self._places:
                self.close_link()

    def take(self, place: Place, wait_s: float) -> Link | None:
        with self._changed:
            if place not in self._row:
                self._row.append(place)
            if not self._changed.wait_for(lambda: self._row[0] is place or self._link is None, wait_s):
                return None
            if self._link is None:
                self._step_back(place)
                raise BusError("another scale on this line lost it")
            return self._link

    def give(self, place: Place) -> None:
        with self._changed:
            self._step_back(place)

    def close_link(self) -> None:
        with self._changed:
            link, self._link = self._link, None
            self._changed.notify_all()
        if link is not None:
            with suppress(*LINK_ERRORS):
                link.close()

    def _step_back(self, place: Place) -> None:
        with suppress(ValueError):
            self._row.remove(place)
        self._changed.notify_all()

    @property
    def empty(self) -> bool:
        return not self._places


_buses: dict[str, Bus] = {}
_lock = threading.Lock()


def join(port: str, line: SerialDefaults, address: int | None) -> Place:
    """A place at the bus of this port. Raises BusError, or one of LINK_ERRORS."""
    with _lock:
        for name in [name for name, bus in _buses.items() if bus.empty]:
            del _buses[name]
        bus = _buses.setdefault(port, Bus(port, line))
    return bus.join(line, address)
