"""Both databases for a whole head office, and a folder in memory for many commits."""

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sync.broker import BrokerError, find_mosquitto
from tests.sync.postgresql import PostgreSql, server_binaries


@pytest.fixture(scope="session")
def new_postgresql() -> Iterator[Callable[[], str]]:
    """A function that makes an empty database and names it; skips when no server is installed."""
    binaries = server_binaries()
    if binaries is None:
        pytest.skip("no PostgreSQL server on this machine (Debian: apt-get install postgresql)")
    server = PostgreSql(binaries, durable=False)
    try:
        server.start()
        yield server.make_database
    finally:
        server.remove()


@pytest.fixture
def needs_mosquitto() -> None:
    """Skip where there is no broker."""
    try:
        find_mosquitto()
    except BrokerError as error:
        pytest.skip(str(error))


@pytest.fixture
def fast_folder(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where there is one: here no disk fails, so its fsync need not cost anything."""
    memory = Path("/dev/shm")
    if not os.access(memory, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=memory, prefix="weighgate-network-") as folder:
        yield Path(folder)
