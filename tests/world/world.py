"""The world: plants, one head office, every message ever sent, and whatever people, networks and fires do to them."""

import asyncio
import shutil
from collections import Counter, defaultdict
from datetime import timedelta
from pathlib import Path
from random import Random

from edge.domain.refusal import Refusal
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


class World:
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
        """Boxes that were replaced, or copied, and still run somewhere."""
        self.copies: dict[str, tuple[Path, int]] = {}
        self.payments: dict[str, tuple[str, int]] = {}
        """Customer and fen by the bank's reference: the bank forgets nothing."""
        self.refunds: dict[str, tuple[str, int]] = {}
        self.undone: list[str] = []
        self.codes_carried: list[str] = []
        for code in self.codes:
            self._enrol(code, 1)

    def close(self) -> None:
        """Everything off."""
        for box in self.all_boxes:
            box.close()
        self.office.close()

    @property
    def all_boxes(self) -> list[Box]:
        """Those in service, then the others."""
        return [*self.boxes.values(), *self.zombies]

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

    def exchange(self, weather: int = 0, rounds: int = 3) -> None:
        """Let everybody talk. `weather` 0 is fair; any other number loses, doubles and reorders by that number."""
        dice = Random(weather) if weather else None
        self.office.look()
        for _ in range(rounds):
            TIME.ms += 300
            for box in self.all_boxes:
                if box.pipe.up:
                    box.turn()
            up, self._fresh_up = self._fresh_up, []
            arrived = _weathered(up, dice)
            for start in range(0, len(arrived), _TOGETHER):
                self.office.take(*arrived[start : start + _TOGETHER])
            down, self._fresh_down = self._fresh_down, defaultdict(list)
            for code, messages in down.items():
                for topic, payload in _weathered(messages, dice):
                    self._arrive(code, topic, payload)

    def _arrive(self, code: str, topic: str, payload: bytes) -> None:
        for box in self.all_boxes:
            if box.instance.plant == code and box.pipe.up:
                box.engine.message(topic, payload)
                box.turn()

    def again_up(self, pick: int) -> None:
        """Any message that was ever sent up arrives at head office."""
        if self.up:
            self.office.take(self.up[-1 - pick % len(self.up)])
            self.counts["old message up"] += 1

    def again_down(self, plant: int, pick: int) -> None:
        """Any message that was ever sent down arrives at its plant."""
        code = self.code(plant)
        if self.down[code]:
            self._arrive(code, *self.down[code][-1 - pick % len(self.down[code])])
            self.counts["old message down"] += 1

    def lose(self) -> None:
        """Everything on its way is lost."""
        self._fresh_up.clear()
        self._fresh_down.clear()

    # People.

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

    def pay(self, customer: int, amount: int) -> None:
        """Money comes in, and is posted."""
        name, amount_fen = self.customer(customer), amount * TRUCK_FEN
        reference = f"P{len(self.payments) + 1}"
        self.payments[reference] = (name, amount_fen)
        self.truth.paid(prepaid_account(name), amount_fen)
        self.office.pay(reference, name, amount_fen)
        self.counts["paid"] += 1

    def refund(self, customer: int, share: int) -> None:
        """Part of what is free is paid back."""
        name = self.customer(customer)
        amount_fen = self.office.free_fen(prepaid_account(name)) // TRUCK_FEN // share * TRUCK_FEN
        reference = f"R{len(self.refunds) + 1}"
        if amount_fen > 0 and self.office.refund(reference, name, amount_fen) is not None:
            self.refunds[reference] = (name, amount_fen)
            self.truth.paid(prepaid_account(name), -amount_fen)
            self.counts["refunded"] += 1

    def undo(self, pick: int) -> None:
        """A cheque bounces."""
        open_ones = [reference for reference in self.payments if reference not in self.undone]
        if open_ones:
            reference = open_ones[-1 - pick % len(open_ones)]
            if (undone := self.office.undo(reference)) is not None:
                self.undone.append(reference)
                self.counts["payment undone" if undone.covered_fen else "payment undone, nothing left"] += 1

    def recall(self, plant: int, customer: int, keep: int) -> None:
        """Head office wants money back."""
        asked = self.office.recall(self.code(plant), prepaid_account(self.customer(customer)), keep * TRUCK_FEN)
        self.counts["recalled"] += bool(asked and asked["recalled"])

    def carry(self, plant: int, customer: int, share: int) -> None:
        """Part of what is free is granted as a code."""
        name = self.customer(customer)
        amount_fen = self.office.free_fen(prepaid_account(name)) // share
        if amount_fen > 0 and (code := self.office.code(self.code(plant), name, amount_fen)) is not None:
            self.codes_carried.append(code)
            self.counts["code written"] += 1

    def scan(self, pick: int, code: int) -> None:
        """Any code that was ever written is read out at any box."""
        if self.codes_carried:
            outcome = self.box(pick).scan(self.codes_carried[-1 - code % len(self.codes_carried)])
            self.counts[f"code: {outcome.reason.value if isinstance(outcome, Refusal) else 'taken'}"] += 1

    def notice(self, plant: int, customer: int) -> None:
        """One more truck."""
        made = self.office.notice(self.code(plant), self.customer(customer))
        self.counts["notice" if made else "notice refused"] += 1

    def grant_all(self, plant: int, customer: int) -> None:
        """Everything that is free goes to one plant."""
        account = prepaid_account(self.customer(customer))
        free_fen = self.office.free_fen(account)
        if free_fen > 0 and self.office.grant(self.code(plant), account, free_fen) is not None:
            self.counts["granted all"] += 1

    def spend_all(self, pick: int, trucks: int = 1) -> None:
        """A box loads its oldest trucks with all that it thinks it has."""
        box = self.box(pick)
        for name in box.waiting()[:trucks]:
            if box.drive(name) is not None:
                self._count_ticket(box.complete(name))

    def load(self, pick: int, share: int, more_kg: int) -> None:
        """One truck with part of the money, or more than it may have."""
        box = self.box(pick)
        names = box.waiting()
        if names:
            name = names[pick // 7 % len(names)]
            if box.drive(name) is not None:
                self._count_ticket(box.complete(name, more_kg, share=share))

    def press_again(self, pick: int) -> None:
        """Somebody presses 装车完成 of a truck that has its ticket."""
        box = self.box(pick)
        for ticket in box.tickets()[:1]:
            stored = box.read(lambda books: books.tickets.get(ticket))  # noqa: B023
            if stored is not None:
                before = self.truth.tickets
                box.complete(stored.ticket.visit)
                assert self.truth.tickets == before, "a second press made a second ticket"

    def _count_ticket(self, outcome: object) -> None:
        self.counts[f"load: {type(outcome).__name__}"] += 1

    def void(self, pick: int) -> None:
        """One of the last tickets is taken back."""
        box = self.box(pick)
        if tickets := box.tickets():
            self.counts[f"void: {type(box.void(tickets[pick // 5 % len(tickets)])).__name__}"] += 1

    def leave(self, pick: int) -> None:
        """One of the last trucks goes through the gate."""
        box = self.box(pick)
        if tickets := box.tickets():
            box.leave(tickets[pick // 5 % len(tickets)])
            self.counts["gate"] += 1

    def cancel(self, pick: int) -> None:
        """A truck does not come."""
        box = self.box(pick)
        if names := box.waiting():
            box.cancel(names[pick // 5 % len(names)])
            self.counts["cancelled"] += 1

    # Faults.

    def crash(self, pick: int, commits: int, after: bool) -> None:
        """The power will go at one of the next commits, of head office or of a box."""
        boxes = self.all_boxes
        target = pick % (len(boxes) + 1)
        (boxes[target].crasher if target < len(boxes) else self.office.crasher).arm(commits, after=after)

    def cut(self, pick: int, up: bool) -> None:
        """A cable."""
        self.box(pick).cut(up)

    def jump(self, pick: int, years: int) -> None:
        """A computer's clock is wrong from now on."""
        boxes, error = self.all_boxes, timedelta(days=365 * years)
        target = pick % (len(boxes) + 1)
        if target < len(boxes):
            boxes[target].clock.error = error
        else:
            TIME.office_error = error
        self.counts["clock jumped"] += 1

    @property
    def crashes(self) -> int:
        """How often the power went."""
        return self.office.crashes + sum(box.crashes for box in self.all_boxes)

    def replace_box(self, plant: int) -> None:
        """A box is lost, the next epoch is enrolled at once; the old one may run on somewhere."""
        code = self.code(plant)
        old = self.boxes[code]
        if old.instance.epoch < 4:
            self.zombies.append(old)
            self._enrol(code, old.instance.epoch + 1)
            self.counts["box replaced"] += 1

    # What must hold.

    def check(self) -> None:
        """After every step."""
        for reference, covered_fen in self.office.covered_fen().items():
            self.truth.covered(reference, prepaid_account(self.payments[reference][0]), covered_fen)
        self.truth.check()
        self.office.check()
        for box in self.all_boxes:
            box.check()
        full = self.truth.full
        self.counts["step at a full balance"] += bool(full)

    def heal(self) -> None:
        """Fair weather: all cables in, good clocks, nobody crashes. Then both ends must hold the same, to the fen."""
        self.office.crasher.arm(0, after=False)
        for box in self.all_boxes:
            box.crasher.arm(0, after=False)
            box.cut(up=True)
            box.clock.error = timedelta(0)
        TIME.office_error = timedelta(0)
        for _ in range(12):
            TIME.ms += 5_000
            self.exchange(rounds=2)
        self.check()
        for box in self.all_boxes:
            self._agree(box)
        findings = self.office.verify()
        assert findings.ok, findings.problems

    def _agree(self, box: Box) -> None:
        wire_id = box.instance.wire_id
        head = box.read(lambda books: books.ledger.head())
        assert self.office.rows(wire_id) == (head.seq, head.hash), f"{wire_id}: rows differ"
        acked = box.read(lambda books: books.number("acked_seq"))
        assert acked == head.seq, f"{wire_id}: row {acked} of {head.seq} is acknowledged"


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


def wipe(folder: Path) -> None:
    """Remove a world's files."""
    shutil.rmtree(folder, ignore_errors=True)
