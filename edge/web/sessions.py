"""Who is logged in: PINs with a lock after five wrong tries, and sessions that live in memory only."""

import asyncio
import secrets
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from edge.domain.refusal import Words
from edge.web.plant import Person
from edge.web.words import WORDS

IDLE_S = 12 * 3600
MOST_SESSIONS = 200
TRIES = 5
LOCK_S = 300
MOST_CHECKS_WAITING = 8


@dataclass(slots=True)
class Session:
    """One browser that logged in."""

    person: Person
    last_seen_s: float
    note: tuple[bool, Words] | None = None
    """What the last form did, shown once on the next page: (well, words)."""


@dataclass(slots=True)
class _Tries:
    wrong: int = 0
    locked_until_s: float = 0.0


@dataclass(slots=True)
class Sessions:
    """Opaque random ids to sessions; the oldest goes when there are too many, an idle one after 12 hours."""

    now_s: Callable[[], float]
    _open: OrderedDict[str, Session] = field(default_factory=OrderedDict)

    def start(self, person: Person) -> str:
        """A new session; the id is the cookie."""
        self._drop_idle()
        while len(self._open) >= MOST_SESSIONS:
            self._open.popitem(last=False)
        key = secrets.token_urlsafe(32)
        self._open[key] = Session(person, self.now_s())
        return key

    def find(self, key: str | None) -> Session | None:
        """The session of this cookie, which stays alive by being asked for."""
        session = self._open.get(key) if key else None
        if session is None or key is None:
            return None
        if self.now_s() - session.last_seen_s > IDLE_S:
            del self._open[key]
            return None
        session.last_seen_s = self.now_s()
        self._open.move_to_end(key)
        return session

    def alive(self, key: str | None) -> bool:
        """Whether the session still exists, without keeping it alive: an open stream is no work."""
        session = self._open.get(key) if key else None
        return session is not None and self.now_s() - session.last_seen_s <= IDLE_S

    def end(self, key: str | None) -> None:
        """Log out."""
        if key:
            self._open.pop(key, None)

    def _drop_idle(self) -> None:
        oldest = self.now_s() - IDLE_S
        for key in [key for key, session in self._open.items() if session.last_seen_s < oldest]:
            del self._open[key]


class Pins:
    """Checks PINs one at a time, in a thread: scrypt takes long and much memory, and the scale must not wait for it."""

    def __init__(
        self, people: Sequence[Person], check_pin: Callable[[str, str], bool], now_s: Callable[[], float]
    ) -> None:
        self.people = {person.id: person for person in people}
        self._check_pin = check_pin
        self._now_s = now_s
        self._tries = {person.id: _Tries() for person in people}
        self._one = asyncio.Lock()
        self._waiting = 0

    async def check(self, person_id: str, pin: str) -> Person | Words:
        """The person, or what to tell them."""
        person = self.people.get(person_id)
        if person is None:
            return WORDS["login_unknown"]
        if self._waiting >= MOST_CHECKS_WAITING:
            return WORDS["login_busy"]
        self._waiting += 1
        try:
            async with self._one:
                return await self._try(person, pin)
        finally:
            self._waiting -= 1

    async def _try(self, person: Person, pin: str) -> Person | Words:
        tries = self._tries[person.id]
        left_s = tries.locked_until_s - self._now_s()
        if left_s > 0:
            return _filled("login_locked", minutes=max(1, -int(-left_s // 60)))
        if await asyncio.to_thread(self._check_pin, pin, person.pin_hash):
            tries.wrong = 0
            return person
        tries.wrong += 1
        if tries.wrong < TRIES:
            return _filled("login_wrong", left=TRIES - tries.wrong)
        tries.wrong, tries.locked_until_s = 0, self._now_s() + LOCK_S
        return _filled("login_locked", minutes=LOCK_S // 60)


def _filled(key: str, **values: int) -> Words:
    words = WORDS[key]
    return Words(words.zh.format(**values), words.en.format(**values))
