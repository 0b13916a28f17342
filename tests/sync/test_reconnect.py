"""A grant and a document that died with the old link: the plant has them a moment after the link is back.

Head office takes what it has just sent for received, since a STATE that crossed it cannot know. Without the second
STATE of a new link it would take the next regular one, a minute later.
"""

import asyncio
import time

import pytest

from sync.documents import NoticeCancelled
from sync.engine import PlantEngine
from sync.session import Tuning
from sync.simulated import FAIR, HostileNet, MemoryOffice, Weather
from tests.sync.support import HX01, OFFICE_KEY, PLANT_KEY, MemoryBooks, until

pytestmark = pytest.mark.anyio


async def seconds_until_made_good(again_ms: int) -> float:
    """Seconds from the new link to the grant and the document that the old one lost."""
    net, books = HostileNet(FAIR, 0), MemoryBooks(3)
    tuning = Tuning(
        retry_min_ms=200, state_again_ms=again_ms, state_every_ms=2_000, state_spacing_ms=10, state_settle_ms=2
    )
    office = MemoryOffice(net.end("up/"), OFFICE_KEY, {HX01: PLANT_KEY.public_key()}, tuning)
    plant = PlantEngine(HX01, PLANT_KEY, OFFICE_KEY.public_key(), books, net.end("down/HX01/"), tuning=tuning)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(office.run()), group.create_task(plant.run())]
        await until(lambda: plant.status.connected and plant.status.pending == 0)
        await asyncio.sleep(0.05)
        net.weather = Weather(lose=1)
        await office.grant(HX01, "C001/prepaid", 1_000)
        await office.issue(HX01, NoticeCancelled(notice="FH-1"))
        net.cut()
        net.weather = FAIR
        net.restore()
        since = time.monotonic()
        await until(lambda: books.granted_fen == {"C001/prepaid": 1_000} and len(books.applied) == 1)
        for task in tasks:
            task.cancel()
    return time.monotonic() - since


async def test_what_died_with_the_old_link_is_there_soon_after() -> None:
    assert await seconds_until_made_good(again_ms=300) < 1.5


async def test_control_without_a_second_state_it_takes_until_the_next_regular_one() -> None:
    assert await seconds_until_made_good(again_ms=1_000_000) > 1.5
