"""A certificate authority, clients' certificates, and a real mosquitto over TLS, for this folder and those below."""

import tracemalloc
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sync.broker import Broker, BrokerError, find_mosquitto
from sync.certificates import Authority, TlsFiles


@pytest.fixture(scope="session")
def authority_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the tests' authority keeps `ca.crt`, `ca.key` and the broker's certificate."""
    return tmp_path_factory.mktemp("authority")


@pytest.fixture(scope="session")
def authority(authority_directory: Path) -> Authority:
    """One private authority for all tests."""
    return Authority.create(authority_directory, datetime.now(UTC))


@pytest.fixture(scope="session")
def server_tls(authority: Authority, authority_directory: Path) -> TlsFiles:
    """The broker's certificate for 127.0.0.1."""
    return authority.issue_server(authority_directory, [], datetime.now(UTC))


@pytest.fixture(scope="session")
def client_tls(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], TlsFiles]:
    """A function from a certificate name (`HX01`, `office`) to its files, made once a name."""
    made: dict[str, TlsFiles] = {}

    def issue(name: str) -> TlsFiles:
        if name not in made:
            directory = tmp_path_factory.mktemp("tls")
            made[name] = authority.issue_client(directory, name, datetime.now(UTC))
        return made[name]

    return issue


@pytest.fixture
def broker(server_tls: TlsFiles, tmp_path: Path) -> Iterator[Broker]:
    """A running mosquitto with TLS and the production ACL, fresh for each test; skipped if mosquitto is missing."""
    try:
        find_mosquitto()
    except BrokerError as error:
        pytest.skip(str(error))
    running = Broker(tmp_path, server_tls)
    running.start()
    yield running
    running.kill()


@pytest.fixture(scope="session")
def stranger_tls(tmp_path_factory: pytest.TempPathFactory) -> TlsFiles:
    """A certificate named HX01 of an authority that is not ours."""
    directory = tmp_path_factory.mktemp("stranger")
    now = datetime.now(UTC)
    return Authority.create(directory, now).issue_client(directory, "HX01", now)


@pytest.fixture
def measure_peak() -> Callable[[Callable[[], None]], int]:
    """A function that runs another and says how many bytes Python held at most meanwhile."""

    def measure(work: Callable[[], None]) -> int:
        tracemalloc.start()
        try:
            work()
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    return measure
