"""`weighgate scale` at a terminal: words, exit codes and JSON."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from drivers.scale import tool
from drivers.scale.commission import HIDES_NET
from drivers.scale.detect import Verdict
from drivers.scale.detect_line import Detection, Try
from drivers.scale.encoders import Shown
from drivers.scale.frames import load_profile
from drivers.scale.registers import load_register_map
from drivers.scale.serial_indicator import SerialIndicatorConfig
from drivers.scale.simulated import SimulatedIndicator
from drivers.scale.simulated_registers import SimulatedModbus, SimulatedRegisters
from edge.cli import scale_detect
from edge.cli.commands import main
from edge.cli.scale import scale
from edge.cli.scale_watch import Counting, big, screens
from edge.cli.table import table
from tests.drivers.scale.lines import opened, shows
from tests.drivers.scale.test_detect import candidates, sent
from tests.edge.cli.plant import plant_file

LINE = {"baud": 9600, "bytesize": 8, "parity": "N", "stopbits": 1}
YAOHUA = "022B30303135363030313903"


def run(*words: str, **more: Any) -> Result:
    return CliRunner().invoke(scale, words, **more)


@pytest.mark.parametrize(
    ("words", "stdin"),
    [(["--hex", YAOHUA], None), (["--hex", YAOHUA.lower()], None), (["-"], bytes.fromhex(YAOHUA)), (["FILE"], None)],
)
def test_decode_takes_hex_a_file_or_standard_input(words: list[str], stdin: bytes | None, tmp_path: Path) -> None:
    file = tmp_path / "bytes"
    file.write_bytes(bytes.fromhex(YAOHUA))
    words = [str(file) if word == "FILE" else word for word in words]
    result = run("decode", "--indicator", "yaohua_tf0", "--json", *words, input=stdin)
    assert result.exit_code == 0
    assert json.loads(result.output) == {
        "weight": "1560", "unit": None, "stable": None, "mode": None, "overload": False, "underload": False,
        "raw": YAOHUA,
    }  # fmt: skip
    assert "weight=1560" in run("decode", "--indicator", "yaohua_tf0", *words, input=stdin).output


def test_decode_shows_the_digits_beside_an_overload_bit() -> None:
    words = ["decode", "--indicator", "toledo", "--json", "--hex", "022A34203939393939393030303030300D"]
    assert json.loads(run(*words).output) | {"raw": ""} == {
        "weight": "999999", "unit": "kg", "stable": True, "mode": "gross", "overload": True, "underload": False,
        "raw": "",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--indicator", "abacus", "--hex", "00"], "unknown indicator 'abacus'; valid: ad_std, "),
        (["--indicator", "toledo"], "give either --hex HEX or a FILE"),
        (["--indicator", "toledo", "--hex", "0"], "--hex: '0'"),
        (["--indicator", "toledo", "--hex", "00", "-"], "give either"),
    ],
)
def test_a_mistake_is_one_line_and_two(words: list[str], said: str) -> None:
    result = run("decode", *words)
    assert (result.exit_code, len(result.output.splitlines())) == (2, 1)
    assert said in result.output


def detected(monkeypatch: pytest.MonkeyPatch, found: Detection, *words: str) -> Result:
    monkeypatch.setattr(scale_detect, "listen", lambda port, **_: found)
    return run("detect", found.port, *words)


def detection(verdict: Verdict, data: bytes = b"", **more: Any) -> Detection:
    found = tuple(candidates(data))
    tries = (Try("9600,8N1", False, len(data), 1.0, data[:24]),)
    return Detection("/dev/ttyUSB0", verdict, more.pop("about", found), found, tries, 2.0, **more)


def test_one_clear_answer_is_told_with_what_to_paste(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tool, "BY_PATH", Path("/nonexistent"))
    found = detection(Verdict.FOUND, sent("toledo"))
    result = detected(monkeypatch, found)
    assert result.exit_code == 0
    assert result.output.startswith("找到 FOUND: toledo")
    assert '  port = "/dev/ttyUSB0"\n  indicator = "toledo"\n  baud = 9600\n' in result.output
    lines = [json.loads(line) for line in detected(monkeypatch, found, "--json").output.splitlines()]
    assert lines[0]["candidate"] == "toledo" and lines[0]["example"].startswith("022A")
    assert (lines[-1]["verdict"], lines[-1]["indicators"], lines[-1]["toml"][0]) == (
        "found", ["toledo"], "[lane.indicator]",
    )  # fmt: skip


@pytest.mark.parametrize(("indicator", "warned"), [("yaohua_tf0", True), ("toledo", False)])
def test_an_indicator_that_does_not_say_net_is_named(
    indicator: str, warned: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = sent(indicator)
    (about,) = (each for each in candidates(data) if each.indicator == indicator)
    found = detection(Verdict.FOUND, data, about=(about,))
    assert (HIDES_NET.en in detected(monkeypatch, found).output) is warned
    told = [json.loads(line) for line in detected(monkeypatch, found, "--json").output.splitlines()]
    assert {each["says_net"] for each in told if each.get("candidate") == indicator} == {not warned}


@pytest.mark.parametrize(("indicator", "warned"), [("yaohua_tf0", True), ("ad_std", True), ("toledo", False)])
def test_check_names_the_lane_whose_tare_key_must_be_locked(indicator: str, warned: bool, tmp_path: Path) -> None:
    plant = plant_file(tmp_path, f'type = "serial"\nport = "/dev/scale-1"\nindicator = "{indicator}"')
    result = CliRunner().invoke(main, ["check", str(plant)])
    assert "lane 1: serial scale" in result.output, result.output
    assert ": ok" not in result.output, "its keys are not there"
    assert (f"lane 1: ⚠ {HIDES_NET.zh} {HIDES_NET.en}" in result.output) is warned


def test_nothing_is_told_over_a_port_that_another_program_reads(tmp_path: Path) -> None:
    """A running plant's scale is not zeroed behind its ledger."""
    words = ("zero", "--indicator", "toledo", "--yes")
    with SimulatedIndicator("toledo", tmp_path / "port", rate_hz=50, weight_kg=60) as simulated:
        with opened(simulated.port, "toledo") as plant:
            result = run("command", simulated.port, *words)
            assert result.exit_code == 2 and "another program has it open" in result.output
            shows(plant, 60)
        assert run("command", simulated.port, *words).exit_code == 0, "the control"
    help_page = re.sub(r"\s+", " ", run("command", "--help").output)
    assert "NO LEDGER KNOWS OF IT" in help_page and "socket://" in help_page


def test_two_are_both_named_and_the_lines_leave_it_open(monkeypatch: pytest.MonkeyPatch) -> None:
    result = detected(monkeypatch, detection(Verdict.AMBIGUOUS, sent("eq_reversed", [Shown(290)] * 6)))
    assert result.exit_code == 1
    assert result.output.startswith("分不清 CANNOT BE TOLD APART: eq_plain  |  eq_reversed")
    assert "the display shows 290: it is eq_reversed" in result.output
    pasted = result.output[result.output.index("[lane.indicator]") :].split("⚠")[0]
    assert '# indicator = "eq_plain" or "eq_reversed"' in pasted
    (block,) = tomllib.loads(pasted).values()
    assert block["indicator"] == {"type": "serial", "port": "/dev/ttyUSB0"} | LINE, "one block, and it names neither"
    with pytest.raises(ValueError, match="indicator"):
        SerialIndicatorConfig.model_validate(block["indicator"])


def test_where_the_name_plate_decides_nobody_is_told_that_the_readings_tell_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    about = candidates(sent("dini_std", [Shown(31_240)] * 6))
    assert {each.indicator for each in about} >= {"ad_std", "dini_std"}
    found = detection(
        Verdict.AMBIGUOUS, about=tuple(each for each in about if each.indicator in ("ad_std", "dini_std"))
    )
    output = detected(monkeypatch, found).output
    assert "Look at the name plate" in output and "tells nothing" not in output


@pytest.mark.parametrize(
    ("verdict", "more", "exit_code", "said"),
    [
        (Verdict.SILENT, {}, 1, "SILENT LINE"),
        (Verdict.NO_FRAMES, {}, 1, "BYTES BUT NO FRAMES at any baud rate"),
        (Verdict.UNSURE, {}, 1, "NOT SURE"),
        (Verdict.CANNOT_OPEN, {"reason": "No such file or directory"}, 2, "CANNOT OPEN: No such file or directory"),
    ],
)
def test_each_trouble_has_its_own_words(
    verdict: Verdict, more: dict[str, Any], exit_code: int, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = detected(monkeypatch, detection(verdict, **more))
    assert (result.exit_code, said in result.output) == (exit_code, True), result.output
    others = {"SILENT LINE", "BYTES BUT NO FRAMES", "NOT SURE", "CANNOT OPEN", "FOUND"}
    assert sum(other in result.output for other in others) == 1


def test_a_port_that_cannot_be_one_and_the_help_that_says_it_sends() -> None:
    result = run("detect", "udp://x")
    assert result.exit_code == 2 and "allowed: a device path" in result.output
    words = re.sub(r"\s+", " ", run("detect", "--help").output)
    assert "this SENDS the requests for a weight" in words and "never zero, never tare" in words


def test_record_and_replay_from_the_command_line(tmp_path: Path) -> None:
    file = str(tmp_path / "visit.jsonl")
    with SimulatedIndicator("toledo", tmp_path / "port", rate_hz=50, weight_kg=14_520) as simulated:
        recorded = run("record", simulated.port, file, "--settings", "9600,8N1", "--seconds", "0.2")
        assert recorded.exit_code == 0 and "bytes in 0." in recorded.output
        assert run("record", simulated.port, file).exit_code == 2, "never over an older one"
        assert run("record", simulated.port, file + "x", "--settings", "fast").exit_code == 2
    played = run("replay", file, "--indicator", "toledo", "--speed", "0", "--json")
    assert {json.loads(line)["weight"] for line in played.output.splitlines()} == {"14520"}
    unknown = run("replay", file)
    assert unknown.exit_code == 2 and "the capture does not say which it was" in unknown.output


@pytest.mark.parametrize(("indicator", "code"), [("yaohua_tf0", 1), ("toledo", 0)])
def test_a_capture_of_another_protocol_is_a_no_and_not_nothing(indicator: str, code: int, tmp_path: Path) -> None:
    file, header = tmp_path / "visit.jsonl", {"capture": 1, "port": "x", "line": "9600,8N1", "indicator": "toledo"}
    header |= {"software": "x", "began_at": "2026-11-24T10:00:00+08:00"}
    file.write_text(f"{json.dumps(header)}\n{json.dumps({'at_ms': 3, 'hex': sent('toledo').hex()})}\n")
    plant = plant_file(tmp_path, f'type = "serial"\nport = "/dev/scale-1"\nindicator = "{indicator}"')
    judged = run("replay", str(file), "--config", str(plant))
    decoded = run("replay", str(file), "--indicator", indicator, "--speed", "0")
    for result in (judged, decoded):
        assert result.exit_code == code, result.output
        assert bool(result.stdout) is (code == 0)
        if code:
            assert result.stderr == f"{len(sent('toledo'))} bytes, no frame of yaohua_tf0; it was recorded as toledo\n"
    for more in (["--config", str(plant)], ["--serve"]):
        ignored = run("replay", str(file), "--indicator", "toledo", *more)
        assert ignored.exit_code == 2 and ignored.stderr.startswith("--indicator: not with --config")


def test_watch_off_a_terminal_prints_lines(tmp_path: Path) -> None:
    with SimulatedIndicator("yaohua_tf0", tmp_path / "port", rate_hz=50, weight_kg=1_560) as simulated:
        result = run("watch", simulated.port, "--indicator", "yaohua_tf0", "--seconds", "0.3", "--json")
    lines = [json.loads(line) for line in result.output.splitlines()]
    assert {line["kg"] for line in lines} == {1_560}
    assert [line["readings"] for line in lines] == list(range(1, len(lines) + 1))


def test_wrong_checksums_are_counted() -> None:
    wrong = tool.WrongChecksums(load_profile("yaohua_tf0"))
    good = bytes.fromhex(YAOHUA)
    for data in (good, good[:4] + b"9" + good[5:], good, good[:9] + b"00\x03"):
        wrong.heard(data)
    assert wrong.count == 2
    without = tool.WrongChecksums(load_profile("ad_std"))
    without.heard(b"ST,GS,+00123.0kg\r\n")
    assert without.count is None


def test_bytes_that_make_no_frame_are_a_no(tmp_path: Path) -> None:
    words = ["decode", "--indicator", "toledo", "--json"]
    cut = run(*words, "--hex", "022A34203939393939393030303030300D"[:-2])
    assert (cut.exit_code, cut.stdout, cut.stderr) == (1, "", "16 bytes, no frame of toledo\n")
    empty = tmp_path / "empty"
    empty.touch()
    assert run(*words, str(empty)).stderr == "0 bytes, no frame of toledo\n"


def test_a_capture_is_not_decoded_as_bytes(tmp_path: Path) -> None:
    file = tmp_path / "visit.jsonl"
    for text in ('{"capture":1,"port":"x"}\n', '{"at_ms": 3, "hex": "02"}\n'):
        file.write_text(text)
        result = run("decode", "--indicator", "toledo", str(file))
        assert (result.exit_code, result.stdout) == (2, "")
        assert "this is a capture" in result.stderr and "scale replay" in result.stderr


def test_watching_without_one_reading_is_a_no(tmp_path: Path) -> None:
    with SimulatedIndicator("yaohua_tf0", tmp_path / "port", rate_hz=50) as simulated:
        simulated.set_silent(True)
        result = run("watch", simulated.port, "--indicator", "yaohua_tf0", "--seconds", "0.3", "--json")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "not one reading: 时间太短 too short to tell why" in result.stderr


def test_why_there_was_no_reading_is_said_when_it_is_known() -> None:
    said = []
    for lines in (
        [_seen(None, readings=0)] * 2,
        [_seen(None, readings=0)] * 3,
        [_seen(None, readings=0, garbled=True)],
    ):
        counting = Counting(iter(lines))
        assert list(counting) == lines
        said.append(counting.state.split(" ")[1])
    assert said == ["too", "silent:", "bytes"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["watch", "tcp://127.0.0.1:502", "--indicator", "toledo"], "is a Modbus target: give --registers NAME"),
        (["watch", "/dev/ttyS9"], "`weighgate scale detect PORT` finds out"),
        (["simulate", "--indicator", "toledo", "--link", "/none/x"], "--link /none/x: there is no folder /none"),
        (["simulate", "--indicator", "toledo", "--ramp", "x"], "--ramp 'x': write it as KG:SECONDS"),
    ],
)
def test_a_newcomers_mistake_is_told_with_what_to_write(words: list[str], said: str) -> None:
    result = run(*words)
    assert (result.exit_code, len(result.output.splitlines())) == (2, 1)
    assert said in result.output


def test_a_zero_is_told_only_after_the_weight_was_shown(tmp_path: Path) -> None:
    with SimulatedIndicator("toledo", tmp_path / "port", rate_hz=50, weight_kg=60) as simulated:
        words = ["command", simulated.port, "zero", "--indicator", "toledo", "--baud", "9600"]
        doubted = run(*words, input="n\n")
        assert (doubted.exit_code, simulated.shown().weight_kg) == (1, 60)
        assert "it shows 60 kg. zero?" in doubted.output and "nothing was sent" in doubted.stderr
        assert run(*words, input="y\n").exit_code == 0 and simulated.shown().weight_kg == 0
        simulated.set_weight_kg(31_000)
        refused = run(*words, "--yes", "--json")
        assert (refused.exit_code, refused.stdout, simulated.shown().weight_kg) == (1, "", 30_940)
        assert "refused" in refused.stderr


def test_a_modbus_device_is_watched() -> None:
    named = run("watch", "/dev/ttyUSB0", "--indicator", "pt113")
    assert named.exit_code == 2 and "Modbus register map" in named.output and "--registers pt113" in named.output
    registers = ["--registers", "generic_transmitter", "--seconds", "0.5"]
    found = load_register_map("generic_transmitter").for_site(word_order="big", decimals=0)
    with SimulatedModbus(SimulatedRegisters(found, 31_240)) as server:
        left_open = run("watch", server.target, *registers)
        watched = run("watch", server.target, *registers, "--word-order", "big", "--decimals", "0", "--json")
    assert left_open.exit_code == 2 and "set decimals" in left_open.output
    assert watched.exit_code == 0, watched.output
    assert {json.loads(line)["kg"] for line in watched.stdout.splitlines()} == {31_240}


def test_ctrl_c_is_a_word_and_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped() -> list[Any]:
        raise KeyboardInterrupt

    monkeypatch.setattr(tool, "ports", stopped)
    result = CliRunner().invoke(main, ["scale", "list"])
    assert (result.exit_code, result.stdout, result.stderr) == (130, "", "\n停下了 stopped\n")


def _seen(kg: int | None, **more: Any) -> tool.ReadingLine:
    line: dict[str, Any] = {
        "kg": kg, "fault": None, "stable": None, "per_second": 10.0, "garbled": False, "raw": "02", "readings": 1,
        "faults": 0, "checksums_wrong": None, **more,
    }  # fmt: skip
    return line  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (_seen(20, stable=True), "stable"),
        (_seen(20, stable=False), "moving"),
        (_seen(20), "changing"),
        (_seen(None, fault="overload"), "overload"),
        (_seen(None, garbled=True), "bytes but no frames"),
        (_seen(None), "silent"),
        (_seen(20, checksums_wrong=3), "wrong checksums 3"),
    ],
)
def test_the_screen_says_what_the_scale_does(line: tool.ReadingLine, said: str) -> None:
    (screen,) = screens([line], "port")
    assert said in "\n".join(screen)


def test_for_two_seconds_nothing_is_no_silence_yet() -> None:
    shown = ["\n".join(screen) for screen in screens([_seen(None, readings=0)] * 3, "port")]
    assert ["starting" in each for each in shown] == [True, True, False] and "silent" in shown[2]
    (garbled,) = screens([_seen(None, readings=0, garbled=True)], "port")
    assert "bytes but no frames" in "\n".join(garbled)


def test_five_equal_weights_stand_still_and_figures_are_large() -> None:
    *_, last = screens([_seen(20)] * 5, "port")
    assert "standing still" in "\n".join(last)
    assert len(big(-14_520)) == 3 and big(None) != big(0)


def test_the_list_of_ports_says_what_to_do_when_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tool, "ports", list)
    assert "no serial port: plug the USB adapter in" in run("list").output
    one = {"port": "/dev/ttyUSB0", "by_id": None, "by_path": "/dev/serial/by-path/x", "description": "CH340"}
    monkeypatch.setattr(tool, "ports", lambda: [one])
    assert "/dev/serial/by-path/x" in run("list").output
    assert json.loads(run("list", "--json").output) == one


def test_columns_stand_under_each_other_in_both_languages() -> None:
    assert list(table([("重量", "x"), ("abcdef", "y")])) == ["重量    x", "abcdef  y"]
