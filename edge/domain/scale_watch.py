"""Watches one scale for fraud and wear: readings in, findings out.

Pure: no clock, no IO; the caller passes monotonic milliseconds. One finding for one cause: a kind is told once while
the same truck stands on the deck, a zero that is off once until it is right again.
"""

from collections.abc import Sequence

from drivers.readings import WeightReading
from edge.domain.scale_monitor import ScaleRules
from edge.domain.scale_watch_rules import Finding, Role, Signature, WatchKind, WatchRules, Work

__all__ = ["Finding", "Role", "ScaleWatch", "Signature", "WatchKind", "WatchRules", "Work"]


class ScaleWatch:
    """One lane's scale. Mutable, single owner. `known` is the signature kept from before a restart."""

    def __init__(self, scale: ScaleRules, rules: WatchRules | None = None, known: Signature | None = None) -> None:
        self._scale = scale
        self._rules = rules or WatchRules()
        self._known = known

    def feed(self, reading: WeightReading, work: Work = Work.NONE) -> Sequence[Finding]:
        """Take one frame, also one with a fault; gaps are seen by `received_ms`."""
        return ()

    def loops(self, vehicle: bool | None, now_ms: int) -> Sequence[Finding]:
        """Whether the deck's loops see a vehicle; call on each change, None when no loop is fitted or it does not
        answer (the default).
        """
        return ()

    def captured(
        self, role: Role, plate: str, gross_kg: int, now_ms: int, tare_history_kg: Sequence[int] = ()
    ) -> Sequence[Finding]:
        """A weight was booked. `tare_history_kg`: the plate's earlier tares at this plant, oldest first (the newest 20
        suffice), without this one.
        """
        return ()

    def zeroed(self, now_ms: int) -> None:
        """An operator's zero command was carried out."""

    @property
    def signature(self) -> Signature | None:
        """How this indicator speaks, once it is known; keep it, and hand it to the next `ScaleWatch`."""
        return self._known
