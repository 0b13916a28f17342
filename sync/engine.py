"""The plant's pump: reads the books, asks the session, moves messages over a transport. One task owns all of it.

In each start GRANT and DOCS count only after an ACK that agreed with our own row: books that came from a copy of the
whole disk learn from it that they are behind, and would else take a total that is spent already.

ledger row committed → wake() → books.pending → session.batch → envelope.seal → transport.send …
… → message → envelope.open_ → session.ack → books.acked: the outbox row is finished
"""

import asyncio
import random
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from sync.chain import GENESIS_HASH
from sync.envelope import Envelope, EnvelopeError, Kind, Message, MessageTooBig, kind_of, open_, seal
from sync.keys import Instance
from sync.messages import Ack, Docs, Grant, State, Term, WireDocument, WireRecord
from sync.session import Acked, Fork, PlantSession, Tuning
from sync.transport import NotConnected, Transport

_log = structlog.get_logger(__name__)
_INBOX_MESSAGES = 256
_SEND_TIMEOUT_S = 60.0
_BOOKS_RETRY_S = 1.0


class BooksUnavailable(Exception):
    """The store cannot commit just now (its disk is full). Raised by `PlantBooks`; what arrived is dropped, and head
    office sends it again when the next STATE shows that it is missing."""


class PlantBooks(Protocol):
    """The plant's store as the pump needs it. Every method commits before it returns, or raises BooksUnavailable;
    any other exception ends the pump."""

    async def pending(self, after_seq: int, limit: int) -> Sequence[WireRecord]:
        """Ledger rows `after_seq + 1 …`, at most `limit`, in order, without a gap."""

    async def state(self) -> State:
        """Where the plant stands, read in one transaction, to be sent. With very many accounts each call tells the next
        range of them; after the last one the first follows again."""

    async def position(self) -> tuple[int, int]:
        """The last ledger row, and the last document applied; cheap."""

    async def acked_seq(self) -> int:
        """The last row that head office acknowledged; 0 at first."""

    async def acked(self, last_seq: int, last_hash: str) -> None:
        """Head office holds every row up to `last_seq`. Only ever grows."""

    async def follows(self, term: Term) -> bool:
        """Adopt a newer term of head office; whether messages of this term count."""

    async def granted(self, account: str, granted_fen: int) -> None:
        """Head office's cumulative grant, perhaps an old one: keep the highest."""

    async def documents(self, documents: Sequence[WireDocument]) -> None:
        """Apply consecutive documents that follow the last one applied, in one transaction with that number."""

    async def forked(self, fork: Fork) -> None:
        """Head office and this plant hold different rows: sell nothing more, raise an alarm."""


@dataclass(frozen=True, slots=True)
class LinkStatus:
    """The link as pages show it. `since` is when it came up or went down; times aware, UTC."""

    connected: bool
    since: datetime
    why: str
    """Why it is down, in words; empty while it is up."""
    last_ack_at: datetime | None
    pending: int
    """Ledger rows that head office has not acknowledged."""
    dropped: int
    """Messages dropped since the start: not ours, not signed, too big, too many."""


class PlantEngine:
    """Runs one plant's synchronisation. `run` belongs in the program's task group."""

    def __init__(
        self,
        instance: Instance,
        private_key: Ed25519PrivateKey,
        office_key: Ed25519PublicKey,
        books: PlantBooks,
        transport: Transport,
        *,
        tuning: Tuning | None = None,
        jitter: Callable[[], float] = random.random,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        if not instance.owns(private_key.public_key()):
            raise ValueError(f"{instance.wire_id} is not the owner of this private key")
        self.instance = instance
        self.dropped: Counter[str] = Counter()
        self._key = private_key
        self._office_key = office_key
        self._books = books
        self._transport = transport
        self._tuning = tuning or Tuning()
        self._jitter = jitter
        self._now = now
        self._inbox: deque[bytes] = deque()
        self._woken = asyncio.Event()
        self._books_changed = True
        self._session = PlantSession(0, self._tuning, jitter)
        self._since = now()
        self._why = "not connected yet"
        self._last_ack_at: datetime | None = None
        self._last_seq = 0
        self._kept_seq = 0
        self._fork: Fork | None = None
        self._agreed = False
        self._term: Term | None = None

    def wake(self) -> None:
        """Call after each commit: there may be rows to send, and STATE has changed."""
        self._books_changed = True
        self._woken.set()

    @property
    def status(self) -> LinkStatus:
        """A frozen picture for pages."""
        return LinkStatus(
            connected=self._session.connected,
            since=self._since,
            why=self._why,
            last_ack_at=self._last_ack_at,
            pending=max(0, self._last_seq - self._session.acked_seq),
            dropped=self.dropped.total(),
        )

    async def run(self) -> None:
        """Pump until cancelled. A bug, or a failing store, ends it with an exception; a bad message never does."""
        await self._begin()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._transport.run(self))
            group.create_task(self._pump())

    async def _begin(self) -> None:
        self._kept_seq = await self._books.acked_seq()
        self._session = PlantSession(self._kept_seq, self._tuning, self._jitter)

    # Listener: called by the transport on the loop.

    def connected(self) -> None:
        """The link came up."""
        self._session.link_up(_ms())
        self._since, self._why = self._now(), ""
        self._woken.set()

    def disconnected(self, why: str) -> None:
        """The link went down, or could not be made; `since` stays at the first failure."""
        if self._session.connected:
            self._since = self._now()
        self._session.link_down()
        self._why = why
        self._woken.set()

    def message(self, topic: str, payload: bytes) -> None:
        """A payload arrived. A full inbox drops it: everything down is cumulative and asked for again."""
        if len(self._inbox) >= _INBOX_MESSAGES:
            self.dropped["inbox full"] += 1
            return
        self._inbox.append(payload)
        self._woken.set()

    async def _pump(self) -> None:
        while True:
            self._woken.clear()
            await self._turn()
            await self._sleep()

    async def _turn(self) -> None:
        """Take what has arrived, then send what is due."""
        while self._inbox:
            await self._receive(self._inbox.popleft())
        if self._books_changed:
            self._books_changed = False
            self._session.changed(_ms())
            self._last_seq, _ = await self._books.position()
        if self._session.tick(_ms()):
            _log.info("no word from head office, sending again", after=self._session.acked_seq)
        try:
            await self._send_due()
        except NotConnected:
            self._session.link_down()

    async def _sleep(self) -> None:
        due_ms = self._session.wake_ms()
        timeout_s = self._tuning.state_every_ms / 1000 if due_ms is None else max(0.0, (due_ms - _ms()) / 1000)
        try:
            async with asyncio.timeout(timeout_s):
                await self._woken.wait()
        except TimeoutError:
            return

    async def _send_due(self) -> None:
        due_ms = self._session.state_due_ms()
        if due_ms is not None and _ms() >= due_ms:
            self._session.state_sent(_ms())
            state = await self._books.state()
            self._last_seq = state.last_seq
            await self._send(state)
        # Answers are read between batches, so that the window moves on.
        while not self._inbox and (wanted := self._session.next_records()) is not None:
            rows = await self._books.pending(*wanted)
            if self._session.next_records() != wanted:
                continue  # the link came up again while the rows were read
            batch = self._session.batch(rows, _ms())
            if batch is None:
                return
            self._last_seq = max(self._last_seq, batch.records[-1].seq)
            await self._send(batch)

    async def _send(self, body: Message) -> None:
        kind = kind_of(body)
        try:
            payload = seal(kind, self.instance, body, self._key)
        except MessageTooBig as error:
            # The plant must go on weighing; what cannot be told stays in the books.
            self.dropped["too big to send"] += 1
            _log.error("message not sent", kind=kind.value, why=str(error))
            return
        try:
            async with asyncio.timeout(_SEND_TIMEOUT_S):
                await self._transport.send(f"up/{self.instance.plant}/{kind.value.lower()}", payload)
        except TimeoutError:
            raise NotConnected(f"the transport took nothing for {_SEND_TIMEOUT_S:g} s") from None

    def _key_of(self, kind: Kind, instance: Instance) -> Ed25519PublicKey | None:
        return None if kind.goes_up else self._office_key

    async def _receive(self, payload: bytes) -> None:
        try:
            envelope = open_(payload, self._key_of, expected=self.instance)
        except EnvelopeError as error:
            self.dropped[error.fault.value] += 1
            _log.warning("message dropped", fault=error.fault.value, detail=error.detail)
            return
        try:
            await self._apply(envelope)
        except BooksUnavailable as error:
            self.dropped["store unavailable"] += 1
            _log.error("message not booked, head office will send it again", kind=envelope.kind.value, why=str(error))
            await asyncio.sleep(_BOOKS_RETRY_S)

    async def _apply(self, envelope: Envelope) -> None:
        body = envelope.body
        if not isinstance(body, Ack | Grant | Docs):
            return
        if not self._agreed and not isinstance(body, Ack):
            # A copy of the plant must not take money or orders before head office compared its rows. This one is asked
            # for again: without a word of head office STATE goes on being repeated.
            _log.info("not taken before head office's first receipt", kind=envelope.kind.value)
            return
        if body.term != self._term:
            if not await self._books.follows(body.term):
                self.dropped["another term"] += 1
                _log.warning("message of another term dropped", kind=envelope.kind.value, term=body.term.number)
                return
            self._term = body.term
            self.wake()
        self._session.heard()
        match body:
            case Ack() as ack:
                await self._acknowledge(ack)
            case Grant(account=account, granted_fen=granted_fen):
                await self._books.granted(account, granted_fen)
                self.wake()
            case Docs() as docs:
                _, applied = await self._books.position()
                fresh = self._session.new_documents(docs, applied, _ms())
                if fresh:
                    await self._books.documents(fresh)
                    self.wake()

    async def _acknowledge(self, ack: Ack) -> None:
        own_hash: str | None = GENESIS_HASH
        if ack.last_seq > 0:
            rows = await self._books.pending(ack.last_seq - 1, 1)
            own_hash = rows[0].hash if rows else None
        self._agreed = own_hash == ack.last_hash
        self._last_ack_at = self._now()
        before = self._session.acked_seq
        result = self._session.ack(ack, own_hash, _ms())
        if self._session.acked_seq < before:
            _log.warning("head office lost rows it had, sending them again", had=before, has=ack.last_seq)
        if isinstance(result, Fork) and result != self._fork:
            # Each answer of head office shows the same fork again; one alarm is enough.
            _log.error("fork", what=str(result))
            await self._books.forked(result)
            self._fork = result
        elif isinstance(result, Acked) and result.last_seq > self._kept_seq:
            await self._books.acked(result.last_seq, result.last_hash)
            self._kept_seq = result.last_seq


def _ms() -> int:
    return time.monotonic_ns() // 1_000_000
