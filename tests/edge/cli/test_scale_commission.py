"""`weighgate scale commission`: what it proves, and what it refuses to say."""

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from drivers.readings import WeightReading
from drivers.scale import commission_steps
from drivers.scale.commission import HIDES_NET
from drivers.scale.commission_judge import Mark, Site, error_allowed_halves, judge, overall
from drivers.scale.commission_steps import Motion, Step, Weighed
from drivers.scale.simulated import SimulatedIndicator
from drivers.scale.simulated_registers import SimulatedModbus, SimulatedRegisters
from edge.cli.scale import scale
from tests.drivers.scale.modbus_rig import config
from tests.edge.cli.plant import plant_file

SITE = Site(division_kg=20, maximum_kg=80_000)
MOVED = Motion(changing=10, said_stable=0, flagged=100)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Believe sooner that a weight stands."""
    monkeypatch.setattr(commission_steps, "STILL_MS", 150)


def weighed(step: Step, kg: int | None, known_kg: int | None = None, **more: Any) -> Weighed:
    reading = WeightReading(kg, True, 0, b"frame")
    fields: dict[str, Any] = {
        "still": kg is not None, "lowest_kg": kg, "highest_kg": kg, "readings": 30, "faults": {}, "seconds": 3.0,
        "longest_gap_ms": 110, "said_stable": 30, "said_moving": 0, "last": reading, "raws": (b"frame",), **more,
    }  # fmt: skip
    return Weighed(step=step, known_kg=known_kg, kg=kg, **fields)


GOOD = (weighed(Step.EMPTY, 0, 0), weighed(Step.KNOWN, 20_000, 20_000), weighed(Step.TRUCK, 45_120))


def answers(*weighings: Weighed, motion: Motion = MOVED) -> dict[str, Mark]:
    return {each.question.en: each.mark for each in judge(SITE, weighings, motion)}


def test_all_three_shown_and_right_is_passed_and_nothing_less() -> None:
    assert overall(judge(SITE, GOOD, MOVED)) is Mark.PASSED
    for left_out in range(3):
        some = GOOD[:left_out] + GOOD[left_out + 1 :]
        assert overall(judge(SITE, some, MOVED)) is Mark.NOT_SHOWN
    assert overall(judge(SITE, (), Motion())) is Mark.NOT_SHOWN
    assert overall([]) is Mark.NOT_SHOWN


@pytest.mark.parametrize(
    ("load_e", "halves"), [(1, 1), (500, 1), (501, 2), (2_000, 2), (2_001, 3), (10_000, 3), (10_001, None)]
)
def test_the_errors_allowed_are_those_of_the_table(load_e: int, halves: int | None) -> None:
    assert error_allowed_halves(load_e * 20, 20) == halves


@pytest.mark.parametrize(
    ("load_kg", "read_kg", "mark"),
    [(10_000, 10_000, Mark.PASSED), (10_000, 10_020, Mark.FAILED), (20_000, 20_020, Mark.PASSED),
     (20_000, 20_040, Mark.FAILED), (60_000, 60_020, Mark.PASSED), (60_000, 60_040, Mark.FAILED),
     (60_000, 59_980, Mark.PASSED), (60_000, 59_960, Mark.FAILED)],
)  # fmt: skip
def test_a_known_weight_may_be_off_by_so_much(load_kg: int, read_kg: int, mark: Mark) -> None:
    assert answers(weighed(Step.KNOWN, read_kg, load_kg))["the error at a known weight"] is mark


@pytest.mark.parametrize(
    ("read_kg", "why"),
    [(2_000, "10 times too little"), (200_000, "10 times too much"), (20, "1000 times too little"),
     (-20_000, "the sign is wrong"), (19_000, "calibrate it")],
)  # fmt: skip
def test_a_wrong_span_is_explained(read_kg: int, why: str) -> None:
    answer = judge(SITE, [weighed(Step.KNOWN, read_kg, 20_000)], MOVED)[1]
    assert answer.mark is Mark.FAILED
    assert why in answer.found.en and answer.found.zh


@pytest.mark.parametrize(
    ("broken", "question"),
    [
        (weighed(Step.EMPTY, 40, 0), "the empty deck reads zero"),
        (weighed(Step.EMPTY, None, 0, faults={"overload": 30}), "every reading carries a weight"),
        (weighed(Step.TRUCK, 45_120, 45_160), "a loaded truck"),
        (weighed(Step.TRUCK, 500), "a loaded truck"),
        (weighed(Step.TRUCK, 45_120, still=False, highest_kg=45_200), "steady while it stands"),
        (weighed(Step.TRUCK, 45_120, longest_gap_ms=1_000), "readings come fast enough"),
        (weighed(Step.TRUCK, 45_120, readings=3), "readings come fast enough"),
    ],
)
def test_each_fault_fails_its_own_question(broken: Weighed, question: str) -> None:
    some = [each for each in GOOD if each.step is not broken.step]
    found = answers(*some, broken)
    assert found[question] is Mark.FAILED
    assert overall(judge(SITE, [*some, broken], MOVED)) is Mark.FAILED


def test_a_stable_flag_that_lies_fails_and_one_never_seen_at_work_is_not_shown() -> None:
    assert answers(*GOOD, motion=Motion(10, 9, 100))["the stable flag"] is Mark.FAILED
    assert answers(*GOOD, motion=Motion(0, 0, 100))["the stable flag"] is Mark.NOT_SHOWN
    assert answers(*GOOD, motion=Motion(10, 0, 0))["the stable flag"] is Mark.PASSED


class _Person(io.RawIOBase):
    """Stands for standard input: loads the deck, then presses Enter."""

    def __init__(self, *acts: Callable[[], None]) -> None:
        super().__init__()
        self._acts = iter(acts)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        act = next(self._acts, None)
        if act is None:
            return 0
        act()
        buffer[:1] = b"\n"
        return 1


def run(words: list[str], person: _Person | None, folder: Path) -> Result:
    report = folder / "report.md"
    report.unlink(missing_ok=True)
    stdin: Any = io.BufferedReader(person) if person else None
    common = ["--seconds", "0.6", "--report", str(report), "--operator", "王电工"]
    return CliRunner().invoke(scale, ["commission", *words, *common], input=stdin, catch_exceptions=False)


@contextmanager
def on_a_line(folder: Path, **more: Any) -> Iterator[SimulatedIndicator]:
    with SimulatedIndicator("yaohua_tf0", folder / "port", rate_hz=20, division_kg=20, **more) as simulated:
        yield simulated


SITE_WORDS = ["--indicator", "yaohua_tf0", "--division-kg", "20", "--maximum-kg", "80000"]
ALL = ["--empty", "--known-kg", "20000", "--truck"]


def test_a_good_scale_passes_with_a_report(tmp_path: Path) -> None:
    with on_a_line(tmp_path) as simulated:
        person = _Person(lambda: None, lambda: simulated.set_weight_kg(20_000), lambda: simulated.set_weight_kg(45_120))
        result = run([simulated.port, *SITE_WORDS, *ALL, "--truck-shows-kg", "45120"], person, tmp_path)
    assert result.exit_code == 0, result.output
    page = (tmp_path / "report.md").read_text("utf-8")
    assert "**通过 PASSED**" in page and "王电工" in page
    assert "20000 kg reads 20000 kg, error +0 kg = 0.0 e, allowed ±1.0 e" in page
    assert "Not proven by this" in page
    assert HIDES_NET.en in result.output and HIDES_NET.zh in page, "this one does not say net"


def test_ten_times_too_little_fails_and_an_older_report_is_kept(tmp_path: Path) -> None:
    with on_a_line(tmp_path) as simulated:
        person = _Person(lambda: None, lambda: simulated.set_weight_kg(2_000))
        result = run([simulated.port, *SITE_WORDS, *ALL[:-1]], person, tmp_path)
        assert result.exit_code == 1
        assert "10 times too little: decimals or unit are set wrong" in (tmp_path / "report.md").read_text("utf-8")
        again = CliRunner().invoke(
            scale, ["commission", simulated.port, *SITE_WORDS, "--empty", "--report", str(tmp_path / "report.md")]
        )
    assert again.exit_code == 2 and "never overwritten" in again.output


def test_what_is_left_out_is_never_passed(tmp_path: Path) -> None:
    with on_a_line(tmp_path) as simulated:
        result = run([simulated.port, *SITE_WORDS, "--empty", "--auto"], None, tmp_path)
    assert result.exit_code == 1
    assert "NOT PASSED: not everything was shown" in result.output
    assert "PASSED**" not in (tmp_path / "report.md").read_text("utf-8")


@contextmanager
def transmitter() -> Iterator[tuple[SimulatedRegisters, SimulatedModbus]]:
    """A generic transmitter, low word first."""
    found = config("tcp://127.0.0.1:1", "generic_transmitter", word_order="little", decimals=0).map(None)
    device = SimulatedRegisters(found, division_kg=20)
    with SimulatedModbus(device) as server:
        yield device, server


MODBUS = """type = "modbus"
target = "{target}"
registers = "generic_transmitter"
word_order = "{order}"
decimals = 0"""


@pytest.mark.parametrize(("configured", "exit_code"), [("little", 0), ("big", 1)])
def test_the_word_order_is_proven_or_refused(configured: str, exit_code: int, tmp_path: Path) -> None:
    with transmitter() as (device, server):
        plant = plant_file(tmp_path, MODBUS.format(target=server.target, order=configured))
        person = _Person(lambda: None, lambda: device.set_weight_kg(20_000), lambda: device.set_weight_kg(70_520))
        result = run([str(plant), *ALL, "--truck-shows-kg", "70520"], person, tmp_path)
    assert result.exit_code == exit_code, result.output
    page = (tmp_path / "report.md").read_text("utf-8")
    assert "proven: little, one count is 1 kg" in page
    assert "| 地点 place | HX01 示例一厂, 一号磅 Lane 1 |" in page
    assert "CST (UTC+08:00) |" in page, "the plant's own time, whatever this machine's is"
    assert "| 铅封号 seals | ____" in page and "| 仪表编号 serial number | ____" in page
    assert ('set: word_order = "little"' in page) == (configured == "big")


def test_a_modbus_device_is_commissioned_by_its_map_without_a_plant(tmp_path: Path) -> None:
    with transmitter() as (device, server):
        site = ["--division-kg", "20", "--maximum-kg", "100000"]
        by_map = [server.target, "--registers", "generic_transmitter", "--decimals", "0", *site]
        person = _Person(lambda: None, lambda: device.set_weight_kg(20_000), lambda: device.set_weight_kg(70_520))
        words = [*by_map, "--word-order", "little", *ALL, "--truck-shows-kg", "70520"]
        result = run(words, person, tmp_path)
        left_open = run([server.target, "--registers", "generic_transmitter", *site, "--empty"], None, tmp_path)
        unnamed = run([server.target, *site, "--empty"], None, tmp_path)
    assert result.exit_code == 0, result.output
    assert "proven: little, one count is 1 kg" in result.output
    assert left_open.exit_code == 2 and "set decimals" in left_open.output
    assert unnamed.exit_code == 2 and "Give --indicator NAME, or for a Modbus device --registers NAME" in unnamed.output


def test_a_scale_that_is_not_there_is_told_in_words(tmp_path: Path) -> None:
    result = run([str(tmp_path / "none"), *SITE_WORDS, "--empty"], None, tmp_path)
    assert result.exit_code == 2 and "cannot open" in result.output
    assert CliRunner().invoke(scale, ["commission", "x", "--indicator", "toledo"]).exit_code == 2
