"""`weighgate scale simulate`: an indicator at a port until somebody stops it."""

from pathlib import Path
from threading import Thread

import pytest
from click.testing import CliRunner

from drivers.scale.modbus_indicator import ModbusIndicator
from drivers.scale.simulated import SimulatedLoad, drive, parse_ramp
from edge.cli.scale import scale
from tests.drivers.scale.lines import opened, readings
from tests.drivers.scale.modbus_rig import config


def test_it_can_be_read_while_it_runs(tmp_path: Path) -> None:
    port = tmp_path / "scale-1"
    words = ["simulate", "--indicator", "yaohua_tf0", "--link", str(port), "--weight", "14520", "--settings",
             "4800,8N1", "--seconds", "1"]  # fmt: skip
    results = []
    running = Thread(target=lambda: results.append(CliRunner().invoke(scale, words)))
    running.start()
    while not port.is_symlink() and running.is_alive():
        running.join(0.01)
    with opened(str(port), "yaohua_tf0", baud=4800) as device:
        assert {reading.gross_kg for reading in readings(device, 0.4)} == {14_520}
    running.join(5)
    (result,) = results
    assert (result.exit_code, result.output) == (0, f"{port}  yaohua_tf0  4800,8N1\n")
    assert not port.is_symlink()


def test_a_modbus_device_can_be_read_while_it_runs(tmp_path: Path) -> None:
    link = tmp_path / "bus"
    words = ["simulate", "--registers", "generic_transmitter", "--word-order", "big", "--decimals", "0", "--link",
             str(link), "--weight", "31240", "--address", "3", "--seconds", "1"]  # fmt: skip
    results = []
    running = Thread(target=lambda: results.append(CliRunner().invoke(scale, words)))
    running.start()
    while not link.is_symlink() and running.is_alive():
        running.join(0.01)
    target = f"serial://{link}?baud=115200"
    device = ModbusIndicator("bus", config(target, "generic_transmitter", device_id=3, word_order="big", decimals=0))
    device.open()
    try:
        assert {reading.gross_kg for reading in readings(device, 0.4)} == {31_240}
    finally:
        device.close()
    running.join(5)
    assert (results[0].exit_code, results[0].output) == (0, f"{target}  generic_transmitter  device 3\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "give --indicator NAME, or for a Modbus device --registers NAME"),
        (["--registers", "abacus"], "unknown registers 'abacus'; valid: "),
        (["--registers", "generic_transmitter"], "set decimals"),
        (["--indicator", "pt113"], "pt113 is a Modbus register map"),
        (["--indicator", "abacus"], "unknown indicator 'abacus'"),
        (["--indicator", "toledo", "--address", "3"], "has no address"),
        (["--indicator", "toledo", "--settings", "9600"], "write it as 9600,8N1"),
        (["--indicator", "toledo", "--ramp", "40t"], "write it as KG:SECONDS"),
        (["--indicator", "toledo", "--link", "/dev/null/none"], "there is no folder"),
    ],
)
def test_a_mistake_is_told_in_one_line(words: list[str], said: str) -> None:
    result = CliRunner().invoke(scale, ["simulate", *words])
    assert result.exit_code == 2
    assert said in result.output
    assert len(result.output.splitlines()) == 1


def test_a_ramp_drives_on_and_off() -> None:
    load = SimulatedLoad(1_000)
    assert parse_ramp("40000:12") == (40_000, 12.0)
    drive(load, 1_000, (40_000, 0.1), 0.15)
    assert load.shown().weight_kg == 40_000
    drive(load, 1_000, (40_000, 0.1), 0.35)
    assert load.shown().weight_kg == 1_000
