"""Bytes in, wire weights out: a decoder that finds its feet again after any noise. No port, no clock.

`FrameDecoder` gives the same frames however the stream is cut into reads. What a frame looks like is in
`config/indicators/`; `profile.py` is its model and `layout.py` reads one frame.
"""

import re
from decimal import Decimal

from drivers.readings import WeightFault, WeightReading
from drivers.scale.layout import WireWeight, check_of, layout_readers, without_parity
from drivers.scale.profile import Checksum, IndicatorProfile, Unit, indicator_names, load_profile

__all__ = [
    "FrameDecoder", "IndicatorProfile", "WireWeight", "decimal_text", "indicator_names", "load_profile", "to_reading",
]  # fmt: skip

KG_POWER = {"kg": 0, "t": 3, "g": -3}
"""What one of a unit is in kg, as a power of ten; other units are never weighed in."""


class FrameDecoder:
    """Finds the frames of one indicator in a byte stream.

    Junk before, between and inside frames is passed over; a frame that does not fit its layout or its checksum is no
    frame. The memory is bounded by the longest frame plus one read.
    """

    def __init__(self, profile: IndicatorProfile) -> None:
        frame = profile.frame
        self._readers = layout_readers(profile)
        self._start = bytes.fromhex(frame.start)
        ends = [re.escape(bytes.fromhex(end)) for end in (frame.end, frame.or_end) if end]
        self._end = re.compile(b"|".join(ends)) if ends else None
        self._length = frame.length + self._readers[0].trailing_check if frame.length else 0
        self._longest = frame.longest
        self._clear_parity_bit = frame.clear_parity_bit
        self._learner = _Learner(profile.check) if profile.check and profile.check.use == "learn" else None
        self._demands_checksum = profile.check is not None and profile.check.use == "verify"
        self._damaged = False
        """Since the last frame something came that was none, where a checksum or a neighbour's length shows that."""
        self._neighbours = _Neighbours()
        self._widest = len(self._start) + max(reader.widest for reader in self._readers)
        self._raw = bytearray()
        self._seen = bytearray()
        """The same bytes as `_raw`, without the parity bit."""

    def feed(self, data: bytes) -> list[WireWeight]:
        """All frames that are complete with these bytes, oldest first."""
        self._raw += data
        self._seen += without_parity(data) if self._clear_parity_bit else data
        found: list[WireWeight] = []
        if not self._end:
            done = self._up_to_the_next_start(found)
        elif self._length:
            done = self._fixed(found, self._length)
        else:
            done = self._lines(found, self._end)
        del self._raw[:done]
        del self._seen[:done]
        return found

    def finish(self) -> list[WireWeight]:
        """The frames that only the end of the input completes: for files and hex, not for a line, which has no end."""
        found: list[WireWeight] = []
        if not self._end and (at := self._seen.find(self._start)) >= 0:
            self._close(found, at, len(self._seen))
        if alone := self._neighbours.alone():
            found.append(alone)
        self.forget()
        return found

    def forget(self) -> None:
        """Drop what has come of an unfinished frame, because what comes next belongs to another time."""
        self._damaged = self._damaged or (self._is_checked and bool(self._seen.strip()))
        self._raw.clear()
        self._seen.clear()
        self._neighbours = _Neighbours()
        if self._learner:
            self._learner.awaited = None

    def _fixed(self, found: list[WireWeight], length: int) -> int:
        """Frames of a known length; returns how many bytes need not be kept."""
        seen, start, learner = self._seen, self._start, self._learner
        at = 0
        while True:
            if learner and at < len(seen):
                learner.next_byte(seen[at])
            at = seen.find(start, at)
            if at < 0:
                return max(0, len(seen) - len(start) + 1)
            after = at + length
            if len(seen) < after + (1 if learner and learner.sure else 0):
                return at
            weight = self._read(at, after)
            if weight and learner:
                expected = learner.check(seen[at:after])
                if learner.sure:
                    weight = weight._replace(raw=bytes(self._raw[at : after + 1])) if seen[after] == expected else None
                    after += 1
                else:
                    learner.awaited = expected
            self._take(found, weight)
            at = after if weight else at + 1

    def _lines(self, found: list[WireWeight], ends: re.Pattern[bytes]) -> int:
        """Frames told by their end; the beginning of the line may be junk."""
        begin = 0
        for end in ends.finditer(self._seen):
            begin = max(begin, end.end() - self._longest)
            if self._seen[begin : end.start()].strip():
                self._take(found, self._search(begin, end.end()))
            begin = end.end()
        return max(begin, len(self._seen) - self._longest)

    def _take(self, found: list[WireWeight], weight: WireWeight | None) -> None:
        """A frame, or what should have been one. Where no checksum is demanded any text may stand between frames."""
        if weight:
            found.append(weight._replace(after_damage=True) if self._damaged else weight)
        self._damaged = weight is None and self._is_checked

    @property
    def _is_checked(self) -> bool:
        return self._demands_checksum or bool(self._learner and self._learner.sure)

    def _up_to_the_next_start(self, found: list[WireWeight]) -> int:
        """Frames told by their start alone: each is complete when the next begins."""
        seen, start = self._seen, self._start
        at = seen.find(start)
        if at < 0:
            return max(0, len(seen) - len(start) + 1)
        while (after := seen.find(start, at + len(start))) >= 0:
            self._close(found, at, after)
            at = after
        return at if len(seen) - at <= self._longest else len(seen)

    def _close(self, found: list[WireWeight], at: int, after: int) -> None:
        """A frame from `at`, and what stands behind it before the next."""
        if after - at > self._longest:
            return
        for reader in self._readers:
            if match := reader.pattern.match(self._seen, at, after):
                if weight := reader.read(match, bytes(self._raw[at : match.end()])):
                    rest = self._seen[match.end() : after].strip()
                    passed = self._neighbours.both(weight, whole=not rest or len(weight.raw) == self._widest)
                    if passed and self._damaged:
                        passed[0] = passed[0]._replace(after_damage=True)
                    found += passed
                    self._damaged = self._neighbours.differ
                return

    def _read(self, begin: int, after: int) -> WireWeight | None:
        for reader in self._readers:
            if (match := reader.pattern.match(self._seen, begin, after)) and (
                weight := reader.read(match, bytes(self._raw[begin:after]))
            ):
                return weight
        return None

    def _search(self, begin: int, after: int) -> WireWeight | None:
        for reader in self._readers:
            if (match := reader.pattern.search(self._seen, begin, after)) and (
                weight := reader.read(match, bytes(self._raw[match.start() : after]))
            ):
                return weight
        return None


class _Neighbours:
    """Lets a frame without end or checksum pass when it is as long as its neighbour.

    One that lost or gained a character on the way is a number too, but of another length than the line's. The first
    waits for the second; each later one is measured by the one before.
    """

    def __init__(self) -> None:
        self._length = 0
        self._first: WireWeight | None = None
        self._first_is_whole = False
        self.differ = False
        """The last frame and the one before are not of one length."""

    def both(self, weight: WireWeight, *, whole: bool) -> list[WireWeight]:
        """What may pass now that this frame is there. It is `whole` when no noise behind it can hide more of it."""
        length, self._length = self._length, len(weight.raw)
        first, self._first = self._first, None if length else weight
        self._first_is_whole = whole
        self.differ = length not in (0, self._length)
        if length != self._length:
            return []
        return [first, weight] if first else [weight]

    def alone(self) -> WireWeight | None:
        """The first frame, when no second came."""
        return self._first if self._first_is_whole else None


class _Learner:
    """Finds out whether a line sends right checksums.

    Clones end a frame without one, or with a character of a rule of their own, which may be right by chance for one
    weight. Right ones of three different values without a wrong one between them are no chance.
    """

    ENOUGH = 3

    def __init__(self, check: Checksum) -> None:
        self._check = check
        self._right: set[int] = set()
        self.sure = False
        self.awaited: int | None = None
        """The right checksum of the frame just read, until the next byte is there."""

    def check(self, frame: bytes | bytearray) -> int:
        """The right checksum of a frame."""
        (start, end) = self._check.over[0]
        return check_of(self._check, bytes(frame[start:end]))[0]

    def next_byte(self, byte: int) -> None:
        """The byte that follows a frame, or any other."""
        if self.awaited is None:
            return
        if byte == self.awaited:
            self._right.add(byte)
            self.sure = self.sure or len(self._right) >= self.ENOUGH
        else:
            self._right.clear()
        self.awaited = None


def to_reading(wire: WireWeight, received_ms: int, unit: Unit = "kg", *, accept_net: bool = False) -> WeightReading:
    """The frame as a gross weight in whole kilograms, or the fault for which it is none.

    `unit` is the one of frames that name none. `accept_net` takes net frames as gross, for indicators that always say
    net and are never tared. `received_ms` is the monotonic time of the frame's last byte, or of the request it answers.
    """
    weight = _gross_kg(wire, unit, accept_net)
    gross_kg, fault = (None, weight) if isinstance(weight, WeightFault) else (weight, None)
    return WeightReading(
        gross_kg, wire.stable, received_ms, wire.raw, fault, wire.alibi, wire.after_damage, _decimals(wire.weight)
    )


def _decimals(weight: Decimal | None) -> int | None:
    exponent = weight.as_tuple().exponent if weight is not None else None
    return max(0, -exponent) if isinstance(exponent, int) else None


def _gross_kg(wire: WireWeight, unit: Unit, accept_net: bool) -> int | WeightFault:
    if wire.overload:
        return WeightFault.OVERLOAD
    if wire.underload:
        return WeightFault.UNDERLOAD
    gross = wire.gross
    if gross is None:
        if wire.weight is None or wire.mode == "tare" or (wire.mode == "net" and not accept_net):
            return WeightFault.NOT_GROSS
        gross = wire.weight
    power = KG_POWER.get(wire.unit or unit)
    if power is None:
        return WeightFault.BAD_UNIT
    kg = gross.scaleb(power)
    return int(kg) if kg == kg.to_integral_value() else WeightFault.NOT_WHOLE_KG


def decimal_text(value: Decimal | None) -> str | None:
    """The digits of the wire without an exponent, for people and JSON."""
    return None if value is None else format(value, "f")
