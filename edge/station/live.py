"""What lanes, gates and the queue look like now, for every open page. The latest value wins; nothing queues up.

A page that reads slowly skips values and gets the newest one; a page that stops reading costs one reference.
All calls belong to the station's event loop.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator
from typing import Any

Value = dict[str, Any]


class LiveHub:
    """The latest JSON-able value of each topic (`lane/1`, `gate/south`, `queue`, `link`), and who waits
    for the next.
    """

    def __init__(self) -> None:
        self._latest: dict[str, tuple[int, Value]] = {}
        self._waiting: defaultdict[str, set[asyncio.Event]] = defaultdict(set)
        self._closed = False

    def publish(self, topic: str, value: Value) -> None:
        """Replace the topic's value and wake its subscribers. The value must not be changed afterwards."""
        count, _ = self._latest.get(topic, (0, value))
        self._latest[topic] = (count + 1, value)
        for event in self._waiting[topic]:
            event.set()

    def latest(self, topic: str) -> Value | None:
        """The last value published, None before the first."""
        found = self._latest.get(topic)
        return found[1] if found else None

    async def subscribe(self, topic: str) -> AsyncGenerator[Value, None]:
        """The value now (if there is one), then each newest; ends when the hub is closed."""
        changed = asyncio.Event()
        seen = 0
        self._waiting[topic].add(changed)
        try:
            while not self._closed:
                changed.clear()
                count, value = self._latest.get(topic, (0, {}))
                if count > seen:
                    seen = count
                    yield value
                else:
                    await changed.wait()
        finally:
            self._waiting[topic].discard(changed)

    def close(self) -> None:
        """End every subscription now and every later one at once, so that the web server can stop."""
        self._closed = True
        for events in self._waiting.values():
            for event in events:
                event.set()
