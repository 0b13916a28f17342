"""How well, how safely and how fast plates are read: on the labelled photos beside the repository where they are, and
on drawn pictures everywhere. One thread, in a process of its own.

Thresholds were chosen on half a of the photos: what is confirmed is reported on half b.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.bench.rows import Row

ROOT = Path(__file__).resolve().parents[2]
LABELS = ROOT.parent / "shared" / "plates" / "labels.csv"
PLATE_FREE = 500
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "OPENCV_FOR_THREADS_NUM": "1"}

COST = """
import json, statistics, time
def resident_mb():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS")) / 1024
before = resident_mb()
from drivers.camera.plates.eye import PlateEye
from drivers.camera.plates.match import match
from drivers.readings import PlateColor
from tests.drivers.camera.plates.pictures import photo
eye, took, matched = PlateEye(), [], []
picture = photo("晋B8C365", PlateColor.YELLOW, width=150)
passes = [f"晋B{number:05}" for number in range(200)]
for _ in range(30):
    began = time.perf_counter()
    seen = eye.see(picture)
    took.append(time.perf_counter() - began)
    began = time.perf_counter()
    match(seen[:1], passes)
    matched.append(time.perf_counter() - began)
took_ms, matched_ms = statistics.median(took) * 1000, statistics.median(matched) * 1000
print(json.dumps({"mb": resident_mb() - before, "ms": took_ms, "match_ms": matched_ms}))
"""
FALSE = f"""
import json
from drivers.camera.plates.eye import PlateEye
from drivers.camera.plates_training.plate_free import drawn
eye = PlateEye()
print(json.dumps(sum(bool(eye.see(picture)) for picture in drawn({PLATE_FREE}, seed=500))))
"""


def run() -> list[Row]:
    """Cost and false readings everywhere; the rest where the photos are."""
    cost = _python("-c", COST)
    rows = [
        Row("plates: resident memory added by eye and nets", cost["mb"], "MB", max_value=180),
        Row("plates: a drawn photo of 800x600, median", cost["ms"], "ms", max_value=40),
        Row("plates: one sighting against 200 passes, median", cost["match_ms"], "ms"),
        Row(
            "plates: plate-free drawn pictures with a reading",
            _python("-c", FALSE) / PLATE_FREE * 100,
            "%",
            max_value=1,
        ),
    ]
    return rows + (_on_photos() if LABELS.is_file() else [])


def _on_photos() -> list[Row]:
    photos, crops = _eval(), _eval("--crop")
    halves = {"photos": _eval("--half", "b"), "crops": _eval("--crop", "--half", "b")}
    rows = [
        Row("plates: whole photos, exact", photos["exact"] * 100, "%", min_value=95),
        Row("plates: CCPD crops, exact", crops["exact"] * 100, "%", min_value=91),
        Row("plates: right pass out of 200, whole photos", photos["right_of_200_passes"] * 100, "%", min_value=99),
        Row("plates: whole photo, median", photos["ms_median"], "ms", max_value=40),
    ]
    for name, told in halves.items():
        shipped = told["acceptance"][0]
        rows += [
            Row(f"plates: right ones confirmed, half b of {name}", shipped["right"] * 100, "%", min_value=93),
            Row(f"plates: one character off confirmed, half b of {name}", shipped["one_off"] * 100, "%", max_value=0.1),
            Row(f"plates: look-alikes among them, half b of {name}", shipped["look_alike"] * 100, "%"),
        ]
    return rows


def _eval(*arguments: str) -> dict[str, Any]:
    weighgate = "from edge.cli import main; main()"
    told: dict[str, Any] = _python("-c", weighgate, "plate", "eval", str(LABELS), "--json", *arguments)
    return told


def _python(*arguments: str) -> Any:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**os.environ, **ONE_THREAD},
        capture_output=True,
        text=True,
        check=True,
        timeout=1800,
    )
    return json.loads(done.stdout.splitlines()[-1])
