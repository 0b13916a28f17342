"""Escrow between one balance and several plants: the counters of the allotment protocol and what may change them.

Pure: no IO, no clock. Every counter has one writer, only grows, and is merged with `max()`, so loss, duplicates and
reordering of messages need no cases of their own. Both ends call this module, and so does the model check.

    THEOREM  true dispatched = Σ(spent − voided) ≤ Σ(granted_seen − returned) ≤ Σ(granted − returned_seen) ≤ fund

It holds because every counter is committed before it is sent. Source: O'Neil, The Escrow Transactional Method (1986).
All amounts are int fen.
"""

from dataclasses import dataclass, replace
from enum import StrEnum


class Shortage(Exception):
    """A change that the invariant forbids. Callers ask first (`available_fen`, `free_fen`); reaching this is a bug."""


@dataclass(frozen=True, slots=True)
class PlantCounters:
    """One account at one plant epoch. Written by the plant only, except that `granted_fen` follows head office."""

    granted_fen: int = 0
    returned_fen: int = 0
    spent_fen: int = 0
    voided_fen: int = 0
    held_fen: int = 0

    def __post_init__(self) -> None:
        """Invariant I2: spent − voided + held ≤ granted − returned, and nothing is negative."""
        if min(self.granted_fen, self.returned_fen, self.spent_fen, self.voided_fen, self.held_fen) < 0:
            raise Shortage(f"a counter is negative: {self}")
        if self.voided_fen > self.spent_fen or self.available_fen < 0:
            raise Shortage(f"more is spent and held than was granted: {self}")

    @property
    def available_fen(self) -> int:
        """What this plant may still hold or spend on its own."""
        return self.granted_fen - self.returned_fen - self.spent_fen + self.voided_fen - self.held_fen

    def grant(self, granted_fen: int) -> "PlantCounters":
        """Head office's cumulative grant arrived, perhaps late, perhaps twice."""
        return replace(self, granted_fen=max(self.granted_fen, granted_fen))

    def hold(self, hold_fen: int) -> "PlantCounters":
        """Reserve money for one truck; needs `hold_fen ≤ available_fen`."""
        return replace(self, held_fen=self.held_fen + hold_fen)

    def release(self, hold_fen: int) -> "PlantCounters":
        """Give a reservation back unspent."""
        return replace(self, held_fen=self.held_fen - hold_fen)

    def post(self, hold_fen: int, amount_fen: int) -> "PlantCounters":
        """A ticket: its whole hold ends, its amount is spent; needs `amount_fen ≤ hold_fen`."""
        if amount_fen > hold_fen:
            raise Shortage(f"a ticket of {amount_fen} fen exceeds its hold of {hold_fen} fen")
        return replace(self, held_fen=self.held_fen - hold_fen, spent_fen=self.spent_fen + amount_fen)

    def void(self, amount_fen: int) -> "PlantCounters":
        """A ticket is taken back before its truck left."""
        return replace(self, voided_fen=self.voided_fen + amount_fen)

    def give_back(self, amount_fen: int) -> "PlantCounters":
        """Return unneeded money to head office; commit this before telling it. Needs `amount_fen ≤ available_fen`."""
        return replace(self, returned_fen=self.returned_fen + amount_fen)


class InstanceState(StrEnum):
    """Where a plant epoch stands at head office."""

    OPEN = "open"
    CLOSING = "closing"
    SETTLED = "settled"


@dataclass(frozen=True, slots=True)
class OfficeCounters:
    """One account at one plant epoch, as head office keeps it."""

    granted_fen: int = 0
    returned_seen_fen: int = 0
    state: InstanceState = InstanceState.OPEN
    settled_spend_fen: int = 0

    @property
    def outstanding_fen(self) -> int:
        """The part of the fund this plant may have spent, or may still spend."""
        if self.state is InstanceState.SETTLED:
            return self.settled_spend_fen
        return self.granted_fen - self.returned_seen_fen

    def grant(self, amount_fen: int, free_fen: int) -> "OfficeCounters":
        """Grant more; needs an OPEN instance and `0 < amount_fen ≤ free_fen`. Commit, then send the new total."""
        if self.state is not InstanceState.OPEN:
            raise Shortage(f"this plant epoch is {self.state}: no grants")
        if not 0 < amount_fen <= free_fen:
            raise Shortage(f"cannot grant {amount_fen} fen out of {free_fen} fen free")
        return replace(self, granted_fen=self.granted_fen + amount_fen)

    def returned(self, returned_fen: int) -> "OfficeCounters":
        """The plant's cumulative return arrived, perhaps late, perhaps twice."""
        return replace(self, returned_seen_fen=max(self.returned_seen_fen, returned_fen))

    def hear_return(self, returned_fen: int) -> "OfficeCounters":
        """The same of a plant that may tell anything: a return can only give back what was granted, and a larger number
        is no reason to believe in more money."""
        heard = self.returned(returned_fen)
        return replace(heard, returned_seen_fen=min(heard.returned_seen_fen, self.granted_fen))

    def recovered(self, granted_fen: int, returned_fen: int) -> "OfficeCounters":
        """Books restored from a copy hear what the plant has: grants they have forgotten count again."""
        return replace(self, granted_fen=max(self.granted_fen, granted_fen)).returned(returned_fen)

    def settle(self, spend_fen: int) -> "OfficeCounters":
        """The epoch is over and this was dispatched in it, net; what else was out is free again. Once, and for good."""
        if self.state is InstanceState.SETTLED:
            raise Shortage("this plant epoch is settled already")
        if spend_fen < 0:
            raise Shortage(f"a spend of {spend_fen} fen cannot be")
        return replace(self, state=InstanceState.SETTLED, settled_spend_fen=spend_fen)

    def charge(self, amount_fen: int) -> "OfficeCounters":
        """Finance books a ticket that came after settling (negative: a void); the free part may become negative."""
        if self.state is not InstanceState.SETTLED:
            raise Shortage(f"this plant epoch is {self.state}: its tickets count by themselves")
        if self.settled_spend_fen + amount_fen < 0:
            raise Shortage(f"only {self.settled_spend_fen} fen count: {-amount_fen} fen cannot be given back")
        return replace(self, settled_spend_fen=self.settled_spend_fen + amount_fen)


def free_fen(fund_fen: int, instances: "tuple[OfficeCounters, ...]") -> int:
    """What head office may still grant from one account: fund − Σ outstanding. Invariant I1: never negative by granting
    (a payment undone can make it so; then nothing is granted)."""
    return fund_fen - sum(instance.outstanding_fen for instance in instances)


def covered_fen(exposure_fen: int, free_fen: int) -> int:
    """How much of a payment undone (敞口) the free part covers now: as much as it can, and never by a debt."""
    return max(0, min(exposure_fen, free_fen))
