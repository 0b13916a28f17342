"""The plant's side of the protocol without IO and without a clock: what to send, when, and what an answer means.

Times come in as `now_ms`, monotonic milliseconds. Durable truth is the ledger and `acked_seq` in the plant's store; a
session is rebuilt from them at any time. Records travel in consecutive batches, a window of them unacknowledged;
without progress everything after the last ACK is sent again (go-back-N). The pump around this is `sync.engine`.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from sync.messages import Ack, Docs, Rec, WireDocument, WireRecord

_ROW_OVERHEAD_BYTES = 150
"""What seq, kind, time, hash and JSON add to a row's body, about."""


@dataclass(frozen=True, slots=True)
class Tuning:
    """Limits of a session. None of them can break safety."""

    batch_records: int = 200
    batch_bytes: int = 128 * 1024
    """Raw, before compression. A single larger row travels alone."""
    window_batches: int = 20
    state_every_ms: int = 60_000
    state_settle_ms: int = 50
    """After a change STATE waits so long for the next one …"""
    state_spacing_ms: int = 250
    """… and never goes out more often than this."""
    state_retry_max_ms: int = 15_000
    """While head office says nothing at all, STATE is repeated after `retry_min_ms`, growing to this."""
    retry_min_ms: int = 2_000
    retry_max_ms: int = 60_000
    retry_rtts: int = 4
    state_again_ms: int = 3_000
    """So long after the first STATE of a new link another follows. What head office sent just before the old link died
    it takes for received for `retry_min_ms`; this STATE tells that it was not."""


@dataclass(frozen=True, slots=True)
class Acked:
    """Head office holds every row up to `last_seq`: those outbox rows are finished."""

    last_seq: int
    last_hash: str


@dataclass(frozen=True, slots=True)
class Fork:
    """Head office and this plant do not hold the same rows. `ours` is None if we lack row `seq`: we were rolled back.

    A person must look: nothing is finished by such an ACK, and nothing is undone.
    """

    seq: int
    ours: str | None
    theirs: str

    def __str__(self) -> str:
        if self.ours is None:
            return f"head office holds row {self.seq}, which is missing here: this plant was restored from a copy"
        return f"row {self.seq} is {self.ours[:16]}… here and {self.theirs[:16]}… at head office"


@dataclass(slots=True)
class _Batch:
    last_seq: int
    sent_ms: int
    first_time: bool


class PlantSession:
    """One plant epoch's conversation with head office. Not thread-safe, one owner."""

    def __init__(self, acked_seq: int, tuning: Tuning, jitter: Callable[[], float]) -> None:
        """`acked_seq` from the store; `jitter() ∈ [0, 1)` spreads retries of many plants."""
        self.tuning = tuning
        self.acked_seq = acked_seq
        self.rtt_ms = 0.0
        self.connected = False
        self._sent_seq = acked_seq
        self._highest_sent_seq = acked_seq
        self._window: list[_Batch] = []
        self._jitter = jitter
        self._retries = 0
        self._retry_jitter = 0.0
        self._progress_ms = 0
        self._stuck = False
        self._heard_lately = False
        self._away = False
        self._state_ms: int | None = None
        self._changed_ms: int | None = None
        self._link_is_new = False
        self._again_ms: int | None = None
        self._unheard_states = 0
        self._states = 0
        self._lower: tuple[int, int] | None = None

    def link_up(self, now_ms: int) -> None:
        """The transport is connected: STATE at once, and everything after the last ACK again."""
        self.connected = True
        self._link_is_new = True
        self._again_ms = None
        self._unheard_states = 0
        self._retries = 0
        self._lower = None
        self._go_back(now_ms)

    def link_down(self) -> None:
        """The transport is not connected: nothing is due until `link_up`."""
        self.connected = False

    def changed(self, now_ms: int) -> None:
        """The plant committed something, or head office should hear where we stand: STATE soon."""
        if self._changed_ms is None:
            self._changed_ms = now_ms

    def state_due_ms(self) -> int | None:
        """When STATE is to be sent; None while the link is down."""
        if not self.connected:
            return None
        if self._state_ms is None or self._link_is_new:
            return 0
        due_ms = self._state_ms + self.tuning.state_every_ms
        if self._again_ms is not None and not self._unheard_states:
            due_ms = min(due_ms, self._again_ms)
        if self._unheard_states:
            wait_ms = self.tuning.retry_min_ms << min(self._unheard_states - 1, 16)
            due_ms = min(due_ms, self._state_ms + min(wait_ms, self.tuning.state_retry_max_ms))
        if self._changed_ms is not None:
            settled_ms = self._changed_ms + self.tuning.state_settle_ms
            due_ms = min(due_ms, max(settled_ms, self._state_ms + self.tuning.state_spacing_ms))
        return due_ms

    def state_sent(self, now_ms: int) -> None:
        """STATE was handed to the transport, as of a moment before now."""
        self._state_ms = now_ms
        self._changed_ms = None
        if self._link_is_new:
            self._again_ms = now_ms + self.tuning.state_again_ms
        elif self._again_ms is not None and now_ms >= self._again_ms:
            self._again_ms = None
        self._link_is_new = False
        self._unheard_states += 1
        self._states += 1

    def heard(self) -> None:
        """Head office sent something: it is alive, and backing off because it said nothing at all is over.

        A head office that answers, but more slowly than we repeat ourselves, is given the longer time until it answers
        for something that was sent once. The retry timer itself goes on, so that a burst of ACKs behind a gap makes one
        resend, not many.
        """
        self._unheard_states = 0
        self._heard_lately = True
        if self._away:
            self._away = False
            self._retries = 0

    def next_records(self) -> tuple[int, int] | None:
        """`(after_seq, limit)` of the rows to read for the next batch; None while there is no room or no link."""
        if not self.connected or len(self._window) >= self.tuning.window_batches:
            return None
        return self._sent_seq, self.tuning.batch_records

    def batch(self, rows: Sequence[WireRecord], now_ms: int) -> Rec | None:
        """The batch to send now, cut from rows read by `next_records`; None if there are none."""
        chosen = tuple(_fitting(rows, self.tuning))
        if not chosen:
            return None
        if [row.seq for row in chosen] != list(range(self._sent_seq + 1, self._sent_seq + 1 + len(chosen))):
            raise ValueError(f"rows {chosen[0].seq}…{chosen[-1].seq} do not follow row {self._sent_seq}")
        if not self._window:
            self._progress_ms = now_ms
        last_seq = chosen[-1].seq
        self._window.append(_Batch(last_seq, now_ms, first_time=last_seq > self._highest_sent_seq))
        self._sent_seq = last_seq
        self._highest_sent_seq = max(self._highest_sent_seq, last_seq)
        return Rec(records=chosen)

    def retry_due_ms(self) -> int | None:
        """When, without progress, everything after the last ACK is sent again; None if nothing is on its way."""
        if not self.connected or not self._window:
            return None
        first_ms = max(self.tuning.retry_min_ms, int(self.tuning.retry_rtts * self.rtt_ms))
        grown_ms = min(first_ms << min(self._retries, 16), self.tuning.retry_max_ms)
        return self._progress_ms + int(grown_ms * (1 - self._retry_jitter / 2 if self._retries else 1))

    def tick(self, now_ms: int) -> bool:
        """Let time pass; True if the session went back to the last ACK."""
        due_ms = self.retry_due_ms()
        if due_ms is None or now_ms < due_ms:
            return False
        self._retries += 1
        self._away = not self._heard_lately
        self._heard_lately = False
        self._retry_jitter = self._jitter()
        self._stuck = True
        self._go_back(now_ms)
        return True

    def wake_ms(self) -> int | None:
        """When to look again if nothing happens before."""
        return min((due for due in (self.state_due_ms(), self.retry_due_ms()) if due is not None), default=None)

    def ack(self, ack: Ack, own_hash: str | None, now_ms: int) -> Acked | Fork | None:
        """An ACK arrived; `own_hash` is the hash of our row `ack.last_seq`, None if there is no such row.

        None: it tells nothing new (late or doubled). A `Fork` changes nothing here. An ACK below our last one is no
        late one when sending again did not help, or when nothing is on its way and the answer to a later STATE says
        the same: head office was restored from a copy, and gets its rows again.
        """
        if ack.last_seq == self.acked_seq:
            self._lower = None
            return None
        if own_hash != ack.last_hash:
            return Fork(ack.last_seq, own_hash, ack.last_hash)
        if ack.last_seq < self.acked_seq:
            if self._stuck or self._said_again(ack.last_seq):
                self._stuck = False
                self._lower = None
                self.acked_seq = ack.last_seq
                self._go_back(now_ms)
            return None
        self._stuck = False
        self._lower = None
        self._measure(ack.last_seq, now_ms)
        self.acked_seq = ack.last_seq
        self._sent_seq = max(self._sent_seq, ack.last_seq)
        self._window = [batch for batch in self._window if batch.last_seq > ack.last_seq]
        self._progress_ms = now_ms
        return Acked(ack.last_seq, ack.last_hash)

    def _said_again(self, lower_seq: int) -> bool:
        """Whether, with nothing on its way, an ACK a STATE ago named the same row: an idle plant is never stuck."""
        if self._window:
            self._lower = None
            return False
        if self._lower is None or self._lower[0] != lower_seq:
            self._lower = lower_seq, self._states
            return False
        return self._states > self._lower[1]

    def new_documents(self, docs: Docs, applied: int, now_ms: int) -> list[WireDocument]:
        """The documents of `docs` that follow `applied` without a gap, in order. A gap makes STATE ask again."""
        by_number = {document.number: document for document in docs.documents}
        fresh: list[WireDocument] = []
        while (number := applied + len(fresh) + 1) in by_number:
            fresh.append(by_number[number])
        # Also when they were all applied before: head office does not know that yet.
        self.changed(now_ms)
        return fresh

    def _measure(self, seq: int, now_ms: int) -> None:
        # Only batches sent once: the ACK of a repeated one may belong to either sending (Karn's rule).
        for batch in self._window:
            if batch.last_seq == seq and batch.first_time:
                sample_ms = float(now_ms - batch.sent_ms)
                self._retries = 0
                self.rtt_ms = sample_ms if self.rtt_ms == 0 else 0.875 * self.rtt_ms + 0.125 * sample_ms

    def _go_back(self, now_ms: int) -> None:
        self._window.clear()
        self._sent_seq = self.acked_seq
        self._progress_ms = now_ms


def _fitting(rows: Iterable[WireRecord], tuning: Tuning) -> Iterable[WireRecord]:
    size = 0
    for count, row in enumerate(rows):
        size += len(row.body.encode()) + _ROW_OVERHEAD_BYTES
        if count and (count >= tuning.batch_records or size > tuning.batch_bytes):
            return
        yield row
