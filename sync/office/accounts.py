"""One customer's money, and how it is spread over plants. Pure: the store loads these values and writes them back.

    fund = dispatched + held + allotted per plant + free        (shown, and summed, on the balances page)
    fund = payments + credits − refunds − the covered part of payments undone

Dispatched and held are what the plants' rows have told so far; what a plant may do unseen is inside its allotment.
"""

from dataclasses import dataclass, replace

from sync.allotment import InstanceState, OfficeCounters, free_fen
from sync.office.lack import LacksMoney
from sync.office.refusal import NotAllowed
from sync.road_limits import road_limit_kg
from sync.units import amount_fen, format_fen, format_kg

SMALLEST_LOAD_KG = 1000


class BooksBroken(Exception):
    """Invariant I1 would not hold any more: a bug. The transaction is rolled back."""


@dataclass(frozen=True, slots=True)
class Allotment:
    """One account at one plant epoch: head office's counters, and what the plant's applied rows and STATE have told."""

    counters: OfficeCounters = OfficeCounters()
    spent_fen: int = 0
    voided_fen: int = 0
    held_fen: int = 0
    wanted_fen: int = 0
    noticed_fen: int = 0
    """Holds of notices that the plant has not taken yet."""

    @property
    def dispatched_fen(self) -> int:
        """Tickets that stand; of a settled epoch what it was settled with."""
        if self.counters.state is InstanceState.SETTLED:
            return self.counters.settled_spend_fen
        return self.spent_fen - self.voided_fen

    @property
    def unused_fen(self) -> int:
        """What the plant may still hold or spend, as far as head office knows."""
        if self.counters.state is InstanceState.SETTLED:
            return 0
        return self.counters.outstanding_fen - self.dispatched_fen - self.held_fen

    @property
    def unpromised_fen(self) -> int:
        """What is left there for one more notice."""
        return max(0, self.unused_fen - self.noticed_fen)


@dataclass(frozen=True, slots=True)
class Account:
    """One fund and its allotments by instance."""

    account: str
    customer_id: str
    kind: str
    fund_fen: int
    allotments: dict[str, Allotment]
    exposure_fen: int = 0
    """敞口: the part of payments undone that was out at the plants, so that the fund still holds it."""

    @property
    def free_fen(self) -> int:
        """What may still be granted to any plant."""
        return free_fen(self.fund_fen, tuple(allotment.counters for allotment in self.allotments.values()))

    @property
    def dispatched_fen(self) -> int:
        """Tickets that stand, at all plants."""
        return sum(allotment.dispatched_fen for allotment in self.allotments.values())

    @property
    def held_fen(self) -> int:
        """Reserved for trucks, at all plants."""
        return sum(allotment.held_fen for allotment in self.allotments.values())

    def check(self) -> None:
        """I1: Σ outstanding ≤ fund."""
        if self.free_fen < 0:
            raise BooksBroken(
                f"{self.account}: {-self.free_fen} fen more is granted than the fund of {self.fund_fen} fen"
            )

    def spendable_fen(self, instance: str) -> int:
        """What one more notice at this plant may reserve: free here, and unpromised there."""
        return self.free_fen + self.allotments.get(instance, Allotment()).unpromised_fen

    def with_hold(self, instance: str, hold_fen: int) -> "Account":
        """Grant exactly what the plant lacks for one more hold, and no more."""
        missing_fen = hold_fen - self.allotments.get(instance, Allotment()).unpromised_fen
        return self.granting(instance, missing_fen) if missing_fen > 0 else self

    def with_want(self, instance: str) -> "Account":
        """Grant what the plant asked for and lacks, as far as it is free."""
        allotment = self.allotments.get(instance, Allotment())
        amount = min(self.free_fen, allotment.wanted_fen - allotment.counters.granted_fen)
        if amount <= 0 or allotment.counters.state is not InstanceState.OPEN:
            return self
        return self.granting(instance, amount)

    def granting(self, instance: str, grant_fen: int) -> "Account":
        """Grant this much more; Shortage when it is not free."""
        allotment = self.allotments.get(instance, Allotment())
        granted = replace(allotment, counters=allotment.counters.grant(grant_fen, self.free_fen))
        after = replace(self, allotments={**self.allotments, instance: granted})
        after.check()
        return after


def largest_net_kg(axles: int, articulated: bool, vehicle_max_kg: int | None) -> int:
    """The most such a truck can load: no truck weighs less empty than a quarter of its gross limit."""
    limit_kg = road_limit_kg(axles, articulated)
    if vehicle_max_kg is not None:
        limit_kg = min(limit_kg, vehicle_max_kg)
    return limit_kg * 3 // 4


def plan_hold_fen(account: Account, instance: str, price_fen_per_t: int, load_kg: int, own_fen: int = 0) -> int:
    """What a notice reserves for a load of at most `load_kg`; NotAllowed when the money is not enough for one tonne.

    While a payment undone is not covered, nothing more is promised or granted: a notice keeps at most its own
    `own_fen`, and of that what still lies at the plant, which may have taken it short.
    """
    spendable_fen = account.spendable_fen(instance)
    if account.exposure_fen:
        spendable_fen = min(own_fen, account.allotments.get(instance, Allotment()).unpromised_fen)
    smallest_fen = amount_fen(min(SMALLEST_LOAD_KG, load_kg), price_fen_per_t)
    if account.exposure_fen and spendable_fen < smallest_fen:
        exposure = format_fen(account.exposure_fen)
        raise NotAllowed(
            "account", account.account,
            f"退票敞口 ¥{exposure} 未补足,不再开单;请先到财务补款",
            f"a payment was undone and ¥{exposure} of it is not covered yet: post a payment first",
        )  # fmt: skip
    if spendable_fen < smallest_fen:
        have, need = format_fen(max(0, spendable_fen)), format_fen(smallest_fen)
        elsewhere_fen = sum(a.unused_fen for i, a in account.allotments.items() if i != instance)
        kg, elsewhere = format_kg(min(SMALLEST_LOAD_KG, load_kg)), format_fen(elsewhere_fen)
        zh, en = "请先到财务登记到款", "post a payment first"
        if elsewhere_fen > 0:
            zh = f"另有 ¥{elsewhere} 在他厂额度中未用,可先收回 (recall);或先到财务登记到款"
            en = f"¥{elsewhere} lies unused at other plants: recall it, or post a payment first"
        raise LacksMoney(
            account.account,
            f"可用 ¥{have},{kg} kg 需 ¥{need};{zh}", f"¥{have} can be spent, {kg} kg cost ¥{need}; {en}",
            smallest_fen - max(0, spendable_fen), elsewhere_fen,
        )  # fmt: skip
    return min(amount_fen(load_kg, price_fen_per_t), spendable_fen)
