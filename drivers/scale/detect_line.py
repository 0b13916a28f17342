"""The listening half of `weighgate scale detect`: tries line settings until bytes make frames, and asks silent lines.

A receiver at a wrong baud rate sees bytes too, but no text; so each rate needs only as long as it takes to see that.
Seven bits with parity read as eight without decode (the parity is the top bit), so 8N1 hears nearly everybody; eight
bits with parity are tried afterwards. Time is in monotonic milliseconds.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from drivers.scale.asking import written
from drivers.scale.detect import Candidate, Ear, Verdict, judge, text_share
from drivers.scale.frames import indicator_names, load_profile
from drivers.scale.links import LINK_ERRORS, Link, SerialLink, open_link, reason_of
from drivers.scale.profile import IndicatorProfile, Parity, SerialDefaults
from drivers.scale.uart import bits_per_byte, line_text
from drivers.worker import monotonic_ms

SECONDS = 10.0
BAUDS = (9600, 1200, 4800, 2400, 19200, 38400, 57600, 115200, 600)
ASKED_AT = ((9600, "N"), (4800, "N"), (1200, "N"), (2400, "N"), (19200, "N"), (9600, "E"), (2400, "E"), (38400, "N"),
            (57600, "N"), (115200, "N"), (600, "N"))  # fmt: skip

SILENT_MS = 1_500
"""An indicator that sends by itself does so at least every second."""
QUIET_MS = 1_200
GAP_MS = 60
"""A longer pause is one between two frames: more than three characters at 600 baud, or an adapter's latency timer."""
NOISE_BYTES, NOISE_BURST, NOISE_BURSTS = 24, 5, 3
"""So many bytes that are no text are noise, or a burst of so many that was heard whole; a fast line's frame may be a
single byte to a slow receiver, so three of any size."""
TEXT_SHARE = 0.75
TEXT_MS, TEXT_BYTES, TEXT_BURSTS = 2_500, 200, 6
ENOUGH_FRAMES, ENOUGH_MS, LONGEST_MS = 12, 1_500, 3_500
READ_S = 0.03
ASK_TIMES = 3
LAST_MS = 400
"""Kept back for the last wait and for closing."""
EMPTY_LINE = b"\r\n"
"""Ends whatever the indicator may have understood at another rate; no protocol here gives it a meaning."""


class Try(NamedTuple):
    """One way in which the line was listened to or asked: settings as text ("socket" where there are none), how many
    bytes came, the share of them that was text, and the first of them."""

    line: str
    asked: bool
    size: int
    text: float
    sample: bytes


@dataclass(frozen=True, slots=True)
class Detection:
    """The end of it. `about` are the candidates that the verdict is about, `candidates` all, the best first."""

    port: str
    verdict: Verdict
    about: tuple[Candidate, ...]
    candidates: tuple[Candidate, ...]
    tries: tuple[Try, ...]
    seconds: float
    reason: str = ""
    """Why the port could not be opened, or was lost."""

    @property
    def text(self) -> Try | None:
        """The try whose bytes were text most of all, where any were."""
        best = max(self.tries, key=lambda each: each.text, default=None)
        return best if best and best.text >= TEXT_SHARE and best.size >= NOISE_BYTES else None


def all_profiles() -> list[IndicatorProfile]:
    """Every profile that there is."""
    return [load_profile(name) for name in indicator_names()]


def detect(
    port: str,
    *,
    seconds: float = SECONDS,
    ask: bool = True,
    profiles: Sequence[IndicatorProfile] | None = None,
    tell: Callable[[Try], None] = lambda _: None,
) -> Detection:
    """Find out what speaks at a port, within `seconds`. `ask`: a line that says nothing is asked, with the requests for
    a weight and nothing else. `tell` hears of each try as it ends. Raises nothing: trouble is a verdict.
    """
    began_ms = monotonic_ms()
    search = _Search(port, profiles or all_profiles(), began_ms + round(seconds * 1000) - LAST_MS, tell)
    reason = ""
    try:
        search.open()
        try:
            found = search.listen()
            if not found and search.silent and ask:
                found = search.ask()
        finally:
            search.close()
    except LINK_ERRORS as error:
        found, reason = [], reason_of(error)
    verdict, about = judge(found)
    if reason:
        verdict = Verdict.CANNOT_OPEN
    elif search.silent and verdict is Verdict.NO_FRAMES:
        verdict = Verdict.SILENT
    took = (monotonic_ms() - began_ms) / 1000
    return Detection(port, verdict, about, tuple(found), tuple(search.tries), round(took, 1), reason)


class _Search:
    def __init__(
        self, port: str, profiles: Sequence[IndicatorProfile], end_ms: int, tell: Callable[[Try], None]
    ) -> None:
        self.tries: list[Try] = []
        self._port = port
        self._profiles = profiles
        self._end_ms = end_ms
        self._tell = tell
        self._link: Link | None = None

    @property
    def silent(self) -> bool:
        """No byte came that nobody had asked for."""
        return not any(each.size for each in self.tries)

    def open(self) -> None:
        self._link = open_link(self._port, SerialDefaults(baud=BAUDS[0]))

    def close(self) -> None:
        if self._link is not None:
            self._link.close()

    def listen(self) -> list[Candidate]:
        """Try one setting after the other until one gives frames."""
        best: list[Candidate] = []
        for line in self._lines():
            if self._left_ms() <= 0:
                break
            if not self._tune(line):
                continue
            found = self._hear(line)
            if judge(found)[0] in (Verdict.FOUND, Verdict.AMBIGUOUS):
                return found
            best = max(best, found, key=lambda each: each[0].share if each else 0)
            if self.silent:
                break
        return best

    def ask(self) -> list[Candidate]:
        """Send the requests of all who can be asked, at one setting after the other, until one is answered."""
        first, later = _requests(self._profiles)
        for line in self._asking_lines():
            if not self._tune(line):
                continue
            self._write(EMPTY_LINE, line)
            heard = [(profile, self._answers(profile, line)) for profile in first if self._left_ms() > 0]
            if any(ear.data for _, ear in heard):  # somebody is there who is not hurt by the others either
                self._write(EMPTY_LINE, line)
                heard += [(profile, self._answers(profile, line)) for profile in later]
            data = b"".join(bytes(ear.data) for _, ear in heard)
            self._note(line, data, asked=True)
            if found := [each for profile, ear in heard for each in self._proven(profile, ear, line)]:
                return sorted(found, key=lambda each: -each.share)
            if self._left_ms() <= 0:
                break
        return []

    def _lines(self) -> Iterator[SerialDefaults | None]:
        if not isinstance(self._link, SerialLink):
            yield None
            return
        yield from (SerialDefaults(baud=baud) for baud in BAUDS)
        # Eight bits with parity, where the bytes looked least like noise first.
        likely = sorted(BAUDS, key=lambda baud: -self._text_at(baud))
        yield from (SerialDefaults(baud=baud, parity="E") for baud in likely)

    def _asking_lines(self) -> Iterator[SerialDefaults | None]:
        if not isinstance(self._link, SerialLink):
            yield None
            return
        for baud, parity in ASKED_AT:
            yield SerialDefaults(baud=baud, bytesize=8 if parity == "N" else 7, parity=_parity(parity))

    def _text_at(self, baud: int) -> float:
        return max((each.text for each in self.tries if each.line.startswith(f"{baud},")), default=0.0)

    def _tune(self, line: SerialDefaults | None) -> bool:
        if line is None or not isinstance(self._link, SerialLink):
            return True
        try:
            # Seven bits are heard as eight, so that their parity can be seen.
            self._link.tune(line if line.bytesize == 8 else SerialDefaults(baud=line.baud))
        except (ValueError, *LINK_ERRORS):
            return False  # this port cannot do it
        return True

    def _hear(self, line: SerialDefaults | None) -> list[Candidate]:
        """Listen until it is clear that there are frames, or none."""
        assert self._link is not None
        ear, began_ms = Ear(self._profiles), monotonic_ms()
        framed_ms: int | None = None
        pauses = _Pauses(began_ms)
        while True:
            data = self._link.read(READ_S)
            now_ms = monotonic_ms()
            pauses.heard(data, now_ms)
            if ear.feed(data) and framed_ms is None:
                framed_ms = now_ms
            if now_ms >= self._end_ms:
                break
            if framed_ms is not None:
                if self._is_enough(ear, now_ms - framed_ms):
                    break
            elif self._is_hopeless(ear, pauses, now_ms - began_ms):
                break
        self._note(line, bytes(ear.data), asked=False)
        return ear.candidates((monotonic_ms() - began_ms) / 1000, line)

    def _is_enough(self, ear: Ear, since_ms: int) -> bool:
        most = max(ear.frames(profile.name) for profile in self._profiles)
        return since_ms >= LONGEST_MS or (since_ms >= ENOUGH_MS and most >= ENOUGH_FRAMES)

    def _is_hopeless(self, ear: Ear, pauses: "_Pauses", gone_ms: int) -> bool:
        """No frame has come, and none is to be expected."""
        if not ear.data:
            return gone_ms >= (SILENT_MS if self.silent else QUIET_MS)
        if text_share(bytes(ear.data)) >= TEXT_SHARE:
            return gone_ms >= TEXT_MS or len(ear.data) >= TEXT_BYTES or pauses.bursts >= TEXT_BURSTS
        bursts = pauses.largest >= NOISE_BURST or pauses.bursts >= NOISE_BURSTS
        return bursts or len(ear.data) >= NOISE_BYTES or gone_ms >= TEXT_MS

    def _answers(self, profile: IndicatorProfile, line: SerialDefaults | None) -> Ear:
        """Ask one profile's request, and again when it is answered with a frame of its own."""
        assert profile.poll is not None
        ear = Ear(self._profiles)
        request = written(profile.poll.request, profile.poll.address)
        for _ in range(ASK_TIMES):
            before = ear.frames(profile.name)
            self._write(request, line)
            self._take_answer(profile, ear, len(request), line)
            if ear.frames(profile.name) == before:
                break
        return ear

    def _take_answer(self, profile: IndicatorProfile, ear: Ear, request: int, line: SerialDefaults | None) -> None:
        """Wait for an answer to begin, and for as long as it goes on."""
        assert self._link is not None and profile.poll is not None
        byte_ms = bits_per_byte(line) * 1000 / line.baud if line else 0
        until_ms = monotonic_ms() + round(request * byte_ms) + profile.poll.answer_ms
        before = ear.frames(profile.name)
        while monotonic_ms() < min(until_ms, self._end_ms):
            data = self._link.read(READ_S)
            ear.feed(data)
            if data:
                until_ms = max(until_ms, monotonic_ms() + GAP_MS)
            if ear.frames(profile.name) > before:
                return

    def _proven(self, profile: IndicatorProfile, ear: Ear, line: SerialDefaults | None) -> list[Candidate]:
        if line is not None:
            line = SerialDefaults(baud=line.baud)  # as it was heard
        return ear.candidates(0.0, line, profile.name)

    def _write(self, data: bytes, line: SerialDefaults | None) -> None:
        assert self._link is not None
        if line is not None and line.bytesize == 7:
            data = bytes(byte | (byte.bit_count() % 2) << 7 for byte in data)
        self._link.write(data)

    def _note(self, line: SerialDefaults | None, data: bytes, *, asked: bool) -> None:
        name = line_text(line) if line else "socket"
        one = Try(name, asked, len(data), round(text_share(data), 2), data[:NOISE_BYTES])
        self.tries.append(one)
        self._tell(one)

    def _left_ms(self) -> int:
        return self._end_ms - monotonic_ms()


class _Pauses:
    """Counts the bursts that are heard from their beginning to their end."""

    def __init__(self, now_ms: int) -> None:
        self.bursts = 0
        self.largest = 0
        """In bytes."""
        self._last_ms = now_ms
        self._size: int | None = None

    def heard(self, data: bytes, now_ms: int) -> None:
        """What came, also when it was nothing."""
        paused = now_ms - self._last_ms >= GAP_MS
        if paused and self._size:
            self.bursts += 1
            self.largest = max(self.largest, self._size)
            self._size = None
        if not data:
            return
        if self._size is not None:
            self._size += len(data)
        elif paused:
            self._size = len(data)
        self._last_ms = now_ms


def _parity(text: str) -> Parity:
    return "E" if text == "E" else "N"


def _requests(
    profiles: Iterable[IndicatorProfile],
) -> tuple[list[IndicatorProfile], list[IndicatorProfile]]:
    """Whom to ask at once, and whom only after somebody has answered: those in whose request the order of another
    indicator stands (dini_ext's REXT has the letter T, which tares a Toledo). Text lines first, because what is no line
    would stand before the next one."""
    able = [profile for profile in profiles if profile.poll is not None]
    orders = {written(each.request, None) for profile in profiles for each in profile.command}

    def request(profile: IndicatorProfile) -> bytes:
        assert profile.poll is not None
        return written(profile.poll.request, profile.poll.address)

    able.sort(key=lambda profile: (not request(profile).endswith(b"\r\n"), profile.name))
    harmless = [profile for profile in able if not any(order in request(profile) for order in orders)]
    return harmless, [profile for profile in able if profile not in harmless]
