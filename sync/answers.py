"""Head office's side of the protocol without IO or clock: what a plant is sent, after which word of its own.

Nothing sent down is retained by the broker: STATE says what the plant has, and head office sends what it lacks. What
was sent a moment ago counts as had, since the STATE that crossed it cannot know; when it was lost, a later STATE tells.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sync.canonical import canonical
from sync.messages import Ack, Docs, Grant, State, Term, WireDocument
from sync.session import Tuning


@dataclass(frozen=True, slots=True)
class Committed:
    """What head office has committed about one plant epoch. Nothing else is ever sent."""

    granted_fen: Mapping[str, int]
    """Cumulative grant of each account, and only of this instance."""
    documents: Sequence[WireDocument]
    """Those behind `Peer.documents`, in order; a long list may be cut and asked for again."""
    last_seq: int
    last_hash: str
    term: Term

    @property
    def ack(self) -> Ack:
        """Which rows are here for good."""
        return Ack(last_seq=self.last_seq, last_hash=self.last_hash, term=self.term)


class Peer:
    """One plant epoch as head office sees it: what it told last, and what was sent to it since.

    `now_ms` is a monotonic clock's. For each STATE: `heard`, then send the ACK and what is `due`, telling `sent` after
    each. When more is committed: `due` again.
    """

    def __init__(self, tuning: Tuning) -> None:
        self._tuning = tuning
        self._granted_fen: dict[str, int] = {}
        self._told_fen: dict[str, int] = {}
        self._told_documents = 0
        self._sent_ms: int | None = None
        self._short = False
        self.documents = 0
        """Up to which number documents need not be sent."""

    def heard(self, state: State, now_ms: int, *, short: bool = False) -> None:
        """A STATE came. Long after the last message sent it is the whole truth; before, it can only add.

        `short`: it tells less than the plant told or sent before. Whoever speaks, late or from a copy, gets no money
        and no documents until a whole STATE comes: the ACK tells a copy that it is one.
        """
        self._short = short
        settled = self._sent_ms is None or now_ms - self._sent_ms > self._tuning.retry_min_ms
        if settled or state.documents_applied > self.documents:
            self.documents = state.documents_applied
        if settled:
            self._granted_fen = {name: fen for name, fen in self._granted_fen.items() if not state.tells(name)}
        self._told_documents = state.documents_applied
        for account, told in state.accounts.items():
            self._told_fen[account] = told.granted_fen
            self._granted_fen[account] = max(self._granted_fen.get(account, 0), told.granted_fen)

    def doubt(self) -> None:
        """Head office's own link died: what was on its way may be lost, so only what the plant told still counts."""
        self._granted_fen = dict(self._told_fen)
        self.documents = self._told_documents
        self._sent_ms = None

    def due(self, committed: Committed) -> list[Grant | Docs]:
        """What to send, in this order: grants first, money is what a held truck waits for."""
        if self._short:
            return []
        grants = [
            Grant(account=account, granted_fen=granted_fen, term=committed.term)
            for account, granted_fen in sorted(committed.granted_fen.items())
            if granted_fen > self._granted_fen.get(account, 0)
        ]
        waiting = [document for document in committed.documents if document.number > self.documents]
        return [*grants, *pack_documents(waiting, committed.term, self._tuning)]

    def sent(self, message: Grant | Docs, now_ms: int) -> None:
        """One of the due messages was given to the transport."""
        self._sent_ms = now_ms
        if isinstance(message, Grant):
            self._granted_fen[message.account] = message.granted_fen
        else:
            self.documents = message.documents[-1].number


def pack_documents(documents: Sequence[WireDocument], term: Term, tuning: Tuning) -> list[Docs]:
    """Documents in order, cut into messages of at most `batch_records` and about `batch_bytes`."""
    packs: list[Docs] = []
    pack: list[WireDocument] = []
    size = 0
    for document in documents:
        document_bytes = len(canonical(document.body).encode()) + 80
        if pack and (len(pack) >= tuning.batch_records or size + document_bytes > tuning.batch_bytes):
            packs.append(Docs(documents=tuple(pack), term=term))
            pack, size = [], 0
        pack.append(document)
        size += document_bytes
    if pack:
        packs.append(Docs(documents=tuple(pack), term=term))
    return packs
