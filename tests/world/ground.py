"""The ground of the world: plants, one head office, and every message ever sent between them."""

import asyncio
from collections import Counter, defaultdict
from pathlib import Path
from random import Random

from sync.office.store.money import prepaid_account
from tests.edge.station.rig import DIVISION_KG, PRICE
from tests.world.box import Box
from tests.world.office import KEY, Office
from tests.world.seams import TIME
from tests.world.truth import Truth

Sent = tuple[str, bytes]
TRUCK_FEN = DIVISION_KG * PRICE // 1000
"""The money of one scale division: payments are multiples, so that a balance can be used to the last fen."""
_KEPT = 400
_TOGETHER = 4
"""As many messages reach head office before it begins to book."""


class Ground:
    """`plants` plants with one box each, customers A and B. All choices come in as numbers."""

    def __init__(self, folder: Path, loop: asyncio.AbstractEventLoop, plants: int = 2) -> None:
        self.folder = folder
        self.loop = loop
        TIME.reset()
        self.truth = Truth()
        self.counts: Counter[str] = Counter()
        self.up: list[Sent] = []
        self.down: defaultdict[str, list[Sent]] = defaultdict(list)
        self._fresh_up: list[Sent] = []
        self._fresh_down: defaultdict[str, list[Sent]] = defaultdict(list)
        self.office = Office(folder / "office", loop, self._sent_down)
        self.codes = [f"HX{number:02}" for number in range(1, plants + 1)]
        self.boxes: dict[str, Box] = {}
        """The box now in service at each plant."""
        self.zombies: list[Box] = []
        """Boxes that were replaced and still run somewhere."""
        self.retired: list[Box] = []
        """Boxes whose epoch is settled: they sell nothing more, but may still be heard."""
        self.settled_by: dict[str, str] = {}
        """How each retired box's epoch was settled: again after head office was restored."""
        self.copies: dict[str, tuple[Path, int]] = {}
        """The last copy of each box's data folder, by instance, and how far its ledger went."""
        self.office_copy: Path | None = None
        self.old_office: Office | None = None
        """The machine that head office was restored away from; it still runs."""
        self._offices = 0
        self.payments: dict[str, tuple[str, int]] = {}
        """Customer and fen by the bank's reference: the bank forgets nothing."""
        self.refunds: dict[str, tuple[str, int]] = {}
        self.undone: list[str] = []
        self.codes_carried: list[str] = []
        for code in self.codes:
            self._enrol(code, 1)

    def close(self) -> None:
        """Everything off."""
        for box in [*self.all_boxes, *self.retired]:
            box.close()
        for office in self.offices:
            office.close()

    @property
    def all_boxes(self) -> list[Box]:
        """Those in service, then the others."""
        return [*self.boxes.values(), *self.zombies]

    @property
    def offices(self) -> list[Office]:
        """Head office, and perhaps the old machine."""
        return [self.office] if self.old_office is None else [self.office, self.old_office]

    def _enrol(self, code: str, epoch: int) -> None:
        folder = self.folder / f"{code}-{epoch}"
        folder.mkdir()
        box = Box(folder, code, epoch, self.loop, KEY.public_key(), self.truth, self._sent_up)
        assert self.office.enrol(code, epoch, box.key.public_key()) == box.instance
        self.boxes[code] = box

    # The channel: any message ever sent may arrive, at any time, any number of times, or never.

    def _sent_up(self, topic: str, payload: bytes) -> None:
        _remember(self.up, (topic, payload))
        self._fresh_up.append((topic, payload))

    def _sent_down(self, topic: str, payload: bytes) -> None:
        code = topic.split("/")[1]
        _remember(self.down[code], (topic, payload))
        self._fresh_down[code].append((topic, payload))

    def exchange(self, weather: int = 0, rounds: int = 2, *, retired: bool = False) -> None:
        """Let everybody talk. `weather` 0 is fair; any other number loses, doubles and reorders by that number."""
        dice = Random(weather) if weather else None
        for office in self.offices:
            office.look()
        for _ in range(rounds):
            TIME.ms += 300
            for box in [*self.all_boxes, *(self.retired if retired else ())]:
                if box.pipe.up:
                    box.turn()
            up, self._fresh_up = self._fresh_up, []
            arrived = _weathered(up, dice)
            for start in range(0, len(arrived), _TOGETHER):
                for office in self.offices:
                    office.take(*arrived[start : start + _TOGETHER])
            down, self._fresh_down = self._fresh_down, defaultdict(list)
            for code, messages in down.items():
                for topic, payload in _weathered(messages, dice):
                    self._arrive(code, topic, payload)

    def _arrive(self, code: str, topic: str, payload: bytes) -> None:
        for box in [*self.all_boxes, *self.retired]:
            if box.instance.plant == code and box.pipe.up:
                box.engine.message(topic, payload)
                box.turn()

    def again(self, picks: list[int]) -> None:
        """Any messages that were ever sent, in any order, to whom it concerns."""
        if self.up:
            for office in self.offices:
                office.take(*(self.up[-1 - pick % len(self.up)] for pick in picks))
        for pick in picks:
            code = self.code(pick)
            if self.down[code]:
                self._arrive(code, *self.down[code][-1 - pick // 2 % len(self.down[code])])
        self.counts["old messages"] += len(picks)

    def lose(self) -> None:
        """Everything on its way is lost."""
        self._fresh_up.clear()
        self._fresh_down.clear()

    # Who is meant by a number.

    def code(self, plant: int) -> str:
        """A plant by any number."""
        return self.codes[plant % len(self.codes)]

    def box(self, pick: int) -> Box:
        """Any box, mostly one in service."""
        boxes = self.all_boxes
        return boxes[pick % len(boxes)]

    def customer(self, pick: int) -> str:
        """A customer by any number."""
        return "AB"[pick % 2]

    def check(self) -> None:
        """After every step."""
        for reference, covered_fen in self.office.covered_fen().items():
            self.truth.covered(reference, prepaid_account(self.payments[reference][0]), covered_fen)
        self.truth.check()
        self.office.check()
        for box in self.all_boxes:
            box.check()
        self.counts["step at a full balance"] += bool(self.truth.full)


def _remember(history: list[Sent], message: Sent) -> None:
    """Any old message stays possible, and memory bounded: one in the middle makes room."""
    history.append(message)
    if len(history) > _KEPT:
        del history[_KEPT // 2]


def _weathered(messages: list[Sent], dice: Random | None) -> list[Sent]:
    if dice is None:
        return messages
    arrived = [message for message in messages for _ in range(dice.choice((0, 1, 1, 1, 2)))]
    if dice.random() < 0.3:
        dice.shuffle(arrived)
    return arrived
