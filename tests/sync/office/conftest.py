"""Both databases for every test: SQLite in a folder, PostgreSQL started here on a socket of its own."""

import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psycopg
import pytest
from playwright.sync_api import Page

from sync.office.store.database import Store
from sync.office.store.plants import enrol
from tests.conftest import find_free_port
from tests.sync.office.plant import FakePlant
from tests.sync.office.program import Office

_DATABASE_USER = "postgres"


def server_binaries() -> Path | None:
    """The folder with initdb and postgres: the newest Debian version, what pg_config names, or PATH."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name), reverse=True)
    if config := shutil.which("pg_config"):
        said = subprocess.run([config, "--bindir"], capture_output=True, text=True, check=False).stdout.strip()
        folders.append(Path(said))
    if found := shutil.which("initdb"):
        folders.append(Path(found).resolve().parent)
    return next((path for path in folders if (path / "initdb").exists() and (path / "postgres").exists()), None)


def as_database_user(command: list[str]) -> list[str]:
    """PostgreSQL refuses to run as root: then it runs as its own user."""
    return ["runuser", "-u", _DATABASE_USER, "--", *command] if os.geteuid() == 0 else command


@pytest.fixture(scope="session")
def postgresql_url() -> Iterator[Callable[[], str]]:
    """A function that makes a new empty database and names it; skips when no server is installed."""
    binaries = server_binaries()
    if binaries is None:
        pytest.skip("no PostgreSQL server on this machine (Debian: apt-get install postgresql)")
    folder = Path(tempfile.mkdtemp(prefix="weighgate-pg-"))
    if os.geteuid() == 0:
        shutil.chown(folder, _DATABASE_USER)
    data, port = folder / "data", find_free_port()
    made = as_database_user(
        [str(binaries / "initdb"), "-D", str(data), "-U", "weighgate", "-A", "trust", "-E", "UTF8", "--locale=C", "-N"]
    )
    subprocess.run(made, check=True, capture_output=True, cwd=folder)
    log = (folder / "log").open("wb")
    started = as_database_user(
        [str(binaries / "postgres"), "-D", str(data), "-p", str(port), "-c", "listen_addresses=127.0.0.1",
         "-c", f"unix_socket_directories={folder}", "-c", "fsync=off", "-c", "full_page_writes=off"]
    )  # fmt: skip
    server = subprocess.Popen(started, stdout=log, stderr=log, cwd=folder)
    address = f"postgresql://weighgate@127.0.0.1:{port}"
    try:
        _wait_until_it_answers(f"{address}/postgres", server, folder / "log")

        def make() -> str:
            name = f"t{uuid.uuid4().hex}"
            with psycopg.connect(f"{address}/postgres", autocommit=True) as connection:
                connection.execute(f'CREATE DATABASE "{name}"'.encode())
            return f"{address}/{name}"

        yield make
    finally:
        stop_server(server, data)
        log.close()
        shutil.rmtree(folder, ignore_errors=True)


def stop_server(server: "subprocess.Popen[bytes]", data: Path) -> None:
    """Immediate shutdown by the server's own process id: a signal to `runuser` would not reach it in time."""
    pid_file = data / "postmaster.pid"
    if pid_file.exists():
        os.kill(int(pid_file.read_text().splitlines()[0]), 3)
    server.wait(timeout=20)


def _wait_until_it_answers(url: str, server: "subprocess.Popen[bytes]", log: Path) -> None:
    import time

    for _ in range(200):
        try:
            psycopg.connect(url).close()
            return
        except psycopg.OperationalError:
            if server.poll() is not None:
                raise RuntimeError(log.read_text()) from None
            time.sleep(0.05)
    raise RuntimeError(f"PostgreSQL does not answer: {log.read_text()}")


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
    code, seconds, log = made.stop()
    assert code == 0 and seconds < 2.0, (code, seconds, log)


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
