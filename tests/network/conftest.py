"""Both databases for a whole head office, and a folder in memory for many commits."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sync.broker import BrokerError, find_mosquitto
from tests.edge.disks import in_memory
from tests.sync.postgresql import databases


@pytest.fixture(scope="session")
def new_postgresql() -> Iterator[Callable[[], str]]:
    """A function that makes an empty database and names it; skips when no server is installed."""
    yield from databases()


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
    with in_memory(tmp_path, "network") as folder:
        yield folder
