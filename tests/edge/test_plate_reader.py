"""Which reading net the plant starts with: the one taught here, or the shipped one and an alarm."""

from pathlib import Path
from typing import Any

import pytest

from drivers.camera.plates.installed import Models
from drivers.camera.plates.thresholds import SHIPPED_READER
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
