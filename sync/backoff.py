"""Growing waits between attempts, with jitter, so that a hundred plants do not come back in the same second."""

from collections.abc import Callable


class Backoff:
    """Doubles from `first` to `last`, in any unit; each wait is shortened by up to half by `jitter() ∈ [0, 1)`."""

    def __init__(self, first: float, last: float, jitter: Callable[[], float]) -> None:
        self._first = first
        self._last = last
        self._jitter = jitter
        self._failures = 0

    def next(self) -> float:
        """The wait before the next attempt."""
        wait = min(self._last, self._first * float(1 << min(self._failures, 30)))
        self._failures += 1
        return wait * (1 - self._jitter() / 2)

    def reset(self) -> None:
        """Something worked: start over from `first`."""
        self._failures = 0
