"""How well plates are found: in photos whose corners are known, and in drawn scenes with and without a plate.

    python -m drivers.camera.plates_training.measure_locator PHOTOS [--models DIR] [--only classical]

PHOTOS holds `quads.json`: file name to four corners (tl, tr, br, bl in pixels). One thread, times in milliseconds.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np

from drivers.camera.plates.classical import find_by_contours
from drivers.camera.plates.found import Corners, Found, Image, grown
from drivers.camera.plates.locate import MODEL, Locator
from drivers.camera.plates_training.scenes import make_plates, make_scene
from drivers.camera.plates_training.texts import KINDS

_PLATE_FREE = 300
_SCENES_A_KIND = 60
_LEVELS = (0.1, 0.3, 0.5, 0.7)

Find = Callable[[Image], tuple[Found, ...]]


def shared(one: Corners, other: Corners) -> float:
    """Area that two convex quadrilaterals share, in square pixels."""
    area, _ = cv2.intersectConvexConvex(cv2.convexHull(one), cv2.convexHull(other))
    return float(area)


def union_share(one: Corners, other: Corners) -> float:
    """Intersection over union of the quadrilaterals themselves, 0..1."""
    both = shared(one, other)
    return both / (cv2.contourArea(cv2.convexHull(one)) + cv2.contourArea(cv2.convexHull(other)) - both + 1e-6)


def holds(found: Corners, plate: Corners) -> bool:
    """Grown by 12 % it covers nine tenths of the plate and is at most 2.2 times its area."""
    wide = grown(found, 1.12, 1.12)
    area = cv2.contourArea(plate)
    return shared(wide, plate) >= 0.9 * area and cv2.contourArea(wide) <= 2.2 * area


def measure_photos(find: Find, photos: Path) -> list[str]:
    """Lines of figures over every photo of `quads.json`."""
    quads: dict[str, list[list[float]]] = json.loads((photos / "quads.json").read_text(encoding="utf-8"))
    hits: list[list[bool]] = []
    off: list[float] = []
    took_ms: list[float] = []
    nothing = 0
    for name, quad in sorted(quads.items()):
        image = cv2.imdecode(np.frombuffer((photos / name).read_bytes(), np.uint8), cv2.IMREAD_COLOR)
        began = time.perf_counter()
        found = find(np.asarray(image, np.uint8))
        took_ms.append((time.perf_counter() - began) * 1000)
        plate = np.array(quad, np.float32)
        nothing += not found
        same = [union_share(one.corners, plate) for one in found]
        whole = [holds(one.corners, plate) for one in found]
        hits.append([max(same[:n], default=0) >= 0.5 for n in (1, 3, 8)] + [any(whole[:n]) for n in (1, 3, 8)])
        if max(same, default=0) >= 0.5:
            best = found[int(np.argmax(same))].corners
            high = np.linalg.norm(plate[3] + plate[2] - plate[0] - plate[1]) / 2
            off.append(float(np.linalg.norm(best - plate, axis=1).mean() / high))
    spread = np.median(off), np.mean(off), np.quantile(off, 0.9)
    shares = np.array(hits).mean(axis=0) * 100
    return [
        f"{len(hits)} photos, {nothing} without any find",
        "IoU >= 0.5, first / of 3 / of 8: {:.1f} / {:.1f} / {:.1f} %".format(*shares[:3]),
        "whole plate inside, first / of 3 / of 8: {:.1f} / {:.1f} / {:.1f} %".format(*shares[3:]),
        "corners off, in plate heights: median {:.3f}, mean {:.3f}, 90th percentile {:.3f}".format(*spread),
        f"median {np.median(took_ms):.1f} ms, 95th percentile {np.quantile(took_ms, 0.95):.1f} ms",
    ]


def measure_kinds(find: Find, seed: int) -> list[str]:
    """For every kind of plate: drawn scenes with one such plate, how often it is found, and with its rows."""
    lines = []
    for kind in KINDS:
        rng = np.random.default_rng(seed)
        plates = make_plates(rng, 20, kind)
        first = of_three = rows = count = 0
        for _ in range(_SCENES_A_KIND):
            scene = make_scene(rng, plates, 640, 480, count=1)
            for quad in scene.quads:
                found = find(scene.image)[:3]
                hits = [one for one in found if union_share(one.corners, quad) >= 0.5]
                count += 1
                first += bool(hits) and hits[0] is found[0]
                of_three += bool(hits)
                rows += bool(hits) and hits[0].rows == scene.rows[0]
        lines.append(f"drawn {kind}: {count} scenes, first {first}, of three {of_three}, rows right {rows}")
    return lines


def measure_plate_free(find: Find, seed: int) -> str:
    """How many drawn scenes without a plate give a find at several scores."""
    rng = np.random.default_rng(seed)
    plates = make_plates(rng, 1)
    scores = []
    for _ in range(_PLATE_FREE):
        found = find(make_scene(rng, plates, 640, 480, count=0).image)
        scores.append(max((one.score for one in found), default=0.0))
    counts = ", ".join(f"{sum(score >= level for score in scores)} at >= {level}" for level in _LEVELS)
    return f"of {_PLATE_FREE} plate-free scenes (seed {seed}) a find in: {counts}"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Measures the plate locator.")
    parser.add_argument("photos", type=Path)
    parser.add_argument("--models", type=Path, default=MODEL.parent)
    parser.add_argument("--only", choices=["classical"])
    parser.add_argument("--seed", type=int, default=77)
    options = parser.parse_args(arguments)
    cv2.setNumThreads(1)
    models: Path = options.models
    find: Find = find_by_contours if options.only else Locator(models / "locator.onnx", models / "rims.onnx").find
    lines = [
        *measure_photos(find, options.photos),
        *measure_kinds(find, options.seed),
        measure_plate_free(find, options.seed),
    ]
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
