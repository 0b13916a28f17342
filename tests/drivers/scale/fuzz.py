"""The plant's own path from bytes to a weight that could be booked, at the end of a bad line, with what it let through.

`python -m tests.drivers.scale.fuzz [NAME…]` measures every protocol without a checksum (or those named) anew and keeps
the figures in `residual.json`, from which the table in docs/drivers.md is made; `WEIGHGATE_FUZZ` sets how many damaged
frames of each.
"""

import json
import os
import random
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Protocol

from pymodbus.exceptions import ModbusException
from pymodbus.framer import FramerRTU
from pymodbus.pdu import DecodePDU
from pymodbus.pdu.register_message import ReadHoldingRegistersResponse

from drivers.scale.encoders import ENCODERS, Shown
from drivers.scale.frames import FrameDecoder, IndicatorProfile, load_profile, to_reading
from drivers.scale.layout import WireWeight
from drivers.scale.register_words import read_registers
from drivers.scale.registers import load_register_map
from drivers.scale.simulated_registers import SimulatedRegisters
from edge.domain.scale_monitor import Capture, ScaleMonitor, ScaleRules
from tests.drivers.scale.noise import DIVISION_KG, bad_line
from tests.reliability import choose_seed

RTU = "modbus_rtu"
CHECKSUMMED = ("yaohua_tf0", "yaohua_command", "yaohua_w", "toledo", "systec", RTU)
UNCHECKED = tuple(sorted(set(ENCODERS) - set(CHECKSUMMED)))
RESIDUAL = Path(__file__).with_name("residual.json")
ROWS = (1, 2, 3, 5)
"""Frames in a row; the last is what a plant uses if it says nothing else."""
LONG = 1_000_000
MAXIMUM_KG = 100_000
PERIOD_MS = 20
_profile = cache(load_profile)


class Ear(Protocol):
    """What the plant hears on one line."""

    def send(self, shown: Shown) -> bytes: ...
    def begin(self) -> None:
        """Nothing came for a while."""
        ...

    def hear(self, data: bytes) -> Sequence[WireWeight]: ...


class StreamEar:
    """An indicator's frames; a Toledo line has shown its checksums before the noise begins."""

    def __init__(self, indicator: str, profile: IndicatorProfile | None = None) -> None:
        self.send = ENCODERS[indicator]
        self._decoder = FrameDecoder(profile or _profile(indicator))
        for kg in (100, 1_000, 8_000, 40_000, 0):
            self._decoder.feed(self.send(Shown(kg)))

    def begin(self) -> None:
        self._decoder.forget()

    def hear(self, data: bytes) -> Sequence[WireWeight]:
        return self._decoder.feed(data)


class RtuEar:
    """Modbus RTU answers, one for each request, through pymodbus as in `modbus_line.py`."""

    def __init__(self) -> None:
        self._map = load_register_map("pt113").for_site(word_order="big", decimals=0)
        self._device = SimulatedRegisters(self._map)
        self._framer = FramerRTU(DecodePDU(False))

    def send(self, shown: Shown) -> bytes:
        self._device.set_moving(shown.moving)
        self._device.set_weight_kg(shown.weight_kg)
        words = self._device.words(self._map.first, self._map.count)
        answer = ReadHoldingRegistersResponse(registers=words, dev_id=self._map.device_id)
        return bytes(self._framer.buildFrame(answer))

    def begin(self) -> None:
        """Every answer stands alone."""

    def hear(self, data: bytes) -> Sequence[WireWeight]:
        try:
            _, answer = self._framer.handleFrame(data, self._map.device_id, 0)
        except ModbusException:
            return ()
        if answer is None or answer.function_code != 3 or len(answer.registers) != self._map.count:
            return ()
        return (read_registers(self._map, answer.registers, data),)


@dataclass
class Tally:
    """What came of the damaged frames, for each number of frames in a row: moments at which the button would have
    booked a right weight, and a wrong one (a weight that was never sent)."""

    frames: int = 0
    right: Counter[int] = field(default_factory=Counter)
    wrong: Counter[int] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)

    def per_million(self, row: int) -> float:
        """Wrong moments in a million damaged frames."""
        return self.wrong[row] / self.frames * 1e6


def listen(ear: Ear, count: int, seed: int, rows: Sequence[int] = ROWS) -> Tally:
    """`count` damaged frames and the whole ones between them, to the monitor and its button."""
    lanes = [(row, ScaleMonitor(ScaleRules(DIVISION_KG, MAXIMUM_KG, frames_in_a_row=row, still_ms=0))) for row in rows]
    tally, now_ms, sent_kg = Tally(), 0, set[int]()
    for sent in bad_line(ear.send, count, random.Random(seed)):
        now_ms += PERIOD_MS
        if sent.kg is None:
            ear.begin()
            sent_kg.clear()
            for _, monitor in lanes:
                monitor.lose()
            continue
        tally.frames += sent.damaged
        sent_kg.add(sent.kg)
        for wire in ear.hear(sent.data):
            reading = to_reading(wire, now_ms)
            for row, monitor in lanes:
                monitor.feed(reading)
                booked = monitor.capture(now_ms, same_truck=True)
                if not isinstance(booked, Capture):
                    continue
                if booked.gross_kg in sent_kg:
                    tally.right[row] += 1
                    continue
                tally.wrong[row] += 1
                if len(tally.examples) < 20:
                    tally.examples.append(f"{row} in a row: {booked.gross_kg} kg of {sent.kg} kg, {booked.frames}")
    return tally


def ear(name: str) -> Ear:
    """The line of a protocol."""
    return RtuEar() if name == RTU else StreamEar(name)


def how_many(otherwise: int) -> int:
    """`WEIGHGATE_FUZZ`, or so many damaged frames."""
    return int(os.environ.get("WEIGHGATE_FUZZ") or otherwise)


def main(names: Sequence[str]) -> None:
    """Measure protocols without a checksum, and keep the figures."""
    count, seed = how_many(LONG), choose_seed()
    for name in names:
        tally = listen(ear(name), count, seed)
        rates = {str(row): round(tally.per_million(row)) for row in ROWS}
        sys.stdout.write(f"{name} {rates}\n")
        sys.stdout.flush()
        kept = json.loads(RESIDUAL.read_text(encoding="utf-8")) if RESIDUAL.exists() else {}
        kept[name] = {"frames": tally.frames, "seed": seed, **rates}
        new = RESIDUAL.with_suffix(".new")
        new.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        new.replace(RESIDUAL)


if __name__ == "__main__":
    main(sys.argv[1:] or UNCHECKED)
