"""Tells open pages that something changed. A page that is slow misses pulses, never queues them."""

import asyncio
from collections.abc import AsyncIterator

_PING_S = 15.0
_PAUSE_S = 0.25
MOST_LISTENERS = 100


class LiveHub:
    """One number that grows; each listener waits for it to be another one than it saw."""

    def __init__(self) -> None:
        self._number = 0
        self._pulse = asyncio.Event()
        self._closed = False
        self.listeners = 0

    def changed(self) -> None:
        """Something that pages show is different now."""
        self._number += 1
        self._wake()

    def close(self) -> None:
        """End every stream, so that the server can stop."""
        self._closed = True
        self._wake()

    def _wake(self) -> None:
        self._pulse.set()
        self._pulse = asyncio.Event()

    async def stream(self) -> AsyncIterator[str]:
        """Server-sent events: `change` with the number, at most four a second, and a comment to keep proxies awake."""
        self.listeners += 1
        seen = -1
        try:
            while not self._closed:
                pulse = self._pulse
                if seen != self._number:
                    seen = self._number
                    yield f"event: change\ndata: {seen}\n\n"
                    await asyncio.sleep(_PAUSE_S)
                elif not await self._wait(pulse, _PING_S):
                    yield ": still here\n\n"
        finally:
            self.listeners -= 1

    @staticmethod
    async def _wait(event: asyncio.Event, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await event.wait()
        except TimeoutError:
            return False
        return True
