"""The hash chain over a plant's ledger: one implementation, used where rows are written and where they are received.

    hash = SHA-256( prev_hash + "|" + seq + "|" + kind + "|" + body ), hex, all as UTF-8

A chain shows accidental change and cuts; against somebody who recomputes it stand the anchors outside: head office's
ACK carries the hash, and tickets in customers' hands carry its first characters.
"""

import hashlib
from collections.abc import Iterable
from typing import Protocol

GENESIS_HASH = "0" * 64
"""`prev_hash` of row 1."""


class ChainRow(Protocol):
    """What the chain covers of a row; `messages.WireRecord` is one."""

    @property
    def seq(self) -> int: ...
    @property
    def kind(self) -> str: ...
    @property
    def body(self) -> str: ...
    @property
    def hash(self) -> str: ...


class ChainBroken(Exception):
    """Rows do not follow each other. `seq` is the first bad row, `what` says how."""

    def __init__(self, seq: int, what: str) -> None:
        super().__init__(f"ledger row {seq}: {what}")
        self.seq = seq
        self.what = what


def row_hash(prev_hash: str, seq: int, kind: str, body: str) -> str:
    """Hash of one row, 64 hex digits; `body` is the canonical JSON exactly as stored.

    `kind` never holds a "|" (kinds are identifiers), so the joined text is unambiguous.
    """
    return hashlib.sha256(f"{prev_hash}|{seq}|{kind}|{body}".encode()).hexdigest()


def verify_row(prev_hash: str, row: ChainRow) -> str:
    """The row's hash, if it follows from `prev_hash`; ChainBroken otherwise."""
    if "|" in row.kind:
        raise ChainBroken(row.seq, f"kind {row.kind!r} holds a '|'")
    if row_hash(prev_hash, row.seq, row.kind, row.body) != row.hash:
        raise ChainBroken(row.seq, "its hash does not follow from the row before and its own content")
    return row.hash


def verify_rows(rows: Iterable[ChainRow], after_seq: int = 0, prev_hash: str = GENESIS_HASH) -> tuple[int, str]:
    """Check rows `after_seq + 1, …` in order; the last seq and hash, or ChainBroken at the first bad row."""
    seq = after_seq
    for row in rows:
        if row.seq != seq + 1:
            raise ChainBroken(row.seq, f"expected row {seq + 1} here")
        prev_hash = verify_row(prev_hash, row)
        seq = row.seq
    return seq, prev_hash
