"""The world: what people do, and whatever networks, fires and restores do to their machines."""

import shutil
from datetime import timedelta

from sync.office.store.epochs import Stub
from sync.office.store.money import prepaid_account
from tests.world.agreement import agree, read_again
from tests.world.box import Box
from tests.world.office import Office
from tests.world.people import People
from tests.world.seams import TIME, When


class World(People):
    """Plant epochs, faults, and what must hold after each step. All choices come in as numbers."""

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
            if self.office.refund(reference, name, amount_fen, again=True) is None:
                return
        if self.office.finish_reconcile():
            self.counts["reconciled"] += 1

    @property
    def crashes(self) -> int:
        """How often the power went."""
        boxes = sum(box.crashes for box in [*self.all_boxes, *self.retired])
        return boxes + sum(office.crashes for office in self.offices)

    # What must hold.

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
            agree(self, box)
        if verified:
            read_again(self)

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
