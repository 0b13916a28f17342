"""What bytes prove about an indicator: the judging of `weighgate scale detect`, without a line."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from drivers.scale.detect import (
    AS_GOOD,
    LEAST_SHARE,
    Candidate,
    Ear,
    Verdict,
    framing_of,
    judge,
    readable,
    tell_apart,
    text_share,
    toml_lines,
)
from drivers.scale.detect_line import all_profiles
from drivers.scale.encoders import ENCODERS, Shown
from drivers.scale.frames import load_profile
from drivers.scale.profile import SerialDefaults
from drivers.scale.uart import heard, parse_line

PROFILES = all_profiles()
LINE = SerialDefaults(baud=9600)
CAPTURES = Path(__file__).resolve().parents[2] / "captures" / "scale"
VISIT = [Shown(0)] * 5 + [Shown(1_000 + 20 * step, moving=True) for step in range(10)] + [Shown(14_520)] * 10
ALIKE = [{"eq_plain", "eq_reversed"}, {"ad_std", "dini_std"}]  # the later name's frames are the former's too


def candidates(data: bytes) -> list[Candidate]:
    ear = Ear(PROFILES)
    for at in range(0, len(data), 100):
        ear.feed(data[at : at + 100])
    return ear.candidates(2.0, LINE)


def sent(indicator: str, shown: Sequence[Shown] = VISIT) -> bytes:
    return b"".join(ENCODERS[indicator](each) for each in shown)


@pytest.mark.parametrize("indicator", sorted(ENCODERS))
def test_every_indicator_is_found_or_named_among_those_that_cannot_be_told_from_it(indicator: str) -> None:
    verdict, about = judge(candidates(b"\xff\x00noise" + sent(indicator)))
    names = {each.indicator for each in about}
    assert indicator in names
    if len(names) == 1:
        assert verdict is Verdict.FOUND
    else:
        assert verdict is Verdict.AMBIGUOUS and names in ALIKE


@pytest.mark.parametrize("indicator", sorted(path.stem for path in CAPTURES.glob("*.jsonl")))
def test_what_real_indicators_sent_is_found_too(indicator: str) -> None:
    for line in (CAPTURES / f"{indicator}.jsonl").read_text("utf-8").splitlines():
        entry = json.loads(line)
        if len(entry["frames"]) != 1 or entry["kind"] not in ("captured", "manual"):
            continue
        verdict, about = judge(candidates(bytes.fromhex(entry["hex"]) * 8))
        names = {each.indicator for each in about}
        assert verdict in (Verdict.FOUND, Verdict.AMBIGUOUS) and indicator in names, entry
        assert len(names) == 1 or names in ALIKE, entry


@pytest.mark.parametrize("names", ALIKE)
def test_those_that_cannot_be_told_apart_are_never_chosen_between(names: set[str]) -> None:
    assert AS_GOOD < 1, "only a candidate that holds more of the bytes may win"
    verdict, about = judge(candidates(sent(max(names))))
    assert (verdict, {each.indicator for each in about}) == (Verdict.AMBIGUOUS, names)
    assert tell_apart(about)[0].en


def test_the_readings_say_what_the_display_must_show() -> None:
    _, about = judge(candidates(sent("eq_reversed", [Shown(290)] * 6)))
    said = [each.en for each in tell_apart(about)]
    assert "the display shows 290: it is eq_reversed" in said
    assert "the display shows 9200000: it is eq_plain" in said
    _, about = judge(candidates(sent("eq_reversed", [Shown(0)] * 6)))
    assert "now all of them read 0, which tells nothing" in [each.en for each in tell_apart(about)]


def test_few_frames_or_much_else_beside_them_is_not_sure() -> None:
    assert judge(candidates(sent("toledo", VISIT[:2])))[0] is Verdict.UNSURE
    for indicator, verdict in (("rlws", Verdict.UNSURE), ("yaohua_tf0", Verdict.FOUND)):  # the latter has checksums
        (only,) = candidates((sent(indicator, [Shown(20)]) + b"GARBAGE " * 4) * 10)
        assert only.share < LEAST_SHARE
        assert judge([only])[0] is verdict
    assert judge([]) == (Verdict.NO_FRAMES, ())


def test_the_evidence_is_counted() -> None:
    good, bad = sent("yaohua_tf0", [Shown(1_560)] * 9), bytes.fromhex("022B30303135363030314103")
    (only,) = candidates(good + bad + sent("yaohua_tf0", [Shown(-20)]))
    assert (only.frames, only.checksums_right, only.checksums_wrong) == (10, 10, 1)
    assert (str(only.lowest), str(only.highest), only.units) == ("-20", "1560", ("kg",))
    assert (only.stable, only.moving, only.per_second) == (0, 0, 5.0)
    assert only.share == pytest.approx(10 / 11)
    (toledo,) = candidates(sent("toledo"))
    assert (toledo.frames, toledo.stable, toledo.moving) == (25, 15, 10)
    assert toledo.checksums_wrong == 0
    (clone,) = candidates(b"".join(sent("toledo", [each])[:17] for each in VISIT))
    assert clone.frames == 25 and clone.checksums_right == 0, "a clone's frames count, and its checksums are told"


@pytest.mark.parametrize(
    ("line", "framing"),
    [("9600,8N1", (8, "N")), ("9600,7E1", (7, "E")), ("4800,7O2", (7, "O")), ("1200,8N2", (8, "N"))],
)
def test_the_parity_of_seven_bits_is_seen_in_the_eighth(line: str, framing: tuple[int, str]) -> None:
    settings = parse_line(line)
    data = heard(sent("toledo"), settings, SerialDefaults(baud=settings.baud))
    assert framing_of(data) == framing
    (only,) = candidates(data)
    assert only.line is not None and (only.line.bytesize, only.line.parity) == framing


@pytest.mark.parametrize("read", ["4800,8N1", "1200,8N1", "19200,8N1", "115200,8N1", "600,8N1"])
@pytest.mark.parametrize("indicator", ["yaohua_tf0", "toledo", "ad_std", "rlws"])
def test_a_wrong_baud_rate_is_no_text(indicator: str, read: str) -> None:
    noise = b"".join(heard(ENCODERS[indicator](each), parse_line("9600,8N1"), parse_line(read)) for each in VISIT)
    assert text_share(noise) < 0.75 < text_share(sent(indicator))
    assert text_share(b"\x1e" * 30 + b"0" * 30) < 0.75 and text_share(b"") == 0


def test_what_to_paste() -> None:
    found = candidates(heard(sent("toledo"), parse_line("4800,7E1"), parse_line("4800,8N1")))[0]
    assert toml_lines("/dev/serial/by-path/x", [(found, load_profile("toledo"))]) == [
        "[lane.indicator]", 'type = "serial"', 'port = "/dev/serial/by-path/x"', 'indicator = "toledo"',
        "baud = 9600", "bytesize = 7", 'parity = "E"', "stopbits = 1",
    ]  # fmt: skip
    ear = Ear(PROFILES)
    ear.feed(sent("ad_std"))
    (asked,) = ear.candidates(0, None, "ad_std")
    assert toml_lines("socket://x:1", [(asked, load_profile("ad_std"))])[-2:] == [
        'indicator = "ad_std"',
        'mode = "poll"',
    ]
    assert readable(b"\x02+12\r") == "<02>+12<0D>"
