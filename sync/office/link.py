"""The link to the plants: payloads in, commits, then answers out. All state on one loop; the store has its own thread.

Nothing is answered before its commit. Nothing sent needs to arrive: a plant's next STATE tells what it lacks, and that
is sent again. A payload that is not ours is counted by topic and reason, shown under exceptions, and dropped.
"""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, NoReturn, Protocol

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from sync.answers import Peer
from sync.envelope import Envelope, EnvelopeError, Kind, Message, kind_of, open_, seal
from sync.keys import Instance
from sync.messages import Ack, Rec, State, WireRecord
from sync.office.arrivals import Arrivals
from sync.office.store.database import Store, StoreUnavailable, current_change
from sync.office.store.inbox import Ingested, ingest_all
from sync.office.store.plants import Known, count_all_dropped, hear_state, known_instances, read_committed
from sync.office.store.terms import current_term
from sync.session import Tuning
from sync.transport import Listener, NotConnected

_log = structlog.get_logger(__name__)
SUBSCRIPTIONS = ("up/#",)
PRESENCE_TOPIC = "down/office/link"
_TOPICS = 500
_OPENED = 16
TOGETHER = 8  # messages booked in one transaction: a tenth of a second's work, and less than half a window
_DOCUMENTS_AT_ONCE = 100
_TUNING = Tuning()
_TICK_S = 0.15
_RETRY_S = 2.0
_SEND_TIMEOUT_S = 10.0
_LONGEST_TOPIC = 60


class Pipe(Protocol):
    """What is used of `sync.mqtt.MqttTransport`."""

    async def run(self, listener: Listener) -> NoReturn | None: ...
    async def send(self, topic: str, payload: bytes) -> None: ...


class OfficeLink:
    """Head office's end of the protocol, over any pipe."""

    def __init__(self, store: Store, pipe: Pipe, key: Ed25519PrivateKey, changed: Callable[[], None]) -> None:
        """`changed` is called after each commit that pages may want to show."""
        self._store = store
        self._pipe = pipe
        self._key = key
        self._changed = changed
        self._arrivals = Arrivals()
        self._opened: asyncio.Queue[Envelope] = asyncio.Queue(_OPENED)
        self._known: dict[str, Known] = {}
        self._peers: dict[str, Peer] = {}
        self._dropped: Counter[tuple[str, str]] = Counter()
        self._change = -1
        self.up = False
        self.why = "not connected yet"
        self.online: dict[str, bool] = {}
        """What the broker says of each plant's connection: a hint, unsigned."""

    async def run(self) -> None:
        """Serve until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._pipe.run(self))
            group.create_task(self._unpack())
            group.create_task(self._serve())
            group.create_task(self._watch())

    def connected(self) -> None:
        self.up, self.why = True, ""
        self._change = -1  # what was written while the link was down goes out now, not with the plants' next STATE
        for peer in self._peers.values():
            peer.doubt()
        _log.info("link up")
        self._changed()

    def disconnected(self, why: str) -> None:
        self.up, self.why = False, why
        self.online.clear()
        self._changed()

    def message(self, topic: str, payload: bytes) -> None:
        parts = topic.split("/")
        if len(parts) != 3 or parts[0] != "up" or parts[2] not in ("rec", "state", "link"):
            self._drop(topic, "unknown topic")
        elif parts[2] == "link":
            self._presence(topic, parts[1], payload)
        elif not self._arrivals.put(parts[1], parts[2], payload):
            # Not acknowledged, so the plant sends it again.
            self._drop(topic, "too many at once")

    def _presence(self, topic: str, plant: str, payload: bytes) -> None:
        if payload not in (b"0", b"1"):
            self._drop(topic, "wrong presence")
            return
        if len(self.online) < _TOPICS:
            self.online[plant] = payload == b"1"
        self._changed()

    def _drop(self, topic: str, reason: str) -> None:
        named = topic if topic.isprintable() and len(topic) <= _LONGEST_TOPIC else "(odd topic)"
        if (named, reason) not in self._dropped and len(self._dropped) >= _TOPICS:
            named = "(many topics)"
        self._dropped[named, reason] += 1

    async def _unpack(self) -> None:
        """Open what arrived while the store is at work on what came before."""
        while True:
            plant, what, payload = await self._arrivals.take()
            try:
                envelope = await self._open(f"up/{plant}/{what}", plant, payload)
            except StoreUnavailable as error:
                _log.error("database unavailable, the plant will send again", why=str(error))
                continue
            if envelope is not None:
                await self._opened.put(envelope)

    async def _serve(self) -> None:
        while True:
            together = [await self._opened.get()]
            while len(together) < TOGETHER and not self._opened.empty():
                together.append(self._opened.get_nowait())
            try:
                await self._book(together)
            except StoreUnavailable as error:
                _log.error("database unavailable, the plants will send again", why=str(error))
                await asyncio.sleep(_RETRY_S)

    async def _book(self, together: Sequence[Envelope]) -> None:
        # STATE first: said after newer rows, it would look as if the plant had lost them.
        for envelope in together:
            if isinstance(envelope.body, State):
                await self._guarded(self._state(envelope.instance, envelope.body), [envelope])
        rows = [envelope for envelope in together if isinstance(envelope.body, Rec)]
        if rows and not await self._guarded(self._records(rows), rows) and len(rows) > 1:
            # One of them cannot be booked: each alone, so that it holds up nobody else.
            for envelope in rows:
                await self._guarded(self._records([envelope]), [envelope])

    async def _guarded(self, work: Coroutine[Any, Any, None], messages: Sequence[Envelope]) -> bool:
        """Do the work; False when it failed for a reason that lies in the messages. Passes on StoreUnavailable."""
        try:
            await work
        except StoreUnavailable:
            raise
        except NotConnected as error:
            _log.info("answer not sent, the plant will ask again", why=str(error))
        except Exception as error:
            # One plant's message that we cannot book must not stop all the others; it stays in that plant's outbox.
            if len(messages) == 1:
                topic = f"up/{messages[0].instance.plant}/{messages[0].kind.value.lower()}"
                _log.exception("message not booked", topic=topic)
                self._drop(topic, f"not booked: {type(error).__name__}")
            return False
        return True

    async def _open(self, topic: str, plant: str, payload: bytes) -> Envelope | None:
        try:
            try:
                envelope = open_(payload, self._key_of)
            except EnvelopeError as error:
                # Perhaps enrolled a moment ago, by the command in another process.
                if error.fault.value != "no key for this sender" or not await self._learn():
                    raise
                envelope = open_(payload, self._key_of)
        except EnvelopeError as error:
            _log.warning("message dropped", topic=topic, why=str(error))
            self._drop(topic, error.fault.value)
            return None
        wanted = Kind.REC if topic.endswith("/rec") else Kind.STATE
        if envelope.instance.plant != plant or envelope.kind is not wanted:
            self._drop(topic, "another plant's, or another kind's topic")
            return None
        return envelope

    def _key_of(self, kind: Kind, instance: Instance) -> Ed25519PublicKey | None:
        known = self._known.get(instance.wire_id)
        return known.key if known is not None and kind.goes_up else None

    async def _learn(self) -> bool:
        """Read the enrolled instances again; whether there are more than before."""
        before = len(self._known)
        self._known = await self._store.run_read(known_instances)
        return len(self._known) > before

    async def _records(self, messages: Sequence[Envelope]) -> None:
        """Book the rows of these messages in one transaction, then answer each plant once."""
        rows: defaultdict[str, list[WireRecord]] = defaultdict(list)
        for envelope in messages:
            if isinstance(envelope.body, Rec):
                rows[envelope.instance.wire_id] += envelope.body.records

        done, term = await self._store.run_write(lambda tx: (ingest_all(tx, rows), current_term(tx)))
        self._noticed(list(done.values()))
        for wire_id, each in done.items():
            if each.forked:
                _log.error("the plant's ledger forked; it is frozen", instance=wire_id)
            ack = Ack(last_seq=each.last_seq, last_hash=each.last_hash, term=term)
            await self._send(Instance.parse(wire_id), ack)

    def _noticed(self, done: Sequence[Ingested]) -> None:
        """Pages show the rows. The plants lack nothing more because of them, unless it is said."""
        change = max((each.change for each in done), default=0)
        if change:
            if change == self._change + 1 and not any(each.owed for each in done):
                self._change = change
            self._changed()

    async def _state(self, instance: Instance, body: State) -> None:
        heard = await self._store.run_write(lambda tx: hear_state(tx, instance.wire_id, body))
        self._peers.setdefault(instance.wire_id, Peer(_TUNING)).heard(body, _now_ms(), short=heard.short)
        self._changed()
        await self._give(instance, with_ack=True)

    async def _give(self, instance: Instance, with_ack: bool = False) -> None:
        """Send what the instance lacks, until nothing more is due."""
        peer = self._peers[instance.wire_id]
        while True:
            committed = await self._store.run_read(
                lambda tx: read_committed(tx, instance.wire_id, peer.documents, _DOCUMENTS_AT_ONCE)
            )
            if with_ack:
                await self._send(instance, committed.ack)
                with_ack = False
            for message in peer.due(committed):
                await self._send(instance, message)
                peer.sent(message, _now_ms())
            if not committed.documents or peer.documents < committed.documents[-1].number:
                return

    async def _send(self, instance: Instance, body: Message) -> None:
        kind = kind_of(body)
        payload = seal(kind, instance, body, self._key)
        try:
            async with asyncio.timeout(_SEND_TIMEOUT_S):
                await self._pipe.send(f"down/{instance.plant}/{kind.value.lower()}", payload)
        except TimeoutError:
            raise NotConnected(f"not sent in {_SEND_TIMEOUT_S:g} s") from None

    async def _watch(self) -> None:
        """Notice what others changed in the books (pages, commands in other processes), and hand it to the plants."""
        while True:
            try:
                await self._look()
            except StoreUnavailable as error:
                _log.error("database unavailable", why=str(error))
                await asyncio.sleep(_RETRY_S)
            except NotConnected:
                pass
            await asyncio.sleep(_TICK_S)

    async def _look(self) -> None:
        dropped, self._dropped = self._dropped, Counter()
        if dropped:
            await self._store.run_write(lambda tx: count_all_dropped(tx, dropped))
        change = await self._store.run_read(current_change)
        if change == self._change:
            return
        self._change = change
        self._changed()
        if self.up:
            for wire_id in list(self._peers):
                await self._give(Instance.parse(wire_id))


def _now_ms() -> int:
    return time.monotonic_ns() // 1_000_000
