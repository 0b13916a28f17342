"""The world: plants, one head office, every message ever sent, and whatever people, networks and fires do to them."""

import asyncio
import shutil
from collections import Counter, defaultdict
from datetime import timedelta
from pathlib import Path
from random import Random

from edge.domain.refusal import Refusal
from edge.store.verify import verify
from sync.allotment import PlantCounters
from sync.office.store.epochs import Stub
from sync.office.store.money import prepaid_account
from tests.edge.station.rig import DIVISION_KG, PRICE
from tests.world.box import Box
from tests.world.office import KEY, Office
from tests.world.seams import TIME, When
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
        if not self.truth.paid_fen[prepaid_account(self.customer(customer))]:
            return
        made = self.office.notice(self.code(plant), self.customer(customer))
        self.counts["notice" if made else "notice refused"] += 1

    def grant_all(self, plant: int, customer: int) -> None:
        """Everything that is free goes to one plant."""
        account = prepaid_account(self.customer(customer))
        free_fen = self.office.free_fen(account)
        if free_fen > 0 and self.office.grant(self.code(plant), account, free_fen) is not None:
            self.counts["granted all"] += 1

    def spend_everywhere(self, trucks: int = 2) -> None:
        """Every box, zombies too, loads all that it thinks it has."""
        for pick in range(len(self.all_boxes)):
            self.spend_all(pick, trucks)
            self.check()

    def sell_everything(self) -> None:
        """Everything that is free is granted, arrives, and is loaded: is it more than was paid?"""
        for customer in range(2):
            for plant in range(len(self.codes)):
                self.notice(plant, customer)
            self.grant_all(customer, customer)
        self.exchange()
        self.spend_everywhere()

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

    def night(self) -> None:
        """Thirteen hours pass: notices run out."""
        TIME.ms += 13 * 3_600_000
        for box in self.all_boxes:
            box.expire()

    # Plant epochs.

    def close_epoch(self, plant: int) -> None:
        """关账期, the orderly way."""
        self.counts["epoch closed"] += self.office.close_epoch(self.code(plant)) is not None

    def replace_box(self, plant: int) -> None:
        """A box is lost, or its epoch was closed: the next is enrolled at once; the old one may run on somewhere."""
        code = self.code(plant)
        old = self.boxes[code]
        self.zombies.append(old)
        self._enrol(code, old.instance.epoch + 1)
        self.counts["box replaced"] += 1

    def settle(self, pick: int, by_disk: bool) -> None:
        """A lost box is found, off, and its disk read; or it is gone, and two persons count its stubs."""
        if self.zombies:
            self._retire(self.zombies[pick % len(self.zombies)], by_disk)

    def _retire(self, box: Box, by_disk: bool) -> None:
        how = "disk" if by_disk and not box.rolled_back else "paper"
        if self._settle(box, how):
            self.zombies.remove(box)
            self.retired.append(box)
            self.settled_by[box.instance.wire_id] = how
            self.counts[f"settled by {how}"] += 1

    def _settle(self, box: Box, how: str) -> bool:
        wire_id = box.instance.wire_id
        state, _ = self.office.state_of(wire_id)
        if state != "closing":
            return state == "settled"
        if how == "disk":
            return self.office.settle_by_disk(box) is not None
        stubs = [
            Stub(goods.ticket, goods.account, goods.plate, goods.net_kg, goods.amount_fen)
            for goods in self.truth.standing(wire_id)
        ]
        return self.office.settle_by_paper(wire_id, stubs) is not None

    # Faults.

    def crash(self, pick: int, commits: int, when: int) -> None:
        """The power will go at one of the next commits, of head office or of a box."""
        boxes = self.all_boxes
        target = pick % (len(boxes) + 1)
        (boxes[target].crasher if target < len(boxes) else self.office.crasher).arm(commits, When(when))

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

    def copy_box(self, pick: int, backup: bool) -> None:
        """Somebody copies a box's data folder, or makes a backup as told in the handbook."""
        box = self.box(pick)
        folder = self.folder / f"copy-{box.folder.name}"
        self.copies[box.instance.wire_id] = folder, (box.back_up_to if backup else box.copy_to)(folder)
        self.counts["box copied"] += 1

    def restore_box(self, pick: int) -> None:
        """A box comes up on its last copy."""
        box = self.box(pick)
        if (copy := self.copies.get(box.instance.wire_id)) is not None:
            box.replace_by(*copy)
            self.counts["box restored, fenced" if box.fenced else "box restored, same books"] += 1

    def copy_office(self) -> None:
        """Somebody copies head office's books."""
        self.office_copy = self.folder / "copy-office"
        self.office.copy_to(self.office_copy)
        self.counts["head office copied"] += 1

    def restore_office(self, old_runs_on: bool) -> None:
        """Head office comes up on its last copy, on another machine; the old one is gone, or still runs."""
        if self.office_copy is None or self.office.mode:
            return
        if self.old_office is not None:
            self.old_office.close()
        self.old_office = self.office if old_runs_on else None
        if not old_runs_on:
            self.office.close()
        self._offices += 1
        folder = self.folder / f"office-{self._offices}"
        shutil.copytree(self.office_copy, folder)
        notices = self.office.notices
        self.office = Office(folder, self.loop, self._sent_down)
        self.office.notices = notices
        self.office.begin_reconcile("restored")
        # First of all the boxes that were enrolled since: an epoch that is not known any more is below a newer one's.
        for box in sorted([*self.all_boxes, *self.retired], key=lambda each: each.instance.epoch):
            self.office.enrol(box.instance.plant, box.instance.epoch, box.key.public_key())
        self.counts["head office restored, old machine runs on" if old_runs_on else "head office restored"] += 1

    def old_office_grants(self, plant: int, customer: int) -> None:
        """Somebody works on at the old machine."""
        if self.old_office is not None:
            account = prepaid_account(self.customer(customer))
            free_fen = self.old_office.free_fen(account)
            if free_fen > 0 and self.old_office.grant(self.code(plant), account, free_fen) is not None:
                self.counts["old head office granted"] += 1

    def _settle_again(self) -> None:
        """Epochs that were settled since the copy, and boxes that run on a copy."""
        for box in self.retired:
            if not self._settle(box, self.settled_by[box.instance.wire_id]):
                self.counts[f"not settled again: {self.office.said_no}"] += 1
        for box in self.all_boxes:
            if box.fenced:
                self._give_up(box)

    def _give_up(self, box: Box) -> None:
        """A copy cannot tell what the original held: its paper must."""
        if box is self.boxes[box.instance.plant]:
            self.replace_box(self.codes.index(box.instance.plant))
        self._retire(box, by_disk=False)

    def reconcile(self) -> None:
        """What the handbook says after a restore: post and settle everything again, wait, two persons."""
        if not self.office.mode:
            return
        for reference, (name, amount_fen) in self.payments.items():
            self.office.pay(reference, name, amount_fen)
        self._settle_again()
        self.exchange()
        for reference in self.undone:
            self.office.undo(reference)
        for reference, (name, amount_fen) in self.refunds.items():
            if self.office.refund(reference, name, amount_fen) is None:
                return
        if self.office.finish_reconcile():
            self.counts["reconciled"] += 1

    @property
    def crashes(self) -> int:
        """How often the power went."""
        boxes = sum(box.crashes for box in [*self.all_boxes, *self.retired])
        return boxes + sum(office.crashes for office in self.offices)

    # What must hold.

    def check(self) -> None:
        """After every step."""
        for reference, covered_fen in self.office.covered_fen().items():
            self.truth.covered(reference, prepaid_account(self.payments[reference][0]), covered_fen)
        self.truth.check()
        self.office.check()
        for box in self.all_boxes:
            box.check()
        self.counts["step at a full balance"] += bool(self.truth.full)

    def heal(self, *, verified: bool = True) -> None:
        """Fair weather: all cables in, good clocks, nobody crashes. Then both ends must hold the same, to the fen."""
        if self.old_office is not None:
            self.old_office.close()
            self.old_office = None
        self.office.crasher.disarm()
        TIME.office_error = timedelta(0)
        for box in [*self.all_boxes, *self.retired]:
            box.crasher.disarm()
            box.cut(up=True)
            box.clock.error = timedelta(0)
        self.settle_down()
        for _ in range(2):
            if self.office.mode:
                self.reconcile()
                self.settle_down()
        states = {box.instance.wire_id: box.told() for box in self.all_boxes}
        assert self.office.mode == 0, f"head office still waits: {self.office.standing()}, {states}, {self.counts}"
        self.check()
        for box in [*self.all_boxes, *self.retired]:
            self._agree(box)
        if verified:
            self._verify()

    def _verify(self) -> None:
        """Both ends read their books again from the first row."""
        epochs = [self.office.state_of(box.instance.wire_id) for box in [*self.all_boxes, *self.retired]]
        forked = any(frozen for _, frozen in epochs)
        findings = self.office.verify()
        problems = [each for each in findings.problems if not (forked and ("frozen" in each or "no_forks" in each))]
        assert not problems, problems
        for box in self.all_boxes:
            report = verify(box.path)
            assert report.ok, [check for check in report.checks if not check.ok]

    def settle_down(self) -> None:
        """Until nobody has anything new to say: a STATE is answered, and changes nothing more."""
        for _ in range(12):
            TIME.ms += 61_000
            before = self._standing()
            self.exchange(retired=True)
            if before == self._standing():
                return

    def _standing(self) -> list[object]:
        boxes = [*self.all_boxes, *self.retired]
        return [self.office.fingerprint(), *(box.read(lambda books: books.ledger.head()) for box in boxes)]

    def _agree(self, box: Box) -> None:
        wire_id = box.instance.wire_id
        state, frozen = self.office.state_of(wire_id)
        if state == "settled":
            self._settled(wire_id)
        if frozen or box.fenced:
            return
        head = box.read(lambda books: books.ledger.head())
        acked = box.read(lambda books: books.number("acked_seq"))
        there = self.office.rows(wire_id)
        assert there == (head.seq, head.hash), f"{wire_id}: {there} there, {head} here, {acked} acknowledged"
        assert acked == head.seq, f"{wire_id}: row {acked} of {head.seq} is acknowledged"
        mine = box.read(lambda books: books.accounts.all())
        for account, told in self.office.counters(wire_id).items():
            here = mine.get(account, PlantCounters())
            ours = (here.granted_fen, here.returned_fen, here.spent_fen, here.voided_fen, here.held_fen)
            if state == "open":
                assert told == ours, f"{wire_id} {account}: {told} at head office, {ours} at the plant"
            else:  # what is on its way to a closed box does not arrive any more
                assert told[1:] == ours[1:] and told[0] >= ours[0], f"{wire_id} {account}: {told}, {ours}"

    def _settled(self, wire_id: str) -> None:
        """Nobody settled with less than what was dispatched."""
        gone_fen: Counter[str] = Counter()
        for goods in self.truth.standing(wire_id):
            gone_fen[goods.account] += goods.amount_fen
        counted_fen = self.office.settled_fen(wire_id)
        for account, fen in gone_fen.items():
            assert fen <= counted_fen.get(account, 0), f"{wire_id} {account}: {fen} fen are gone"


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
