"""The hub and the event streams: newest first, nobody waits for the slow, all ends at once when the hub closes."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from httpx import Client, Timeout

from edge.station.live import LiveHub
from edge.station.views import as_json
from edge.web.app import create_app
from edge.web.live import MOST_STREAMS, Streams
from tests.web.scenes import hold_view, loading_view
from tests.web.stage import Served, Stage, StagePerson, serve
from tests.web.talk import log_in

pytestmark = pytest.mark.anyio


async def test_the_latest_comes_at_once_and_the_slow_skip() -> None:
    """A subscriber that was busy for three values gets the newest only."""
    hub = LiveHub()
    assert hub.latest("a") is None
    hub.publish("a", {"n": 1})
    values = hub.subscribe("a")
    assert await anext(values) == {"n": 1}
    for number in (2, 3, 4):
        hub.publish("a", {"n": number})
    assert await anext(values) == {"n": 4} and hub.latest("a") == {"n": 4}
    waiting = asyncio.ensure_future(anext(values))
    await asyncio.sleep(0)
    hub.publish("b", {"n": 9})
    await asyncio.sleep(0.01)
    assert not waiting.done()
    hub.publish("a", {"n": 5})
    assert await waiting == {"n": 5}
    await values.aclose()


async def test_close_ends_those_who_wait_and_those_who_come() -> None:
    """No subscriber keeps the server from stopping."""
    hub = LiveHub()
    waiting = asyncio.create_task(_all(hub.subscribe("a")))
    await asyncio.sleep(0)
    hub.publish("a", {"n": 1})
    await asyncio.sleep(0)
    hub.close()
    assert await asyncio.wait_for(waiting, 1) == [{"n": 1}]
    assert await asyncio.wait_for(_all(hub.subscribe("a")), 1) == []


async def _all(values: AsyncIterator[dict[str, Any]]) -> list[dict[str, Any]]:
    return [value async for value in values]


def _stream(streams: Streams, alive: Callable[[], bool] = lambda: True) -> AsyncIterator[Any]:
    response = streams.open("a", alive)
    body: AsyncIterator[Any] = response.body_iterator  # type: ignore[attr-defined]
    return body


async def test_a_quiet_stream_beats_and_ends_with_its_session() -> None:
    """A comment keeps the connection; a session that ended ends the stream at the next beat."""
    sessions = [True]
    hub = LiveHub()
    events = _stream(Streams(hub, heartbeat_s=0.01), lambda: sessions[0])
    assert await anext(events) == "retry: 1000\n\n"
    assert await anext(events) == ": still here\n\n"
    hub.publish("a", {"名": "<甲>"})
    assert await anext(events) == 'data: {"名":"<甲>"}\n\n'
    sessions[0] = False
    assert [event async for event in events] == []


async def test_streams_are_bounded_and_give_their_place_back() -> None:
    """One too many is told so; when one leaves there is room."""
    streams = Streams(LiveHub())
    opened = [_stream(streams) for _ in range(MOST_STREAMS)]
    for events in opened:
        await anext(events)
    assert streams.open("a", lambda: True).status_code == 503
    leaving = asyncio.ensure_future(anext(opened[0]))
    await asyncio.sleep(0)
    leaving.cancel()
    await asyncio.gather(leaving, return_exceptions=True)
    assert streams.open("a", lambda: True).status_code == 200
    for events in opened[1:]:
        await events.aclose()  # type: ignore[attr-defined]


def test_a_page_gets_every_change_as_the_whole_view(client: Client, served: Served) -> None:
    """Over a real socket: the view now, then the view after."""
    log_in(client, "D01")
    with client.stream("GET", "/events/lane/1", timeout=Timeout(5)) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = (line for line in answer.iter_lines() if line)
        assert next(lines) == "retry: 1000"
        assert json.loads(next(lines).removeprefix("data: ")) == as_json(loading_view())
        held = hold_view()
        served.do(served.stage.show, held)
        seen = [json.loads(next(lines).removeprefix("data: ")) for _ in range(3)]
        assert as_json(held) in seen


def test_an_open_stream_does_not_keep_the_server(crew: list[StagePerson]) -> None:
    """Closing the hub ends the response; the server is gone well within two seconds."""
    stage = Stage()
    with serve(create_app(stage, crew), stage) as running, Client(base_url=running.url, trust_env=False) as client:
        with client.stream("GET", "/events/queue", timeout=Timeout(5)) as answer:
            lines = answer.iter_lines()
            assert next(lines) == "retry: 1000"
            began = time.monotonic()
            running.do(stage.live.close)
            assert [line for line in lines if line] == []
        assert time.monotonic() - began < 1
