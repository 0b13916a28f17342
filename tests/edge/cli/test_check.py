"""`weighgate check` of the cameras: what can be known without opening them."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from edge.cli.commands import main
from tests.edge.cli.plant import plant_file


def _checked(folder: Path, url: str, login: str = "") -> Result:
    plant = plant_file(folder, 'type = "serial"\nport = "/dev/scale-1"\nindicator = "toledo"')
    camera = f'\n[lane.camera]\ntype = "opencv"\nurl = "{url}"\n{login}\n'
    plant.write_text(plant.read_text("utf-8").replace("\n[[person]]", f"{camera}[[person]]"), encoding="utf-8")
    return CliRunner().invoke(main, ["check", str(plant)])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read: No such file or directory"),
        ("", "is not one line, user:password"),
        ("gate", "is not one line, user:password"),
        ("gate:s3cret\nmore", "is not one line, user:password"),
    ],
)
def test_a_login_file_that_cannot_be_used(tmp_path: Path, content: str | None, said: str) -> None:
    if content is not None:
        (tmp_path / "a.login").write_text(content, encoding="utf-8")
    result = _checked(tmp_path, "rtsp://127.0.0.1/1", 'login = "a.login"')
    assert result.exit_code == 2 and "lane[0].camera.login: " in result.output and said in result.output
    assert "s3cret" not in result.output


@pytest.mark.parametrize(("mode", "warned"), [(0o400, False), (0o644, True), (0o440, True)])
def test_a_login_that_others_can_read_is_told(tmp_path: Path, mode: int, warned: bool) -> None:
    (tmp_path / "a.login").write_text("gate:s3cret", encoding="utf-8")
    (tmp_path / "a.login").chmod(mode)
    result = _checked(tmp_path, "rtsp://127.0.0.1/1", 'login = "a.login"')
    assert ("lane[0].camera.login: ⚠" in result.output) is warned
    assert "lacks plant.key" in result.output, "the camera is no reason to stop here"


def test_a_device_that_is_not_there(tmp_path: Path) -> None:
    result = _checked(tmp_path, "/dev/video-none")
    assert result.exit_code == 2 and "lane[0].camera.url: there is no /dev/video-none" in result.output
    assert "there is no" not in _checked(tmp_path, "/dev/null").output
