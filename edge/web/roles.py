"""Which role may do what. A command that is not listed is allowed to nobody."""

from edge.domain.refusal import Reason, Refusal, refuse
from edge.web.plant import Person

_LANE = frozenset({"dispatcher", "supervisor", "admin"})
_GATE = frozenset({"guard", "supervisor", "admin"})
_DESK = frozenset({"dispatcher", "biller", "supervisor", "admin"})

MAY: dict[str, frozenset[str]] = {
    "call": _LANE,
    "tare": _LANE,
    "start_loading": _LANE,
    "load_complete": _LANE,
    "unload": _LANE,
    "recheck": _LANE | {"biller"},
    "park": _LANE,
    "cancel": _LANE | {"biller"},
    "empty_exit": _LANE,
    "topup": _LANE | {"biller"},
    "alarm_seen": _LANE,
    "compare": _LANE,
    "zero": _LANE,
    "scan": _GATE,
    "override": _GATE,
    "compare_gate": _GATE,
    "arrive": _GATE | _DESK,
    "reprint": _DESK,
    "confirm_print": _DESK,
    "void": _DESK,
    "seal_enterprise": frozenset({"enterprise"}),
    "seal_finance": frozenset({"finance"}),
    "day": frozenset({"dispatcher", "biller", "finance", "enterprise", "supervisor", "admin"}),
}


def allowed(person: Person | None, command: str) -> bool:
    """Whether one of the person's roles may do this."""
    return person is not None and not MAY.get(command, frozenset()).isdisjoint(person.roles)


def not_allowed() -> Refusal:
    """The refusal for everybody else."""
    return refuse(Reason.NOT_ALLOWED)
