"""The part of the replay about papers: numbers, contents, seals, prints, exits and voids, each against its table."""

import json
import sqlite3
from datetime import datetime
from typing import Any

from edge.store.findings import Findings
from edge.store.replay_passes import check_pass_code, check_pass_used
from edge.store.replay_slips import SlipReplay
from sync.records import Exited, Printed, Sealed, Ticketed, Voided
from sync.units import amount_fen

_EXITED, _VOIDED, _ORIGINAL_SENT, _ENTERPRISE, _FINANCE = 1, 2, 4, 8, 16
_SEAL = {"enterprise": _ENTERPRISE, "finance": _FINANCE}
_RESULT = {"sent": 1, "failed": 2, "unknown": 3}
_MARK_CHARACTERS = 8
_PRINT_RULES = (
    (
        "has no original print job",
        "SELECT ticket FROM tickets t WHERE NOT EXISTS"
        " (SELECT 1 FROM print_jobs p WHERE p.ticket = t.ticket AND p.copy_number = 0) LIMIT 1",
    ),
    (
        "has print jobs, but is no ticket or slip",
        "SELECT ticket FROM print_jobs p WHERE NOT EXISTS (SELECT 1 FROM tickets t WHERE t.ticket = p.ticket)"
        " AND NOT EXISTS (SELECT 1 FROM {slips} s WHERE s.visit = p.ticket) LIMIT 1",
    ),
    (
        "has two originals",
        "SELECT ticket FROM print_jobs WHERE copy_number = 0 GROUP BY ticket HAVING COUNT(*) > 1 LIMIT 1",
    ),
)


class TicketReplay:
    """One byte a ticket says what happened to it, one byte a print job how it ended; the rest is looked up."""

    def __init__(self, connection: sqlite3.Connection, findings: Findings) -> None:
        self._connection = connection
        self._findings = findings
        self.slips = SlipReplay(connection, findings)
        self._facts = bytearray(1)
        self._jobs = bytearray(1)
        self._exits = 0
        self._seals = 0

    @property
    def count(self) -> int:
        """Tickets seen so far."""
        return len(self._facts) - 1

    def issued(self, seq: int, record: Ticketed, row_hash: str) -> None:
        """A ticket record: the next number, its sums, and its row."""
        if record.number != self.count + 1:
            self._findings.say("numbers", f"ledger row {seq} is ticket {record.number} after ticket {self.count}")
            self._facts.extend(bytes(max(0, min(record.number - self.count, 10**6))))
        else:
            self._facts.append(0)
        net_kg = record.gross_kg - record.tare_kg
        if record.net_kg != net_kg:
            self._findings.say("amounts", f"{record.ticket}: net {record.net_kg} kg is not gross − tare = {net_kg} kg")
        elif net_kg >= 0 and record.amount_fen != amount_fen(net_kg, record.price_fen_per_t):
            self._findings.say("amounts", f"{record.ticket}: {record.amount_fen} fen is not net × price")
        if record.amount_fen > record.hold_fen:
            self._findings.say("amounts", f"{record.ticket}: {record.amount_fen} fen exceeds its hold")
        row = self._connection.execute("SELECT * FROM tickets WHERE number = ?", (record.number,)).fetchone()
        if row is None:
            self._findings.say("numbers", f"ticket {record.number} is in the ledger, but not in its table")
        else:
            self._compare(record, row, row_hash)

    def _compare(self, record: Ticketed, row: sqlite3.Row, row_hash: str) -> None:
        fields = record.model_dump(mode="python")
        for name in ("ticket", "visit", "pass_id", "business_date", "net_kg", "amount_fen"):
            self._findings.differ("tickets", f"{name} of {record.ticket}", row[name], fields[name])
        self._findings.differ(
            "tickets", f"ledger mark of {record.ticket}", row["ledger_mark"], row_hash[:_MARK_CHARACTERS].upper()
        )
        said = (record.number, record.pass_id, record.net_kg)
        check_pass_code(self._findings, "tickets", record.ticket, row["pass_code"], said)
        try:
            body: dict[str, Any] = json.loads(row["body"])
            for name, value in fields.items():
                shown = datetime.fromisoformat(body[name]) if isinstance(value, datetime) else body[name]
                self._findings.differ("tickets", f"{name} of {record.ticket}", shown, value)
        except (ValueError, KeyError, TypeError) as error:
            self._findings.say("tickets", f"{record.ticket}: its row cannot be read: {error}")

    def sealed(self, seq: int, record: Sealed) -> str:
        """A seal record; returns the ticket's visit."""
        row = self._row(seq, record.ticket)
        if row is None:
            return ""
        self._seals += 1
        self._add(row["number"], _SEAL[record.seal])
        self._findings.differ(
            "seals", f"{record.seal} seal of {record.ticket}", row[f"{record.seal}_seal"], record.person
        )
        return str(row["visit"])

    def left(self, seq: int, record: Exited) -> bool:
        """An exit record; True for the first one of its ticket. With a slip the visit has ended before."""
        if record.ticket in self.slips:
            self.slips.left(seq, record)
            return False
        row = self._row(seq, record.ticket)
        if row is None:
            return False
        facts = self._fact(row["number"])
        if facts & _VOIDED:
            self._findings.say("exits", f"ledger row {seq}: {record.ticket} left although it was void")
        if not (facts & _ENTERPRISE and facts & _FINANCE):
            self._findings.say("exits", f"ledger row {seq}: {record.ticket} left without both seals")
        self._findings.differ("exits", f"pass of {record.ticket}", row["pass_id"], record.pass_id)
        if facts & _EXITED:
            if not record.override_of:
                self._findings.say("exits", f"ledger row {seq}: {record.ticket} left twice")
            return False
        check_pass_used(self._connection, self._findings, record)
        self._exits += 1
        self._add(row["number"], _EXITED)
        return True

    def voided(self, seq: int, record: Voided) -> tuple[str, int]:
        """A void record; returns the ticket's product and net mass."""
        row = self._row(seq, record.ticket)
        if row is None:
            return "", 0
        facts = self._fact(row["number"])
        if facts & _EXITED:
            self._findings.say("voids", f"ledger row {seq}: {record.ticket} was voided after its exit")
        if facts & _VOIDED:
            self._findings.say("voids", f"ledger row {seq}: {record.ticket} was voided twice")
        if record.first_person == record.second_person:
            self._findings.say("voids", f"{record.ticket} was voided by one person, {record.first_person}")
        self._findings.differ("voids", f"void row of {record.ticket}", row["void_seq"], seq)
        self._findings.differ("voids", f"voided fen of {record.ticket}", record.amount_fen, row["amount_fen"])
        self._add(row["number"], _VOIDED)
        try:
            return str(json.loads(row["body"])["product"]), row["net_kg"]
        except (ValueError, KeyError, TypeError):
            return "", 0  # `_compare` has said so

    def printed(self, seq: int, record: Printed) -> None:
        """A print record: a job ended."""
        if record.ticket in self.slips:
            self.slips.printed(seq, record)
        elif (row := self._row(seq, record.ticket)) is None:
            return
        elif record.result == "sent" and record.copy_number == 0:
            if self._fact(row["number"]) & _ORIGINAL_SENT:
                self._findings.say("prints", f"ledger row {seq}: a second original of {record.ticket} was printed")
            self._add(row["number"], _ORIGINAL_SENT)
        if record.job >= len(self._jobs):
            self._jobs.extend(bytes(min(record.job + 1 - len(self._jobs), 10**6)))
        if record.job < len(self._jobs):
            self._jobs[record.job] = _RESULT[record.result]

    def finish(self) -> None:
        """Compare what is counted, and what only tables know."""
        one = self._one
        self._findings.differ("numbers", "number of tickets", one("SELECT COUNT(*) FROM tickets"), self.count)
        exits = self._exits + self.slips.exits
        self._findings.differ("exits", "used passes", one("SELECT COUNT(*) FROM passes_used"), exits)
        void = sum(1 for facts in self._facts if facts & _VOIDED)
        self._findings.differ("voids", "void tickets", one("SELECT COUNT(*) FROM tickets WHERE void_seq > 0"), void)
        seals = one("SELECT COALESCE(SUM((enterprise_seal <> '') + (finance_seal <> '')), 0) FROM tickets")
        self._findings.differ("seals", "seals", seals, self._seals)
        self._finish_prints()
        self.slips.finish()

    def _finish_prints(self) -> None:
        for row in self._connection.execute("SELECT job, ticket, copy_number, state FROM print_jobs ORDER BY job"):
            ended = self._jobs[row["job"]] if 0 <= row["job"] < len(self._jobs) else 0
            if ended != _RESULT.get(row["state"], 0):
                self._findings.say(
                    "prints", f"print job {row['job']} of {row['ticket']} is {row['state']}, the ledger knows otherwise"
                )
        for problem, query in _PRINT_RULES:
            row = self._connection.execute(query.format(slips=self.slips.table)).fetchone()
            if row is not None:
                self._findings.say("prints", f"{row['ticket']} {problem}")

    def _row(self, seq: int, ticket: str) -> sqlite3.Row | None:
        row: sqlite3.Row | None = self._connection.execute(
            "SELECT * FROM tickets WHERE ticket = ?", (ticket,)
        ).fetchone()
        if row is None:
            self._findings.say("tickets", f"ledger row {seq} is about ticket {ticket}, which is not in its table")
        return row

    def _fact(self, number: int) -> int:
        return self._facts[number] if 0 <= number < len(self._facts) else 0

    def _add(self, number: int, fact: int) -> None:
        if 0 <= number < len(self._facts):
            self._facts[number] |= fact

    def _one(self, query: str) -> object:
        return self._connection.execute(query).fetchone()[0]
