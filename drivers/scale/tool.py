"""What stands behind `weighgate scale decode|list|watch|record|replay`: plain functions, no printing."""

import json
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, TypedDict

from serial.tools import list_ports

from drivers.ports import DeviceUnavailable, Scale, ScaleCommand
from drivers.readings import WeightReading
from drivers.scale.frames import FrameDecoder, IndicatorProfile, WireWeight, decimal_text
from drivers.scale.links import LINK_ERRORS, open_link, reason_of
from drivers.scale.serial_indicator import SerialIndicatorConfig
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


class CaptureLine(TypedDict):
    """One read of a capture file: milliseconds since its beginning, and the bytes in hex."""

    at_ms: int
    hex: str


def chunks_of(stream: BinaryIO) -> Iterator[bytes]:
    """A file or standard input, piece by piece as it comes."""
    read = getattr(stream, "read1", stream.read)
    while data := read(READ_SIZE):
        yield data


def decoded(weight: WireWeight) -> Decoded:
    """One frame as a JSON object."""
    return {
        "weight": decimal_text(weight.weight),
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


def _alias(folder: Path, device: str) -> str | None:
    if not folder.is_dir():
        return None
    target = Path(device).resolve()
    return next((str(link) for link in sorted(folder.iterdir()) if link.resolve() == target), None)


class ReadingLine(TypedDict):
    """One line of `weighgate scale watch`; `per_second` counts the readings of the last 2 s."""

    kg: int | None
    fault: str | None
    stable: bool | None
    per_second: float
    garbled: bool
    raw: str


def watch(scale: Scale, seconds: float | None = None) -> Iterator[ReadingLine]:
    """Open a scale and tell what it says until `seconds` are over; once a second also when it says nothing.

    Raises DriverError when the scale cannot be opened or is lost.
    """
    scale.open()
    try:
        begin_ms = told_ms = monotonic_ms()
        times: list[int] = []
        while seconds is None or monotonic_ms() - begin_ms < seconds * 1000:
            readings = scale.read()
            now_ms = monotonic_ms()
            times = [at for at in times if now_ms - at < RATE_OVER_MS] + [now_ms] * len(readings)
            over_ms = min(RATE_OVER_MS, max(1, now_ms - begin_ms))
            rate = round(len(times) * 1000 / over_ms, 1)
            if readings or now_ms - told_ms >= SAY_SOMETHING_MS:
                told_ms = now_ms
                yield from (_line(reading, rate, scale.garbled) for reading in readings or (None,))
    finally:
        scale.close()


def _line(reading: WeightReading | None, rate: float, garbled: bool) -> ReadingLine:
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


def record(config: SerialIndicatorConfig, file: Path, seconds: float | None = None) -> int:
    """Write what comes from a line into a capture (one JSON object a line) until `seconds` are over.

    Returns the number of bytes. Raises FileExistsError rather than touch an older capture, DeviceUnavailable when the
    line cannot be opened or is lost; what was written until then stays.
    """
    total = 0
    with file.open("x", encoding="ascii") as capture:
        for at_ms, data in _reads(config, seconds):
            line: CaptureLine = {"at_ms": at_ms, "hex": data.hex()}
            capture.write(json.dumps(line) + "\n")
            capture.flush()
            total += len(data)
    return total


def _reads(config: SerialIndicatorConfig, seconds: float | None) -> Iterator[tuple[int, bytes]]:
    """What a line gives: milliseconds since it was opened, and the bytes."""
    try:
        link = open_link(config.port, config.line(config.profile()))
        try:
            begin_ms = monotonic_ms()
            while seconds is None or monotonic_ms() - begin_ms < seconds * 1000:
                if data := link.read():
                    yield monotonic_ms() - begin_ms, data
        finally:
            link.close()
    except LINK_ERRORS as error:
        raise DeviceUnavailable(
            config.port, reason_of(error), "Check the cable, and that no other program has it"
        ) from error


def captured(file: Path) -> Iterator[CaptureLine]:
    """The reads of a capture. Raises ValueError naming the line that is none."""
    with file.open(encoding="ascii") as lines:
        for number, text in enumerate(lines, 1):
            try:
                line = json.loads(text)
                yield {"at_ms": int(line["at_ms"]), "hex": bytes.fromhex(line["hex"]).hex()}
            except (ValueError, KeyError, TypeError) as error:
                raise ValueError(f"{file}:{number}: not a line of a capture ({error})") from error


def replay(
    profile: IndicatorProfile, file: Path, *, speed: float = 1.0, sleep: Callable[[float], None] = time.sleep
) -> Iterator[Decoded]:
    """The frames of a capture at the times they came, `speed` times as fast (0: at once)."""
    decoder = FrameDecoder(profile)
    at_ms = 0
    for line in captured(file):
        if speed > 0 and line["at_ms"] > at_ms:
            sleep((line["at_ms"] - at_ms) / 1000 / speed)
        at_ms = line["at_ms"]
        yield from map(decoded, decoder.feed(bytes.fromhex(line["hex"])))
    yield from map(decoded, decoder.finish())
