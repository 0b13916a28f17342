"""Which device types there are: one table for each kind of device. Adding a driver is one file and one line here."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from drivers.ports import Scale
from drivers.scale.serial_indicator import SerialIndicator, SerialIndicatorConfig
from drivers.scale.simulated import SimulatedScale, SimulatedScaleConfig

ScaleConfig = Annotated[SerialIndicatorConfig | SimulatedScaleConfig, Field(discriminator="type")]


def build_scale(
    name: str, config: SerialIndicatorConfig | SimulatedScaleConfig, indicators: Path | None = None
) -> Scale:
    """The scale of a configuration; nothing is opened yet.

    `name` is what people call it ("lane 1 scale"). `indicators` is the folder of the profiles, the program's own if
    None. Raises ValueError for an unknown indicator, with the valid names.
    """
    match config:
        case SerialIndicatorConfig():
            return SerialIndicator(name, config, indicators)
        case SimulatedScaleConfig():
            return SimulatedScale(name, config, indicators)
