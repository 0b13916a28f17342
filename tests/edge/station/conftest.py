"""A running plant for station tests; when it is over, its books must pass the full verification."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from edge.store.verify import verify
from tests.edge.station.rig import PlantRig, running


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[PlantRig]:
    """A plant with one lane and one gate, with 100 000 yuan granted to C1/coke."""
    async with running(tmp_path) as plant:
        await plant.grant(10_000_000)
        yield plant
    report = verify(tmp_path / "plant.db")
    assert report.ok, [check for check in report.checks if not check.ok]


@pytest.fixture
async def two_lanes(tmp_path: Path) -> AsyncIterator[PlantRig]:
    """A plant with two lanes and nothing granted."""
    async with running(tmp_path, lanes=("1", "2")) as plant:
        yield plant
    report = verify(tmp_path / "plant.db")
    assert report.ok, [check for check in report.checks if not check.ok]
