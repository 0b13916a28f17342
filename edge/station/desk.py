"""What every runner works with: commit, then refresh the snapshot, then tell who has to act. One place for alarms."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

import structlog

from edge.domain.refusal import Reason, Refusal, Words, refuse
from edge.station.epoch import finish_closing
from edge.station.live import LiveHub
from edge.station.plant import Plant
from edge.station.snapshot import Snapshot, read_snapshot
from edge.station.views import AlarmView
from edge.store.books import Books
from edge.store.database import Database, StoreFull
from sync.records import Alarm

T = TypeVar("T")
_log = structlog.get_logger(__name__)


class Desk:
    """Shared by lanes, gates, printing and head office; all on one event loop."""

    def __init__(self, plant: Plant, database: Database, live: LiveHub) -> None:
        self.plant = plant
        self.database = database
        self.clock = database.clock
        self.live = live
        self.snapshot = Snapshot()
        self._seen: Snapshot | None = None
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Gets the exception of a transaction that failed for any reason but a full disk: the program must end."""
        self._after_commit: list[Callable[[], None]] = []
        self._alarms: dict[str, AlarmView] = {}
        self._unrecorded: list[Alarm] = []

    def after_commit(self, call: Callable[[], None]) -> None:
        """`call` runs on the loop after every commit, when the snapshot is fresh."""
        self._after_commit.append(call)

    async def commit(self, work: Callable[[Books], T]) -> T | Refusal:
        """One transaction, then a fresh snapshot. A full disk is a Refusal: nothing was booked. In an epoch that is
        being closed the same transaction gives back what came free, and closes it with its last hold.

        Any other failure, a broken disk or a bug, goes to the caller and also ends the program (`failed`); the service
        manager starts it anew, and what was committed stands.
        """

        def whole(books: Books) -> T:
            result = work(books)
            finish_closing(books)
            return result

        try:
            result, self.snapshot = await self.database.transact_and_look(whole, self._look)
        except StoreFull as error:
            self.raise_alarm("disk", refuse(Reason.STORE_FULL).words, record=False)
            _log.error("disk full", detail=str(error))
            return refuse(Reason.STORE_FULL)
        except Exception as failure:
            self.fail(failure)
            raise
        self.clear_alarm("disk")
        self._tell()
        return result

    def fail(self, failure: BaseException) -> None:
        """A broken disk or a bug: end the program. Only the first one is kept."""
        if not self.failed.done():
            self.failed.set_exception(failure)

    async def refresh(self) -> None:
        """Read the books again and tell everybody."""
        _, self.snapshot = await self.database.transact_and_look(lambda books: None, self._look)
        self._tell()

    def _look(self, books: Books) -> Snapshot:
        """On the writer's thread: each look follows the one before it, so that no change is missed."""
        before, self._seen = self._seen, None  # a look that fails halfway is followed by a whole one
        self._seen = read_snapshot(books, before)
        return self._seen

    def _tell(self) -> None:
        for call in self._after_commit:
            call()

    @property
    def alarms(self) -> tuple[AlarmView, ...]:
        """What stands on the pages now, newest last."""
        return tuple(self._alarms.values())

    def raise_alarm(self, source: str, words: Words, *, record: bool = True) -> None:
        """Show an alarm until it is cleared; a new one is also written to the ledger (by `record_alarms`)."""
        known = self._alarms.get(source)
        if known is not None and known.words == words:
            return
        now = self.clock.now()
        self._alarms[source] = AlarmView(now.astimezone(self.plant.timezone).isoformat(), source, words)
        _log.warning("alarm", source=source, what=words.en)
        if record and len(self._unrecorded) < 100:
            self._unrecorded.append(Alarm(source=source, what=words.en[:120], at=now))

    def clear_alarm(self, source: str) -> None:
        """The cause is gone."""
        self._alarms.pop(source, None)

    async def record_alarms(self) -> None:
        """Write new alarms to the ledger; called about once a second."""
        if not self._unrecorded:
            return
        alarms, self._unrecorded = self._unrecorded, []

        def append(books: Books) -> None:
            for alarm in alarms:
                books.ledger.append(alarm)

        await self.commit(append)

    def minutes_since(self, moment: datetime | None) -> int:
        """Whole minutes from a moment to now, 0 when unknown or in the future."""
        if moment is None:
            return 0
        return max(0, int((self.clock.now() - moment).total_seconds()) // 60)
