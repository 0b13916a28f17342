"""The plant's books as the synchronisation sees them: what to send, and what head office's answers change."""

import sqlite3
from collections.abc import Sequence
from typing import Any

import structlog

from edge.domain.refusal import Refusal, Words
from edge.station.desk import Desk
from edge.station.epoch import begin_closing, take_recall
from edge.station.notices import cancel_notice, take_grant, take_notice
from edge.station.snapshot import missing_fen
from edge.store.books import Books
from edge.store.crashpoint import crashpoint
from sync.allotment import PlantCounters, Shortage
from sync.documents import DOCUMENTS, CloseEpoch, Document, Notice, NoticeCancelled, Recall, Stock
from sync.engine import BooksUnavailable
from sync.messages import AccountState, State, Term, WireDocument, WireRecord
from sync.records import Alarm, StockSeen, TermAdopted
from sync.session import Fork
from sync.terms import Heard, hear_term

_log = structlog.get_logger(__name__)
ACKED_SEQ = "acked_seq"
DOCUMENTS_APPLIED = "documents_applied"
RANGE_ACCOUNTS, RANGE_BYTES = 2_000, 200_000
"""How much one STATE tells of the accounts: packed well below what a message may have, whatever their names."""
_COUNTERS_BYTES = 60
_MOST_WAITING = 200
TERM_NUMBER, TERM_ID = "term_number", "term_id"


class HeadOffice:
    """Fulfils `sync.engine.PlantBooks` over the ledger. The outbox is the ledger's tail past `acked_seq`."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._told = ""

    async def pending(self, after_seq: int, limit: int) -> Sequence[WireRecord]:
        """Ledger rows following `after_seq`; of a fenced copy those that it has in common with its original."""

        def rows(books: Books) -> Sequence[WireRecord]:
            return books.ledger.rows_after(after_seq, min(limit, max(0, books.shared_head().seq - after_seq)))

        return await self._desk.database.read(rows)

    async def state(self) -> State:
        """Counters of the accounts, the ledger's head, and how far documents were applied. Very many accounts are told
        in ranges, one a call, each beginning with the name that ended the one before.
        """
        began = self._told
        state = await self._desk.database.read(lambda books: _state(books, began))
        self._told = state.last_account
        return state

    async def position(self) -> tuple[int, int]:
        """The ledger's last row and the last document applied."""
        return await self._desk.database.read(lambda books: (books.shared_head().seq, books.number(DOCUMENTS_APPLIED)))

    async def acked_seq(self) -> int:
        """How far head office's receipt goes."""
        return await self._desk.database.read(lambda books: books.number(ACKED_SEQ))

    async def acked(self, last_seq: int, last_hash: str) -> None:
        """Head office has committed everything up to `last_seq`: those outbox rows are done."""

        def keep(books: Books) -> None:
            if last_seq > books.number(ACKED_SEQ):
                books.keep(ACKED_SEQ, last_seq)

        await self._write(keep)
        crashpoint("sync.acked")

    async def follows(self, term: Term) -> bool:
        """Adopt a newer term of head office, with its record; whether messages of this term count."""
        outcome = await self._desk.commit(lambda books: follow_term(books, term))
        if isinstance(outcome, Refusal):
            raise BooksUnavailable("disk full")
        return outcome

    async def granted(self, account: str, granted_fen: int) -> None:
        """A cumulative grant arrived; held trucks are looked at again by their lanes."""
        await self._write(lambda books: take_grant(books, account, granted_fen))

    async def documents(self, documents: Sequence[WireDocument]) -> None:
        """Apply consecutive documents and remember how far, in one transaction."""
        await self._write(lambda books: apply_documents(books, documents))

    async def forked(self, fork: Fork) -> None:
        """Head office holds other rows than we do: nothing more is sold from these books, and a person must look."""
        await self._write(lambda books: books.fence(str(fork)))
        self._desk.raise_alarm(
            "ledger", Words(f"账本与总部不一致:{fork}", f"the ledger differs from head office: {fork}")
        )

    async def _write(self, work: Any) -> None:
        """With a full disk the message is not booked: everything down is cumulative and asked for again by STATE."""
        if isinstance(await self._desk.commit(work), Refusal):
            raise BooksUnavailable("disk full")


def own_term(books: Books) -> Term | None:
    """Head office's term that these books follow."""
    number = books.number(TERM_NUMBER)
    return Term(number=number, id=books.text(TERM_ID)) if number else None


def follow_term(books: Books, term: Term) -> bool:
    """Judge the term of a message, and adopt it when it is newer."""
    heard = hear_term(own_term(books), term)
    if heard is Heard.NEWER:
        books.keep(TERM_NUMBER, term.number)
        books.keep(TERM_ID, term.id)
        books.ledger.append(TermAdopted(number=term.number, id=term.id))
    return heard is not Heard.OLDER


def apply_documents(books: Books, documents: Sequence[WireDocument]) -> None:
    """Documents that follow the last one applied; older ones are skipped."""
    for wire in documents:
        if wire.number != books.number(DOCUMENTS_APPLIED) + 1:
            continue
        _apply_alone(books, wire)
        books.keep(DOCUMENTS_APPLIED, wire.number)


def _apply_alone(books: Books, wire: WireDocument) -> None:
    """A document that cannot be applied must not block those behind it: it becomes an alarm, here and at
    head office.
    """
    try:
        with books.savepoint():
            _apply(books, wire)
    except (ValueError, Shortage, sqlite3.IntegrityError) as error:
        _log.error("document cannot be applied", number=wire.number, kind=wire.kind, detail=str(error))
        what = f"document {wire.number} ({wire.kind}) cannot be applied: {type(error).__name__}"
        books.ledger.append(Alarm(source="documents", what=what, at=books.clock.now()))


def _apply(books: Books, wire: WireDocument) -> None:
    model: type[Document] | None = DOCUMENTS.get(wire.kind)
    if model is None:
        _log.warning("document of an unknown kind skipped", number=wire.number, kind=wire.kind)
        return
    document = model.model_validate(wire.body)
    match document:
        case Notice():
            take_notice(books, document)
        case NoticeCancelled():
            cancel_notice(books, document)
        case Recall():
            take_recall(books, document)
        case CloseEpoch():
            begin_closing(books, document)
        case Stock():
            books.stock_received(document.product, document.received_kg)
            books.ledger.append(StockSeen(product=document.product, received_kg=document.received_kg))


def _state(books: Books, began: str) -> State:
    lacking = books.visits.lacking()
    short_fen = missing_fen(lacking)
    told, last_account = _range(books, began)
    # Trucks wait for these: they are told each time, whatever the range.
    most_urgent = sorted(short_fen, key=lambda name: (-short_fen[name], name))[:_MOST_WAITING]
    waiting_for = {name: books.accounts.get(name) for name in most_urgent}
    accounts = {name: _account(counters, short_fen[name]) for name, counters in (told | waiting_for).items()}
    head = books.shared_head()
    waiting = sum(1 for visit in lacking if visit.held is not None)
    return State(
        accounts=accounts,
        last_seq=head.seq,
        last_hash=head.hash,
        documents_applied=books.number(DOCUMENTS_APPLIED),
        mode=books.mode,
        at=books.clock.now(),
        waiting=waiting,
        term=own_term(books),
        first_account=began,
        last_account=last_account,
    )


def _account(counters: PlantCounters, short_fen: int) -> AccountState:
    missing_fen = max(0, short_fen - counters.available_fen)
    return AccountState(
        granted_fen=counters.granted_fen,
        returned_fen=counters.returned_fen,
        spent_fen=counters.spent_fen,
        voided_fen=counters.voided_fen,
        held_fen=counters.held_fen,
        want_granted_fen=counters.granted_fen + missing_fen if missing_fen else 0,
    )


def _range(books: Books, began: str) -> tuple[dict[str, PlantCounters], str]:
    """The accounts from `began` on that fit a message, and the name that ends them: '' when none is left behind it."""
    room = RANGE_BYTES
    told: dict[str, PlantCounters] = {}
    for name, counters in books.accounts.following(began, RANGE_ACCOUNTS + 1).items():
        room -= len(name.encode()) + _COUNTERS_BYTES
        if len(told) == RANGE_ACCOUNTS or room < 0:
            return told, list(told)[-1]
        told[name] = counters
    return told, ""
