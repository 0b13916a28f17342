"""The photos that training is measured on and never learns from: `labels.csv` and `quads.json` beside the pictures."""

import csv
import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from drivers.camera.plates.alphabet import CHARACTERS, canonical
from drivers.camera.plates.rectify import rectify


@dataclass(frozen=True)
class DevSet:
    """Plates of one source: lines N x 32 x 128 x 3 BGR and the canonical texts."""

    name: str
    lines: NDArray[np.uint8]
    texts: tuple[str, ...]


def load(folder: Path) -> tuple[DevSet, ...]:
    """The sets found below `folder`; empty where there is none. A picture that does not decode is left out."""
    if not (folder / "labels.csv").exists():
        return ()
    quads = json.loads((folder / "quads.json").read_text(encoding="utf-8"))
    lines: dict[str, list[NDArray[np.uint8]]] = {}
    texts: dict[str, list[str]] = {}
    with (folder / "labels.csv").open(encoding="utf-8", newline="") as table:
        for row in csv.DictReader(table):
            image = cv2.imdecode(np.fromfile(folder / row["file"], np.uint8), cv2.IMREAD_COLOR)
            if image is None or (row["kind"] == "photo" and row["file"] not in quads):
                continue
            height, width = image.shape[:2]
            whole = [[0, 0], [width, 0], [width, height], [0, height]]
            corners = np.array(quads[row["file"]] if row["kind"] == "photo" else whole, np.float32)
            name = row["file"].split("/", maxsplit=1)[0]
            lines.setdefault(name, []).append(rectify(np.asarray(image, np.uint8), corners, int(row["rows"])))
            texts.setdefault(name, []).append(canonical(row["plate"]))
    return tuple(DevSet(name, np.stack(lines[name]), tuple(texts[name])) for name in sorted(lines))


def spell(best: NDArray[np.int64]) -> str:
    """The text of the best class of each column: repeats joined, blanks dropped."""
    kept = best[np.append(True, best[1:] != best[:-1])]
    return canonical("".join(CHARACTERS[index] for index in kept))


@dataclass(frozen=True)
class Score:
    """Shares right (0..1) of one set, with and without the province, and what was taken for what."""

    name: str
    count: int
    exact: float
    without_province: float
    confused: Counter[tuple[str, str]]
    """(true, read) -> times, of readings that have the right length."""
    wrong_length: int


def score(of: DevSet, read: list[str]) -> Score:
    """`read`: one text for each line of the set."""
    pairs = list(zip(of.texts, read, strict=True))
    confused = Counter(
        (true, seen)
        for text, answer in pairs
        if len(text) == len(answer)
        for true, seen in zip(text, answer, strict=True)
        if true != seen
    )
    return Score(
        name=of.name,
        count=len(pairs),
        exact=sum(text == answer for text, answer in pairs) / len(pairs),
        without_province=sum(text[1:] == answer[1:] for text, answer in pairs) / len(pairs),
        confused=confused,
        wrong_length=sum(len(text) != len(answer) for text, answer in pairs),
    )
