"""Both databases for every test: SQLite in a folder, PostgreSQL started here on a socket of its own."""

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page

from sync.office.store.database import Store
from sync.office.store.plants import enrol
from tests.sync.office.plant import FakePlant
from tests.sync.office.program import Office
from tests.sync.postgresql import databases


@pytest.fixture(scope="session")
def postgresql_url() -> Iterator[Callable[[], str]]:
    """A function that makes a new empty database and names it; skips when no server is installed."""
    yield from databases()


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A new, empty database of each kind, as it stands in a configuration."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'office.sqlite3'}"
    make: Callable[[], str] = request.getfixturevalue("postgresql_url")
    return make()


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """An open store on each database."""
    opened = Store(store_url.replace("postgresql://", "postgresql+psycopg://"))
    yield opened
    opened.close()


@pytest.fixture
def plant(store: Store) -> FakePlant:
    """An enrolled plant HX01."""
    made = FakePlant()
    with store.write() as tx:
        enrol(tx, made.code, "一厂", made.key.public_key())
    return made


@pytest.fixture(scope="module")
def web_office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """The real program, serving its pages, until the file's last test."""
    made = Office.make(tmp_path_factory.mktemp("web"))
    made.start()
    yield made
    code, _, log = made.stop()
    assert code == 0, log


@pytest.fixture(scope="module")
def api(web_office: Office) -> Iterator[httpx.Client]:
    """A program with a token of the accountant's role."""
    headers = {"authorization": f"Bearer {web_office.token}"}
    with httpx.Client(base_url=web_office.address, headers=headers, trust_env=False, timeout=30) as client:
        yield client


@pytest.fixture
def sign_in(web_office: Office) -> Callable[[Page, str], None]:
    """Signs somebody in by name, with the PIN that `init` gave."""

    def enter(page: Page, name: str) -> None:
        page.goto(web_office.address)
        page.select_option("select[name=name]", label=name)
        page.fill("input[name=pin]", web_office.pins[name])
        page.click("button")
        page.wait_for_url("**/shipments")

    return enter
