"""What came in and waits for its turn: plant by plant, so that none can push the others out, and never more than fits.

A plant's messages keep their order, but STATE goes before its records: money for a waiting truck hangs on it, and a
STATE that is booked before the rows it counts is as true as after.
"""

import asyncio
from collections import deque
from dataclasses import dataclass, field

PLANT_MESSAGES, PLANT_BYTES = 64, 3 * 1024 * 1024
"""A plant's share. Its window is twenty batches of at most 128 KiB before compression."""
ALL_BYTES = 32 * 1024 * 1024


@dataclass(slots=True)
class _Line:
    states: deque[bytes] = field(default_factory=deque)
    records: deque[bytes] = field(default_factory=deque)
    size: int = 0


class Arrivals:
    """Filled by the transport's callback, emptied by one task. Not thread-safe."""

    def __init__(self) -> None:
        self._lines: dict[str, _Line] = {}
        self._turns: deque[str] = deque()
        self._size = 0
        self._some = asyncio.Event()

    def put(self, plant: str, what: str, payload: bytes) -> bool:
        """Keep a `state` or `rec` message; False when there is no room for it."""
        line = self._lines.get(plant)
        if line is None:
            line = _Line()
        waiting = len(line.states) + len(line.records)
        full = waiting >= PLANT_MESSAGES or (waiting and line.size + len(payload) > PLANT_BYTES)
        if full or self._size + len(payload) > ALL_BYTES:
            return False
        if not waiting:
            self._lines[plant] = line
            self._turns.append(plant)
        (line.states if what == "state" else line.records).append(payload)
        line.size += len(payload)
        self._size += len(payload)
        self._some.set()
        return True

    async def take(self) -> tuple[str, str, bytes]:
        """`(plant, what, payload)` of the plant whose turn it is; waits while there is nothing."""
        while not self._turns:
            self._some.clear()
            await self._some.wait()
        plant = self._turns.popleft()
        line = self._lines[plant]
        what, chosen = ("state", line.states) if line.states else ("rec", line.records)
        payload = chosen.popleft()
        line.size -= len(payload)
        self._size -= len(payload)
        if line.states or line.records:
            self._turns.append(plant)
        else:
            del self._lines[plant]
        return plant, what, payload

    def __len__(self) -> int:
        return sum(len(line.states) + len(line.records) for line in self._lines.values())
