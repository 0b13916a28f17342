"""The plant's configuration: TOML in, frozen typed settings out, one line for each thing that is wrong.

Secrets are not in it: keys are files in `keys.directory`, PINs are scrypt hashes.
"""

from dataclasses import replace
from datetime import date, time
from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, Strict, field_validator, model_validator

from drivers.registry import CameraConfig, GateConfig, LoopsConfig, PrinterConfig, ScaleConfig
from drivers.scale.serial_indicator import SerialIndicatorConfig, check_shared
from edge.domain.scale_monitor import DIVISIONS_KG
from edge.domain.scale_watch import WatchKind, WatchRules
from edge.station.pictures import DEFAULT_BUDGET_MIB
from sync.keys import PLANT_CODE
from sync.secrets import SecretFormat
from sync.settings_errors import SettingsError, load_model

Role = Literal["dispatcher", "guard", "biller", "finance", "enterprise", "supervisor", "admin"]
P = TypeVar("P", bound=BaseModel)
_WATCH = WatchRules()
Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,20}$")]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PlantSection(_Section):
    """Who this plant is, and its house rules."""

    code: Annotated[str, Field(pattern=f"^{PLANT_CODE.pattern}$")]
    number: Annotated[int, Strict(), Field(ge=1, le=65535)]
    """The plant's number inside exit passes."""
    epoch: Annotated[int, Strict(), Field(ge=1, le=65535)] = 1
    name: Annotated[str, Field(min_length=1, max_length=40)]
    timezone: str = "Asia/Shanghai"
    day_starts: time = time(0, 0)
    data: Path
    """Folder of the books and pictures; made if it does not exist."""
    witness: Path | None = None
    """A file outside `data` that knows how far the books have come; left out: beside the data folder."""
    minimum_net_kg: Annotated[int, Strict(), Field(ge=0)] = 500
    empty_tolerance_kg: Annotated[int, Strict(), Field(ge=0)] = 100

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError("a time zone name such as Asia/Shanghai") from None
        return value


class KeysSection(_Section):
    """Folder with plant.key, tls.key, tls.crt, ca.crt, office.pub (see docs/operating.md)."""

    directory: Path


class HeadOfficeSection(_Section):
    """Where head office's broker listens. Without this section the plant runs alone and keeps its records."""

    host: str
    port: Annotated[int, Strict(), Field(ge=1, le=65535)] = 8883
    reconnect_max_s: Annotated[int, Strict(), Field(ge=1, le=300)] = 30


class WebSection(_Section):
    """Where the pages are served."""

    host: str = "127.0.0.1"
    port: Annotated[int, Strict(), Field(ge=0, le=65535)] = 8080


class SealsSection(_Section):
    """Who sets finance's seal: `rule` = money from finance's own grant seals by itself; `person` = on the tickets
    page.
    """

    finance: Literal["rule", "person"] = "rule"


class ExitPassSection(_Section):
    """How long an exit pass is good for."""

    minutes: Annotated[int, Strict(), Field(ge=10, le=10080)] = 720


class PicturesSection(_Section):
    """How much room the pictures of all cameras may take (MiB)."""

    budget_mib: Annotated[int, Strict(), Field(ge=16, le=10_000_000)] = DEFAULT_BUDGET_MIB


class PlatesSection(_Section):
    """What becomes of plates that people have compared. `keep_crops`: they are kept as JPEG with what they say, for the
    reader to learn from, the oldest making way (MiB).
    """

    keep_crops: bool = False
    crops_mib: Annotated[int, Strict(), Field(ge=1, le=100_000)] = 64


class YardSection(_Section):
    """The entrance, where trucks arrive."""

    camera: CameraConfig | None = None


class ScaleSection(_Section):
    """What counts as a weight on one scale (kg)."""

    division_kg: Annotated[int, Strict(), Field(ge=1, le=200)]
    maximum_kg: Annotated[int, Strict(), Field(ge=1000, le=300_000)]
    truck_kg: Annotated[int, Strict(), Field(ge=100)] = 1000
    frames_in_a_row: Annotated[int, Strict(), Field(ge=5, le=50)] = 5
    """Equal frames that make a weight. With fewer than five, damage gets through (docs/drivers.md)."""
    still_ms: Annotated[int, Strict(), Field(ge=500, le=5000)] = 1000
    """So long no frame may be further off than one division before there is a weight."""
    zero_range_permille: Annotated[int, Strict(), Field(ge=1, le=40)] = 40
    """The indicator is zeroed only within so much of the maximum; OIML R 76-1 (4.5.1) allows 4 %."""
    verified_until: date | None = None
    """End of the scale's legal verification; weighing for settlement stops after it."""

    @field_validator("division_kg")
    @classmethod
    def _known_division(cls, value: int) -> int:
        if value not in DIVISIONS_KG:
            raise ValueError(f"a scale's division is one of {', '.join(map(str, DIVISIONS_KG))} kg (OIML R 76, 2.2)")
        return value


Threshold = Annotated[int, Strict(), Field(ge=20, le=100_000)]


class WatchSection(_Section):
    """What of the scale watch a site may set (kg); the other thresholds are physics (`WatchRules`)."""

    on: bool = True
    off: tuple[WatchKind, ...] = ()
    """Kinds that are not looked for."""
    step_kg: Threshold = _WATCH.step_kg
    fall_kg: Threshold = _WATCH.fall_kg
    zero_fall_kg: Threshold = _WATCH.zero_fall_kg
    zero_rise_kg: Threshold = _WATCH.zero_rise_kg
    drift_kg: Threshold = _WATCH.drift_kg
    tare_kg: Threshold = _WATCH.tare_kg
    unseen_kg: Threshold = _WATCH.unseen_kg

    def rules(self) -> WatchRules | None:
        """For the watch; None when it is off."""
        if not self.on:
            return None
        kg = {name: getattr(self, name) for name in type(self).model_fields if name.endswith("_kg")}
        return replace(_WATCH, off=frozenset(self.off), **kg)


class LaneSection(_Section):
    """One weighbridge lane with its devices."""

    id: Id
    name: str
    name_en: str
    scale: ScaleSection
    watch: WatchSection = WatchSection()
    indicator: ScaleConfig
    loops: LoopsConfig | None = None
    printer: PrinterConfig
    camera: CameraConfig | None = None


class GateSection(_Section):
    """One exit gate with its devices."""

    id: Id
    name: str
    name_en: str
    barrier: GateConfig
    camera: CameraConfig | None = None


class Person(_Section):
    """Somebody who may log in. `pin_hash` comes from `weighgate pin`."""

    id: Id
    name: Annotated[str, Field(min_length=1, max_length=20)]
    roles: Annotated[tuple[Role, ...], Field(min_length=1)]
    pin_hash: SecretFormat


class PlantSettings(_Section):
    """The whole file."""

    plant: PlantSection
    keys: KeysSection
    head_office: HeadOfficeSection | None = None
    web: WebSection = WebSection()
    seals: SealsSection = SealsSection()
    exit_pass: ExitPassSection = ExitPassSection()
    pictures: PicturesSection = PicturesSection()
    plates: PlatesSection = PlatesSection()
    yard: YardSection = YardSection()
    lane: Annotated[tuple[LaneSection, ...], Field(min_length=1, max_length=8)]
    gate: tuple[GateSection, ...] = ()
    person: Annotated[tuple[Person, ...], Field(min_length=1)]

    @property
    def books_file(self) -> Path:
        """The plant's ledger and tables."""
        return self.plant.data / "plant.db"

    @property
    def crops_folder(self) -> Path:
        """Plates that people have compared, where they are kept."""
        return self.plant.data / "crops"

    @property
    def plate_models_folder(self) -> Path:
        """Reading nets taught on those plates, and which of them is in use."""
        return self.plant.data / "plate-models"

    @property
    def witness_file(self) -> Path:
        """What tells these books from a copy of them."""
        data = self.plant.data
        return self.plant.witness or data.with_name(f"{data.name}.witness") / "plant.json"

    @model_validator(mode="after")
    def _unique_ids(self) -> Self:
        for name, ids in (
            ("lane", [lane.id for lane in self.lane]),
            ("gate", [gate.id for gate in self.gate]),
            ("person", [person.id for person in self.person]),
        ):
            twice = {each for each in ids if ids.count(each) > 1}
            if twice:
                raise ValueError(f"every {name}.id must be different; {', '.join(sorted(twice))} stands twice")
        return self

    @model_validator(mode="after")
    def _lines_can_be_shared(self) -> Self:
        check_shared([lane.indicator for lane in self.lane if isinstance(lane.indicator, SerialIndicatorConfig)])
        return self


def load_settings(file: Path) -> PlantSettings:
    """Read and check a configuration; relative paths in it are relative to its own folder.

    Raises SettingsError with one line a problem: file, path, value, what is allowed.
    """
    settings = load_model(PlantSettings, file)
    base = file.resolve().parent
    data, witness = base / settings.plant.data, settings.plant.witness
    if witness is not None:
        witness = base / witness
        if witness.resolve().is_relative_to(data.resolve()):
            raise SettingsError(
                f"{file}: plant.witness: {witness} — a file outside plant.data, so that no copy has both"
            )
    plant = settings.plant.model_copy(update={"data": data, "witness": witness})
    keys = settings.keys.model_copy(update={"directory": base / settings.keys.directory})
    lanes = tuple(_places_beside(base, lane) for lane in settings.lane)
    gates = tuple(_places_beside(base, gate) for gate in settings.gate)
    yard = _places_beside(base, settings.yard)
    return settings.model_copy(update={"plant": plant, "keys": keys, "lane": lanes, "gate": gates, "yard": yard})


def _places_beside(base: Path, place: P) -> P:
    """A lane, gate or entrance whose devices have absolute paths."""
    devices = {name: _beside(base, device) for name, device in place if isinstance(device, BaseModel)}
    return place.model_copy(update=devices)


def _beside(base: Path, device: BaseModel) -> BaseModel:
    """A device's configuration with its relative paths made absolute."""
    paths = {name: base / value for name, value in device if isinstance(value, Path)}
    return device.model_copy(update=paths)


__all__ = ["PlantSettings", "SettingsError", "load_settings"]
