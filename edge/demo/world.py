"""What trucks and people of the demo share: the stage, the clock's pace, who stands where, and what happened so far."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edge.demo.devices import LANES
from edge.demo.office import HeadOffice
from edge.demo.pages import Pages
from edge.demo.stage import Stage

if TYPE_CHECKING:
    from edge.demo.truck import Truck


@dataclass(slots=True)
class Tally:
    """Counts of what trucks and people saw, to be compared with the books."""

    outcomes: Counter[str] = field(default_factory=Counter)
    held: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    topped_up: int = 0
    unloaded: int = 0
    surprises: list[str] = field(default_factory=list)
    """Visits that did not end as they were meant to."""


class World:
    """One plant with its traffic."""

    def __init__(self, stage: Stage, office: HeadOffice, pages: Pages, say: Callable[[str], None]) -> None:
        self.stage = stage
        self.devices = stage.devices
        self.office = office
        self.pages = pages
        """What everybody in the plant can see: the lanes' displays, the board, the gate."""
        self.say = say
        self.tally = Tally()
        self.cheats = False
        """One of the trucks has somebody with a remote control for the scale."""
        self.trucks: dict[str, Truck] = {}
        """By notice."""
        self.decks = {lane: asyncio.Lock() for lane in LANES}
        self.gate = asyncio.Lock()

    async def wait(self, seconds: float) -> None:
        """So long at speed 1."""
        await asyncio.sleep(seconds / self.stage.pace.speed)

    async def scale_to(self, lane: str, mass_kg: int, seconds: float) -> None:
        """The load on a deck becomes so heavy in so long at speed 1."""
        scaled_s = seconds / self.stage.pace.speed
        self.devices.scales[lane].ramp_to(mass_kg, scaled_s)
        await asyncio.sleep(scaled_s)


def teller(write: Callable[[str], object]) -> Callable[[str], None]:
    """Writes one line an event, with the time since the start."""
    began = time.monotonic()

    def say(text: str) -> None:
        passed = int(time.monotonic() - began)
        write(f"{passed // 60:02}:{passed % 60:02}  {text}\n")

    return say
