"""Two lanes, two browsers, one customer's last money, on a real plant: one ticket, one hold, and no surprise."""

import asyncio
import re
import socket
import threading
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest
import uvicorn
from playwright.sync_api import Browser, BrowserContext, Page, expect

from edge.domain.visit import VisitState
from edge.store.verify import verify
from edge.web.app import create_app
from tests.edge.station.rig import TARE_KG, PlantRig, notice, running
from tests.web.stage import StagePerson
from tests.web.talk import session_of

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]
T = TypeVar("T")
TRUCKS = (("N1", "1", "浙A12345"), ("N2", "2", "浙B00002"))


@dataclass
class Served:
    """The plant on its own loop in a thread, and its pages' address."""

    rig: PlantRig
    url: str
    loop: asyncio.AbstractEventLoop

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Run something on the plant's loop and wait for it."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(20)


@pytest.fixture
def plant(tmp_path: Path, crew: list[StagePerson]) -> Iterator[Served]:
    """Two lanes; 90 000 yuan, of which each of two trucks holds 40 000."""
    served: list[Served] = []
    ready, over = threading.Event(), threading.Event()

    async def live() -> None:
        async with running(tmp_path, lanes=("1", "2")) as rig:
            await rig.grant(9_000_000)
            await rig.send(*(notice(name, plate=plate) for name, _, plate in TRUCKS))
            server = uvicorn.Server(uvicorn.Config(create_app(rig.station, crew), log_level="warning"))
            with socket.create_server(("127.0.0.1", 0)) as listener:
                task = asyncio.create_task(server.serve(sockets=[listener]))
                url = f"http://127.0.0.1:{listener.getsockname()[1]}"
                served.append(Served(rig, url, asyncio.get_running_loop()))
                ready.set()
                await asyncio.to_thread(over.wait, 100)
                rig.desk.live.close()
                server.should_exit = True
                await task

    thread = threading.Thread(target=lambda: asyncio.run(live()))
    thread.start()
    assert ready.wait(20)
    yield served[0]
    over.set()
    thread.join(20)
    assert not thread.is_alive(), "deadlock"
    report = verify(tmp_path / "plant.db")
    assert report.ok, [check for check in report.checks if not check.ok]


@pytest.fixture
def clerk(browser: Browser, plant: Served) -> Iterator[Callable[[str, str], Page]]:
    """Somebody at a lane with a browser of his own; none may end with an error in its console."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def sit_down(person: str, lane: str) -> Page:
        context = browser.new_context(viewport={"width": 1024, "height": 768}, locale="zh-CN", has_touch=True)
        contexts.append(context)
        context.add_cookies([{"name": "weighgate", "value": session_of(plant.url, person), "url": plant.url}])
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(f"{plant.url}/lane/{lane}")
        return page

    yield sit_down
    for context in contexts:
        context.close()
    assert complaints == []


def load_both(plant: Served) -> None:
    """Both trucks stand loaded with 25 t, 50 000 yuan each: with its hold, 10 000 more than there is for one."""
    for name, lane, plate in TRUCKS:
        there = plant.do(plant.rig.loading(name, plate=plate, lane=lane))
        plant.do(there.stand(TARE_KG + 25_000))


def press_at_once(*pages: Page) -> None:
    """The main button of each page, one right after the other, without waiting for any answer."""
    for page in pages:
        expect(page.locator("#main")).to_have_attribute("aria-disabled", "false")
        expect(page.locator("#main-label")).to_have_text("装车完成")
    for page in pages:
        page.evaluate("setTimeout(() => document.getElementById('main').click(), 20)")


def test_the_last_money_is_one_ticket_and_one_hold(plant: Served, clerk: Callable[[str, str], Page]) -> None:
    load_both(plant)
    pages = {"N1": clerk("D01", "1"), "N2": clerk("S06", "2")}
    press_at_once(*pages.values())
    for page in pages.values():
        expect(page.locator("#ticketed:visible, #hold:visible")).to_have_count(1)
    states = {name: plant.do(plant.rig.visit(name)).state for name in pages}
    assert sorted(states.values()) == [VisitState.HELD, VisitState.SEALED]
    winner, loser = (next(name for name, state in states.items() if state is wanted) for wanted in
                     (VisitState.SEALED, VisitState.HELD))  # fmt: skip
    expect(pages[winner].locator("#ticket-name")).to_contain_text("HX01-03-0000001")
    held = pages[loser]
    expect(held.locator("#hold-title")).to_have_text("超预付款，未放行")
    expect(held.locator("#way-fen")).to_have_text("10,000.00")
    expect(held.locator("#spendable")).to_have_text("¥ 40,000.00")
    counters = plant.do(plant.rig.database.read(lambda books: books.accounts.get("C1/coke")))
    assert (counters.spent_fen, counters.held_fen, counters.available_fen) == (5_000_000, 4_000_000, 0)
    for page in pages.values():
        text = page.inner_text("main")
        assert not any(odd in text for odd in ("undefined", "null", "NaN", "系统出错", "没有收到回答")), text
    plant.do(plant.rig.grant(10_000_000))
    expect(held.locator("#ticket-name")).to_contain_text("HX01-03-0000002")


def test_two_clerks_at_one_lane_press_at_once(plant: Served, clerk: Callable[[str, str], Page]) -> None:
    """One ticket, which both see; who came second is told it too, or that the button changed under the finger."""
    load_both(plant)
    pages = [clerk("D01", "1"), clerk("S06", "1")]
    press_at_once(*pages)
    for page in pages:
        expect(page.locator("#ticket-name")).to_contain_text("HX01-03-0000001")
        expect(page.locator("#said")).to_have_text(re.compile("HX01-03-0000001|按钮刚变"))
    assert plant.do(plant.rig.kinds()).count("ticket") == 1


def test_two_clerks_take_the_same_truck_from_the_queue(plant: Served, clerk: Callable[[str, str], Page]) -> None:
    """Each lane calls the first truck that waits: it goes to one of them. The other is told where it is, or that the
    button changed under the finger."""
    for _, lane, _ in TRUCKS:
        plant.do(plant.rig.lanes[lane].drive_off())
    plant.do(plant.rig.station.yard.arrive("浙A12345", "门卫"))
    pages = [clerk("D01", "1"), clerk("S06", "2")]
    for page in pages:
        expect(page.locator("#main-label")).to_have_text("叫下一辆")
        expect(page.locator("#main")).to_have_attribute("aria-disabled", "false")
    for page in pages:
        page.evaluate("setTimeout(() => document.getElementById('main').click(), 20)")
    said = [page.locator("#said") for page in pages]
    for line in said:
        expect(line).not_to_contain_text("踏板")
    texts = [line.inner_text() for line in said]
    on = [lane for lane in ("1", "2") if plant.rig.desk.snapshot.on_lane(lane) is not None]
    assert len(on) == 1, "a truck stands on one lane"
    second = re.compile(f"浙A12345 已叫到 {on[0]} 号磅|按钮刚变")
    assert sorted(bool(second.search(text)) for text in texts) == [False, True], texts
