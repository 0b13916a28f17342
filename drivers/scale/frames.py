"""Bytes in, wire weights out: a decoder that finds its feet again after any noise. No port, no clock.

`FrameDecoder` gives the same frames however the stream is cut into reads. What a frame looks like is in
`config/indicators/`; `profile.py` is its model and `layout.py` reads one frame.
"""

from decimal import Decimal

from drivers.readings import WeightFault, WeightReading
from drivers.scale.layout import WireWeight, layout_readers
from drivers.scale.profile import IndicatorProfile, Unit, indicator_names, load_profile

__all__ = [
    "FrameDecoder", "IndicatorProfile", "WireWeight", "decimal_text", "indicator_names", "load_profile", "to_reading",
]  # fmt: skip

_LOWER_7_BITS = bytes(value & 0x7F for value in range(256))
_KG_POWER = {"kg": 0, "t": 3, "g": -3}


class FrameDecoder:
    """Finds the frames of one indicator in a byte stream.

    Junk before, between and inside frames is passed over; a frame that does not fit its layout or its checksum is no
    frame. The memory is bounded by the longest frame plus one read.
    """

    def __init__(self, profile: IndicatorProfile) -> None:
        frame = profile.frame
        self._readers = layout_readers(profile)
        self._start = bytes.fromhex(frame.start)
        self._end = bytes.fromhex(frame.end)
        self._length = frame.length + self._readers[0].trailing_check if frame.length else None
        self._longest = frame.longest
        self._clear_parity_bit = frame.clear_parity_bit
        self._raw = bytearray()
        self._seen = bytearray()
        """The same bytes as `_raw`, without the parity bit."""

    def feed(self, data: bytes) -> list[WireWeight]:
        """All frames that are complete with these bytes, oldest first."""
        self._raw += data
        self._seen += data.translate(_LOWER_7_BITS) if self._clear_parity_bit else data
        found: list[WireWeight] = []
        done = self._fixed(found, self._length) if self._length else self._lines(found)
        del self._raw[:done]
        del self._seen[:done]
        return found

    def _fixed(self, found: list[WireWeight], length: int) -> int:
        """Frames of a known length; returns how many bytes need not be kept."""
        seen, start = self._seen, self._start
        at = 0
        while (at := seen.find(start, at)) >= 0:
            if len(seen) - at < length:
                return at
            weight = self._read(at, at + length)
            if weight:
                found.append(weight)
            at += length if weight else 1
        return max(0, len(seen) - len(start) + 1)

    def _lines(self, found: list[WireWeight]) -> int:
        """Frames told by their end; the beginning of the line may be junk."""
        seen, end = self._seen, self._end
        begin = 0
        while (at := seen.find(end, begin)) >= 0:
            after = at + len(end)
            weight = self._search(max(begin, after - self._longest), after)
            if weight:
                found.append(weight)
            begin = after
        return max(begin, len(seen) - self._longest)

    def _read(self, begin: int, after: int) -> WireWeight | None:
        for reader in self._readers:
            if match := reader.pattern.match(self._seen, begin, after):
                return reader.read(match, bytes(self._raw[begin:after]))
        return None

    def _search(self, begin: int, after: int) -> WireWeight | None:
        for reader in self._readers:
            if match := reader.pattern.search(self._seen, begin, after):
                return reader.read(match, bytes(self._raw[match.start() : after]))
        return None


def to_reading(wire: WireWeight, received_ms: int, unit: Unit = "kg", *, accept_net: bool = False) -> WeightReading:
    """The frame as a gross weight in whole kilograms, or the fault for which it is none.

    `unit` is the one of frames that name none. `accept_net` takes net frames as gross, for indicators that always say
    net and are never tared. `received_ms` is the monotonic time of the frame's last byte.
    """
    weight = _gross_kg(wire, unit, accept_net)
    gross_kg, fault = (None, weight) if isinstance(weight, WeightFault) else (weight, None)
    return WeightReading(gross_kg, wire.stable, received_ms, wire.raw, fault)


def _gross_kg(wire: WireWeight, unit: Unit, accept_net: bool) -> int | WeightFault:
    if wire.overload:
        return WeightFault.OVERLOAD
    if wire.underload:
        return WeightFault.UNDERLOAD
    if wire.weight is None or wire.mode == "tare" or (wire.mode == "net" and not accept_net):
        return WeightFault.NOT_GROSS
    power = _KG_POWER.get(wire.unit or unit)
    if power is None:
        return WeightFault.BAD_UNIT
    kg = wire.weight.scaleb(power)
    return int(kg) if kg == kg.to_integral_value() else WeightFault.NOT_WHOLE_KG


def decimal_text(value: Decimal | None) -> str | None:
    """The digits of the wire without an exponent, for people and JSON."""
    return None if value is None else format(value, "f")
