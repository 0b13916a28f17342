"""The decision at load complete, in its order: identity → overload → minimum → notice → money → stock.

The first "no" wins; its numbers say how much is over. Over by one division is over: there is no tolerance.
"""

from dataclasses import dataclass

from edge.domain.load_limit import LimitFacts, load_limit
from edge.domain.plate_check import PlateCheck
from edge.domain.quantities import excess_kg, floor_to_division
from edge.domain.refusal import Reason, Refusal, refuse
from sync.units import amount_fen

CLEARED_BY_MONEY = frozenset({Reason.OVER_BALANCE, Reason.OVER_CREDIT})
CLEARED_BY_AMENDMENT = frozenset({Reason.OVER_NOTICE})
HOLDS = CLEARED_BY_MONEY | CLEARED_BY_AMENDMENT | {
    Reason.PLATE_DIFFERS, Reason.OVERLOAD, Reason.BELOW_MINIMUM, Reason.CREDIT_OVERDUE, Reason.NO_STOCK,
}  # fmt: skip
"""The refusals that put a truck into HELD; all others leave it where it is, as PLATE_UNSURE until a person compared."""


@dataclass(frozen=True, slots=True)
class LoadFacts:
    """Everything the decision looks at, read inside the transaction that would issue the ticket."""

    gross_kg: int
    minimum_net_kg: int
    limits: LimitFacts
    plate: PlateCheck
    """Without a camera, or when it saw no plate, the dispatcher's own eyes count."""
    product: str
    stock_kg: int | None
    """None where the yard keeps no stock in weighgate."""
    credit_due: str
    responsible: str
    overdue: bool


@dataclass(frozen=True, slots=True)
class Cleared:
    """The load may be ticketed."""

    net_kg: int
    amount_fen: int


def decide(facts: LoadFacts) -> Cleared | Refusal:
    """The whole decision for one stable gross weight."""
    limits = facts.limits
    if (another := facts.plate.refusal) is not None:
        return another
    hardest = load_limit(limits).hardest
    if facts.gross_kg > hardest.gross_kg:
        return refuse(
            Reason.OVERLOAD,
            over_kg=facts.gross_kg - hardest.gross_kg,
            limit_kg=hardest.gross_kg,
            limited_by=hardest.by.words.zh,
            limited_by_en=hardest.by.words.en,
        )
    net_kg = facts.gross_kg - limits.tare_kg
    if net_kg < max(facts.minimum_net_kg, limits.division_kg):
        return refuse(Reason.BELOW_MINIMUM, net_kg=net_kg, minimum_kg=max(facts.minimum_net_kg, limits.division_kg))
    amount = amount_fen(net_kg, limits.price_fen_per_t)
    return _over_notice(facts, net_kg) or _over_money(facts, net_kg, amount) or _stock(facts, net_kg) or Cleared(
        net_kg, amount
    )  # fmt: skip


def _over_notice(facts: LoadFacts, net_kg: int) -> Refusal | None:
    if facts.limits.notice_limit_kg is None:
        return None
    limit_kg = floor_to_division(facts.limits.notice_limit_kg, facts.limits.division_kg)
    if net_kg <= limit_kg:
        return None
    return refuse(Reason.OVER_NOTICE, over_kg=net_kg - limit_kg, limit_kg=limit_kg, net_kg=net_kg)


def _over_money(facts: LoadFacts, net_kg: int, amount: int) -> Refusal | None:
    limits = facts.limits
    if limits.on_credit and facts.overdue:
        return refuse(Reason.CREDIT_OVERDUE, due=facts.credit_due, responsible=facts.responsible)
    if amount <= limits.spendable_fen:
        return None
    over_fen = amount - limits.spendable_fen
    return refuse(
        Reason.OVER_CREDIT if limits.on_credit else Reason.OVER_BALANCE,
        over_kg=excess_kg(over_fen, net_kg, limits.spendable_fen, limits.price_fen_per_t, limits.division_kg),
        over_fen=over_fen,
        amount_fen=amount,
        spendable_fen=limits.spendable_fen,
        net_kg=net_kg,
    )


def _stock(facts: LoadFacts, net_kg: int) -> Refusal | None:
    if facts.stock_kg is None or net_kg <= facts.stock_kg:
        return None
    return refuse(
        Reason.NO_STOCK, product=facts.product, stock_kg=max(0, facts.stock_kg), over_kg=net_kg - facts.stock_kg
    )
