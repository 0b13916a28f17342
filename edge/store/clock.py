"""The plant's clock and how far it can be trusted. Order comes from the ledger's numbers, never from here.

A clock that ran backwards or jumped ahead is marked `bad`: weighing goes on, records say so, no expiry is judged by it.
So is one that is half a year ahead of the last record at the start: a plant that rested so long hears the time from the
next notice that head office signs.
"""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

_BUILT = datetime(2026, 1, 1, tzinfo=UTC)
_BACKWARD = timedelta(minutes=2)
_FORWARD = timedelta(minutes=10)
_LONGEST_REST = timedelta(days=180)


class Clock:
    """Wall time (UTC, aware), monotonic milliseconds, this boot's id. Tests replace `wall` and `monotonic`."""

    def __init__(self) -> None:
        self.boot_id = _boot_id()
        self._start_wall = self.wall()
        self._start_ms = self.monotonic_ms()
        self._highest = _BUILT

    def wall(self) -> datetime:
        """The computer's own idea of the time."""
        return datetime.now(UTC)

    def monotonic_ms(self) -> int:
        """Milliseconds that only grow, for durations."""
        return time.monotonic_ns() // 1_000_000

    def witness(self, seen: datetime) -> None:
        """A time that was surely reached: the last ledger row's, or one signed by head office."""
        self._highest = max(self._highest, seen)

    def now(self) -> datetime:
        """The present, for stamping records."""
        return self.wall()

    def trusted(self) -> bool:
        """False when the clock is behind a time already reached, or has jumped ahead of its own steady count."""
        wall = self.wall()
        if not self._likely(self._start_wall) and self._likely(wall):
            self._start_wall, self._start_ms = wall, self.monotonic_ms()  # it started wrong and was set right
        steady = self._start_wall + timedelta(milliseconds=self.monotonic_ms() - self._start_ms)
        return self._likely(self._start_wall) and self._highest - _BACKWARD <= wall and abs(wall - steady) <= _FORWARD

    def _likely(self, start: datetime) -> bool:
        """Whether a run may have started then, by the times already reached. New books have seen none."""
        rested = start - self._highest
        return rested >= -_BACKWARD and (self._highest == _BUILT or rested <= _LONGEST_REST)


def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return "unknown"
