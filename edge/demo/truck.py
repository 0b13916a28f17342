"""One truck from the entrance to the exit: it reads the displays, moves the scales, takes its paper and shows it.

It obeys whoever presses the buttons, automatic or not: what it does next follows from what the lane's display says.
"""

import asyncio
from typing import Any

from edge.demo.devices import GATE, LANES, Paper
from edge.demo.people import Dispatcher, Guard
from edge.demo.plan import DIVISION_KG, Order, Part
from edge.demo.world import World
from edge.domain.pass_code import base45_decode, base45_encode
from sync.units import format_fen, format_kg

_BUCKET_KG = 4_000
_CHEAT_KG = 800
_PAPER_S = 60.0
_STANDS = ("admitted", "tared", "loading", "held")
_MARGIN_KG = 3 * DIVISION_KG
_EXPECTED = {
    Part.LEAVES_EMPTY: "left_empty",
    Part.VOIDED: "voided",
    Part.CANCELLED: "cancelled",
}


class Truck:
    """The driver's side of one visit."""

    def __init__(self, world: World, order: Order, guard: Guard, dispatcher: Dispatcher | None) -> None:
        self.order = order
        self.loaded = False
        """The loader has finished: now load complete may be pressed."""
        self.wants_unload = False
        """Held, and not on the way to finance: the driver asks to take goods off."""
        self._world = world
        self._guard = guard
        self._dispatcher = dispatcher
        self._weight_kg = order.tare_kg
        self._was_held = False
        self._paid = False
        self._said_tare = False
        self._state = ""
        self._ticket = ""

    async def visit(self) -> None:
        """From the entrance to the end, whatever end it is."""
        world, order = self._world, self.order
        world.trucks[order.notice] = self
        while not await self._guard.register(order.plate):
            await world.wait(4)
        self._say(f"arrived for {order.product}, {order.mode}, {order.customer_name}")
        await world.pages.until(lambda: self._entry() or self._lane())
        while (lane := await world.pages.until(self._called)) != "":
            async with world.decks[lane]:
                await self._on_deck(lane)
        outcome = await self._leave()
        world.tally.outcomes[outcome] += 1
        if order.part is Part.TOPS_UP and not self._paid:
            outcome += ", nothing was paid at finance"
        if self._dispatcher is not None and outcome != _EXPECTED.get(order.part, "released"):
            world.tally.surprises.append(f"{order.plate} ({order.part}): {outcome}")

    # On the scale.

    async def _on_deck(self, lane: str) -> None:
        world = self._world
        clear = await world.pages.until(lambda: self._gone(lane) or self._deck_is_clear(lane))
        if clear == "clear":
            await world.devices.show(lane, self.order.plate)
            world.devices.drive(lane, on=True)
            await world.scale_to(lane, self._weight_kg, 5)
            while (visit := self._visit(lane)) is not None and visit["state"] in _STANDS:
                await self._obey(lane, visit)
                await world.pages.news()
            if visit is not None:
                self._ticket = visit["ticket"] or ""
            await world.scale_to(lane, 0, 4)
            world.devices.drive(lane, on=False)
            await world.devices.show(lane, None)

    async def _obey(self, lane: str, visit: dict[str, Any]) -> None:
        changed, self._state = self._state != visit["state"], visit["state"]
        view = self._world.pages.lane(lane)
        if changed and self._state == "admitted":
            self._say(f"is on the scale of lane {lane}")
        if changed and self._state == "loading":
            self._say("is being loaded" if not self._was_held else "takes goods off")
        if self._state == "tared" and view["limit"] is not None and not self._said_tare:
            self._said_tare = True
            left_kg = view["limit"]["gross_max_kg"] - visit["tare_kg"]
            self._say(f"tared {format_kg(visit['tare_kg'])} kg, may load {format_kg(left_kg)} kg")
            if self._world.cheats and self.order.part is Part.PLAIN:
                await self._cheat(lane)
        elif self._state == "loading" and not self.loaded and view["limit"] is not None:
            await self._load(lane, view["limit"]["gross_max_kg"])
        elif self._state == "held" and changed and view["hold"] is not None:
            await self._on_hold(lane, view["hold"])
        elif self._state == "held" and view["hold"] is None:
            self._state = ""  # a view between two others: look again

    async def _cheat(self, lane: str) -> None:
        """A remote control in the junction box: from here on the scale shows less, and less is paid for."""
        self._world.cheats = False
        await self._world.wait(3)
        self._weight_kg -= _CHEAT_KG
        await self._world.scale_to(lane, self._weight_kg, 0.1)
        self._say(f"has a remote control for the scale: {format_kg(_CHEAT_KG)} kg are gone. Look at lane {lane}")

    async def _load(self, lane: str, limit_kg: int) -> None:
        self.wants_unload = False
        goal_kg = self._goal_kg(limit_kg)
        unloading = goal_kg < self._weight_kg
        step_kg = -_BUCKET_KG if unloading else _BUCKET_KG
        for mass_kg in [*range(self._weight_kg + step_kg, goal_kg, step_kg), goal_kg]:
            await self._world.scale_to(lane, mass_kg, 1.6)
            self._weight_kg = mass_kg
            visit = self._visit(lane)
            if visit is None or visit["state"] != "loading":
                return  # somebody was satisfied with less
            await self._world.wait(0.8)
        if unloading:
            self._world.tally.unloaded += 1
            self._say(f"unloaded down to {format_kg(goal_kg)} kg gross")
        else:
            self._say(f"is loaded, {format_kg(goal_kg)} kg gross")
        self.loaded = True

    def _goal_kg(self, limit_kg: int) -> int:
        order = self.order
        if not self._was_held and order.part in (Part.TOPS_UP, Part.UNLOADS):
            return limit_kg + order.excess_kg
        if not self._was_held and order.part is Part.OVERLOAD:
            return order.road_limit_kg + order.excess_kg
        return max(order.tare_kg + DIVISION_KG, min(order.tare_kg + order.wish_net_kg, limit_kg - _MARGIN_KG))

    async def _on_hold(self, lane: str, hold: dict[str, Any]) -> None:
        world, order = self._world, self.order
        reason = hold["why"]["reason"]
        self._was_held, self.loaded = True, False
        pays = order.part is Part.TOPS_UP and reason == "over_balance"
        self.wants_unload = not pays
        world.tally.held[reason] += 1
        money = f" (¥{format_fen(hold['over_fen'])})" if hold["over_fen"] else ""
        self._say(f"held: {reason.replace('_', ' ')} by {format_kg(hold['over_kg'])} kg{money}")
        if not pays:
            return
        await world.wait(10)
        visit = self._visit(lane)
        if visit is not None and visit["state"] == "held":
            paid_fen = await world.office.top_up(order, hold["over_fen"])
            world.tally.topped_up += 1
            self._paid = True
            self._say(f"paid ¥{format_fen(paid_fen)} more at finance; the hold clears when the grant arrives")

    # After the scale.

    async def _leave(self) -> str:
        world, order = self._world, self.order
        # The next truck may have been called before we saw our own ticket; then the paper tells.
        paper = await self._paper(_PAPER_S if self._ticket or self._said_tare else 1.5)
        if paper is None:
            self._say("was cancelled; the money is free again")
            return "cancelled"
        if paper.empty:
            self._say("drives empty to the gate; the money is free again")
            await world.wait(6)
            released = await self._at_gate(paper) == "released"
            return "left_empty" if released else "turned_back"
        where = f" ({paper.file.relative_to(world.stage.folder)})" if paper.file is not None else ""
        self._say(f"ticket {self._ticket or order.notice} printed{where}, drives to the gate")
        if order.part is Part.VOIDED and self._dispatcher is not None and await self._dispatcher.void(self._ticket):
            self._say(f"ticket {self._ticket} made void by two persons before the exit")
        await world.wait(6)
        return await self._at_gate(paper)

    async def _at_gate(self, paper: Paper) -> str:
        """A driver goes nowhere before the own pass was answered, whatever else is scanned meanwhile."""
        order, plate = self.order, self.order.plate
        shown = [(plate, paper.code)]
        if order.part is Part.FORGED_PASS:
            shown.insert(0, (plate, forged(paper.code)))
        if order.part is Part.OTHER_PLATE:
            shown.insert(0, (_other(plate), paper.code))
        async with self._world.gate:
            outcome = self._answered(self._guard.last() or {})
            while not outcome:
                shows, shown = shown[0], shown[1:] or shown
                verdict, by_person = await self._show(*shows)
                outcome = self._answered(verdict)
                if not outcome and shows == (plate, paper.code):
                    if not by_person:
                        return "turned_back"
                    self._say("waits at the gate for its own pass")
            if outcome == "released" and order.part is Part.USED_PASS:
                self._say("tries the same pass once more")
                await self._show(plate, paper.code)
        return outcome

    def _answered(self, verdict: dict[str, Any]) -> str:
        """What a verdict means for this truck; '' when it was on another pass, or does not let it out yet."""
        if (verdict.get("ticket") or {}).get("visit") != self.order.notice:
            return ""
        if verdict["verdict"] == "open":
            return "released"
        # Used already: a person let it out before it stood here. The books say that it has left.
        return {"pass_used": "released", "pass_voided": "voided"}.get((verdict.get("why") or {}).get("reason", ""), "")

    async def _show(self, plate: str, code: str) -> tuple[dict[str, Any], bool]:
        """A truck with this plate stands at the barrier and shows this pass; what was answered, and to a person?"""
        world = self._world
        await world.devices.show(GATE, plate)
        world.devices.barrier.vehicle(True)
        verdict, by_person = await self._guard.check(plate, code)
        if verdict["verdict"] == "open":
            ticket = verdict["ticket"]
            load = f"with {format_kg(ticket['net_kg'])} kg" if ticket["net_kg"] else "empty"
            world.say(f"{ticket['plate']} released {load}, {ticket['ticket']}")
            while world.devices.barrier.inputs.vehicle_on_loop:  # noqa: ASYNC110 - a device, played in another thread
                await asyncio.sleep(0.02)
        else:
            why = verdict.get("why") or {}
            world.tally.refused[why.get("reason", "")] += 1
            world.say(f"{plate} refused at the gate: {why.get('en', '')}")
            world.devices.barrier.vehicle(False)
        await world.devices.show(GATE, None)
        return verdict, by_person

    async def _paper(self, within_s: float) -> Paper | None:
        try:
            async with asyncio.timeout(within_s):
                while (paper := self._world.devices.paper(self.order.notice)) is None:  # noqa: ASYNC110 - as above
                    await asyncio.sleep(0.03)
                return paper
        except TimeoutError:
            return None

    # What the displays say about this truck.

    def _visit(self, lane: str) -> dict[str, Any] | None:
        visit = self._world.pages.lane(lane).get("visit")
        return visit if visit is not None and visit["visit"] == self.order.notice else None

    def _lane(self) -> str | None:
        return next((lane for lane in LANES if self._visit(lane) is not None), None)

    def _entry(self) -> dict[str, Any] | None:
        return next((each for each in self._world.pages.queue() if each["visit"] == self.order.notice), None)

    def _called(self) -> str | None:
        """The lane we are called to, '' when the visit is over, None while we wait."""
        if self._ticket:
            return ""
        lane = self._lane()
        if lane is not None:
            return lane
        return None if self._entry() is not None else ""

    def _gone(self, lane: str) -> str | None:
        return "gone" if self._visit(lane) is None else None

    def _deck_is_clear(self, lane: str) -> str | None:
        scale = self._world.pages.lane(lane)["scale"]
        return "clear" if scale["state"] == "empty" and scale["zero_seen"] else None

    def _say(self, text: str) -> None:
        self._world.say(f"{self.order.plate} {text}")


def forged(code: str) -> str:
    """The same pass with one bit flipped."""
    raw = bytearray(base45_decode(code))
    raw[20] ^= 1
    return base45_encode(bytes(raw))


def _other(plate: str) -> str:
    """A plate that differs in its last character."""
    return plate[:-1] + ("1" if plate[-1] != "1" else "2")
