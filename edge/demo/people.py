"""The automatic dispatcher and guard: they log in with their PINs and press what a person would press.

A person may take their place at any time. The automatic ones wait `patience_s` before each button; whoever is faster
has done it, and where a person has acted they wait much longer for a while.
"""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

from edge.demo.devices import GATE
from edge.demo.pages import Pages, enabled
from edge.demo.plan import Part
from edge.demo.world import World

PERSON_STAYS_S = 60.0
_PRESSED = {
    ("", "admitted"), ("sealed", "admitted"), ("admitted", "tared"), ("tared", "loading"), ("loading", "held"),
    ("loading", "sealed"), ("held", "loading"),
}  # fmt: skip
"""Changes of a visit that somebody pressed a button for."""
_RESCANS = 3


@dataclass(slots=True)
class Manners:
    """How long an automatic person waits, and whether a person works at this place now."""

    patience_s: float
    _person_until: float = 0.0

    def person_acted(self) -> None:
        """Somebody else pressed a button here."""
        self._person_until = time.monotonic() + PERSON_STAYS_S

    @property
    def wait_s(self) -> float:
        """How long to leave the next button to a person; no time at all where nobody watches."""
        if not self.patience_s:
            return 0.0
        return self.patience_s if time.monotonic() > self._person_until else max(self.patience_s, PERSON_STAYS_S)


@dataclass(slots=True)
class _Lane:
    manners: Manners
    seen: tuple[str, str] = ("", "")
    mine: bool = False
    """The last change was our own press."""


@dataclass(slots=True)
class Dispatcher:
    """Calls trucks, tares, starts loading, presses load complete, sends over-loaded trucks to unload."""

    world: World
    patience_s: float
    supervisor: tuple[str, str]
    """Who agrees to a void: id and PIN."""
    _calling: asyncio.Lock = field(default_factory=asyncio.Lock)
    _called: set[str] = field(default_factory=set)

    async def serve(self, lane: str) -> None:
        """Work at one lane for ever."""
        at = _Lane(Manners(self.patience_s))
        pages = self.world.pages
        while True:
            now = _standing(pages.lane(lane))
            if now != at.seen:
                if (at.seen[1], now[1]) in _PRESSED and not at.mine:
                    at.manners.person_acted()
                at.seen, at.mine = now, False
            if self._step(lane) is None or not await self._leave_it(lane, at):
                await pages.news()
                continue
            await self._press(lane, at)

    async def void(self, ticket: str) -> bool:
        """Two persons take a ticket back."""
        second, pin = self.supervisor
        answer = await self.world.pages.press(f"/tickets/{ticket}/void", second=second, pin=pin, reason="客户改单")
        return answer.ok

    async def _leave_it(self, lane: str, at: _Lane) -> bool:
        """Give a person time to do it; whether it is still to do."""
        pages = self.world.pages
        ends = time.monotonic() + at.manners.wait_s
        while (left_s := ends - time.monotonic()) > 0:
            await pages.news(left_s)
            if _standing(pages.lane(lane)) != at.seen:
                return False
        return self._step(lane) is not None

    async def _press(self, lane: str, at: _Lane) -> None:
        async with self._calling:
            step = self._step(lane)
            if step is None:
                return
            name, fields = step
            at.mine = True
            answer = await self.world.pages.press(f"/lane/{lane}/{name}", **fields)
            if answer.ok and name == "call":
                self._called.add(fields["visit"])
        if not answer.ok and answer.reason not in ("over_balance", "over_credit", "over_notice", "overload"):
            at.mine = False
            await asyncio.sleep(0.05)  # a weight that was not stable any more, or somebody was faster
            return
        await self._see(lane, at, fields["visit"] if name == "call" else "")

    async def _see(self, lane: str, at: _Lane, called: str) -> None:
        """Wait until the page shows what the button did; a lane may be freed before it shows the truck called."""
        pages = self.world.pages

        def shown() -> tuple[str, str] | None:
            now = _standing(pages.lane(lane))
            return now if now != at.seen and called in ("", now[0]) else None

        try:
            at.seen = await pages.until(shown, timeout_s=2)
        except TimeoutError:
            return
        at.mine = False

    def _step(self, lane: str) -> tuple[str, dict[str, str]] | None:
        """The button to press now, with its fields."""
        view = self.world.pages.lane(lane)
        notice, state = _standing(view)
        truck = self.world.trucks.get(notice)
        if (question := view.get("plate_question")) is not None:
            return "compare", {"visit": notice, "shown": question["look"]["picture"], "same": _same(truck, question)}
        match state:
            case "admitted" if enabled(view, "tare"):
                cancelled = truck is not None and truck.order.part is Part.CANCELLED
                return ("cancel", {"reason": "司机放弃提货"}) if cancelled else ("tare", {})
            case "tared" if truck is not None and truck.order.part is Part.LEAVES_EMPTY:
                return ("empty_exit", {}) if enabled(view, "empty_exit") else None
            case "tared":
                return "start_loading", {}
            case "loading" if (truck is None or truck.loaded) and enabled(view, "load_complete"):
                return "load_complete", {"visit": notice}
            case "held" if truck is not None and truck.wants_unload:
                return "unload", {}
            case "" | "ticketed" | "sealed":
                return self._call(lane)
        return None

    def _call(self, lane: str) -> tuple[str, dict[str, str]] | None:
        if self.world.decks[lane].locked():
            return None
        board = self.world.pages.queue()
        first = next((each for each in board if not each["lane"] and self._may_call(each)), None)
        return ("call", {"visit": first["visit"]}) if first else None

    def _may_call(self, entry: dict[str, Any]) -> bool:
        return entry["state"] != "queued" or entry["visit"] not in self._called


def _same(truck: Any, question: dict[str, Any]) -> str:
    """What a person sees who walks up to the truck."""
    return "yes" if truck is not None and truck.order.plate == question["claimed"] else "no"


def _standing(view: dict[str, Any]) -> tuple[str, str]:
    """Notice and state of the visit on a lane, ('', '') for none."""
    visit = view.get("visit")
    return (visit["visit"], visit["state"]) if visit else ("", "")


class Guard:
    """Registers trucks, scans passes, and overrides only what the barrier or the camera failed at."""

    def __init__(self, world: World, pages: Pages, patience_s: float | None) -> None:
        """`patience_s` None: the guard's place is a person's; we only wait for what they do."""
        self._world = world
        self._pages = pages
        self._manners = None if patience_s is None else Manners(patience_s)
        self._mine: dict[str, Any] | None = None
        """Our own last verdict: the stream may show it after the next truck came."""

    async def register(self, plate: str) -> bool:
        """登记到达: True once the truck has its queue number; False while its notice has not come."""
        return (await self._pages.press("/arrive", plate=plate)).ok

    async def check(self, plate: str, code: str) -> tuple[dict[str, Any], bool]:
        """A truck shows this pass: the next verdict, and whether a person scanned, who may have scanned anything."""
        before = self.last()
        if self._manners is None:
            self._world.say(f"{plate} stands at the gate; the pass to scan at the gate: {code}")
        if (by_person := await self._someone_scans(before)) is not None:
            return by_person, True
        for _ in range(_RESCANS):
            verdict = await self._scan(code)
            if _reason(verdict) != "plate_not_read":
                break
        if verdict.get("plate_asked"):
            same = "yes" if verdict["plate_pass"] == plate else "no"
            paper, shown = verdict["ticket"]["ticket"], verdict["picture"]
            answer = await self._pages.press(f"/gate/{GATE}/compare", same=same, paper=paper, shown=shown)
            self._mine = answer.body.get("verdict") or self._mine
            verdict = self._mine or verdict
        if _reason(verdict) in ("plate_not_read", "barrier_failed"):
            paper = verdict["ticket"]["ticket"]
            answer = await self._pages.press(
                f"/gate/{GATE}/override", name="赵门卫", reason="人工核对车牌无误", paper=paper
            )
            self._mine = answer.body.get("verdict") or self._mine
            verdict = self._mine or verdict
        return verdict, False

    async def _scan(self, code: str) -> dict[str, Any]:
        answer = await self._pages.press(f"/gate/{GATE}/scan", code=code)
        self._mine = answer.body.get("verdict")
        return self._mine or {"verdict": "refuse", "why": answer.body.get("why")}

    async def _someone_scans(self, before: dict[str, Any] | None) -> dict[str, Any] | None:
        wait_s = None if self._manners is None else self._manners.wait_s
        ends = None if wait_s is None else time.monotonic() + wait_s
        while ends is None or ends > time.monotonic():
            last = self.last()
            if last is not None and last not in (before, self._mine):
                if self._manners is not None:
                    self._manners.person_acted()
                return last
            await self._world.pages.news(1.0 if ends is None else max(0.0, ends - time.monotonic()))
        return None

    def last(self) -> dict[str, Any] | None:
        """The latest verdict that the gate's page shows."""
        last: dict[str, Any] | None = self._world.pages.views.get(f"gate/{GATE}", {}).get("last")
        return last


def _reason(verdict: dict[str, Any]) -> str:
    return str((verdict.get("why") or {}).get("reason", ""))
