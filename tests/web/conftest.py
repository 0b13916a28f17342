"""A stage per test, served on 127.0.0.1 in a thread; people with their PINs."""

from collections.abc import Iterator

import pytest
from httpx import Client
from playwright.sync_api import Browser, ConsoleMessage, Page

from edge.web.app import create_app
from tests.web.stage import Served, Stage, StagePerson, people, serve


@pytest.fixture(scope="session")
def crew() -> list[StagePerson]:
    """Hashing PINs takes time on purpose; once is enough."""
    return people()


@pytest.fixture(scope="module")
def served(crew: list[StagePerson]) -> Iterator[Served]:
    """A stage behind a real server, one for a file: starting takes longer than most tests."""
    stage = Stage()
    with serve(create_app(stage, crew), stage) as running:
        yield running


@pytest.fixture
def stage(served: Served) -> Stage:
    """The plant as it was at first."""
    served.stage.reset()
    return served.stage


@pytest.fixture
def client(served: Served, stage: Stage) -> Iterator[Client]:
    """A program that talks to the pages; not logged in."""
    with Client(base_url=served.url, trust_env=False, timeout=10) as talking:
        yield talking


@pytest.fixture
def screen(browser: Browser, served: Served, stage: Stage) -> Iterator[Page]:
    """A page on a 1024x768 touch panel that must end without one console error."""
    context = browser.new_context(viewport={"width": 1024, "height": 768}, locale="zh-CN", has_touch=True)
    context.set_default_timeout(8_000)
    page, complaints = context.new_page(), []

    def complain(message: ConsoleMessage) -> None:
        # A refused command is a 409 and Chromium notes it; what must not appear is a broken script or policy.
        if message.type == "error" and "Failed to load resource" not in message.text:
            complaints.append(message.text)

    page.on("console", complain)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    context.close()
    assert complaints == []
