"""How the program talks with an indicator on an open line: it listens (`Listening`) or asks (`Polling`), and tells it
commands between two weights. Errors of the line come as they are (LINK_ERRORS); `serial_indicator.py` puts them into
words.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Literal, NamedTuple

from drivers.ports import CommandNo, ScaleCommand
from drivers.scale.asking import Command, written
from drivers.scale.bus import Place
from drivers.scale.frames import FrameDecoder, WireWeight
from drivers.scale.layout import without_parity
from drivers.scale.links import LINK_ERRORS, READ_WAIT_S, Link
from drivers.scale.profile import IndicatorProfile, SerialDefaults
from drivers.worker import monotonic_ms

STALE_AFTER_MS = 1_000
UNFINISHED_MS = 500
START_AGAIN_MS = 2_000
MISSED_IN_A_ROW = 3
DEAD_EVERY_MS = 1_000
LATE_MS = 100
PAUSE_MS = 700
SETTLE_MS = 300
OWED_WINDOWS = 4
OWED_OVER_A_NETWORK_MS = 4_000
"""How long after its request an answer may still come, on a wire in `answer_ms`. Until then nothing else is asked."""

Verdict = Literal["done"] | CommandNo


class Heard(NamedTuple):
    """What one read gave: whether any byte came, the frames, and the monotonic time since when they may be old: that of
    the read, or of the request."""

    any_byte: bool
    weights: Sequence[WireWeight]
    at_ms: int
    framed: bool = False
    """Frames came, though perhaps none that counts."""


class Told(NamedTuple):
    """What became of a command: the verdict, or None when the time was over; and whether any byte came."""

    verdict: Verdict | None
    any_byte: bool


NOTHING = Heard(False, (), 0)


class _Judge:
    """Reads what an indicator says after a command, until it is clear what became of it."""

    def __init__(self, command: Command, profile: IndicatorProfile) -> None:
        self._command = command
        self._refused = profile.refused | command.refused
        self._said = b""
        self.has_text = bool(command.done)

    def text(self, data: bytes) -> Verdict | None:
        """The verdict as far as the answer's own text tells it."""
        self._said = (self._said + without_parity(data))[-1024:]
        for text, why in self._refused.items():
            if text.encode("ascii") in self._said:
                return why
        return "done" if any(text.encode("ascii") in self._said for text in self._command.done) else None

    def weights(self, weights: Sequence[WireWeight]) -> Verdict | None:
        """The verdict that the weight tells, for commands without an answer of their own."""
        if self.has_text:
            return None
        return "done" if any(_shows(self._command.name, weight) for weight in weights) else None


def _shows(command: ScaleCommand, weight: WireWeight) -> bool:
    match command:
        case ScaleCommand.ZERO:
            return (
                weight.weight is not None and not weight.weight and weight.mode in (None, "gross") and not weight.tare
            )
        case ScaleCommand.TARE:
            return weight.mode == "net" or bool(weight.tare)
        case ScaleCommand.CLEAR_TARE:
            return weight.mode != "net" and not weight.tare


def _late(not_after_ms: int | None) -> bool:
    return not_after_ms is not None and monotonic_ms() > not_after_ms


class _Backlog:
    """What a network kept back while it stood still comes in one burst, and nothing in it tells its age.

    So after a pause of `PAUSE_MS`, and at the beginning, only the last frame of the next `SETTLE_MS` counts. One that
    sends seldom sends no more than that.
    """

    def __init__(self) -> None:
        self._byte_ms: int | None = None
        self._until_ms: int | None = None
        self._last = NOTHING

    def newest(self, heard: Heard) -> Heard:
        """The same without what may have been kept back; `at_ms` stays that of the read in which it came."""
        now_ms = heard.at_ms
        if heard.any_byte:
            if self._until_ms is None and (self._byte_ms is None or now_ms - self._byte_ms >= PAUSE_MS):
                self._until_ms = now_ms + SETTLE_MS
            self._byte_ms = now_ms
        if self._until_ms is None:
            return heard
        if heard.weights:
            self._last = heard._replace(weights=heard.weights[-1:])
        if now_ms < self._until_ms:
            return heard._replace(weights=())
        last, self._last, self._until_ms = self._last, NOTHING, None
        return last._replace(any_byte=heard.any_byte, framed=heard.framed)


class Listening:
    """An indicator that sends by itself, alone on its line."""

    def __init__(
        self, link: Link, profile: IndicatorProfile, address: int | None = None, *, networked: bool = False
    ) -> None:
        self._backlog = _Backlog() if networked else None
        self._link = link
        self._address = address
        self._profile = profile
        self._decoder = FrameDecoder(profile)
        self._read_ms = self._byte_ms = monotonic_ms()
        self._start = written(profile.start, address)
        self._begin()

    def hear(self) -> Heard:
        """What arrives within 0.2 s."""
        # When the whole program stood still (suspended, swapping), the system kept the frames of that time; they
        # would look fresh now.
        if monotonic_ms() - self._read_ms >= STALE_AFTER_MS:
            self._link.discard()
            self._decoder.forget()
        data = self._link.read()
        self._read_ms = monotonic_ms()
        quiet_ms = self._read_ms - self._byte_ms
        if data:
            self._byte_ms = self._read_ms
        elif quiet_ms >= UNFINISHED_MS:
            self._decoder.forget()  # the bytes that would finish that frame now belong to another time
        if quiet_ms >= START_AGAIN_MS and not data:
            self._begin()
        weights = self._decoder.feed(data)
        heard = Heard(bool(data), weights, self._read_ms, bool(weights))
        return self._backlog.newest(heard) if self._backlog else heard

    def tell(self, command: Command, not_after_ms: int | None = None) -> Told:
        """Send a command and wait until it is clear what became of it."""
        if _late(not_after_ms):
            return Told(CommandNo.TOO_LATE, False)
        judge, any_byte = _Judge(command, self._profile), False
        self._link.discard()
        self._decoder.forget()
        self._link.write(written(command.request, self._address))
        end_ms = monotonic_ms() + command.answer_ms
        verdict: Verdict | None = None
        while verdict is None and monotonic_ms() < end_ms:
            data = self._link.read()
            any_byte = any_byte or bool(data)
            verdict = judge.text(data) or judge.weights(self._decoder.feed(data))
        self._read_ms = monotonic_ms()
        self._begin()  # some send on and on only until they are told something else
        return Told(verdict, any_byte)

    def close(self) -> None:
        self._link.close()

    def _begin(self) -> None:
        """Ask an indicator that forgets to send by itself (after its power was off, say)."""
        if self._start:
            self._link.write(self._start)
        self._byte_ms = monotonic_ms()


class Polling:
    """An indicator that is asked, alone or with others on its line.

    A request that is not answered in time gives no weight, and its answer is still owed: until it came, or can no
    longer come, nothing else is asked, so that it is never taken for the answer to a later request. A weight is as old
    as its request. An address that does not answer three times in a row is asked once a second and after the others,
    so that it costs them little.
    """

    def __init__(
        self, place: Place, profile: IndicatorProfile, line: SerialDefaults, *, networked: bool = False
    ) -> None:
        poll = profile.poll
        assert poll is not None  # the configuration was checked
        self._place = place
        self._profile = profile
        self._decoder = FrameDecoder(profile)
        self._every_ms = poll.every_ms
        self._request = written(poll.request, place.address)
        self._prefix = b"" if place.address is None else written(poll.answer, place.address)
        slower_ms = (len(self._request) + profile.frame.longest) * 10_000 * (1 / line.baud - 1 / profile.serial.baud)
        self._answer_ms = poll.answer_ms + max(0, round(slower_ms))
        self._due_ms = monotonic_ms()
        self._missed = 0
        self._owed_ms = OWED_OVER_A_NETWORK_MS if networked else OWED_WINDOWS * self._answer_ms
        self._owed_until_ms = 0

    def hear(self) -> Heard:
        """The answer to one request, or nothing: not yet due, not yet our turn, not answered."""
        if self._owed_until_ms > monotonic_ms():
            return self._await_the_owed()
        early_ms = self._due_ms - monotonic_ms()
        if early_ms > 0:
            time.sleep(min(early_ms / 1000, READ_WAIT_S))
        if early_ms > READ_WAIT_S * 1000:
            return NOTHING
        turn = self._turn(self._request, self._answer_ms)
        if turn is None:
            return NOTHING
        self._missed = 0 if turn.heard.weights else self._missed + 1
        self._place.dead = self._missed >= MISSED_IN_A_ROW
        wait_ms = max(self._every_ms, DEAD_EVERY_MS) if self._place.dead else self._every_ms
        # From when it was due, not from when its turn came: a wait for others costs no rate.
        self._due_ms = max(self._due_ms + wait_ms, monotonic_ms())
        return turn.heard

    def tell(self, command: Command, not_after_ms: int | None = None) -> Told:
        """Send a command; where no text answers it, ask for the weight until that shows it."""
        judge, any_byte = _Judge(command, self._profile), False
        request, within_ms = written(command.request, self._place.address), self._answer_ms
        if command.done:
            within_ms = command.answer_ms
        end_ms = max(monotonic_ms(), self._owed_until_ms) + command.answer_ms
        while monotonic_ms() < end_ms:
            if self._owed_until_ms > monotonic_ms() and not _late(not_after_ms):
                self._await_the_owed()
                continue
            turn = self._turn(request, within_ms, judge, not_after_ms)
            if turn is None and _late(not_after_ms):
                return Told(CommandNo.TOO_LATE, False)
            if turn is None:
                continue
            not_after_ms = None
            any_byte = any_byte or turn.heard.any_byte
            if verdict := turn.verdict or judge.weights(turn.heard.weights):
                return Told(verdict, any_byte)
            if command.done:
                break
            request, within_ms = self._request, self._answer_ms
            time.sleep(min(self._every_ms / 1000, READ_WAIT_S))
        return Told(None, any_byte)

    def close(self) -> None:
        self._place.leave()

    def _turn(
        self, request: bytes, within_ms: int, judge: _Judge | None = None, not_after_ms: int | None = None
    ) -> "_Turn | None":
        """Send a request and take its answer; None while others have the line, or when it is too late."""
        with self._line() as link:
            if link is None or _late(not_after_ms):
                return None
            return self._asked(link, request, within_ms, judge)

    @contextmanager
    def _line(self) -> Iterator[Link | None]:
        """The line for one turn; None while others have it."""
        link = self._place.take(READ_WAIT_S)
        if link is None:
            yield None
            return
        try:
            yield link
        except LINK_ERRORS:
            self._place.lost()
            raise
        finally:
            self._place.give()

    def _await_the_owed(self) -> Heard:
        """A while without asking. On a line of its own an answer that comes meanwhile is the one that is owed."""
        wait_s = min(max(0, self._owed_until_ms - monotonic_ms()) / 1000, READ_WAIT_S)
        if not self._place.alone:
            time.sleep(wait_s)
            return NOTHING
        with self._line() as link:
            data = link.read(wait_s) if link else b""
        if self._decoder.feed(data):
            self._owed_until_ms = 0
        return Heard(bool(data), (), monotonic_ms())

    def _asked(self, link: Link, request: bytes, within_ms: int, judge: _Judge | None) -> "_Turn":
        link.discard()  # what came too late for the request before
        asked_ms = monotonic_ms()
        link.write(request)
        self._decoder.forget()
        any_byte = others = False
        while (left_ms := asked_ms + within_ms - monotonic_ms()) > 0:
            data = link.read(min(left_ms / 1000, READ_WAIT_S))
            if monotonic_ms() > asked_ms + within_ms + LATE_MS:
                break  # the program stood still meanwhile: nobody knows how old this is
            any_byte = any_byte or bool(data)
            found = self._decoder.feed(data)
            weights = [weight for weight in found if self._is_ours(weight)]
            others = others or len(weights) < len(found)
            verdict = judge.text(data) if judge else None
            if verdict or (weights and not (judge and judge.has_text)):
                return _Turn(Heard(any_byte, weights, asked_ms, bool(weights)), verdict)
        if request == self._request:
            came = any_byte and not others  # but damaged: at most the rest of it is on its way
            self._owed_until_ms = monotonic_ms() + within_ms if came else asked_ms + self._owed_ms
        return _Turn(Heard(any_byte, (), asked_ms), None)

    def _is_ours(self, weight: WireWeight) -> bool:
        return without_parity(weight.raw).startswith(self._prefix)


class _Turn(NamedTuple):
    """What one request brought: what was heard, and the verdict on a command."""

    heard: Heard
    verdict: Verdict | None
