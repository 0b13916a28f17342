"""The example configuration is complete: it can be read, and no key that exists is missing from it."""

import re
import tomllib
from pathlib import Path

import pytest
from pydantic import BaseModel

from drivers.camera.opencv_camera import OpenCvCameraConfig
from drivers.gate.modbus_barrier import ModbusRelayConfig
from drivers.gate.modbus_loops import ModbusLoopsConfig
from drivers.printer.escpos_printer import EscposConfig
from drivers.scale.serial_indicator import SerialIndicatorConfig
from edge import settings

EXAMPLE = Path(__file__).parents[2] / "config" / "plant.example.toml"


def test_it_can_be_read() -> None:
    example = settings.load_settings(EXAMPLE)
    assert [lane.id for lane in example.lane] == ["1", "2"]


@pytest.mark.parametrize(
    ("model", "path"),
    [
        (settings.PlantSettings, ()),
        (settings.PlantSection, ("plant",)),
        (settings.HeadOfficeSection, ("head_office",)),
        (settings.WebSection, ("web",)),
        (settings.PicturesSection, ("pictures",)),
        (settings.LaneSection, ("lane", 0)),
        (settings.ScaleSection, ("lane", 0, "scale")),
        (settings.WatchSection, ("lane", 0, "watch")),
        (ModbusLoopsConfig, ("lane", 0, "loops")),
        (SerialIndicatorConfig, ("lane", 0, "indicator")),
        (EscposConfig, ("lane", 0, "printer")),
        (OpenCvCameraConfig, ("lane", 0, "camera")),
        (settings.GateSection, ("gate", 0)),
        (ModbusRelayConfig, ("gate", 0, "barrier")),
        (settings.Person, ("person", 0)),
    ],
)
def test_it_shows_every_key(model: type[BaseModel], path: tuple[str | int, ...]) -> None:
    """As a line of the file, or as one that is commented out because it does not go with the others."""
    text = EXAMPLE.read_text(encoding="utf-8")
    table = tomllib.loads(text)
    for part in path:
        table = table[part]  # type: ignore[index]
    commented_out = set(re.findall(r"^#   (\w+) = |^# \[(\w+)", text, re.MULTILINE))
    assert set(table) <= set(model.model_fields)
    assert set(model.model_fields) - set(table) <= {key or section for key, section in commented_out}
