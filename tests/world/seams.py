"""The few places where the world holds the program by the hand: its clock, its commits, and who runs its coroutines.

Everything here derives from the shipped classes and changes when things happen, never what happens: a transaction runs
on the calling thread, and a crash comes right before its COMMIT (nothing happened) or right after it (nobody was told).
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta, tzinfo
from enum import IntEnum
from pathlib import Path
from typing import Any, TypeVar

import pytest
import structlog
from sqlalchemy import Connection
from sqlalchemy.util import LRUCache

from edge.store.books import Books
from edge.store.clock import Clock
from edge.store.database import Database
from edge.store.ledger import LedgerRow
from sync.engine import PlantEngine
from sync.office.link import OfficeLink
from sync.office.store.database import Store
from sync.transport import NotConnected

T = TypeVar("T")
START = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)
Deliver = Callable[[str, bytes], None]


class Crash(BaseException):
    """The power went. Not an Exception, so that no error handling of the program can catch it."""


class When(IntEnum):
    """Where at a commit the power goes."""

    BEFORE = 0
    UNWITNESSED = 1
    """It stands on disk, the witness file has not been told (at head office: like AFTER)."""
    AFTER = 2
    """Nobody was answered, nothing was sent."""


class Crasher:
    """Counts one computer's commits and ends it at the chosen one."""

    def __init__(self) -> None:
        self._left = 0
        self._when = When.BEFORE

    def arm(self, commits: int, when: When) -> None:
        """Crash at the `commits`-th commit from now."""
        self._left, self._when = commits, when

    def disarm(self) -> None:
        """The power stays."""
        self._left = 0

    def reached(self, when: When) -> None:
        """A commit has come so far."""
        if not self._left or when is not self._when:
            return
        self._left -= 1
        if not self._left:
            raise Crash


class Time:
    """Steady milliseconds of the whole world; head office's wall clock may be wrong by `office_error`."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """A new world begins."""
        self.ms = 0
        self.office_error = timedelta(0)

    @property
    def true(self) -> datetime:
        """What a good clock shows."""
        return START + timedelta(milliseconds=self.ms)

    @property
    def office(self) -> datetime:
        """What head office's clock shows."""
        return self.true + self.office_error


TIME = Time()


class StepClock(Clock):
    """A plant's clock: the world's time, wrong by `error`."""

    def __init__(self) -> None:
        self.error = timedelta(0)
        super().__init__()

    def wall(self) -> datetime:
        return TIME.true + self.error

    def monotonic_ms(self) -> int:
        return TIME.ms


class _OfficeDatetime(datetime):
    """`datetime` as `sync.office.clock` sees it."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> "_OfficeDatetime":
        return cls.fromtimestamp(TIME.office.timestamp(), tz)


@contextmanager
def virtual_time() -> Iterator[None]:
    """Both ends read the world's time, and log nothing."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sync.engine._ms", lambda: TIME.ms)
        patch.setattr("sync.office.link._now_ms", lambda: TIME.ms)
        patch.setattr("sync.office.clock.datetime", _OfficeDatetime)
        try:
            yield
        finally:
            structlog.reset_defaults()


class SteppedDatabase(Database):
    """The plant's books, whose commits can crash; `committed` looks at what each has left."""

    def __init__(self, path: Path, clock: Clock, crasher: Crasher, committed: Callable[[Books], None]) -> None:
        super().__init__(path, clock)
        self._crasher = crasher
        self._committed = committed

    def crash_before_witness(self) -> None:
        """From now on the witness may miss a commit."""
        tell = self.on_row
        if tell is None:
            return

        def told(row: LedgerRow) -> None:
            self._crasher.reached(When.UNWITNESSED)
            tell(row)

        self.on_row = told

    def transact_now(self, work: Callable[[Books], T]) -> T:
        def then_perhaps_crash(books: Books) -> T:
            result = work(books)
            self._crasher.reached(When.BEFORE)
            return result

        try:
            result = super().transact_now(then_perhaps_crash)
        finally:
            self._committed(self._books)
        self._crasher.reached(When.AFTER)
        return result

    async def transact(self, work: Callable[[Books], T]) -> T:
        return self.transact_now(work)

    async def read(self, work: Callable[[Books], T]) -> T:
        return self._read_now(work)


_COMPILED: LRUCache[Any, Any] = LRUCache(500)


class SteppedStore(Store):
    """Head office's books, whose commits can crash."""

    def __init__(self, url: str, crasher: Crasher) -> None:
        self.crasher = crasher
        super().__init__(url)
        # Statements are compiled once for all worlds, not once for each engine.
        self._engine = self._engine.execution_options(compiled_cache=_COMPILED)

    @contextmanager
    def write(self, *, rehearse: bool = False) -> Iterator[Connection]:
        with super().write(rehearse=rehearse) as tx:
            yield tx
            if rehearse:
                return
            self.crasher.reached(When.BEFORE)
        self.crasher.reached(When.UNWITNESSED)
        self.crasher.reached(When.AFTER)

    async def run(self, work: Callable[[Store], T]) -> T:
        return work(self)


class Pipe:
    """One end of the channel: what is sent goes to `deliver`, or nowhere while the link is cut."""

    def __init__(self, deliver: Deliver) -> None:
        self.deliver = deliver
        self.up = True

    async def run(self, listener: Any) -> None:
        """The world hands over what arrives."""

    async def send(self, topic: str, payload: bytes) -> None:
        if not self.up:
            raise NotConnected("the link is cut")
        self.deliver(topic, payload)


class SteppedEngine(PlantEngine):
    """The plant's pump, one turn at a time."""

    async def begin(self) -> None:
        """What it does before its first turn."""
        await self._begin()

    async def turn(self) -> None:
        """Take what has arrived, send what is due."""
        await self._turn()


class SteppedLink(OfficeLink):
    """Head office's end of the channel, one handful of messages at a time."""

    async def take(self, messages: Sequence[tuple[str, bytes]]) -> None:
        """These arrive together. A message that cannot be booked would be a defect: nobody here sends such."""
        for topic, payload in messages:
            self.message(topic, payload)
        together = []
        while len(self._arrivals):
            plant, what, payload = await self._arrivals.take()
            envelope = await self._open(f"up/{plant}/{what}", plant, payload)
            if envelope is not None:
                together.append(envelope)
        if together:
            await self._book(together)
        faults = [reason for _, reason in self._dropped if reason.startswith("not booked")]
        assert not faults, faults

    async def look(self) -> None:
        """Notice what was committed, and hand it to the plants."""
        with suppress(NotConnected):
            await self._look()
