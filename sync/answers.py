"""Head office's side of the protocol without IO: what a plant's STATE is answered with, and how documents are packed.

Nothing sent down is retained by the broker: STATE says what the plant has, and head office sends what it lacks.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sync.canonical import canonical
from sync.messages import Ack, Docs, Grant, State, WireDocument
from sync.session import Fork, Tuning


@dataclass(frozen=True, slots=True)
class Known:
    """What head office has committed about one plant epoch."""

    granted_fen: Mapping[str, int]
    """Cumulative grant of each account, and only of this instance."""
    documents: int
    """The highest document number issued to this instance; 0 if none."""
    last_seq: int
    last_hash: str


@dataclass(frozen=True, slots=True)
class Answers:
    """What to send after a STATE. Documents are missing after number `documents_after`; None: none is."""

    ack: Ack
    grants: tuple[Grant, ...]
    documents_after: int | None
    fork: Fork | None
    """Set if the plant holds fewer rows than we do, or another row under the same number. A hint while messages can
    arrive late: an old STATE also shows fewer rows."""


def answers(state: State, known: Known) -> Answers:
    """Which ACK, GRANTs and DOCS a plant in this state needs. Commit comes before: send only what is in `known`."""
    grants = tuple(
        Grant(account=account, granted_fen=granted_fen)
        for account, granted_fen in sorted(known.granted_fen.items())
        if granted_fen > (state.accounts[account].granted_fen if account in state.accounts else 0)
    )
    fork = None
    if state.last_seq < known.last_seq:
        fork = Fork(known.last_seq, None, known.last_hash)
    elif state.last_seq == known.last_seq and state.last_hash != known.last_hash:
        fork = Fork(known.last_seq, state.last_hash, known.last_hash)
    return Answers(
        ack=Ack(last_seq=known.last_seq, last_hash=known.last_hash),
        grants=grants,
        documents_after=state.documents_applied if state.documents_applied < known.documents else None,
        fork=fork,
    )


def pack_documents(documents: Sequence[WireDocument], tuning: Tuning) -> list[Docs]:
    """Documents in order, cut into messages of at most `batch_records` and about `batch_bytes`."""
    packs: list[Docs] = []
    pack: list[WireDocument] = []
    size = 0
    for document in documents:
        document_bytes = len(canonical(document.body).encode()) + 80
        if pack and (len(pack) >= tuning.batch_records or size + document_bytes > tuning.batch_bytes):
            packs.append(Docs(documents=tuple(pack)))
            pack, size = [], 0
        pack.append(document)
        size += document_bytes
    if pack:
        packs.append(Docs(documents=tuple(pack)))
    return packs
