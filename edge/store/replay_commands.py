"""The part of the replay about commands to weighing indicators: each ends once, and nothing ends that was not told."""

from edge.store.findings import Findings
from sync.records import ScaleCommanded, ScaleCommandEnded


class CommandReplay:
    """The newest command of each lane is kept: a lane does one thing at a time. One without an end is no fault, for the
    power may have gone between the two."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._open: dict[str, int] = {}

    def feed(self, seq: int, record: ScaleCommanded | ScaleCommandEnded) -> None:
        """A command, or what became of it."""
        if isinstance(record, ScaleCommanded):
            self._open[record.lane] = seq
        elif self._open.pop(record.lane, None) != record.commanded:
            self._findings.say("commands", f"ledger row {seq} ends command {record.commanded}, which is not open")
