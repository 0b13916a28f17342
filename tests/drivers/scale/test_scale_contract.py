"""What every scale keeps, whatever its protocol: the same checks over all of them, at the wire and through the driver.

A weight arrives as it is or not at all; what moves is never stable; out of range, noise, silence and a pulled cable
give no weight; nothing of before a loss is seen after it.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from drivers.ports import CommandNo, CommandRefused, DriverError, Scale, ScaleCommand
from drivers.readings import Health, WeightReading
from drivers.registry import build_scale
from drivers.worker import ReaderWorker, monotonic_ms
from edge.domain.scale_monitor import ScaleMonitor, ScaleRules, ScaleState
from tests.drivers.scale.benches import BENCHES, DIVISION_KG, Bench, Wire
from tests.drivers.test_worker import Heard

MAXIMUM_KG = 100_000
AT_ONCE = ScaleRules(division_kg=DIVISION_KG, maximum_kg=MAXIMUM_KG, frames_in_a_row=3, still_ms=0)
RULES = ScaleRules(division_kg=DIVISION_KG, maximum_kg=MAXIMUM_KG)
CONVERSIONS = 10
DRAIN_S = 0.06
WATCH_S = 0.08
WITHIN_S = 4.0
BACK_WITHIN_S = 5.0


class NotInTime(AssertionError):
    """It did not come, or not yet."""


class Rig:
    """An open scale and the wire to it."""

    def __init__(
        self, bench: Bench, wire: Wire, scale: Scale, within_s: float = WITHIN_S, rules: ScaleRules = RULES
    ) -> None:
        self.within_s = within_s
        self.rules = rules
        self.bench = bench
        self.wire = wire
        self.load = wire.load
        self.scale = scale

    def seen(self, seconds: float) -> list[WeightReading]:
        """All readings of a time."""
        end = time.monotonic() + seconds
        found: list[WeightReading] = []
        while time.monotonic() < end:
            found += self.scale.read()
        return found

    def from_now(self, seconds: float = WATCH_S) -> list[WeightReading]:
        """The same, without what was on its way."""
        self.seen(DRAIN_S)
        return self.seen(seconds)

    def until(self, condition: Callable[[WeightReading], bool]) -> list[WeightReading]:
        """All readings up to the first for which the condition holds."""
        end = time.monotonic() + self.within_s
        found: list[WeightReading] = []
        while time.monotonic() < end:
            for reading in self.scale.read():
                found.append(reading)
                if condition(reading):
                    return found
        raise NotInTime(f"{self.bench}: it did not come in time; last {found[-3:]}")

    def shows(self, kg: int) -> list[WeightReading]:
        return self.until(lambda reading: reading.gross_kg == kg)


def weights_of(readings: Sequence[WeightReading]) -> set[int]:
    return {reading.gross_kg for reading in readings if reading.gross_kg is not None}


def check_weights(rig: Rig) -> None:
    """Zero, small, large and negative arrive as they are, and nothing between the old and the new."""
    before_kg = 0
    for kg in (0, 20, 14_520, 99_980, -40):
        rig.load.set_weight_kg(kg)
        if kg < 0 and not rig.bench.tells_minus:
            assert weights_of(rig.from_now()) == set(), "no sign in the protocol, so no weight"
            continue
        assert weights_of(rig.shows(kg)) <= {before_kg, kg}
        before_kg = kg


def check_range(rig: Rig) -> None:
    """Out of range the state is never one from which a weight may be taken; and there is none if the frame says so."""
    for kg, tell in ((150_000, rig.load.set_overload), (-5_000, rig.load.set_underload)):
        monitor = ScaleMonitor(AT_ONCE)
        rig.load.set_weight_kg(kg)
        tell(True)
        rig.seen(DRAIN_S)
        since_ms = monotonic_ms()  # what a network might have kept back is told later, with its own time
        readings = [reading for reading in rig.seen(WATCH_S) if reading.received_ms >= since_ms]
        assert not (rig.bench.tells_range and weights_of(readings)), f"a weight though it is out of range: {readings}"
        for reading in readings:
            monitor.feed(reading)
            assert monitor.state(reading.received_ms) not in (ScaleState.STABLE, ScaleState.EMPTY)
        tell(False)
    rig.load.set_weight_kg(0)
    rig.shows(0)


def check_motion(rig: Rig) -> None:
    """While a truck drives on nothing is stable, though each value comes in several frames; when it stands, its weight
    is."""
    monitor = ScaleMonitor(rig.rules)
    rig.shows(0)
    rig.load.set_conversions(CONVERSIONS)
    rig.load.ramp_to(60_000, 0.8)
    for reading in rig.shows(60_000):
        monitor.feed(reading)
        if reading.gross_kg not in (0, 60_000):
            assert monitor.state(reading.received_ms) is not ScaleState.STABLE
            if rig.bench.tells_motion:
                assert reading.gross_kg is None or reading.stable is False

    def comes_to_rest(reading: WeightReading) -> bool:
        monitor.feed(reading)
        return monitor.state(reading.received_ms) is ScaleState.STABLE

    rig.until(comes_to_rest)


def check_noise(rig: Rig) -> None:
    """Junk between frames and frames cut off: fewer weights, no other ones."""
    rig.load.set_weight_kg(14_520)
    rig.shows(14_520)
    rig.wire.set_noisy(True)
    assert weights_of(rig.seen(0.12)) <= {14_520}
    rig.wire.set_noisy(False)
    assert weights_of(rig.shows(14_520)) == {14_520}


def check_commands(rig: Rig) -> None:
    """What the driver says it can be told is done and seen in the weight; a tare never makes a wrong gross."""
    if ScaleCommand.ZERO in rig.scale.commands:
        rig.load.shift_zero(40)
        rig.shows(40)
        rig.scale.command(ScaleCommand.ZERO)
        assert weights_of(rig.from_now()) == {0}
    rig.load.set_weight_kg(14_520)
    rig.shows(14_520)
    if ScaleCommand.TARE in rig.scale.commands:
        rig.scale.command(ScaleCommand.TARE)
        assert weights_of(rig.from_now()) <= {14_520}, "net read as gross"
    if ScaleCommand.CLEAR_TARE in rig.scale.commands:
        rig.load.tare()  # somebody pressed the key
        rig.scale.command(ScaleCommand.CLEAR_TARE)
        rig.shows(14_520)


def check_net(rig: Rig) -> None:
    """A tared indicator's net is never read as gross, where its protocol tells the two apart."""
    rig.load.set_weight_kg(14_520)
    rig.shows(14_520)
    rig.load.tare()
    seen = weights_of(rig.from_now())
    assert seen <= {14_520} if rig.bench.tells_net else seen <= {0}


def check_too_late(rig: Rig) -> None:
    """A command whose turn comes too late is never sent."""
    if ScaleCommand.ZERO not in rig.scale.commands:
        return
    rig.load.shift_zero(40)
    rig.shows(40)
    try:
        rig.scale.command(ScaleCommand.ZERO, monotonic_ms() - 1)
    except CommandRefused as no:
        assert no.why is CommandNo.TOO_LATE
    else:
        raise AssertionError("it was sent")
    assert weights_of(rig.from_now()) == {40}
    rig.scale.command(ScaleCommand.ZERO, monotonic_ms() + 5_000)
    assert weights_of(rig.from_now()) == {0}


CHECKS = [check_weights, check_range, check_motion, check_noise, check_commands, check_net, check_too_late]


def kept(check: Callable[[Rig], None], bench: Bench, folder: Path) -> Exception | None:
    """What a bench breaks of one check."""
    with bench.start(folder) as wire:
        scale = build_scale(f"scale {bench}", wire.config)
        scale.open()
        try:
            check(Rig(bench, wire, scale))
        except (AssertionError, DriverError) as broken:
            return broken
        finally:
            scale.close()
    return None


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_every_scale_keeps_the_contract(check: Callable[[Rig], None], tmp_path: Path) -> None:
    """All at once, because each of them mostly waits. What was only late among so many is tried again by itself."""
    with ThreadPoolExecutor(len(BENCHES)) as pool:
        found = list(pool.map(lambda bench: kept(check, bench, tmp_path), BENCHES))
    for number, broken in enumerate(found):
        if isinstance(broken, NotInTime | DriverError):
            found[number] = kept(check, BENCHES[number], tmp_path)
    assert [f"{bench}: {broken!r}" for bench, broken in zip(BENCHES, found, strict=True) if broken] == []


@pytest.mark.anyio
async def test_silence_and_a_pulled_cable_on_all_of_them_at_once(tmp_path: Path) -> None:
    """Silent within 2 s; down at once; back within 5 s with nothing of before."""
    with ExitStack() as stack:
        wires = [(bench, stack.enter_context(bench.start(tmp_path))) for bench in BENCHES]
        watched = [(bench, wire, Heard()) for bench, wire in wires]
        workers = [
            ReaderWorker(str(bench), build_scale(str(bench), wire.config), on_reading=heard, on_status=heard,
                         on_crash=heard)
            for bench, wire, heard in watched
        ]  # fmt: skip
        for worker in workers:
            worker.start()
        await asyncio.gather(*(_goes_silent(*each) for each in watched))
        await asyncio.gather(*(_is_pulled_and_comes_back(*each) for each in watched))
        assert all(await asyncio.gather(*(worker.stop() for worker in workers)))


async def _goes_silent(bench: Bench, wire: Wire, heard: Heard) -> None:
    wire.load.set_weight_kg(14_520)
    await heard.until(lambda: 14_520 in heard.kg)
    wire.set_silent(True)
    await heard.until(lambda: heard.health[-1] in bench.when_silent)
    heard.news.clear()
    await asyncio.sleep(0.1)
    assert heard.kg == [], f"{bench}: a weight out of silence"
    wire.set_silent(False)
    await heard.until(lambda: 14_520 in heard.kg, BACK_WITHIN_S)


async def _is_pulled_and_comes_back(bench: Bench, wire: Wire, heard: Heard) -> None:
    wire.unplug()
    await heard.until(lambda: heard.health[-1:] == [Health.DOWN])
    heard.news.clear()
    wire.load.set_weight_kg(46_960)
    begin_s = time.monotonic()
    wire.replug()
    await heard.until(lambda: bool(heard.kg), BACK_WITHIN_S)
    assert weights_of([news for news in heard.news if isinstance(news, WeightReading)]) <= {46_960}, bench
    await heard.until(lambda: 46_960 in heard.kg, BACK_WITHIN_S)
    assert time.monotonic() - begin_s < BACK_WITHIN_S


class SpoiltScale:
    """A driver as it must not be: it spoils what the good one read, and says yes to commands that it never sends."""

    commands = frozenset((ScaleCommand.ZERO,))
    garbled = False

    def __init__(self, good: Scale, spoil: Callable[[WeightReading], WeightReading]) -> None:
        self._good = good
        self._spoil = spoil
        self.open, self.close = good.open, good.close

    @property
    def last_byte_ms(self) -> int | None:
        return self._good.last_byte_ms

    def read(self) -> Sequence[WeightReading]:
        return [self._spoil(reading) for reading in self._good.read()]

    def command(self, command: ScaleCommand, not_after_ms: int | None = None) -> None:
        """Nothing."""


def _overload_as_weight(reading: WeightReading) -> WeightReading:
    return reading if reading.fault is None else WeightReading(14_520, True, reading.received_ms, reading.raw)


def _always_stable(reading: WeightReading) -> WeightReading:
    return WeightReading(reading.gross_kg, True, reading.received_ms, reading.raw, reading.fault)


def _twice_the_weight(reading: WeightReading) -> WeightReading:
    return WeightReading(2 * (reading.gross_kg or 0), True, reading.received_ms, reading.raw)


@pytest.mark.parametrize(
    ("check", "spoil"),
    [
        (check_weights, _twice_the_weight),
        (check_range, _overload_as_weight),
        (check_motion, _always_stable),
        (check_noise, _twice_the_weight),
        (check_commands, lambda reading: reading),
        (check_too_late, lambda reading: reading),
    ],
)
def test_a_driver_that_breaks_the_contract_is_caught(
    check: Callable[[Rig], None], spoil: Callable[[WeightReading], WeightReading], tmp_path: Path
) -> None:
    bench = next(bench for bench in BENCHES if bench.name == "toledo")
    with bench.start(tmp_path) as wire:
        scale = SpoiltScale(build_scale("broken", wire.config), spoil)
        scale.open()
        with pytest.raises(AssertionError):
            check(Rig(bench, wire, scale, within_s=0.3))
        scale.close()


def test_without_the_rule_of_time_a_rolling_truck_is_stable(tmp_path: Path) -> None:
    for bench in BENCHES:
        if bench.name not in ("yaohua_tf0", "generic_transmitter"):
            continue
        with bench.start(tmp_path) as wire:
            scale = build_scale("counts frames alone", wire.config)
            scale.open()
            with pytest.raises(AssertionError, match="STABLE"):
                check_motion(Rig(bench, wire, scale, rules=AT_ONCE))
            scale.close()


class RememberingScale(SpoiltScale):
    """It begins anew with the last weight of before."""

    def __init__(self, good: Scale) -> None:
        super().__init__(good, lambda reading: reading)
        self._last: Sequence[WeightReading] = ()
        self.open = self._open

    def _open(self) -> None:
        self._good.open()
        self._again, self._last = self._last, ()

    def read(self) -> Sequence[WeightReading]:
        again, self._again = self._again, ()
        found = again or super().read()
        self._last = found or self._last
        return found


@pytest.mark.anyio
async def test_a_driver_that_remembers_is_caught(tmp_path: Path) -> None:
    bench = next(bench for bench in BENCHES if bench.name == "toledo")
    with bench.start(tmp_path) as wire:
        heard = Heard()
        scale = RememberingScale(build_scale("broken", wire.config))
        worker = ReaderWorker("broken", scale, on_reading=heard, on_status=heard, on_crash=heard)
        worker.start()
        wire.load.set_weight_kg(14_520)
        await heard.until(lambda: 14_520 in heard.kg)
        with pytest.raises(AssertionError):
            await _is_pulled_and_comes_back(bench, wire, heard)
        assert await worker.stop()


def test_a_command_is_refused_while_the_load_moves(tmp_path: Path) -> None:
    for bench in BENCHES:
        if bench.name not in ("mt_sics", "sma", "systec", "dini_std"):
            continue
        with bench.start(tmp_path) as wire:
            scale = build_scale(str(bench), wire.config)
            scale.open()
            wire.load.set_weight_kg(40)
            wire.load.set_moving(True)
            Rig(bench, wire, scale).shows(40)
            with pytest.raises(CommandRefused):
                scale.command(ScaleCommand.ZERO)
            scale.close()
