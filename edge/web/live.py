"""The event stream of one topic: each event is the whole view as JSON, a comment keeps quiet connections open.

Source: WHATWG HTML, section 9.2 (server-sent events).
"""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Any

from starlette.responses import PlainTextResponse, Response, StreamingResponse

from edge.station.live import LiveHub

HEARTBEAT_S = 5.0
MOST_STREAMS = 100


class Streams:
    """Opens event streams over the hub, a bounded number of them."""

    def __init__(self, hub: LiveHub, heartbeat_s: float = HEARTBEAT_S) -> None:
        self._hub = hub
        self._heartbeat_s = heartbeat_s
        self._open = 0

    def open(self, topic: str, alive: Callable[[], bool]) -> Response:
        """The answer to an EventSource; 503 when too many pages are open. `alive` ends it when the session ends."""
        if self._open >= MOST_STREAMS:
            return PlainTextResponse(f"{MOST_STREAMS} pages are open already; close some\n", status_code=503)
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(self._events(topic, alive), media_type="text/event-stream", headers=headers)

    async def _events(self, topic: str, alive: Callable[[], bool]) -> AsyncIterator[str]:
        values = self._hub.subscribe(topic)
        self._open += 1
        following: asyncio.Task[dict[str, Any] | None] | None = None
        try:
            yield "retry: 1000\n\n"
            while alive():
                following = following or asyncio.create_task(_next(values))
                await asyncio.wait({following}, timeout=self._heartbeat_s)
                if not following.done():
                    yield ": still here\n\n"
                    continue
                value, following = following.result(), None
                if value is None:
                    return
                yield f"data: {json.dumps(value, ensure_ascii=False, separators=(',', ':'))}\n\n"
        finally:
            self._open -= 1
            # Cancelling the waiting task ends the subscription inside it; one that rests at a value is closed here.
            if following is None or not following.cancel():
                await values.aclose()


async def _next(values: AsyncGenerator[dict[str, Any], None]) -> dict[str, Any] | None:
    """The next value, None at the end: StopAsyncIteration cannot leave a task."""
    async for value in values:
        return value
    return None
