"""Plant session and head office joined by a network that may do anything: they always converge, and never disagree.

Hypothesis plays the network: it delivers any message ever sent, at any time, any number of times, or never; it cuts the
link and restarts the plant. Then the weather turns fair, and both ends must hold the same within a few virtual minutes.
"""

from typing import ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings, strategies
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from sync.answers import Committed, Peer
from sync.chain import GENESIS_HASH
from sync.envelope import Message
from sync.messages import AccountState, Ack, Docs, Grant, Rec, State, WireDocument, WireRecord
from sync.session import Acked, Fork, PlantSession, Tuning
from tests.sync.support import NOON, TERM, make_rows

ROWS = make_rows(400)
TUNING = Tuning(batch_records=3, window_batches=3)


class Office:
    """Head office, reduced to what it commits; what it sends is the shipped `Peer`'s choice."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self.heard = False
        self.rows: list[WireRecord] = []
        self.granted_fen: dict[str, int] = {}
        self.documents: list[WireDocument] = []

    def receive(self, message: Message, now_ms: int) -> list[Message]:
        if isinstance(message, Rec):
            for row in message.records:
                if row.seq == len(self.rows) + 1:
                    self.rows.append(row)
            return [self.committed().ack]
        assert isinstance(message, State)
        self.peer.heard(message, now_ms)
        self.heard = True
        return [self.committed().ack, *self.give(now_ms)]

    def give(self, now_ms: int) -> list[Message]:
        """What the plant lacks; it speaks first."""
        messages = self.peer.due(self.committed()) if self.heard else []
        for message in messages:
            self.peer.sent(message, now_ms)
        return [*messages]

    def committed(self) -> Committed:
        last_hash = self.rows[-1].hash if self.rows else GENESIS_HASH
        return Committed(self.granted_fen, self.documents, len(self.rows), last_hash, TERM)


class World(RuleBasedStateMachine):
    """One plant, one head office, all messages ever sent."""

    session_class: ClassVar[type[PlantSession]] = PlantSession
    peer_class: ClassVar[type[Peer]] = Peer

    @initialize()
    def begin(self) -> None:
        self.office = Office(self.peer_class(TUNING))
        self.written = 0
        self.acked_seq = 0
        self.granted_fen: dict[str, int] = {}
        self.applied: list[WireDocument] = []
        self.now_ms = 0
        self.up: list[Message] = []
        self.down: list[Message] = []
        self.session = self.session_class(0, TUNING, lambda: 0.5)

    # What people and head office do.

    @rule(count=strategies.integers(1, 8))
    def write_rows(self, count: int) -> None:
        self.written = min(self.written + count, len(ROWS))
        self.session.changed(self.now_ms)

    @rule(fen=strategies.integers(1, 1_000), account=strategies.sampled_from("AB"))
    def grant(self, fen: int, account: str) -> None:
        self.office.granted_fen[account] = self.office.granted_fen.get(account, 0) + fen
        self.down += self.office.give(self.now_ms)

    @rule()
    def issue_document(self) -> None:
        self.office.documents.append(WireDocument(number=len(self.office.documents) + 1, kind="test", body={}))
        self.down += self.office.give(self.now_ms)

    # What the network and the machine do.

    @rule(ms=strategies.sampled_from([10, 100, 1_000, 5_000, 60_000]))
    def wait(self, ms: int) -> None:
        self.now_ms += ms
        self.pump()

    @precondition(lambda self: self.up)
    @rule(data=strategies.data())
    def deliver_up(self, data: strategies.DataObject) -> None:
        message = self.up[data.draw(strategies.integers(0, len(self.up) - 1))]
        self.down += self.office.receive(message, self.now_ms)

    @precondition(lambda self: self.down)
    @rule(data=strategies.data())
    def deliver_down(self, data: strategies.DataObject) -> None:
        self.take(self.down[data.draw(strategies.integers(0, len(self.down) - 1))])

    @rule()
    def link_comes_up(self) -> None:
        self.session.link_up(self.now_ms)
        self.pump()

    @rule()
    def link_is_cut(self) -> None:
        self.session.link_down()

    @rule()
    def restart_plant(self) -> None:
        self.session = self.session_class(self.acked_seq, TUNING, lambda: 0.5)

    # The plant's pump, in virtual time.

    def pump(self) -> None:
        self.session.tick(self.now_ms)
        due_ms = self.session.state_due_ms()
        if due_ms is not None and self.now_ms >= due_ms:
            self.session.state_sent(self.now_ms)
            self.up.append(self.state())
        while (wanted := self.session.next_records()) is not None:
            after_seq, limit = wanted
            batch = self.session.batch(ROWS[after_seq : min(after_seq + limit, self.written)], self.now_ms)
            if batch is None:
                break
            self.up.append(batch)

    def take(self, message: Message) -> None:
        self.session.heard()
        match message:
            case Ack(last_seq=seq):
                own_hash = ROWS[seq - 1].hash if 0 < seq <= self.written else GENESIS_HASH if seq == 0 else None
                before = self.session.acked_seq
                result = self.session.ack(message, own_hash, self.now_ms)
                assert not isinstance(result, Fork)
                if isinstance(result, Acked):
                    assert result.last_seq > before
                    # The session may have gone back for an office that seemed restored; the books never do.
                    self.acked_seq = max(self.acked_seq, result.last_seq)
            case Grant(account=account, granted_fen=fen):
                self.granted_fen[account] = max(self.granted_fen.get(account, 0), fen)
                self.session.changed(self.now_ms)
            case Docs():
                self.applied += self.session.new_documents(message, len(self.applied), self.now_ms)

    def state(self) -> State:
        accounts = {
            account: AccountState(granted_fen=fen, returned_fen=0, spent_fen=0, voided_fen=0, held_fen=0)
            for account, fen in self.granted_fen.items()
        }
        last_hash = ROWS[self.written - 1].hash if self.written else GENESIS_HASH
        return State(
            accounts=accounts, last_seq=self.written, last_hash=last_hash, documents_applied=len(self.applied), at=NOON
        )  # fmt: skip

    @invariant()
    def nobody_holds_what_the_other_did_not_commit(self) -> None:
        assert self.office.rows == ROWS[: len(self.office.rows)]
        assert self.acked_seq <= len(self.office.rows) <= self.written
        assert self.applied == self.office.documents[: len(self.applied)]
        assert all(fen <= self.office.granted_fen[account] for account, fen in self.granted_fen.items())

    def teardown(self) -> None:
        """Fair weather: every message arrives once, in order. After two virtual minutes both hold the same."""
        self.up.clear()
        self.down.clear()
        self.session.link_up(self.now_ms)
        for _ in range(240):
            self.now_ms += 500
            self.pump()
            self.down = [answer for message in self.up for answer in self.office.receive(message, self.now_ms)]
            self.up.clear()
            for message in self.down:
                self.take(message)
        assert len(self.office.rows) == self.written == self.acked_seq
        assert self.granted_fen == self.office.granted_fen
        assert self.applied == self.office.documents


TestConvergence = World.TestCase
TestConvergence.settings = settings(max_examples=300, stateful_step_count=40, suppress_health_check=list(HealthCheck))


class BelievesAnyAck(PlantSession):
    """Takes an old ACK as new."""

    def ack(self, ack: Ack, own_hash: str | None, now_ms: int) -> Acked | Fork | None:
        self.acked_seq = min(self.acked_seq, ack.last_seq)
        return super().ack(ack, own_hash, now_ms) or Acked(ack.last_seq, ack.last_hash)


class ForgetsToSendAgain(PlantSession):
    """Trusts that what was sent arrives, over restarts of the link too."""

    def link_up(self, now_ms: int) -> None:
        sent_seq = self._sent_seq
        super().link_up(now_ms)
        self._sent_seq = sent_seq


class TakesDocumentsWithGaps(PlantSession):
    """Applies what comes."""

    def new_documents(self, docs: Docs, applied: int, now_ms: int) -> list[WireDocument]:
        return [document for document in docs.documents if document.number > applied]


class BelievesWhatItSent(Peer):
    """Trusts that what was sent arrives."""

    def heard(self, state: State, now_ms: int, *, short: bool = False) -> None:
        self._sent_ms = now_ms
        super().heard(state, now_ms, short=short)


@pytest.mark.parametrize("broken", [BelievesAnyAck, ForgetsToSendAgain, TakesDocumentsWithGaps, BelievesWhatItSent])
def test_the_network_above_catches_a_broken_end(broken: type[PlantSession] | type[Peer]) -> None:
    class BrokenWorld(World):
        session_class = broken if issubclass(broken, PlantSession) else PlantSession
        peer_class = broken if issubclass(broken, Peer) else Peer

    with pytest.raises(AssertionError):
        run_state_machine_as_test(
            BrokenWorld,
            settings=settings(
                max_examples=200, stateful_step_count=40, derandomize=True, database=None, print_blob=False,
                phases=(Phase.generate,), suppress_health_check=list(HealthCheck),
            ),
        )  # fmt: skip
