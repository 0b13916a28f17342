"""A hostile network and a head office in memory, for tests and for trying a plant without a broker.

The network loses, doubles, delays (and so reorders) and cuts, all from one seed. The head office keeps rows, grants and
documents, and answers by the real one's rules.
"""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from sync.answers import Committed, Peer
from sync.chain import GENESIS_HASH, ChainBroken, verify_row
from sync.documents import Document
from sync.envelope import EnvelopeError, Kind, Message, kind_of, open_, seal
from sync.keys import Instance
from sync.messages import Rec, State, Term, WireDocument, WireRecord
from sync.session import Tuning
from sync.terms import first_term
from sync.transport import Listener, NotConnected, Transport

_QUEUE_MESSAGES = 10_000


@dataclass(frozen=True, slots=True)
class Weather:
    """How hostile the network is: chances for each message in 0…1, times in milliseconds."""

    lose: float = 0.0
    double: float = 0.0
    delay: float = 0.0
    delay_ms: int = 50
    """A delayed message comes up to so much later, so others overtake it."""
    cut: float = 0.0
    cut_ms: int = 50
    """A cut loses everything on its way, and lasts so long."""


FAIR = Weather()
FOUL = Weather(lose=0.15, double=0.2, delay=0.3, cut=0.02)


class HostileNet:
    """A broker that cannot be trusted. `end(prefix)` gives a transport that hears the topics beginning with it."""

    def __init__(self, weather: Weather, seed: int) -> None:
        self.weather = weather
        self.up = True
        self.counts: Counter[str] = Counter()
        self._random = Random(seed)
        self._ends: list[_End] = []
        self._generation = 0

    def end(self, prefix: str) -> Transport:
        """One end: `down/HX01/` for a plant, `up/` for head office."""
        end = _End(self, prefix)
        self._ends.append(end)
        return end

    def cut(self) -> None:
        """Take the link away from all ends; what is on its way is lost."""
        self.up = False
        self._generation += 1
        for end in self._ends:
            end.told(up=False)

    def restore(self) -> None:
        """Bring the link back."""
        if not self.up:
            self.up = True
            for end in self._ends:
                end.told(up=True)

    def carry(self, topic: str, payload: bytes) -> None:
        """Do to one message what the weather wants."""
        weather, loop = self.weather, asyncio.get_running_loop()
        self.counts["sent"] += 1
        if self._chance("cut", weather.cut):
            self.cut()
            loop.call_later(weather.cut_ms / 1000, self.restore)
            return
        if self._chance("lose", weather.lose):
            return
        for _ in range(2 if self._chance("double", weather.double) else 1):
            delay_ms = self._random.uniform(0, weather.delay_ms) if self._chance("delay", weather.delay) else 0
            loop.call_later(delay_ms / 1000, self._deliver, topic, payload, self._generation)

    def _chance(self, what: str, probability: float) -> bool:
        happens = self._random.random() < probability
        self.counts[what] += happens
        return happens

    def _deliver(self, topic: str, payload: bytes, generation: int) -> None:
        if generation != self._generation:
            return
        for end in self._ends:
            end.heard(topic, payload)


class _End:
    def __init__(self, net: HostileNet, prefix: str) -> None:
        self._net = net
        self._prefix = prefix
        self._listener: Listener | None = None

    async def run(self, listener: Listener) -> None:
        self._listener = listener
        self.told(up=self._net.up)
        try:
            await asyncio.Event().wait()
        finally:
            self._listener = None

    async def send(self, topic: str, payload: bytes) -> None:
        if not self._net.up or self._listener is None:
            raise NotConnected("the simulated link is cut")
        self._net.carry(topic, payload)
        # A sender in a tight loop must let the other side hear.
        await asyncio.sleep(0)

    def told(self, *, up: bool) -> None:
        if self._listener is None:
            return
        if up:
            self._listener.connected()
        else:
            self._listener.disconnected("the simulated link is cut")

    def heard(self, topic: str, payload: bytes) -> None:
        if self._listener is not None and topic.startswith(self._prefix):
            self._listener.message(topic, payload)


@dataclass(slots=True)
class PlantAccount:
    """What the head office in memory holds about one plant epoch."""

    rows: list[WireRecord] = field(default_factory=list)
    last_hash: str = GENESIS_HASH
    granted_fen: dict[str, int] = field(default_factory=dict)
    documents: list[WireDocument] = field(default_factory=list)
    state: State | None = None
    peer: Peer | None = None
    """Since its first STATE."""
    forks: int = 0

    def committed(self, term: Term) -> Committed:
        """What may be sent."""
        return Committed(self.granted_fen, self.documents, len(self.rows), self.last_hash, term)


class MemoryOffice:
    """Head office without a database, answering by the same `sync.answers.Peer` as the real one."""

    def __init__(
        self,
        transport: Transport,
        private_key: Ed25519PrivateKey,
        plants: Mapping[Instance, Ed25519PublicKey],
        tuning: Tuning | None = None,
    ) -> None:
        self.plants = {instance: PlantAccount() for instance in plants}
        self.dropped: Counter[str] = Counter()
        self.term = first_term()
        self._transport = transport
        self._key = private_key
        self._plant_keys = dict(plants)
        self._tuning = tuning or Tuning()
        self._inbox: deque[bytes] = deque(maxlen=_QUEUE_MESSAGES)
        self._woken = asyncio.Event()

    async def run(self) -> None:
        """Serve until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._transport.run(self))
            group.create_task(self._serve())

    async def grant(self, instance: Instance, account: str, amount_fen: int) -> None:
        """Grant more to one account; the new total is kept even if sending fails."""
        granted = self.plants[instance].granted_fen
        granted[account] = granted.get(account, 0) + amount_fen
        await self._give(instance)

    async def issue(self, instance: Instance, document: Document) -> None:
        """Number a document and send it; it is kept even if sending fails."""
        documents = self.plants[instance].documents
        documents.append(
            WireDocument(number=len(documents) + 1, kind=document.KIND, body=document.model_dump(mode="json"))
        )
        await self._give(instance)

    def connected(self) -> None:
        """Listener."""

    def disconnected(self, why: str) -> None:
        """Listener."""

    def message(self, topic: str, payload: bytes) -> None:
        """Listener: queued for `run`."""
        self._inbox.append(payload)
        self._woken.set()

    async def _serve(self) -> None:
        while True:
            await self._woken.wait()
            self._woken.clear()
            while self._inbox:
                await self._receive(self._inbox.popleft())

    def _key_of(self, kind: Kind, instance: Instance) -> Ed25519PublicKey | None:
        return self._plant_keys.get(instance) if kind.goes_up else None

    async def _receive(self, payload: bytes) -> None:
        try:
            envelope = open_(payload, self._key_of)
        except EnvelopeError as error:
            self.dropped[error.fault.value] += 1
            return
        plant = self.plants[envelope.instance]
        if isinstance(envelope.body, Rec):
            self._book(plant, envelope.body)
            await self._send(envelope.instance, plant.committed(self.term).ack)
        elif isinstance(envelope.body, State):
            plant.state = envelope.body
            plant.peer = plant.peer or Peer(self._tuning)
            plant.peer.heard(envelope.body, _now_ms())
            await self._send(envelope.instance, plant.committed(self.term).ack)
            await self._give(envelope.instance)

    def _book(self, plant: PlantAccount, rec: Rec) -> None:
        for row in rec.records:
            if row.seq <= len(plant.rows):
                plant.forks += plant.rows[row.seq - 1].hash != row.hash
            elif row.seq == len(plant.rows) + 1:
                try:
                    plant.last_hash = verify_row(plant.last_hash, row)
                except ChainBroken:
                    plant.forks += 1
                    return
                plant.rows.append(row)

    async def _give(self, instance: Instance) -> None:
        plant = self.plants[instance]
        if plant.peer is None:
            return  # the plant speaks first
        for message in plant.peer.due(plant.committed(self.term)):
            if not await self._send(instance, message):
                return  # the plant's next STATE asks again
            plant.peer.sent(message, _now_ms())

    async def _send(self, instance: Instance, body: Message) -> bool:
        kind = kind_of(body)
        payload = seal(kind, instance, body, self._key)
        try:
            await self._transport.send(f"down/{instance.plant}/{kind.value.lower()}", payload)
        except NotConnected:
            return False
        return True


def _now_ms() -> int:
    return time.monotonic_ns() // 1_000_000
