"""Who gets in, who does not, and for how long."""

import asyncio
import threading
import time

import pytest
from httpx import Client

from edge.domain.refusal import Words
from edge.web import sessions
from edge.web.sessions import IDLE_S, LOCK_S, MOST_SESSIONS, Pins, Sessions
from tests.web.stage import StagePerson
from tests.web.talk import JSON


class _Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


PERSON = StagePerson("D01", "王芳", ("dispatcher",), "right")


def _pins(clock: _Clock) -> Pins:
    return Pins([PERSON], lambda pin, pin_hash: pin == pin_hash, clock)


def test_pages_ask_for_login_and_lead_back(client: Client) -> None:
    """A person is sent to the login and from there to where they wanted; a program gets 401."""
    answer = client.get("/lane/1")
    assert (answer.status_code, answer.headers["location"]) == (303, "/login?next=/lane/1")
    answer = client.post("/login", data={"person": "D01", "pin": "1111", "next": "/lane/1"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/lane/1")
    assert client.get("/lane/1").status_code == 200
    client.cookies.clear()
    assert client.get("/lane/1/view.json", headers=JSON).status_code == 401
    assert client.get("/events/lane/1").status_code == 401
    assert client.post("/lane/1/tare", headers=JSON).json()["why"]["zh"] == "请先登录"


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(client: Client) -> None:
    """HttpOnly, SameSite=Strict, new at each login, dead after logout."""
    first = client.post("/login", data={"person": "B03", "pin": "3333"})
    cookie = first.headers["set-cookie"].lower()
    assert "httponly" in cookie and "samesite=strict" in cookie
    old = client.cookies["weighgate"]
    client.post("/login", data={"person": "B03", "pin": "3333"})
    kept = client.cookies["weighgate"]
    assert kept != old
    client.post("/logout")
    client.cookies.set("weighgate", kept)
    assert client.get("/tickets").status_code == 303


@pytest.mark.parametrize("elsewhere", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:x"])
def test_login_leads_to_no_other_site(client: Client, elsewhere: str) -> None:
    """A crafted link cannot use the login as a trampoline."""
    answer = client.post("/login", data={"person": "D01", "pin": "1111", "next": elsewhere})
    assert answer.headers["location"] == "/"


def test_five_wrong_pins_lock_for_five_minutes(client: Client) -> None:
    """Said on the page, and the right PIN does not help; others are not locked out."""
    for left in (4, 3, 2, 1):
        page = client.post("/login", data={"person": "F04", "pin": "9"})
        assert page.status_code == 401 and f"还可试 {left} 次" in page.text
    assert "已锁定" in client.post("/login", data={"person": "F04", "pin": "9"}).text
    answer = client.post("/login", data={"person": "F04", "pin": "4444"}, headers=JSON)
    assert answer.status_code == 401 and "5 min" in answer.json()["why"]["en"]
    assert client.post("/login", data={"person": "G02", "pin": "2222"}).status_code == 303


def test_the_lock_ends() -> None:
    """After five minutes there are five new tries."""
    clock = _Clock()
    pins = _pins(clock)
    for _ in range(5):
        asyncio.run(pins.check("D01", "wrong"))
    clock.now_s += LOCK_S - 1
    assert isinstance(asyncio.run(pins.check("D01", "right")), Words)
    clock.now_s += 2
    assert asyncio.run(pins.check("D01", "right")) is PERSON


def test_tries_at_the_same_time_count_too() -> None:
    """Twenty guesses at once get no more than five answers, the rest are locked or turned away."""
    pins, asked = _pins(_Clock()), []

    def check(pin: str, _: str) -> bool:
        asked.append(pin)
        return False

    guessing = Pins([PERSON], check, _Clock())

    async def guess() -> None:
        await asyncio.gather(*(guessing.check("D01", str(number)) for number in range(20)))

    asyncio.run(guess())
    assert len(asked) == sessions.TRIES
    assert asyncio.run(pins.check("nobody", "1")) == Words("没有这个人，请选择姓名", "No such person; choose a name")


def test_a_slow_pin_does_not_stop_the_loop() -> None:
    """While a PIN is checked the loop goes on: the scale's frames must not wait for scrypt."""
    free = threading.Event()
    pins = Pins([PERSON], lambda pin, pin_hash: free.wait(5), time.monotonic)

    async def check() -> bool:
        checking = asyncio.create_task(pins.check("D01", "right"))
        await asyncio.sleep(0.02)
        running = not checking.done()
        free.set()
        return running and await checking is PERSON

    assert asyncio.run(check())


def test_sessions_end_by_idleness_and_never_grow_without_bound() -> None:
    """Twelve hours without a request; the oldest goes when there are too many."""
    clock = _Clock()
    held = Sessions(clock)
    first = held.start(PERSON)
    clock.now_s += IDLE_S - 1
    assert held.find(first) is not None
    clock.now_s += IDLE_S - 1
    assert held.alive(first) and held.find(first) is not None
    clock.now_s += IDLE_S + 1
    assert not held.alive(first) and held.find(first) is None
    keys = [held.start(PERSON) for _ in range(MOST_SESSIONS + 1)]
    assert held.find(keys[0]) is None and held.find(keys[1]) is not None
    assert held.find(None) is None and held.find("made-up") is None
