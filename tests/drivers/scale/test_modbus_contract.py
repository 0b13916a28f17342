"""Every register map through a real Modbus server: what is Modbus' own and not in `test_scale_contract.py`.

A new map needs no new test; where its file leaves things to the site, `SITE` of `test_registers.py` says them.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from drivers.modbus import registers_folder
from drivers.ports import CommandNo, CommandRefused, ScaleCommand
from drivers.readings import WeightFault
from drivers.scale import modbus_indicator
from drivers.scale.commission import observed, word_order_evidence
from drivers.scale.modbus_indicator import ModbusIndicator
from drivers.scale.registers import load_register_map, register_map_names
from drivers.scale.simulated_registers import SimulatedModbus, SimulatedRegisters
from tests.drivers.scale.modbus_rig import WIRES, Rig, config, rig, shows, until
from tests.drivers.scale.test_registers import SITE


@pytest.fixture(params=register_map_names())
def tcp(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    with rig("tcp", tmp_path, request.param, **SITE.get(request.param, {"decimals": 0})) as made:
        yield made


def says(rig: Rig, meaning: str) -> bool:
    return meaning in rig.device.map.meanings


def test_weights_of_every_size_and_sign(tcp: Rig) -> None:
    for kg in (14_560, 0, 65_535, 65_536, 70_000, 131_071, -20):
        tcp.device.set_weight_kg(kg)
        reading = shows(tcp.scale, kg)
        assert reading.fault is None
        assert reading.raw[:2] == bytes([tcp.device.device_id, tcp.device.map.function])
        assert len(reading.raw) == 3 + 2 * tcp.device.map.count == 3 + reading.raw[2]


def test_motion_is_told_where_the_map_tells_it(tcp: Rig) -> None:
    tcp.device.set_weight_kg(5_000)
    assert shows(tcp.scale, 5_000).stable is (True if says(tcp, "stable") else None)
    tcp.device.set_moving(True)
    if says(tcp, "moving"):
        assert until(tcp.scale, lambda reading: reading.stable is False).gross_kg == 5_000


def test_out_of_range_and_broken_are_no_weight(tcp: Rig) -> None:
    tcp.device.set_weight_kg(5_000)
    shows(tcp.scale, 5_000)
    cases = (
        ("overload", tcp.device.set_overload, WeightFault.OVERLOAD),
        ("underload", tcp.device.set_underload, WeightFault.UNDERLOAD),
        ("error", lambda on: setattr(tcp.device, "faulty", on), WeightFault.NOT_GROSS),
    )
    for meaning, switch, fault in cases:
        if not says(tcp, meaning):
            continue
        switch(True)
        assert until(tcp.scale, lambda reading: reading.gross_kg is None).fault is fault
        switch(False)
        shows(tcp.scale, 5_000)


def test_its_commands_act_on_the_load(tcp: Rig) -> None:
    told = {telling.command for telling in tcp.device.map.command}
    hides_net = tcp.device.map.weight.of == "display"
    assert tcp.scale.commands == told - ({ScaleCommand.TARE} if hides_net else set())
    if ScaleCommand.ZERO in tcp.scale.commands:
        tcp.device.set_weight_kg(120)
        shows(tcp.scale, 120)
        tcp.scale.command(ScaleCommand.ZERO)
        shows(tcp.scale, 0)
    tcp.device.set_weight_kg(6_120 if ScaleCommand.ZERO in tcp.scale.commands else 6_000)
    shows(tcp.scale, 6_000)
    if ScaleCommand.TARE in tcp.scale.commands:
        tcp.scale.command(ScaleCommand.TARE)
        assert until(tcp.scale, lambda _: True).gross_kg == 6_000, "gross is not touched by a tare"
    if ScaleCommand.CLEAR_TARE in tcp.scale.commands:
        tcp.device.tare()
        tcp.scale.command(ScaleCommand.CLEAR_TARE)
        shows(tcp.scale, 6_000)
    for command in set(ScaleCommand) - tcp.scale.commands:
        with pytest.raises(CommandRefused, match="does not know"):
            tcp.scale.command(command)


@pytest.mark.parametrize("name", ["hbm_wtx", "flintec_ft112"])
def test_decimals_come_from_the_registers(name: str, tmp_path: Path) -> None:
    with rig("tcp", tmp_path, name, decimals_shown=3, word_order="little") as made:
        made.device.set_weight_kg(14_560)
        reading = shows(made.scale, 14_560)
    words = observed(None, reading).registers
    at = made.device.map.weight.address - made.device.map.first
    assert words[at + 1] << 16 | words[at] == 14_560_000, "three decimals of a kilogram"


def test_commissioning_of_a_simulated_device(tmp_path: Path) -> None:
    """As `weighgate scale commission` does it: the map's own word order is set wrongly, and it does not matter."""
    found = load_register_map("generic_transmitter").for_site(decimals=0)
    device = SimulatedRegisters(found)
    observations = []
    with SimulatedModbus(device) as server:
        scale = ModbusIndicator("x", config(server.target, "generic_transmitter", decimals=0, word_order="big"))
        scale.open()
        for known_kg in (None, 2_000, 70_520):
            device.set_weight_kg(known_kg or 0)
            scale.read()
            observations.append(observed(known_kg, until(scale, lambda _: True)))
        scale.close()
    verdict = word_order_evidence(found, observations, 20)
    assert verdict.proven and verdict.candidates[0].settings == {"word_order": "little", "decimals": 0}


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("name", ["generic_transmitter", "hbm_wtx"])
def test_the_first_two_on_every_wire(wire: str, name: str, tmp_path: Path) -> None:
    with rig(wire, tmp_path, name, **SITE.get(name, {"decimals": 0})) as made:
        for kg in (70_000, -20, 0):
            made.device.set_weight_kg(kg)
            shows(made.scale, kg)


@pytest.mark.parametrize(
    ("name", "why"), [("hbm_wtx", CommandNo.NOT_NOW), ("generic_transmitter", CommandNo.NO_EFFECT)]
)
def test_a_command_that_does_nothing_is_refused(
    name: str, why: CommandNo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Too heavy to zero: one gives no handshake, the other says yes to the write and does nothing."""
    monkeypatch.setattr(modbus_indicator, "EFFECT_MS", 200)
    quick = (registers_folder() / f"{name}.toml").read_text("utf-8").replace("within_ms = 2000", "within_ms = 200")
    (tmp_path / f"{name}.toml").write_text(quick, "utf-8")
    with rig("tcp", tmp_path, name, registers_folder=tmp_path, **SITE.get(name, {"decimals": 0})) as made:
        made.device.set_weight_kg(30_000)
        shows(made.scale, 30_000)
        with pytest.raises(CommandRefused) as refused:
            made.scale.command(ScaleCommand.ZERO)
        assert refused.value.why is why
        shows(made.scale, 30_000)


UNLOCKED = """
[[command]]
command = "zero"
steps = [
    { kind = "write", address = 0x17, value = 0x5AA5, function = 16 },
    { kind = "wait", ms = 20 },
    { kind = "write", address = 0x16, value = 1 },
    { kind = "write", address = 0x17, value = 0 },
]
"""


def test_a_write_protected_device_is_unlocked_told_and_locked(tmp_path: Path) -> None:
    text = (registers_folder() / "znsv6t1.toml").read_text("utf-8") + UNLOCKED
    (tmp_path / "znsv6t1.toml").write_text(text, "utf-8")
    with rig("serial", tmp_path, "znsv6t1", tmp_path, **SITE["znsv6t1"]) as made:
        made.device.set_weight_kg(120)
        shows(made.scale, 120)
        made.scale.command(ScaleCommand.ZERO)
        assert list(made.device.writes) == [(0x17, 0x5AA5), (0x16, 1), (0x17, 0)]
        shows(made.scale, 0)


def test_noise_never_changes_more_than_it_is(tmp_path: Path) -> None:
    with rig("tcp", tmp_path) as made:
        made.device.set_weight_kg(65_536)
        made.device.set_noise_kg(3)
        seen = {until(made.scale, lambda _: True).gross_kg for _ in range(15)}
    assert seen <= set(range(65_533, 65_540)) and len(seen) > 1, "across the border of the words"


def test_every_map_is_tested() -> None:
    assert set(SITE) <= set(register_map_names())
    assert all(load_register_map(name).name == name for name in register_map_names())
