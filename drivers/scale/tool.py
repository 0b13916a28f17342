"""What stands behind `weighgate scale decode|list|watch|command`: plain functions, no printing."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, TypedDict

from serial.tools import list_ports

from drivers.ports import Scale, ScaleCommand
from drivers.readings import WeightReading
from drivers.scale.detect import checking
from drivers.scale.frames import FrameDecoder, IndicatorProfile, WireWeight, decimal_text
from drivers.scale.links import Link, Tap, open_link
from drivers.scale.profile import SerialDefaults
from drivers.scale.serial_indicator import SerialIndicator, SerialIndicatorConfig
from drivers.worker import monotonic_ms

READ_SIZE = 65_536
RATE_OVER_MS = 2_000
SAY_SOMETHING_MS = 1_000
BY_ID = Path("/dev/serial/by-id")
BY_PATH = Path("/dev/serial/by-path")


class Decoded(TypedDict):
    """One frame as `weighgate scale decode --json` prints it: the wire's own digits, `raw` in upper-case hex."""

    weight: str | None
    unit: str | None
    stable: bool | None
    mode: str | None
    overload: bool
    underload: bool
    raw: str


class PortEntry(TypedDict):
    """A port of this machine; `by_path` is the name that stays with the socket it is plugged into."""

    port: str
    by_id: str | None
    by_path: str | None
    description: str


def chunks_of(stream: BinaryIO) -> Iterator[bytes]:
    """A file or standard input, piece by piece as it comes."""
    read = getattr(stream, "read1", stream.read)
    while data := read(READ_SIZE):
        yield data


def decoded(weight: WireWeight) -> Decoded:
    """One frame as a JSON object. Out of range the digits of the wire are shown, which are no weight."""
    return {
        "weight": decimal_text(weight.weight if weight.weight is not None else weight.out_of_range_digits),
        "unit": weight.unit,
        "stable": weight.stable,
        "mode": weight.mode,
        "overload": weight.overload,
        "underload": weight.underload,
        "raw": weight.raw.hex().upper(),
    }


def decode(profile: IndicatorProfile, chunks: Iterable[bytes]) -> Iterator[Decoded]:
    """Every frame in a byte stream, in order, with the last one that only the end of the input completes. What is no
    frame gives nothing."""
    decoder = FrameDecoder(profile)
    for chunk in chunks:
        yield from map(decoded, decoder.feed(chunk))
    yield from map(decoded, decoder.finish())


def ports() -> list[PortEntry]:
    """The serial ports of this machine, with the names to put into the configuration."""
    return [
        {
            "port": found.device,
            "by_id": _alias(BY_ID, found.device),
            "by_path": _alias(BY_PATH, found.device),
            "description": found.description,
        }
        for found in sorted(list_ports.comports(), key=lambda port: port.device)
    ]


def stable_name(port: str) -> str:
    """The name to put into a configuration: the by-path one where there is one, else as it was given."""
    return port if "://" in port else _alias(BY_PATH, port) or port


def _alias(folder: Path, device: str) -> str | None:
    if not folder.is_dir():
        return None
    target = Path(device).resolve()
    return next((str(link) for link in sorted(folder.iterdir()) if link.resolve() == target), None)


class _Seen(TypedDict):
    kg: int | None
    fault: str | None
    stable: bool | None
    per_second: float
    garbled: bool
    raw: str


class ReadingLine(_Seen):
    """One line of `weighgate scale watch`; `per_second` counts the readings of the last 2 s, the others since it began.
    `checksums_wrong` is None where the protocol has none."""

    readings: int
    faults: int
    checksums_wrong: int | None


class WrongChecksums:
    """Counts the frames of a line that are right but for their checksum."""

    def __init__(self, profile: IndicatorProfile) -> None:
        self.count: int | None = 0 if profile.check and profile.check.use == "verify" else None
        self._strict = FrameDecoder(profile)
        self._loose = FrameDecoder(checking(profile, "ignore"))
        self._difference = 0

    def heard(self, data: bytes) -> None:
        """Bytes of the line, as they come."""
        if self.count is None:
            return
        self._difference += len(self._loose.feed(data)) - len(self._strict.feed(data))
        self.count = max(self.count, self._difference)


def watched(config: SerialIndicatorConfig) -> tuple[SerialIndicator, WrongChecksums]:
    """An indicator whose line is listened to for wrong checksums."""
    wrong = WrongChecksums(config.profile())

    def dial(port: str, line: SerialDefaults) -> Link:
        return Tap(open_link(port, line), wrong.heard, lambda _: None)

    return SerialIndicator(config.port, config, dial=dial), wrong


def watch(scale: Scale, seconds: float | None = None, wrong: WrongChecksums | None = None) -> Iterator[ReadingLine]:
    """Open a scale and tell what it says until `seconds` are over; once a second also when it says nothing.

    Raises DriverError when the scale cannot be opened or is lost.
    """
    scale.open()
    try:
        begin_ms = told_ms = monotonic_ms()
        times: list[int] = []
        count = faults = 0
        while seconds is None or monotonic_ms() - begin_ms < seconds * 1000:
            readings = scale.read()
            now_ms = monotonic_ms()
            times = [at for at in times if now_ms - at < RATE_OVER_MS] + [now_ms] * len(readings)
            over_ms = min(RATE_OVER_MS, max(1, now_ms - begin_ms))
            rate = round(len(times) * 1000 / over_ms, 1)
            if not readings and now_ms - told_ms < SAY_SOMETHING_MS:
                continue
            told_ms = now_ms
            for reading in readings or (None,):
                count += reading is not None
                faults += reading is not None and reading.fault is not None
                yield {
                    **_line(reading, rate, scale.garbled),
                    "readings": count,
                    "faults": faults,
                    "checksums_wrong": wrong.count if wrong else None,
                }
    finally:
        scale.close()


def _line(reading: WeightReading | None, rate: float, garbled: bool) -> _Seen:
    if reading is None:
        return {"kg": None, "fault": None, "stable": None, "per_second": rate, "garbled": garbled, "raw": ""}
    return {
        "kg": reading.gross_kg,
        "fault": reading.fault.value if reading.fault else None,
        "stable": reading.stable,
        "per_second": rate,
        "garbled": garbled,
        "raw": reading.raw.hex().upper(),
    }


class ToldLine(TypedDict):
    """What became of a command: the weight before and after, in whole kg; None when none came."""

    command: str
    before_kg: int | None
    after_kg: int | None


def look(scale: Scale, wait_s: float = 2.0) -> int | None:
    """Open a scale and read one weight in whole kg; None when none came. Raises DriverError when it is lost."""
    scale.open()
    try:
        return _weight(scale, wait_s)
    finally:
        scale.close()


def tell(scale: Scale, command: ScaleCommand, wait_s: float = 2.0) -> ToldLine:
    """Open a scale and tell it something. Raises DriverError when it is lost, says no, or says nothing."""
    scale.open()
    try:
        before_kg = _weight(scale, wait_s)
        scale.command(command)
        return {"command": command.value, "before_kg": before_kg, "after_kg": _weight(scale, wait_s)}
    finally:
        scale.close()


def _weight(scale: Scale, wait_s: float) -> int | None:
    end_ms = monotonic_ms() + round(wait_s * 1000)
    while monotonic_ms() < end_ms:
        if readings := scale.read():
            return readings[-1].gross_kg
    return None
