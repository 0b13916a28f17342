"""A plant's configuration with one mistake each: one line that names file, path, value and what is allowed."""

from pathlib import Path

import pytest

from drivers.camera.opencv_camera import OpenCvCameraConfig
from drivers.printer.simulated import SimulatedPrinterConfig
from edge.settings import SettingsError, load_settings

EXAMPLE = Path(__file__).resolve().parents[2] / "config" / "plant.example.toml"


def problems(tmp_path: Path, old: str, new: str) -> list[str]:
    """The lines about the example with one text replaced, without the file's name."""
    text = EXAMPLE.read_text(encoding="utf-8")
    assert old in text, f"the example no longer has {old!r}"
    file = tmp_path / "plant.toml"
    file.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        load_settings(file)
    lines = str(caught.value).splitlines()
    assert all(line.startswith(f"{file}: ") for line in lines)
    return [line.removeprefix(f"{file}: ") for line in lines]


def test_the_example_is_right() -> None:
    settings = load_settings(EXAMPLE)
    assert settings.books_file == EXAMPLE.parent / "data" / "plant.db"
    assert settings.witness_file == EXAMPLE.parent / "data.witness" / "plant.json"


def test_a_printers_folder_is_relative_to_the_configuration_too(tmp_path: Path) -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    begin = text.index("[lane.printer]")
    end = text.index("\n[", begin)
    file = tmp_path / "plant.toml"
    file.write_text(
        text[:begin] + '[lane.printer]\ntype = "simulated"\nfolder = "paper"\n' + text[end:], encoding="utf-8"
    )
    printer = load_settings(file).lane[0].printer
    assert isinstance(printer, SimulatedPrinterConfig) and printer.folder == tmp_path / "paper"


def test_a_cameras_login_is_a_file_beside_the_configuration() -> None:
    settings = load_settings(EXAMPLE)
    (lane, gate) = (settings.lane[0].camera, settings.gate[0].camera)
    assert isinstance(lane, OpenCvCameraConfig) and lane.login == EXAMPLE.parent / "keys" / "camera-1.login"
    assert isinstance(gate, OpenCvCameraConfig) and gate.login == EXAMPLE.parent / "keys" / "camera-south.login"


def test_the_entrance_has_a_camera_only_where_it_is_said(tmp_path: Path) -> None:
    """The example shows one, as a comment that is right when the marks are taken away."""
    assert load_settings(EXAMPLE).yard.camera is None
    text = EXAMPLE.read_text(encoding="utf-8")
    begin = text.index("# [yard.camera]")
    shown = text[begin : text.index("\n\n", begin)]
    file = tmp_path / "plant.toml"
    file.write_text(text.replace(shown, shown.replace("# ", "")), encoding="utf-8")
    camera = load_settings(file).yard.camera
    assert isinstance(camera, OpenCvCameraConfig) and camera.login == tmp_path / "keys" / "camera-entrance.login"


def test_compared_plates_are_not_kept_unless_it_is_said(tmp_path: Path) -> None:
    settings = load_settings(EXAMPLE)
    assert not settings.plates.keep_crops and settings.crops_folder == EXAMPLE.parent / "data" / "crops"
    (line,) = problems(tmp_path, "crops_mib = 64", "crops_mib = 0")
    assert line.startswith("plates.crops_mib: 0")
    (line,) = problems(tmp_path, "keep_crops = false", 'keep_crops = "ja"')
    assert line.startswith("plates.keep_crops: ")


def test_a_password_in_a_cameras_address_is_refused_and_not_repeated(tmp_path: Path) -> None:
    (said,) = problems(tmp_path, '"rtsp://192.168.1.61/', '"rtsp://admin:top/s@cret@192.168.1.61/')
    assert said.startswith("lane[0].camera.url: ") and "login = a file with one line, user:password" in said
    assert "admin" not in said and "cret" not in said


@pytest.mark.parametrize("url", ["ftp://cam/x?pwd=top-secret", "http://cam/x?user=a&pwd=top-secret&name=a b"])
def test_what_stands_behind_a_question_mark_is_not_repeated(tmp_path: Path, url: str) -> None:
    """Some cameras take their password there."""
    (said,) = problems(tmp_path, '"rtsp://192.168.1.61/', f'"{url}/')
    assert said.startswith("lane[0].camera.url: ") and "/x?…" in said
    assert "secret" not in said


def test_the_witness_stands_beside_the_data_unless_it_is_said(tmp_path: Path) -> None:
    file = tmp_path / "plant.toml"
    text = EXAMPLE.read_text(encoding="utf-8").replace('witness = "data.witness/plant.json"\n', "")
    file.write_text(text.replace('data = "data"', f'data = "{tmp_path}/big/books"'), encoding="utf-8")
    assert load_settings(file).witness_file == tmp_path / "big" / "books.witness" / "plant.json"


@pytest.mark.parametrize("inside", ["data/plant.json", "data/../data/w/plant.json"])
def test_a_witness_inside_the_data_would_be_copied_with_it(tmp_path: Path, inside: str) -> None:
    (said,) = problems(tmp_path, '"data.witness/plant.json"', f'"{inside}"')
    assert said.startswith("plant.witness: ") and "outside plant.data" in said


@pytest.mark.parametrize(
    ("old", "new", "path", "allowed"),
    [
        ("off = []", 'off = ["stepp"]', "lane[0].watch.off[0]", "'zero_drift', 'step', 'slope'"),
        ("step_kg = 250", "step_kg = 3", "lane[0].watch.step_kg", "20"),
        ("inputs = [0, 1]", "inputs = [0, 99]", "lane[0].loops", "inputs 99: relay_generic has 0 to"),
        ("minimum_net_kg", "minimum_kg", "plant.minimum_kg", "unknown key — allowed here: code, data,"),
        ("number = 1\n", 'number = "one"\n', "plant.number", "'one' — "),
        ('code = "HX01"', 'code = "hx 1"', "plant.code", "'hx 1' — "),
        ('"Asia/Shanghai"', '"Asia/Shanghia"', "plant.timezone", "a time zone name such as Asia/Shanghai"),
        ('finance = "rule"', 'finance = "nobody"', "seals.finance", "'rule' or 'person'"),
        (
            'type = "serial"',
            'type = "serail"',
            "lane[0].indicator",
            "type = 'serail' — allowed: 'serial', 'modbus', 'simulated'",
        ),
        ('type = "serial"', 'type = "serial"\nbuad = 9600', "lane[0].indicator.buad", "allowed here: accept_net, "),
        ("division_kg = 20", "division_kg = 0", "lane[0].scale.division_kg", "greater than or equal to 1"),
        (
            "division_kg = 20",
            "division_kg = 7",
            "lane[0].scale.division_kg",
            "7 — a scale's division is one of 1, 2, 5,",
        ),
        ("division_kg = 20", 'division_kg = "20"', "lane[0].scale.division_kg", "'20' — should be a valid integer"),
        ("frames_in_a_row = 5", "frames_in_a_row = 4", "lane[0].scale.frames_in_a_row", "greater than or equal to 5"),
        ("division_kg = 20", "division_kg = true", "lane[0].scale.division_kg", "True — should be a valid integer"),
        ("division_kg = 20", "division_kg = 2.5", "lane[0].scale.division_kg", "2.5 — "),
    ],
)
def test_one_mistake_is_one_line(tmp_path: Path, old: str, new: str, path: str, allowed: str) -> None:
    (line,) = problems(tmp_path, old, new)
    assert line.startswith(f"{path}: ")
    assert allowed in line


def test_a_missing_key_says_that_it_is_required(tmp_path: Path) -> None:
    assert problems(tmp_path, 'code = "HX01"\n', "") == ["plant.code: is missing — this key is required"]


def test_an_unknown_indicator_names_the_known_ones(tmp_path: Path) -> None:
    (line,) = problems(tmp_path, '\nindicator = "toledo"', '\nindicator = "toleda"')
    assert "unknown indicator 'toleda'; valid: " in line
    assert "yaohua_tf0" in line


MODBUS = 'type = "modbus"\ntarget = "tcp://10.0.0.5"\n'


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ('registers = "hbm_wtz"', "unknown registers 'hbm_wtz'; valid: cas_ci600d, dini_dgt4x, flintec_ft112,"),
        ('registers = "kpr"\ndecimals = 0', 'registers \'kpr\': set word_order to "big" or "little"; `weighgate'),
        ('registers = "hbm_wtx"\nport = 5', "allowed here: accept_net, byte_order, decimals, device_id,"),
    ],
)
def test_what_is_wrong_with_a_scale_on_modbus(tmp_path: Path, settings: str, said: str) -> None:
    old = 'type = "serial"\nport = "socket://192.168.1.42:4001"\nindicator = "toledo"'
    (line,) = problems(tmp_path, old, MODBUS + settings)
    assert line.startswith("lane[1].indicator") and said in line


def test_a_scale_on_modbus_is_taken(tmp_path: Path) -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    old = 'type = "serial"\nport = "socket://192.168.1.42:4001"\nindicator = "toledo"'
    (tmp_path / "plant.toml").write_text(text.replace(old, MODBUS + 'registers = "hbm_wtx"'), encoding="utf-8")
    assert load_settings(tmp_path / "plant.toml").lane[1].indicator.type == "modbus"


def test_two_lanes_of_one_name(tmp_path: Path) -> None:
    (line,) = problems(tmp_path, 'id = "2"', 'id = "1"')
    assert "every lane.id must be different; 1 stands twice" in line
