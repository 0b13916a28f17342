"""The cheap look at the ledger's end at every start: a torn or edited tail stops the plant before it writes on."""

import sqlite3

from edge.store.findings import Findings
from sync.chain import GENESIS_HASH, row_hash

TAIL_ROWS = 1000
ADVICE = "Stop, keep a copy of the file, and run: weighgate ledger verify"


class BooksTorn(Exception):
    """The newest rows of the books do not follow from each other; says where, and what to do."""


def check_link(findings: Findings, row: sqlite3.Row, before_seq: int, before_hash: str) -> None:
    """One ledger row against the one before it."""
    seq = row["seq"]
    if seq != before_seq + 1:
        findings.say("chain", f"ledger row {before_seq + 1} is missing; row {seq} follows")
    if row["prev_hash"] != before_hash:
        findings.say("chain", f"ledger row {seq} does not name the hash of the row before it")
    if row_hash(row["prev_hash"], seq, row["kind"], row["body"]) != row["hash"]:
        findings.say("chain", f"ledger row {seq} was changed: its hash does not follow from its content")


def check_tail(connection: sqlite3.Connection, rows: int = TAIL_ROWS) -> None:
    """The last rows are chained, the newest ticket is the newest ticket record; milliseconds at any size of ledger.

    Raises BooksTorn naming the first bad row.
    """
    tail = connection.execute(
        "SELECT seq, kind, body, prev_hash, hash FROM ledger ORDER BY seq DESC LIMIT ?", (rows + 1,)
    ).fetchall()
    tail.reverse()
    whole = bool(tail) and len(tail) <= rows
    findings = Findings(("chain",))
    before_seq, before_hash = (0, GENESIS_HASH) if whole or not tail else (tail[0]["seq"], tail[0]["hash"])
    for row in tail if whole else tail[1:]:
        check_link(findings, row, before_seq, before_hash)
        if problem := findings.first["chain"]:
            raise BooksTorn(f"{problem}. {ADVICE}")
        before_seq, before_hash = row["seq"], row["hash"]
    _check_newest_ticket(connection)


def _check_newest_ticket(connection: sqlite3.Connection) -> None:
    booked = connection.execute(
        "SELECT json_extract(body, '$.number') AS number FROM ledger WHERE kind = 'ticket' ORDER BY seq DESC LIMIT 1"
    ).fetchone()
    newest = connection.execute("SELECT MAX(number) AS number FROM tickets").fetchone()
    if (booked["number"] if booked else None) != newest["number"]:
        last = booked["number"] if booked else "none"
        raise BooksTorn(f"the newest ticket in the ledger is {last}, in its table {newest['number']}. {ADVICE}")
