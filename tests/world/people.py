"""What people do in the world: they pay, order, load, press twice, void, carry codes, and go home."""

from edge.domain.refusal import Refusal
from sync.office.store.money import prepaid_account
from tests.world.ground import TRUCK_FEN, Ground
from tests.world.seams import TIME


class People(Ground):
    """Customers, dispatchers, guards and finance."""

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
