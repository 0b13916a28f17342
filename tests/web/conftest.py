"""A stage per test, served on 127.0.0.1 in a thread; people with their PINs."""

from collections.abc import Iterator

import pytest
from httpx import Client

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
