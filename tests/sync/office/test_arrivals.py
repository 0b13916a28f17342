"""Waiting messages: in turn, STATE first, bounded for each plant and for all."""

import asyncio
from collections import Counter

import pytest

from sync.office.arrivals import ALL_BYTES, PLANT_BYTES, PLANT_MESSAGES, Arrivals

pytestmark = pytest.mark.anyio


async def test_plants_take_turns_and_each_keeps_its_order() -> None:
    arrivals = Arrivals()
    for number in range(5):
        arrivals.put("HX01", "rec", b"a%d" % number)
    arrivals.put("HX02", "rec", b"b0")
    arrivals.put("HX03", "rec", b"c0")
    arrivals.put("HX03", "rec", b"c1")
    taken = [(await arrivals.take())[2] for _ in range(8)]
    assert taken == [b"a0", b"b0", b"c0", b"a1", b"c1", b"a2", b"a3", b"a4"]
    assert len(arrivals) == 0


async def test_a_state_goes_before_its_plants_records_only() -> None:
    arrivals = Arrivals()
    arrivals.put("HX01", "rec", b"a")
    arrivals.put("HX02", "rec", b"b")
    arrivals.put("HX02", "state", b"s")
    assert [(await arrivals.take())[:2] for _ in range(3)] == [("HX01", "rec"), ("HX02", "state"), ("HX02", "rec")]


async def test_a_flood_fills_its_own_share_only() -> None:
    arrivals = Arrivals()
    kept = sum(arrivals.put("HX01", "rec", b"x") for _ in range(10 * PLANT_MESSAGES))
    assert kept == len(arrivals) == PLANT_MESSAGES
    assert arrivals.put("HX02", "rec", b"y")
    await arrivals.take()
    assert arrivals.put("HX01", "rec", b"x")


async def test_a_share_is_counted_in_bytes_too_but_one_message_always_fits() -> None:
    arrivals = Arrivals()
    half = b"x" * (PLANT_BYTES // 2)
    assert [arrivals.put("HX01", "rec", half) for _ in range(3)] == [True, True, False]
    assert arrivals.put("HX02", "rec", b"x" * (PLANT_BYTES + 1))
    for _ in range(3):
        await arrivals.take()
    assert arrivals.put("HX01", "rec", half), "what was taken counts no more"


async def test_all_plants_together_are_bounded() -> None:
    arrivals = Arrivals()
    room = ALL_BYTES // PLANT_BYTES
    kept = Counter(arrivals.put(f"P{number:04}", "rec", b"x" * PLANT_BYTES) for number in range(2 * room))
    assert kept == {True: room, False: room}


async def test_taking_waits_for_the_next() -> None:
    arrivals = Arrivals()
    taking = asyncio.create_task(arrivals.take())
    await asyncio.sleep(0)
    assert not taking.done()
    arrivals.put("HX01", "state", b"s")
    assert await asyncio.wait_for(taking, 1) == ("HX01", "state", b"s")
