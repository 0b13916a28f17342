"""The part of the replay about commands to weighing indicators: each ends once, nothing ends that was not told, and
what was done was allowed: within the zero-setting range, and while no truck was served.
"""

from dataclasses import dataclass

from edge.store.findings import Findings
from sync.records import ScaleCommanded, ScaleCommandEnded

SERVED = frozenset({"admitted", "tared", "loading", "held"})


@dataclass(frozen=True, slots=True)
class _Told:
    seq: int
    wrong: str
    """Why it must not be done, '' for nothing."""


class CommandReplay:
    """The newest command of each lane is kept: a lane does one thing at a time. One without an end is no fault, for the
    power may have gone between the two."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._open: dict[str, _Told] = {}

    def told(self, seq: int, record: ScaleCommanded, state: str) -> None:
        """A command, and the state in which the visit is that it names. It may be told what is then not done, for the
        lane looks again before it sends it."""
        wrong = ""
        if record.range_kg and abs(record.weight_kg) > record.range_kg:
            wrong = f"zeroed {record.weight_kg} kg, more than the {record.range_kg} kg that may be"
        elif state in SERVED:
            wrong = f"zeroed while {record.visit} stood there ({state})"
        self._open[record.lane] = _Told(seq, wrong)

    def ended(self, seq: int, record: ScaleCommandEnded) -> None:
        """What became of a command."""
        told = self._open.pop(record.lane, None)
        if told is None or told.seq != record.commanded:
            self._findings.say("commands", f"ledger row {seq} ends command {record.commanded}, which is not open")
        elif told.wrong and record.result != "refused":
            self._findings.say("commands", f"ledger row {told.seq} {told.wrong}")
