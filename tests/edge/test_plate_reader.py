"""Which reading net the plant starts with: the one taught here, or the shipped one and an alarm."""

from pathlib import Path
from typing import Any

import pytest

from drivers.camera.plates import eye
from drivers.camera.plates.installed import Models
from drivers.camera.plates.thresholds import SHIPPED_READER, shipped
from drivers.ports import DeviceRefused
from drivers.registry import build_camera
from edge import main
from edge.settings import load_settings
from edge.station.desk import Desk
from edge.station.live import LiveHub
from edge.store.clock import Clock
from edge.store.database import Database
from tests.drivers.camera.plates.test_installed import net
from tests.edge.one_lane import write_config
from tests.edge.station.rig import make_plant

pytestmark = pytest.mark.anyio
CAMERA = 'camera = { type = "opencv", url = "http://127.0.0.1:9/frame.jpg" }'


async def test_the_plant_reads_with_the_net_taught_here_and_with_the_shipped_one_when_it_is_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = write_config(tmp_path, 1, "admin")
    text = config.read_text("utf-8")
    config.write_text(text.replace("[[gate]]", f"{CAMERA}\n[[gate]]").replace("[[person]]", f"{CAMERA}\n[[person]]"))
    settings = load_settings(config)
    readers: list[Path] = []

    def keep(name: str, section: Any, reader: Path) -> Any:
        readers.append(reader)
        return build_camera(name, section, reader)

    monkeypatch.setattr(main, "build_camera", keep)
    settings.books_file.parent.mkdir()
    database = Database(settings.books_file, Clock())
    try:
        desk = Desk(make_plant(), database, LiveHub())
        main.build_station(settings, desk)
        assert (readers, desk.alarms) == ([SHIPPED_READER] * 2, ())
        models = Models(settings.plant.data / "plate-models")
        name = models.install(net(tmp_path, 1), {})
        taught = models.choose().model
        main.build_station(settings, desk)
        assert (readers[2:], desk.alarms) == ([taught] * 2, ())
        taught.write_bytes(taught.read_bytes()[:-1])
        main.build_station(settings, desk)
        assert readers[4:] == [SHIPPED_READER] * 2
        (alarm,) = desk.alarms
        assert alarm.source == "plate reader"
        assert name in alarm.words.en and "damaged or foreign" in alarm.words.en
    finally:
        database.close()


async def test_damaged_shipped_thresholds_are_an_alarm_at_the_start_and_a_failing_camera_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The plant goes on, and people compare the plates."""
    damaged = tmp_path / "thresholds.toml"
    damaged.write_text("temperature = 1.0\nmargin = inf\nlead = 3.0\nplate = -0.4\n", "utf-8")
    monkeypatch.setattr(eye, "shipped", lambda: shipped(damaged))
    reader = tmp_path / "reader.onnx"  # another file, for the net of all cameras is loaded once
    reader.write_bytes(SHIPPED_READER.read_bytes())
    config = write_config(tmp_path, 1, "admin")
    text = config.read_text("utf-8")
    config.write_text(text.replace("[[gate]]", f"{CAMERA}\n[[gate]]"))
    settings = load_settings(config)
    settings.books_file.parent.mkdir()
    database = Database(settings.books_file, Clock())
    try:
        desk = Desk(make_plant(), database, LiveHub())
        main.build_station(settings, desk)
        (alarm,) = desk.alarms
        assert alarm.source == "plate reader" and "margin = inf" in alarm.words.en
        camera = settings.lane[0].camera
        assert camera is not None
        with pytest.raises(DeviceRefused, match="margin = inf"):
            build_camera("camera 1", camera, reader).capture()
    finally:
        database.close()
