"""The two ways to run the demo: `watch` for a person with a browser, `headless` for a machine with a stop-watch."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from edge.demo.audit import OfficeBooks, Seen, invariants, read_plant
from edge.demo.devices import GATE, LANES, Paper, read_paper
from edge.demo.office import HeadOffice
from edge.demo.pages import Pages
from edge.demo.people import Dispatcher, Guard
from edge.demo.plan import Order, endless, plan, thirds
from edge.demo.processes import DemoFailed
from edge.demo.stage import PEOPLE, Pace, Stage
from edge.demo.truck import Truck
from edge.demo.world import Tally, World, teller

FAST, NORMAL = 40.0, 1.0
_PATIENCE_S, _ARRIVALS_S, _MOST_WAITING = 8.0, 14.0, 5
_DRAIN_S, _LINK_S, _VISIT_S, _PATIENT_S = 30.0, 20.0, 120.0, 6.0


@dataclass(frozen=True, slots=True)
class Wish:
    """What was asked for on the command line."""

    folder: Path
    trucks: int | None
    seed: int
    speed: float
    manual: str = "none"
    """Whose places are a person's alone: none, dispatcher, guard or both."""

    def pace(self, *, watched: bool) -> Pace:
        """How fast the stage is to go."""
        rate_hz = min(50.0, 10.0 * max(1.0, self.speed))
        return Pace(self.speed, rate_hz, 4 if watched else 0, self.seed, known_ports=watched)


class Traffic:
    """A stage with people at work, ready for trucks."""

    def __init__(self, world: World, guard: Guard, dispatcher: Dispatcher | None) -> None:
        self.world = world
        self._guard = guard
        self._dispatcher = dispatcher

    async def run(self, order: Order) -> None:
        """One truck's visit; its notice is issued already."""
        await Truck(self.world, order, self._guard, self._dispatcher).visit()


@asynccontextmanager
async def open_traffic(
    stage: Stage, say: Callable[[str], None], patience_s: float, manual: str = "none"
) -> AsyncIterator[Traffic]:
    """Log everybody in, open the streams, set the automatic people to work; DemoFailed when a program ends."""
    office = HeadOffice(stage.office_url, stage.office_token)
    pages, gate_pages = Pages(stage.plant_url), Pages(stage.plant_url)
    try:
        world = World(stage, office, pages, say)
        dispatcher = Dispatcher(world, patience_s, ("S01", stage.pins["S01"]))
        guard = Guard(world, gate_pages, None if manual in ("guard", "both") else patience_s)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(program.watch()) for program in (stage.plant, stage.office)]
            await pages.log_in("D01", stage.pins["D01"])
            await gate_pages.log_in("G01", stage.pins["G01"])
            topics = (*(f"lane/{lane}" for lane in LANES), "queue", f"gate/{GATE}")
            tasks += [group.create_task(pages.watch(topic)) for topic in topics]
            automatic = manual not in ("dispatcher", "both")
            if automatic:
                tasks += [group.create_task(dispatcher.serve(lane)) for lane in LANES]
            yield Traffic(world, guard, dispatcher if automatic else None)
            for task in tasks:
                task.cancel()
    finally:
        for each in (office, pages, gate_pages):
            await each.close()


async def watch(wish: Wish, write: Callable[[str], object]) -> None:
    """Run until cancelled: trucks arrive as they do in life, and everything is told in a line."""
    say = teller(write)
    say("building a plant: keys, broker, head office, plant, devices …")
    async with Stage(wish.folder, wish.pace(watched=True)) as stage:
        write(banner(stage, wish))
        async with open_traffic(stage, say, _PATIENCE_S / wish.speed, wish.manual) as traffic:
            traffic.world.cheats = stage.watches_scales
            await _trucks_arrive(traffic, wish)


async def _trucks_arrive(traffic: Traffic, wish: Wish) -> None:
    world, dice = traffic.world, Random(wish.seed)
    orders = endless(wish.seed) if wish.trucks is None else iter(plan(wish.trucks, wish.seed))
    async with asyncio.TaskGroup() as group:
        for order in orders:
            await world.office.order(order)
            group.create_task(traffic.run(order))
            await world.wait(_ARRIVALS_S * (0.5 + dice.random()))
            await world.pages.until(lambda: True if len(_waiting(world)) < _MOST_WAITING else None)
    world.say(f"all {wish.trucks} trucks are through; the pages stay open until Ctrl-C")
    await asyncio.Event().wait()


def _waiting(world: World) -> list[dict[str, Any]]:
    return [each for each in world.pages.queue() if each["state"] == "queued"]


async def headless(wish: Wish, write: Callable[[str], object]) -> dict[str, Any]:
    """Run so many trucks as fast as it goes, then compare everybody's books. DemoFailed when it cannot be run."""
    began = time.monotonic()
    say = teller(write)
    trucks = wish.trucks or 24
    orders = plan(trucks, wish.seed)
    async with Stage(wish.folder, wish.pace(watched=False)) as stage:
        say(f"plant {stage.plant_url}, head office {stage.office_url}")
        async with open_traffic(stage, say, 0.0) as traffic:
            cut = await _three_thirds(traffic, orders)
            office = await _settled(traffic, stage)
        pulses = stage.devices.barrier.pulses
        papers = Counter(paper.notice for paper in _papers(stage))
        await stage.stop_programs(_PATIENT_S)
        tally = traffic.world.tally
        seen = Seen(trucks, tally.surprises, papers, pulses, dict(stage.exit_statuses), cut.tickets if cut else None)
        for each in tally.surprises:
            say(f"not as planned: {each}")
        summary = summarise(stage.books, office, seen, tally)
    summary |= {
        "seed": wish.seed,
        "link_cut_seconds": round(cut.seconds, 3) if cut else 0,
        "wall_seconds": round(time.monotonic() - began, 1),
    }
    return summary


def summarise(books: Path, office: OfficeBooks, seen: Seen, tally: Tally) -> dict[str, Any]:
    """The run in numbers, with every rule by name."""
    plant = read_plant(books)
    held = invariants(plant, office, seen)
    return {
        "ok": all(held.values()),
        "trucks": seen.trucks,
        "outcomes": dict(sorted(tally.outcomes.items())),
        "modes": dict(sorted(Counter(each["mode"] for each in plant.of("ticket")).items())),
        "held": dict(sorted(tally.held.items())),
        "topped_up": tally.topped_up,
        "unloaded": tally.unloaded,
        "tickets": len(plant.of("ticket")),
        "voided": len(plant.of("void")),
        "released": len(plant.ticket_exits),
        "refused": dict(sorted(Counter(each["reason"] for each in plant.of("gate_refused")).items())),
        "kg": plant.net_kg,
        "fen": plant.amount_fen,
        "office_shipments": office.totals["shipments"],
        "office_kg": office.totals["net_kg"],
        "office_fen": office.totals["amount_fen"],
        "tickets_while_cut": seen.tickets_while_cut or 0,
        "ledger_rows": plant.head_seq,
        "invariants": held,
    }


@dataclass(frozen=True, slots=True)
class _Cut:
    seconds: float
    tickets: int


async def _three_thirds(traffic: Traffic, orders: Sequence[Order]) -> _Cut | None:
    """First third with the link, middle third without it, last third with it again.

    Head office issues the middle third's notices, and half of the last third's, before the cut; the rest while it is
    cut, so that they arrive when it is over.
    """
    world, office = traffic.world, traffic.world.office
    begin, end = thirds(len(orders))
    early = end + (len(orders) - end) // 2 if end > begin else len(orders)
    for order in orders[:early]:
        await office.order(order)
    if end == begin:
        await _all(traffic, orders)
        return None
    await _all(traffic, orders[:begin])
    await _notices_come(world, early - begin)
    cut_at, before = time.monotonic(), _printed(world)
    world.say("the link to head office is cut: the broker is killed")
    await asyncio.to_thread(world.stage.broker.kill)
    for order in orders[early:]:
        await office.order(order)
    await _all(traffic, orders[begin:end])
    tickets = _printed(world) - before
    await asyncio.to_thread(world.stage.broker.start)
    cut = _Cut(time.monotonic() - cut_at, tickets)
    world.say(f"the link is back after {cut.seconds:.1f} s; {tickets} tickets were issued without it")
    await _all(traffic, orders[end:])
    return cut


async def _notices_come(world: World, count: int) -> None:
    ends = time.monotonic() + _LINK_S
    while len(await world.pages.read("/notices.json")) < count:
        if time.monotonic() > ends:
            raise DemoFailed(f"the plant did not get {count} notices in {_LINK_S:g} s; see {world.stage.plant.log}")
        await asyncio.sleep(0.1)


async def _all(traffic: Traffic, orders: Sequence[Order]) -> None:
    try:
        async with asyncio.timeout(_VISIT_S + 10 * len(orders)), asyncio.TaskGroup() as group:
            for order in orders:
                group.create_task(traffic.run(order))
    except TimeoutError:
        raise DemoFailed(f"trucks {orders[0].index + 1} to {orders[-1].index + 1} did not finish in time") from None


def _printed(world: World) -> int:
    return sum(1 for paper in _papers(world.stage) if not paper.empty)


def _papers(stage: Stage) -> list[Paper]:
    documents = [each for printer in stage.devices.printers.values() for each in printer.documents]
    return [paper for document in documents if (paper := read_paper(document)) is not None]


async def _settled(traffic: Traffic, stage: Stage) -> OfficeBooks:
    """Wait until head office has acknowledged every row, then ask it for its books."""
    office = traffic.world.office
    ends = time.monotonic() + _DRAIN_S
    while time.monotonic() < ends:
        plant = await asyncio.to_thread(read_plant, stage.books)
        listed = await office.read("plants")
        if plant.acked_seq == plant.head_seq and [each["last_seq"] for each in listed] == [plant.head_seq]:
            break
        await asyncio.sleep(0.2)
    checked = await office.read("verify")
    return OfficeBooks(
        await office.read("totals"), await office.read("balances"), await office.read("plants"), checked["ok"],
        dict(office.paid_fen),
    )  # fmt: skip


def banner(stage: Stage, wish: Wish) -> str:
    """Addresses, PINs and how to take part."""
    plant, office = stage.plant_url, stage.office_url
    pins = "   ".join(f"{PEOPLE[each][0]} {each}: {stage.pins[each]}" for each in ("D01", "G01", "B01", "S01"))
    office_pins = "   ".join(f"{name}: {pin}" for name, pin in stage.office_pins.items())
    wait = f"wait {_PATIENCE_S / wish.speed:g} s before each button: whoever is faster has done it"
    automatic = {
        "none": f"The automatic dispatcher and guard {wait}.",
        "dispatcher": f"The dispatcher is you. The automatic guard would {wait}.",
        "guard": f"The guard is you: scan the passes told below. The automatic dispatcher would {wait}.",
        "both": "Dispatcher and guard are you: scan the passes told below.",
    }[wish.manual]
    line = "─" * 78
    return f"""{line}
  Lanes 磅房       {plant}/lane/1   {plant}/lane/2
  Gate 门岗        {plant}/gate/{GATE}
  Queue board 排队  {plant}/queue        Tickets 出库单  {plant}/tickets
  Head office 总部  {office}
  PINs, plant      {pins}
  PINs, office     {office_pins}
  Papers, logs     {stage.folder}
  Exit passes      paper/lane-*/*.txt in there: the last line is the code, copy it into the gate page
  {automatic}
  Ctrl-C ends everything.
{line}
"""
