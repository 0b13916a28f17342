"""The exit pass 出门证: what it says, and the gate's one verdict with its reason.

The signature is checked outside (`edge.signing`); here stands what is decided from its result. Fail closed: anything
unknown is a refusal; a plate that was not read, or not surely, asks the guard.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from edge.domain.plate_check import Agreement, PlateCheck
from edge.domain.refusal import Reason, Refusal, refuse


class Verdict(StrEnum):
    """What the gate does."""

    OPEN = "open"
    ASK_GUARD = "ask_guard"
    REFUSE = "refuse"


ENDLESS = 0
"""Minutes to live of a pass that was printed while the clock was in doubt: its time of issue says nothing."""


@dataclass(frozen=True, slots=True)
class ExitPass:
    """The signed content of a pass. Masses kg; `issued_at` aware; the plate is only present as its keyed hash."""

    plant_number: int
    epoch: int
    number: int
    pass_id: str
    net_kg: int
    plate_hash: bytes
    issued_at: datetime
    ttl_minutes: int
    product_code: int

    @property
    def empty(self) -> bool:
        """Of an empty truck: it names no ticket, whose numbers begin with 1, and is known by its id alone."""
        return self.number == 0


@dataclass(frozen=True, slots=True)
class PassFacts:
    """What the plant's own ledger says about the paper of a pass, at the moment of the scan."""

    ticket: str
    """The ticket's number; of an empty truck's slip the visit's."""
    visit: str
    plate: str
    net_kg: int
    pass_id: str
    voided: bool
    sealed: bool
    missing_seal: tuple[str, str]
    """The missing seal's name in Chinese and English; empty texts when sealed."""
    used_at: str | None
    """Local time text of the first use, None when unused."""


@dataclass(frozen=True, slots=True)
class GateDecision:
    """One verdict; `why` is None only for OPEN."""

    verdict: Verdict
    why: Refusal | None = None


OVERRIDABLE = frozenset(
    {
        Reason.PLATE_NOT_READ, Reason.PLATE_UNSURE, Reason.PLATE_DIFFERS, Reason.PASS_USED, Reason.PASS_EXPIRED,
        Reason.BARRIER_FAILED,
    }
)  # fmt: skip
"""What a guard may override with a name and a reason. Never a forged, foreign, unknown, unsealed or voided pass."""


def decide_exit(
    exit_pass: ExitPass,
    facts: PassFacts | None,
    plate: PlateCheck,
    expired_at: str | None,
    overruled: frozenset[Reason] = frozenset(),
) -> GateDecision:
    """The verdict on a pass whose signature holds. `plate` is the ticket's plate held against the truck;
    `expired_at` is the pass's local end time if it has passed, else None.

    `overruled`: what the guard was shown and overrode. Only that is passed over: what comes behind it is answered next.
    A barrier that failed left the pass used.
    """
    overruled &= OVERRIDABLE
    if facts is None or facts.pass_id != exit_pass.pass_id or facts.net_kg != exit_pass.net_kg:
        return GateDecision(Verdict.REFUSE, refuse(Reason.PASS_UNKNOWN))
    if facts.voided:
        return GateDecision(Verdict.REFUSE, refuse(Reason.PASS_VOIDED, ticket=facts.ticket))
    if facts.used_at is not None and not overruled & {Reason.PASS_USED, Reason.BARRIER_FAILED}:
        return GateDecision(Verdict.REFUSE, refuse(Reason.PASS_USED, used_at=facts.used_at))
    if not facts.sealed:
        zh, en = facts.missing_seal
        return GateDecision(Verdict.REFUSE, refuse(Reason.PASS_UNSEALED, ticket=facts.ticket, seal=zh, seal_en=en))
    if expired_at is not None and Reason.PASS_EXPIRED not in overruled:
        return GateDecision(Verdict.REFUSE, refuse(Reason.PASS_EXPIRED, expired_at=expired_at))
    if plate.agreement is Agreement.NOT_SEEN and Reason.PLATE_NOT_READ not in overruled:
        return GateDecision(Verdict.ASK_GUARD, refuse(Reason.PLATE_NOT_READ, plate=facts.plate))
    if (another := plate.refusal) is not None and another.reason not in overruled:
        unsure = another.reason is Reason.PLATE_UNSURE
        return GateDecision(Verdict.ASK_GUARD if unsure else Verdict.REFUSE, another)
    return GateDecision(Verdict.OPEN)
