"""Short forms of what programs and people say to the pages."""

from httpx import Client
from playwright.sync_api import Page

from tests.web.stage import Served

JSON = {"Accept": "application/json"}
PINS = {"D01": "1111", "G02": "2222", "B03": "3333", "F04": "4444", "E05": "5555", "S06": "6666"}


_KEPT: dict[tuple[str, str], str] = {}


def session_of(url: str, person: str) -> str:
    """The session cookie of this person at this server; a PIN is slow to check on purpose, so it is typed once."""
    url = url.rstrip("/")
    if (url, person) not in _KEPT:
        with Client(base_url=url, trust_env=False) as client:
            answer = client.post("/login", data={"person": person, "pin": PINS[person]}, headers=JSON)
            assert answer.status_code == 200, answer.text
            _KEPT[url, person] = client.cookies["weighgate"]
    return _KEPT[url, person]


def log_in(client: Client, person: str) -> None:
    """As this person from now on."""
    client.cookies.clear()
    client.cookies.set("weighgate", session_of(str(client.base_url), person))


def enter(page: Page, served: Served, person: str, path: str) -> None:
    """Log in and open a page."""
    page.context.add_cookies([{"name": "weighgate", "value": session_of(served.url, person), "url": served.url}])
    page.goto(served.url + path)
