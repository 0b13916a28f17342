"""How well plates are read, measured on labelled pictures."""

import csv
import hashlib
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from drivers.camera.plates.alphabet import canonical, is_plate
from drivers.camera.plates.eye import PlateEye
from drivers.camera.plates.images import NotAnImage, read_image
from drivers.camera.plates.match import Sighting
from drivers.readings import PlateColor

KINDS = ("photo", "crop")


class LabelsError(ValueError):
    """The list of labels cannot be used: what, where, what is allowed."""


@dataclass(frozen=True, slots=True)
class Label:
    """What a picture truly shows. `plate` is canonical; `color` and `rows` are None where the list does not say, and
    `kind` is "" where it may be looked at either way."""

    file: Path
    plate: str
    color: PlateColor | None
    rows: int | None
    kind: str = ""

    @property
    def half(self) -> str:
        """a or b, by the plate: no vehicle is in both."""
        return "ab"[hashlib.sha256(self.plate.encode()).digest()[0] & 1]


@dataclass(frozen=True, slots=True)
class Case:
    """A label and what was seen; `sighting` None is "no plate". `trouble` says why the picture could not be read."""

    label: Label
    sighting: Sighting | None
    ms: float
    trouble: str = ""

    @property
    def text(self) -> str:
        """What was read, "" for nothing."""
        return "" if self.sighting is None else self.sighting.plate.text

    @property
    def exact(self) -> bool:
        """Every character is right, the province included."""
        return self.text == self.label.plate

    @property
    def confidence(self) -> float:
        """0..1, 0 where nothing was read."""
        return 0.0 if self.sighting is None else self.sighting.plate.confidence_permille / 1000


def load_labels(path: Path, *, crop: bool) -> list[Label]:
    """Those of `every_label` that are of the kind asked for. LabelsError, also when none is."""
    return of_kind(path, every_label(path), crop=crop)


def of_kind(path: Path, every: Sequence[Label], *, crop: bool) -> list[Label]:
    """The labels (of the list at `path`) that are photos, or crops. LabelsError when none is."""
    kind = "crop" if crop else "photo"
    labels = [label for label in every if label.kind in ("", kind)]
    if not labels:
        raise LabelsError(f"{path}: no line has kind {kind}; try {'without' if crop else 'with'} --crop")
    return labels


def every_label(path: Path) -> list[Label]:
    """The labels of a CSV in UTF-8 with the columns file and plate, and if it has them color, rows and kind (photo or
    crop). Files are relative to the list. LabelsError at the first line that cannot be right."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = list(csv.DictReader(file))
    except UnicodeDecodeError as error:
        raise LabelsError(f"{path}: not UTF-8 at byte {error.start}; save it as CSV UTF-8") from None
    except OSError as error:
        raise LabelsError(f"{path}: {error.strerror}") from None
    except csv.Error as error:
        raise LabelsError(f"{path}: {error}") from None
    if not lines or not {"file", "plate"} <= set(lines[0]):
        raise LabelsError(f"{path}: wants a heading with the columns file,plate (also color,rows,kind) and lines below")
    return [_label(path, at, line) for at, line in enumerate(lines, 2)]


def _label(path: Path, at: int, line: dict[str, str]) -> Label:
    plate, color, rows = canonical(line["plate"] or ""), line.get("color") or None, line.get("rows") or None
    kind = line.get("kind") or ""
    if not line["file"] or not plate:
        raise LabelsError(f"{path}:{at}: file or plate is empty")
    if not is_plate(plate):
        raise LabelsError(
            f"{path}:{at}: {line['plate']!r} cannot be a plate; allowed: one such as 苏A12345 (GA 36-2018)"
        )
    if kind not in ("", *KINDS):
        raise LabelsError(f"{path}:{at}: kind {kind!r}; allowed: {', '.join(KINDS)}, or nothing")
    if color is not None and color not in set(PlateColor):
        raise LabelsError(f"{path}:{at}: color {color!r}; allowed: {', '.join(PlateColor)}, or nothing")
    if rows not in (None, "1", "2"):
        raise LabelsError(f"{path}:{at}: rows {rows!r}; allowed: 1, 2, or nothing")
    return Label(
        path.parent / line["file"],
        plate,
        None if color is None else PlateColor(color),
        None if rows is None else int(rows),
        kind,
    )


def look(eye: PlateEye, labels: Iterable[Label], *, crop: bool) -> Iterator[Case]:
    """Each picture as the gate would see it; the time is that from the decoded picture to the readings."""
    for label in labels:
        try:
            image = read_image(label.file)
        except NotAnImage as error:
            yield Case(label, None, 0.0, str(error))
            continue
        began = time.perf_counter()
        sighting = eye.see_crop(image) if crop else next(iter(eye.see(image)), None)
        yield Case(label, sighting, (time.perf_counter() - began) * 1000)


def shares(cases: Sequence[Case], key: Callable[[Label], str | None]) -> dict[str, tuple[int, int]]:
    """How many are exact, of how many, by what `key` says of the label, the most frequent first."""
    all_, right = Counter(key(case.label) for case in cases), Counter(key(case.label) for case in cases if case.exact)
    return {name: (right[name], count) for name, count in all_.most_common() if name is not None}


def confusions(cases: Iterable[Case]) -> Counter[str]:
    """皖>桂 for each character that was read as another; +1 and -1 where a character was added or lost."""
    pairs: Counter[str] = Counter()
    for case in cases:
        if not case.text or case.exact:
            continue
        away = len(case.text) - len(case.label.plate)
        if away:
            pairs[f"{away:+d}"] += 1
        else:
            pairs.update(f"{a}>{b}" for a, b in zip(case.label.plate, case.text, strict=True) if a != b)
    return pairs


def calibration(cases: Sequence[Case], bins: int = 10) -> tuple[list[tuple[float, float, int]], float]:
    """By deciles of the confidence: its mean, the share that is exact, how many; and the expected calibration error."""
    read = sorted((case for case in cases if case.sighting is not None), key=lambda case: case.confidence)
    parts = [read[len(read) * at // bins : len(read) * (at + 1) // bins] for at in range(bins)]
    lines = [
        (sum(case.confidence for case in part) / len(part), sum(case.exact for case in part) / len(part), len(part))
        for part in parts
        if part
    ]
    error = sum(abs(said - was) * count for said, was, count in lines) / max(len(read), 1)
    return lines, error


def median_ms(cases: Sequence[Case]) -> float:
    """Of the pictures that could be read; 0 when none could."""
    return median([case.ms for case in cases if not case.trouble] or [0.0])
