"""Which device types there are: one table for each kind of device. Adding a driver is one file and one line here."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from drivers.camera.opencv_camera import OpenCvCamera, OpenCvCameraConfig
from drivers.camera.plates.thresholds import SHIPPED_READER
from drivers.camera.simulated import SimulatedCamera, SimulatedCameraConfig
from drivers.gate.modbus_barrier import ModbusBarrier, ModbusRelayConfig
from drivers.gate.modbus_loops import ModbusLoops, ModbusLoopsConfig, SimulatedLoops, SimulatedLoopsConfig
from drivers.gate.simulated import SimulatedGate, SimulatedGateConfig
from drivers.ports import Camera, Gate, Loops, Printer, Scale
from drivers.printer.escpos_printer import EscposConfig, EscposPrinter
from drivers.printer.simulated import SimulatedPrinter, SimulatedPrinterConfig
from drivers.scale.frames import load_profile
from drivers.scale.modbus_indicator import ModbusIndicator, ModbusIndicatorConfig
from drivers.scale.serial_indicator import SerialIndicator, SerialIndicatorConfig
from drivers.scale.simulated import SimulatedScale, SimulatedScaleConfig

AnyScaleConfig = SerialIndicatorConfig | ModbusIndicatorConfig | SimulatedScaleConfig
ScaleConfig = Annotated[AnyScaleConfig, Field(discriminator="type")]
PrinterConfig = Annotated[EscposConfig | SimulatedPrinterConfig, Field(discriminator="type")]
LoopsConfig = Annotated[ModbusLoopsConfig | SimulatedLoopsConfig, Field(discriminator="type")]
GateConfig = Annotated[ModbusRelayConfig | SimulatedGateConfig, Field(discriminator="type")]
CameraConfig = Annotated[OpenCvCameraConfig | SimulatedCameraConfig, Field(discriminator="type")]


def build_scale(name: str, config: AnyScaleConfig, indicators: Path | None = None) -> Scale:
    """The scale of a configuration; nothing is opened yet.

    `name` is what people call it ("lane 1 scale"). `indicators` is the folder of the profiles, the program's own if
    None. Raises ValueError for an unknown indicator or register map, with the valid names.
    """
    match config:
        case SerialIndicatorConfig():
            return SerialIndicator(name, config, indicators)
        case ModbusIndicatorConfig():
            return ModbusIndicator(name, config)
        case SimulatedScaleConfig():
            return SimulatedScale(name, config, indicators)


def says_net(config: AnyScaleConfig) -> bool:
    """Whether this scale says when it is tared. Raises ValueError for an unknown indicator or register map."""
    match config:
        case SerialIndicatorConfig():
            return config.profile().says_net
        case ModbusIndicatorConfig():
            return config.map().says_net
        case SimulatedScaleConfig():
            return load_profile(config.indicator).says_net


def build_printer(name: str, config: EscposConfig | SimulatedPrinterConfig) -> Printer:
    """The printer of a configuration; it connects for each document."""
    match config:
        case EscposConfig():
            return EscposPrinter(name, config)
        case SimulatedPrinterConfig():
            return SimulatedPrinter(name, config)


def build_gate(name: str, config: ModbusRelayConfig | SimulatedGateConfig) -> Gate:
    """The barrier of a configuration; it connects with the first call."""
    match config:
        case ModbusRelayConfig():
            return ModbusBarrier(name, config)
        case SimulatedGateConfig():
            return SimulatedGate(name, config)


def build_loops(name: str, config: ModbusLoopsConfig | SimulatedLoopsConfig) -> Loops:
    """The deck's loops of a configuration; they connect with the first call."""
    match config:
        case ModbusLoopsConfig():
            return ModbusLoops(name, config)
        case SimulatedLoopsConfig():
            return SimulatedLoops(config)


def build_camera(
    name: str, config: OpenCvCameraConfig | SimulatedCameraConfig, reader: Path = SHIPPED_READER
) -> Camera:
    """The camera of a configuration; it connects with the first picture. `reader` is the net that reads its plates."""
    match config:
        case OpenCvCameraConfig():
            return OpenCvCamera(name, config, reader)
        case SimulatedCameraConfig():
            return SimulatedCamera(name, config)
