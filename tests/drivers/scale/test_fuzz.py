"""Noise on the line: no weight that was never sent is accepted as stable, where frames carry a checksum.

A million damaged frames of each protocol in `make faults` (`WEIGHGATE_FUZZ`), 3 000 by default; each run prints its
seed, `WEIGHGATE_SEED` repeats it. Two controls: one frame in a row instead of five, and the checksum left unread.
"""

import pytest

from drivers.readings import WeightReading
from drivers.scale.encoders import ENCODERS, Shown
from drivers.scale.frames import FrameDecoder, load_profile, to_reading
from edge.domain.scale_monitor import Capture, ScaleMonitor, ScaleRules
from tests.drivers.scale.fuzz import (
    CHECKSUMMED,
    LONG,
    MAXIMUM_KG,
    ROWS,
    RTU,
    UNCHECKED,
    StreamEar,
    Tally,
    ear,
    how_many,
    listen,
)
from tests.drivers.scale.noise import DIVISION_KG
from tests.reliability import Run

SHORT, SHORT_UNCHECKED, LONG_UNCHECKED = 3_000, 600, 200_000
FIVE = (5,)
BLIND = ("yaohua_tf0", "yaohua_command", "yaohua_w", "toledo")
"""An XOR or a sum does not see two digits that changed places; a CRC does."""


def check(tally: Tally, seed: int) -> None:
    """The rule: weights were accepted, and each of them had been sent."""
    assert not tally.wrong, f"WEIGHGATE_SEED={seed}: {dict(tally.wrong)} wrong of {tally.frames}; {tally.examples}"
    assert min(tally.right.values()) > tally.frames // 20, "hardly a weight came through, so nothing was shown"


@pytest.mark.parametrize("protocol", CHECKSUMMED)
def test_noise_never_makes_a_stable_weight(protocol: str) -> None:
    run = Run(f"noise on {protocol}")
    print(f"WEIGHGATE_SEED={run.seed}")  # noqa: T201 - a failure is repeated with it
    check(listen(ear(protocol), SHORT, run.seed, FIVE), run.seed)


@pytest.mark.faults
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("protocol", CHECKSUMMED)
def test_a_million_noisy_frames_make_no_wrong_stable_weight(protocol: str, capfd: pytest.CaptureFixture[str]) -> None:
    run = Run(f"noise on {protocol}")
    tally = listen(ear(protocol), how_many(LONG), run.seed, (1, 5))
    run.tell(capfd, tally.frames, f"wrong stable weights {tally.wrong[5]}; with one frame in a row {tally.wrong[1]}")
    del tally.wrong[1]
    check(tally, run.seed)


@pytest.mark.parametrize("protocol", BLIND)
def test_control_one_frame_in_a_row_lets_wrong_weights_through(protocol: str) -> None:
    with pytest.raises(AssertionError, match="wrong of"):
        check(listen(ear(protocol), SHORT, 7, (1,)), 7)


@pytest.mark.parametrize("protocol", ["yaohua_tf0", "systec"])
def test_control_without_the_checksum_more_wrong_weights_come_through(protocol: str) -> None:
    careless = StreamEar(protocol, load_profile(protocol).model_copy(update={"check": None}))
    unread, read = (listen(each, SHORT, 7, (1,)) for each in (careless, StreamEar(protocol)))
    assert unread.wrong[1] > 50 and unread.wrong[1] > 2 * read.wrong[1]


def test_without_a_checksum_more_frames_in_a_row_let_less_through() -> None:
    run, total = Run("noise on protocols without a checksum"), Tally()
    print(f"WEIGHGATE_SEED={run.seed}")  # noqa: T201 - a failure is repeated with it
    for protocol in UNCHECKED:
        tally = listen(ear(protocol), SHORT_UNCHECKED, run.seed)
        assert tally.wrong[1] > 0, f"{protocol}: the noise is too tame to show anything"
        total.wrong += tally.wrong
    assert total.wrong[1] > total.wrong[2] > total.wrong[3] >= total.wrong[5]
    assert total.wrong[5] * 50 < total.wrong[1]


@pytest.mark.faults
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("protocol", UNCHECKED)
def test_how_much_gets_through_without_a_checksum(protocol: str, capfd: pytest.CaptureFixture[str]) -> None:
    run = Run(f"noise on {protocol}, no checksum")
    tally = listen(ear(protocol), how_many(LONG_UNCHECKED), run.seed)
    rates = ", ".join(f"{row} in a row: {tally.per_million(row):.0f}" for row in ROWS)
    run.tell(capfd, tally.frames, f"wrong stable weights in a million damaged frames: {rates}")
    assert tally.wrong[5] * 100 < tally.wrong[1]


def test_what_no_rule_can_see() -> None:
    """Five frames in a row with the same two digits changed round have right checksums and agree: that is no noise."""
    right = ENCODERS["yaohua_tf0"](Shown(45_120))
    wrong = right.replace(b"45120", b"54120")
    decoder, monitor = (
        FrameDecoder(load_profile("yaohua_tf0")),
        ScaleMonitor(ScaleRules(DIVISION_KG, MAXIMUM_KG, still_ms=0)),
    )
    readings: list[WeightReading] = [to_reading(wire, 0) for wire in decoder.feed(right + wrong * 5)]
    for reading in readings[:-1]:
        monitor.feed(reading)
    assert not isinstance(monitor.capture(0, same_truck=True), Capture)
    monitor.feed(readings[-1])
    captured = monitor.capture(0, same_truck=True)
    assert isinstance(captured, Capture) and captured.gross_kg == 54_120


def test_the_answers_of_a_modbus_device_are_heard_when_nothing_disturbs_them() -> None:
    line = ear(RTU)
    assert [to_reading(wire, 0).gross_kg for wire in line.hear(line.send(Shown(45_120)))] == [45_120]
