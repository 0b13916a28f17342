"""The five messages on the wire, version 1: the one place that names their fields.

Records go up in REC: they are the plant's ledger rows, whose bodies `sync.records` names. What comes down is in
`sync.documents`. Amounts int fen, times ISO 8601 with zone. A reader ignores fields it does not know.
"""

from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, Field

from sync.fields import Fen, Name, Wire

LAST_TERM = 2**31
"""The highest number of a term that a message carries."""


class Term(Wire):
    """任期: one life of head office's books. Books restored from a backup begin a new term, with a higher number and an
    id that nobody can have seen before; a plant takes grants of its current term only (docs/decisions/0009)."""

    number: Annotated[int, Field(ge=1, le=LAST_TERM)]
    id: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]


class WireRecord(Wire):
    """A ledger row as it travels in REC."""

    seq: int
    kind: str
    body: str
    at: str
    hash: str


class WireDocument(Wire):
    """A document as it travels in DOCS; `number` counts from 1 without gaps for one plant epoch."""

    number: int
    kind: str
    body: dict[str, Any]


class AccountState(Wire):
    """One account in STATE: the plant's cumulative counters, and how much it would like to have been granted."""

    granted_fen: Fen
    returned_fen: Fen
    spent_fen: Fen
    voided_fen: Fen
    held_fen: Fen
    want_granted_fen: Fen = 0


class Rec(Wire):
    """REC plant → head office: consecutive ledger rows."""

    records: tuple[WireRecord, ...]


class State(Wire):
    """STATE plant → head office, at connect, every 60 s and after changes. Asks, by what it lacks, for a resend."""

    accounts: dict[str, AccountState]
    last_seq: int
    last_hash: str
    documents_applied: int
    mode: Literal["live", "fenced", "closed"] = "live"
    at: AwareDatetime
    waiting: int = 0
    """Trucks in HOLD, for the office page."""
    term: Term | None = None
    """Head office's term that the plant follows; None before the first."""
    first_account: str = ""
    last_account: str = ""
    """The range of account names that this STATE tells, both inclusive; both empty: all of them."""

    def tells(self, account: str) -> bool:
        """Whether this STATE is the whole truth about an account (one that it tells and does not list is all zero)."""
        return self.first_account <= account and (not self.last_account or account <= self.last_account)


class Grant(Wire):
    """GRANT head office → plant: the cumulative grant of one account."""

    account: Name
    granted_fen: Fen
    term: Term


class Ack(Wire):
    """ACK head office → plant: every row up to `last_seq` is committed there. Nothing else ends an outbox row."""

    last_seq: int
    last_hash: str
    term: Term


class Docs(Wire):
    """DOCS head office → plant: consecutive documents."""

    documents: tuple[WireDocument, ...]
    term: Term
