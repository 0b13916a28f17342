"""The demo with a person in it, who takes the dispatcher's and the guard's place; then Ctrl-C ends everything."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.end_to_end.support import WatchedDemo, processes_of

pytestmark = pytest.mark.timeout(120)


def button(client: httpx.Client, lane: str, name: str, **fields: str) -> None:
    """Press a button of a lane once its page allows it."""
    ends = time.monotonic() + 20
    why = ""
    while time.monotonic() < ends:
        answer = client.post(f"/lane/{lane}/{name}", data=fields)
        if answer.status_code == 200:
            return
        why = answer.text
        time.sleep(0.1)
    raise AssertionError(f"{name}: {why}")


@contextmanager
def logged_in(demo: WatchedDemo, url: str, person: str) -> Iterator[httpx.Client]:
    """A person's browser, with the PIN that the demo printed."""
    pin = demo.wait_for(rf"{person}: (\d{{6}})", 1)[1]
    with httpx.Client(base_url=url, headers={"Accept": "application/json"}, trust_env=False) as client:
        assert client.post("/login", data={"person": person, "pin": pin}).status_code == 200
        yield client


def open_stream(url: str) -> threading.Thread:
    """A browser that keeps the queue board open until the plant ends the stream."""

    def read() -> None:
        try:
            with httpx.stream("GET", f"{url}/events/queue", timeout=60, trust_env=False) as stream:
                for _ in stream.iter_bytes():
                    pass
        except httpx.HTTPError:
            pass

    reader = threading.Thread(target=read)
    reader.start()
    return reader


def test_a_person_takes_both_places_and_ctrl_c_ends_everything(tmp_path: Path) -> None:
    folder = tmp_path / "watched"
    with WatchedDemo("--manual", "both", "--speed", "20", "--dir", str(folder)) as demo:
        url = demo.wait_for(r"(http://127\.0\.0\.1:\d+)/lane/1", 60)[1]
        plate = demo.wait_for(r"(\S+) arrived for", 20)[1]
        stream = open_stream(url)
        with logged_in(demo, url, "D01") as client:
            waiting = client.get("/queue.json").json()["waiting"]
            assert waiting[0]["plate"] == plate, "nobody but the person has called a truck"
            button(client, "2", "call", visit=waiting[0]["visit"])
            button(client, "2", "tare")
            demo.wait_for(rf"{plate} tared [\d\u2009]+ kg, may load [\d\u2009]+ kg", 10)
            button(client, "2", "start_loading")
            demo.wait_for(rf"{plate} is loaded", 20)
            button(client, "2", "load_complete", visit=waiting[0]["visit"])
        with logged_in(demo, url, "G01") as client:
            demo.wait_for(r"scan at the gate: .{150,152}\n", 20)
            paper = folder / demo.wait_for(r"printed \((paper/lane-2/00001\.txt)\)", 20)[1]
            code = paper.read_text(encoding="utf-8").splitlines()[-1]
            for wrong in ("rubbish", code[:60], code.replace(code[30], "0" if code[30] != "0" else "1")):
                assert not client.post("/gate/south/scan", data={"code": wrong}).json()["ok"]
                demo.wait_for(rf"{plate} waits at the gate for its own pass", 10)
            assert client.post("/gate/south/scan", data={"code": code}).json()["ok"]
        demo.wait_for(rf"{plate} released", 10)
        began = time.monotonic()
        os.killpg(demo.process.pid, signal.SIGINT)
        status = demo.process.wait(10)
        took_s = time.monotonic() - began
        stream.join(5)
    assert took_s <= 2.0
    assert status == 0
    assert "Traceback" not in demo.output
    assert processes_of(folder) == []


def test_ctrl_c_while_it_is_being_built_leaves_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "half-built"
    with WatchedDemo("--dir", str(folder)) as demo:
        demo.wait_for("building a plant", 30)
        time.sleep(0.5)
        began = time.monotonic()
        os.killpg(demo.process.pid, signal.SIGINT)
        demo.process.wait(10)
        took_s = time.monotonic() - began
    assert took_s <= 2.0
    assert "Traceback" not in demo.output
    assert processes_of(folder) == []
