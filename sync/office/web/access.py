"""Who may do what: sessions by name and PIN, API tokens, origin check, limited attempts.

Sessions are kept in memory: after a restart people sign in again. A PIN is short, so wrong ones are slowed down: five
for one name, or thirty from one address, in five minutes, and that name or address waits.
"""

import asyncio
import hashlib
import secrets
import time
from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from starlette.requests import Request

from sync.office.persons import TwoPersons
from sync.office.refusal import NotAllowed
from sync.office.settings import Role, Settings
from sync.secrets import hash_secret, matches

COOKIE = "weighgate_office"
_WINDOW_S = 300.0
_TRIES_PER_NAME, _TRIES_PER_ADDRESS = 5, 30
_SESSION_S = 12 * 3600.0
_MOST_SESSIONS, _MOST_WATCHED, _MOST_FORMS = 500, 2000, 2000

MAY = {
    "payment": frozenset({Role.FINANCE, Role.ACCOUNTANT}),
    "notice": frozenset({Role.BILLER, Role.ACCOUNTANT}),
    "credit": frozenset({Role.ACCOUNTANT, Role.FINANCE}),
    "grant": frozenset({Role.ACCOUNTANT, Role.FINANCE}),
    "refund": frozenset({Role.FINANCE}),
    "undo": frozenset({Role.FINANCE, Role.ACCOUNTANT}),
    "recall": frozenset({Role.FINANCE, Role.ACCOUNTANT}),
    "reprice": frozenset({Role.ACCOUNTANT}),
    "suspense": frozenset({Role.FINANCE}),
    "close": frozenset({Role.ACCOUNTANT, Role.FINANCE}),
    "reconcile": frozenset({Role.ACCOUNTANT, Role.FINANCE}),
}
"""Which roles may book what. Everybody who is signed in may look."""


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who is signed in, or a program with a token."""

    name: str
    role: Role

    def may(self, what: str) -> bool:
        """Whether the role allows it."""
        return self.role in MAY[what]


@dataclass(slots=True)
class Attempts:
    """Wrong PINs of late, by name and by address; bounded."""

    wrong: dict[str, deque[float]] = field(default_factory=lambda: defaultdict(deque))

    def wait_s(self, key: str, most: int, now_s: float) -> int:
        """Seconds until one more attempt is allowed; 0 when it is now."""
        recent = self.wrong.get(key)
        if recent is None:
            return 0
        while recent and recent[0] < now_s - _WINDOW_S:
            recent.popleft()
        return int(recent[0] + _WINDOW_S - now_s) + 1 if len(recent) >= most else 0

    def note(self, key: str, now_s: float) -> None:
        """One more wrong PIN."""
        if len(self.wrong) >= _MOST_WATCHED:
            self.wrong.pop(next(iter(self.wrong)))
        self.wrong[key].append(now_s)

    def forget(self, key: str, now_s: float) -> None:
        """The attempt noted then was right after all."""
        recent = self.wrong.get(key)
        if recent is not None and now_s in recent:
            recent.remove(now_s)


class Access:
    """The configured people and tokens, and who is signed in."""

    def __init__(self, settings: Settings) -> None:
        self._people = {person.name: person for person in settings.people}
        self._tokens = settings.tokens
        self._sessions: dict[str, tuple[User, float]] = {}
        self._good_tokens: dict[str, User] = {}
        self._notes: dict[str, str] = {}
        self._forms: dict[str, str] = {}
        self._attempts = Attempts()
        self._nobody = hash_secret(secrets.token_hex(8))
        self._slow = asyncio.Semaphore(2)

    def names(self) -> list[str]:
        """Whom the sign-in page offers."""
        return sorted(self._people)

    async def sign_in(self, name: str, pin: str, address: str) -> str | int:
        """A session's secret, 0 when name or PIN is wrong, or the seconds to wait."""
        user = await self.identify(name, pin, address)
        if isinstance(user, int):
            return user
        secret = secrets.token_urlsafe(32)
        while len(self._sessions) >= _MOST_SESSIONS:
            self._sessions.pop(next(iter(self._sessions)))
        self._sessions[_digest(secret)] = user, time.monotonic() + _SESSION_S
        return secret

    async def identify(self, name: str, pin: str, address: str) -> User | int:
        """Whose PIN this is; 0 when name or PIN is wrong, or the seconds to wait."""
        now_s = time.monotonic()
        limits = {f"name {name if name in self._people else '?'}": _TRIES_PER_NAME,
                  f"address {address}": _TRIES_PER_ADDRESS}  # fmt: skip
        if wait_s := max(self._attempts.wait_s(key, most, now_s) for key, most in limits.items()):
            return wait_s
        # Counted before it is known to be wrong: a hundred PINs sent at once are still a hundred attempts.
        for key in limits:
            self._attempts.note(key, now_s)
        person = self._people.get(name)
        # An unknown name takes as long as a wrong PIN, so that nobody can ask which names exist.
        async with self._slow:
            good = await asyncio.to_thread(matches, pin, person.pin_hash if person else self._nobody)
        if person is None or not good:
            return 0
        for key in limits:
            self._attempts.forget(key, now_s)
        return User(person.name, person.role)

    async def two_persons(self, what: str, signed: Sequence[tuple[str, str]], address: str) -> TwoPersons:
        """Two different people who may do `what`, from name and PIN of each; NotAllowed says which of them is wrong.
        As in `sync.office.persons`, but wrong PINs are slowed down."""
        names = []
        for place, (name, pin) in zip(("first", "second"), signed, strict=True):
            user = await self.identify(name, pin, address)
            if isinstance(user, int):
                zh, en = (
                    (f"请等待 {user} 秒", f"wait {user} seconds") if user else ("姓名或 PIN 不对", "wrong name or PIN")
                )
                raise NotAllowed(place, name[:60], zh, en)
            if not user.may(what):
                allowed = ", ".join(sorted(MAY[what]))
                raise NotAllowed(place, name, "此人岗位不能办理", f"is {user.role}; allowed: {allowed}")
            names.append(user.name)
        first, second = names
        if first == second:
            raise NotAllowed("second", second, "须为另一个人", "should be another person")
        return TwoPersons(first, second)

    def sign_out(self, request: Request) -> None:
        """Forget the session of this request."""
        self._sessions.pop(_digest(request.cookies.get(COOKIE, "")), None)

    def user(self, request: Request) -> User | None:
        """Who sent this request, by cookie; None when nobody we know."""
        found = self._sessions.get(_digest(request.cookies.get(COOKIE, "")))
        if found is None or found[1] < time.monotonic():
            return None
        return found[0]

    def leave_note(self, request: Request, text: str) -> None:
        """What to tell this session on its next page."""
        if len(self._notes) < _MOST_SESSIONS:
            self._notes[_digest(request.cookies.get(COOKIE, ""))] = text

    def take_note(self, request: Request) -> str:
        """What was left for this session, once."""
        return self._notes.pop(_digest(request.cookies.get(COOKIE, "")), "")

    def sent_before(self, once: str) -> str | None:
        """None for a form sent the first time, by its number `once`, which counts as sent from now on; else where its
        answer is, '' while that is not known. Kept in memory: a restart forgets forms, not money."""
        if once in self._forms:
            return self._forms[once]
        while len(self._forms) >= _MOST_FORMS:
            self._forms.pop(next(iter(self._forms)))
        self._forms[once] = ""
        return None

    def forget_form(self, once: str) -> None:
        """Nothing was done: the same form may be sent again."""
        self._forms.pop(once, None)

    def note_form(self, once: str, to: str) -> None:
        """Where the answer to a form is."""
        if once in self._forms:
            self._forms[once] = to

    async def program(self, request: Request) -> User | None:
        """Who sent this request, by `Authorization: Bearer TOKEN`; None when the token is not ours."""
        scheme, _, text = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not text:
            return None
        if (known := self._good_tokens.get(_digest(text))) is not None:
            return known
        now_s, key = time.monotonic(), f"address {client_address(request)}"
        if self._attempts.wait_s(key, _TRIES_PER_ADDRESS, now_s):
            return None
        self._attempts.note(key, now_s)
        for token in self._tokens:
            async with self._slow:
                good = await asyncio.to_thread(matches, text, token.token_hash)
            if good:
                self._attempts.forget(key, now_s)
                return self._good_tokens.setdefault(_digest(text), User(token.name, token.role))
        return None


def same_origin(request: Request) -> bool:
    """Whether a request that changes something comes from our own page (Fetch Metadata; Origin for older browsers)."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = request.headers.get("origin")
    return origin is None or origin.partition("://")[2] == request.headers.get("host", "")


def client_address(request: Request) -> str:
    """The peer's address; of a proxy, if one stands in front."""
    return request.client.host if request.client else "?"


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
