"""The plant's pages as people and drivers use them: log in with a PIN, press the real buttons, watch the streams."""

import asyncio
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx

from edge.demo.processes import DemoFailed

T = TypeVar("T")
_TIMEOUT_S = 15.0
_SILENCE_S = 20.0
_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Answer:
    """What a button led to."""

    ok: bool
    body: dict[str, Any]

    @property
    def reason(self) -> str:
        """Why not, as a code; '' when it was done."""
        return str((self.body.get("why") or {}).get("reason", ""))


class Pages:
    """One person's browser: a session, and the latest value of each stream they have open."""

    def __init__(self, url: str) -> None:
        self._client = httpx.AsyncClient(
            base_url=url, headers={"Accept": "application/json"}, timeout=_TIMEOUT_S, trust_env=False
        )
        self.views: dict[str, dict[str, Any]] = {}
        self._news = asyncio.Event()

    async def log_in(self, person: str, pin: str) -> None:
        """DemoFailed when the plant does not know us."""
        answer = await self._asked("POST", "/login", {"person": person, "pin": pin})
        if answer.status_code != 200:
            raise DemoFailed(f"{person} cannot log in at the plant's pages: {answer.text.strip()[:200]}")

    async def press(self, path: str, **fields: str) -> Answer:
        """POST one form; a connection that broke counts as not done."""
        try:
            answer = await self._client.post(path, data=fields)
            body = answer.json()
        except (httpx.TransportError, ValueError):
            return Answer(False, {})
        return Answer(answer.status_code == 200 and bool(body.get("ok")), body)

    async def read(self, path: str) -> Any:
        """GET something as JSON."""
        answer = await self._asked("GET", path)
        if answer.status_code != 200:
            raise DemoFailed(f"the plant's page {path} answered {answer.status_code}")
        return answer.json()

    async def _asked(self, method: str, path: str, fields: dict[str, str] | None = None) -> httpx.Response:
        """Patient: when the plant has died, whoever watches it says why before we say that it does not answer."""
        for _ in range(_ATTEMPTS):
            try:
                return await self._client.request(method, path, data=fields)
            except httpx.TransportError:
                await asyncio.sleep(0.2)
        raise DemoFailed(f"the plant's page {path} does not answer")

    async def watch(self, topic: str) -> None:
        """Keep `views[topic]` the latest value of the stream /events/<topic>, for ever."""
        patience = httpx.Timeout(_TIMEOUT_S, read=_SILENCE_S)
        while True:
            try:
                async with self._client.stream("GET", f"/events/{topic}", timeout=patience) as stream:
                    async for line in stream.aiter_lines():
                        if line.startswith("data: "):
                            self._take(topic, json.loads(line[6:]))
            except httpx.HTTPError:
                pass
            await asyncio.sleep(0.2)

    def _take(self, topic: str, value: dict[str, Any]) -> None:
        self.views[topic] = value
        news, self._news = self._news, asyncio.Event()
        news.set()

    async def news(self, timeout_s: float = 1.0) -> None:
        """Wait for the next value of any stream, or for the time to run out."""
        waiting = self._news
        try:
            async with asyncio.timeout(timeout_s):
                await waiting.wait()
        except TimeoutError:
            return

    async def until(self, look: Callable[[], T | None], timeout_s: float | None = None) -> T:
        """The first result of `look` that is not None, asked after every value. TimeoutError."""
        async with asyncio.timeout(timeout_s):
            while (found := look()) is None:
                await self.news()
            return found

    def lane(self, lane: str) -> dict[str, Any]:
        """A lane's latest view, {} before the first."""
        return self.views.get(f"lane/{lane}", {})

    def queue(self) -> Iterable[dict[str, Any]]:
        """Every truck that waits or is served, from the board."""
        board = self.views.get("queue", {})
        return [*board.get("waiting", ()), *board.get("serving", ())]

    async def close(self) -> None:
        """Close the browser."""
        await self._client.aclose()


def enabled(view: dict[str, Any], action: str) -> bool:
    """Whether a lane's button can be pressed."""
    return any(each["name"] == action and each["enabled"] for each in view.get("actions", ()))
