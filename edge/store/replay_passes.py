"""The part of the replay about passes: what their codes say, and the one use of each, against the ledger.

The signature is not checked: verify has no key. A changed signature is refused at the gate.
"""

import sqlite3
from datetime import datetime

from edge.domain.pass_code import PassUnreadable, read_payload, split_code
from edge.store.findings import Findings
from sync.records import Exited


def check_pass_code(findings: Findings, check: str, paper: str, code: str, said: tuple[int, str, int]) -> None:
    """The code of a paper says (ticket number, pass id, net kg) as the ledger does; a slip's numbers are 0."""
    try:
        held = read_payload(split_code(code)[0])
    except PassUnreadable as error:
        findings.say(check, f"the pass code of {paper} cannot be read: {error}")
        return
    found = (held.number, held.pass_id, held.net_kg)
    findings.differ(check, f"number, pass and net kg in the pass code of {paper}", found, said)


def check_pass_used(connection: sqlite3.Connection, findings: Findings, record: Exited) -> None:
    """The first exit of a paper stands in its table: same paper, same gate, same moment."""
    used = connection.execute("SELECT * FROM passes_used WHERE pass_id = ?", (record.pass_id,)).fetchone()
    if used is None or used["ticket"] != record.ticket:
        findings.say("exits", f"{record.ticket} left, but its pass is not marked used")
        return
    findings.differ("exits", f"gate that {record.ticket} left by", used["gate"], record.gate)
    try:
        findings.differ("exits", f"time that {record.ticket} left at", datetime.fromisoformat(used["at"]), record.at)
    except ValueError as error:
        findings.say("exits", f"time that {record.ticket} left at cannot be read: {error}")
