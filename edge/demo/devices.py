"""The plant's devices at the wire: indicators on ptys, printers and a relay module on TCP, cameras over HTTP."""

import asyncio
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Self

from drivers.camera.simulated import VirtualCamera
from drivers.gate.model import BarrierModel
from drivers.gate.simulated import VirtualBarrier
from drivers.printer.escpos_reader import Line, NativeQr, read
from drivers.printer.simulated import VirtualPrinter
from drivers.scale.simulated import SimulatedIndicator
from edge.demo.plan import DIVISION_KG

LANES = {"1": "yaohua_tf0", "2": "toledo"}
"""The indicator of each lane."""
LOOPED = "1"
"""The lane whose deck has loops."""
GATE = "south"
_RECENT = 40
_WEATHERS = ("day", "rain", "night")
_WEATHER_LASTS = 12
"""Trucks before a camera."""


class Devices:
    """Everything with a wire. `speed` makes the barrier faster; `rate_hz` is how often the indicators send."""

    def __init__(self, folder: Path, *, rate_hz: float, speed: float, noise_kg: int, seed: int) -> None:
        self._stack = ExitStack()
        self._shown = 0
        wires = folder / "wires"
        wires.mkdir()
        try:
            self.scales = {
                lane: self._stack.enter_context(
                    SimulatedIndicator(
                        indicator, wires / f"scale-{lane}", rate_hz=rate_hz, division_kg=DIVISION_KG, seed=seed
                    )
                )
                for lane, indicator in LANES.items()
            }
            for scale in self.scales.values():
                scale.set_noise_kg(noise_kg)
            self.printers = {
                lane: self._stack.enter_context(VirtualPrinter(folder / "paper" / f"lane-{lane}")) for lane in LANES
            }
            self.cameras = {
                place: self._stack.enter_context(VirtualCamera(approach_s=2.5 / speed)) for place in (*LANES, GATE)
            }
            model = BarrierModel(
                rise_ms=max(20, round(800 / speed)), pass_ms=max(20, round(2500 / speed)), vehicle_waits=False
            )
            self.loops = self._stack.enter_context(VirtualBarrier(BarrierModel(vehicle_waits=True)))
            self.barrier = self._stack.enter_context(VirtualBarrier(model))
        except BaseException:
            self._stack.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of every wire."""
        self._stack.close()

    async def show(self, place: str, plate: str | None) -> None:
        """A truck stands before a camera, or nobody does any more. Now and then the weather changes."""
        if plate is not None:
            self._shown += 1
        camera = self.cameras[place]
        camera.weather = _WEATHERS[self._shown // _WEATHER_LASTS % len(_WEATHERS)]
        await asyncio.to_thread(camera.set_scene, plate)

    def drive(self, lane: str, *, on: bool) -> None:
        """A truck drives onto a deck, or off it: what its loops see."""
        if lane == LOOPED:
            self.loops.vehicle(on)

    def paper(self, notice: str) -> "Paper | None":
        """The exit pass that a printer gave out for this notice; None while none did."""
        for printer in self.printers.values():
            for number, document in reversed(printer.numbered[-_RECENT:]):
                # The number is plain ASCII on the paper, so most papers need no reading.
                if notice.encode() in document and (paper := read_paper(document)) and paper.notice == notice:
                    return replace(paper, file=printer.file(number))
        return None


@dataclass(frozen=True, slots=True)
class Paper:
    """What a driver takes out of the printer."""

    notice: str
    code: str
    """What a scanner reads on it."""
    empty: bool
    """The pass of a truck without goods."""
    file: Path | None = None
    """Where a person can read it and copy the code."""


def read_paper(document: bytes) -> Paper | None:
    """A printed ticket or pass as a person and a scanner read it; None for any other paper."""
    operations = read(document)
    codes = [each.data for each in operations if isinstance(each, NativeQr)]
    lines = [each.text for each in operations if isinstance(each, Line)]
    notices = [words[1] for words in map(str.split, lines) if len(words) == 2 and words[0] == "发货通知单"]
    if not codes or not notices:
        return None
    return Paper(notices[0], codes[0], any("空车" in line for line in lines))
