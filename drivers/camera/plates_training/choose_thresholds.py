"""Chooses the thresholds of the shipped nets on one half of the labelled pictures, and reports them on the other.

    python -m drivers.camera.plates_training.choose_thresholds LABELS.csv

The halves are parted by the SHA-256 of the plate, so no vehicle is in both. The floor below which nothing is a plate is
chosen on drawn pictures of one seed and on parts of photos; the benchmark counts on another. Written beside the nets.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from drivers.camera.plates.acceptance import Stand, acceptance, against_passes
from drivers.camera.plates.evaluate import Case, calibration, load_labels, look
from drivers.camera.plates.eye import PlateEye
from drivers.camera.plates.likelihood import Line
from drivers.camera.plates.match import Likelihoods, Sighting, describe
from drivers.camera.plates.thresholds import MODELS, Thresholds, shipped
from drivers.camera.plates_training.plate_free import beside_plates, drawn

TEMPERATURES = (0.7, 0.8, 0.9, 1.0, 1.2, 1.4, 1.7, 2.0, 2.5)
MARGINS = tuple(round(-1 - 0.25 * step, 2) for step in range(29))
"""An expected plate must lead: at 1 nat every character of it is read at 73 : 27 or surer against each single rival."""
MOST_ONE_OFF = 0.0003
"""Of clones accepted on half a; the promise is 0.001 on pictures nobody has seen, and right ones need no more."""
MOST_BEST_CLONE = 0.01
"""Of the pictures of half a whose best clone is confirmed."""
MOST_FALSE = 0.008
"""Of plate-free pictures with a reading; the promise is 0.01. One of the photos' parts does show another plate."""
LEAST_FLOOR = -0.5
"""However few pictures are read below it: at -0.8, which 310 pictures allowed, 6 of 500 others had a reading."""
LEAD = 3.0
OPEN = Thresholds(temperature=1.0, margin=0.0, lead=LEAD, plate=-1000.0)
"""Everything found is taken for a plate."""


@dataclass(frozen=True, slots=True)
class Gathered:
    """What the nets said, at temperature 1 and with everything taken for a plate."""

    photos: list[Case]
    crops: list[Case]
    false: list[list[Sighting]]
    painted: list[list[Sighting]]


def gather(labels: Path, free: int) -> Gathered:
    """Look once at everything."""
    eye = PlateEye(OPEN)
    photos = list(look(eye, load_labels(labels, crop=False), crop=False))
    crops = list(look(eye, load_labels(labels, crop=True), crop=True))
    pictures = [*drawn(free, seed=11), *(image for _, image in beside_plates(labels))] if free else []
    painted = drawn(free // 5, seed=12, tail_numbers=True)
    return Gathered(photos, crops, *([list(eye.see(image)) for image in them] for them in (pictures, painted)))


def cooled(line: Line, temperature: float) -> Line:
    """The line at another temperature."""
    logits = line.astype(np.float64) / temperature
    return np.asarray(logits - np.log(np.exp(logits).sum(axis=1, keepdims=True)), np.float32)


def at_temperature(sighting: Sighting, temperature: float) -> Sighting:
    """As the eye would have seen it."""
    lines = tuple(cooled(line, temperature) for line in sighting.lines)
    likelihoods = Likelihoods([lines])
    text = likelihoods.best([sighting.plate.text])
    return Sighting(describe(likelihoods, text, sighting.plate), lines, sighting.corners)


def worth(sighting: Sighting) -> float:
    """Mean log-likelihood of a character: what the eye holds against `plate`."""
    text = sighting.plate.text
    return Likelihoods([sighting.lines]).of([text])[text] / len(text)


def choose_temperature(cases: Sequence[Case]) -> float:
    """Where the truth is likeliest, over the pictures read with at most two mistakes (else the place was wrong)."""
    near = [case for case in cases if case.sighting is not None and _mistakes(case) <= 2]

    def loss(temperature: float) -> float:
        total = 0.0
        for case in near:
            assert case.sighting is not None
            lines = [cooled(line, temperature) for line in case.sighting.lines]
            total -= Likelihoods([lines]).of([case.label.plate])[case.label.plate]
        return total

    return min(TEMPERATURES, key=loss)


def _mistakes(case: Case) -> int:
    if len(case.text) != len(case.label.plate):
        return 9
    return sum(a != b for a, b in zip(case.text, case.label.plate, strict=True))


def choose_floor(false: Sequence[Sequence[Sighting]]) -> float:
    """The lowest that leaves few enough plate-free pictures with a reading; without any, the shipped one."""
    if not false:
        return shipped().plate
    highest = sorted((max((worth(each) for each in them), default=-1000.0) for them in false), reverse=True)
    return max(highest[int(len(highest) * MOST_FALSE)] + 0.01, LEAST_FLOOR)


def choose_margin(stands: Sequence[Stand]) -> float:
    """The widest margin at which few enough clones are confirmed, and few pictures have one that a thief can choose."""

    def safe(margin: float) -> bool:
        found = acceptance(stands, margin, LEAD)
        return found.one_off <= MOST_ONE_OFF and found.best_clone <= MOST_BEST_CLONE

    return next((margin for margin in MARGINS if safe(margin)), MARGINS[-1])


def _half(cases: Sequence[Case], half: str) -> list[Case]:
    return [case for case in cases if case.label.half == half]


def _report(name: str, cases: Sequence[Case], stands: Sequence[Stand], limits: Thresholds) -> str:
    found = acceptance(stands, limits.margin, limits.lead)
    exact, first = (sum(them) / len(cases) for them in ([c.exact for c in cases], [s.first for s in stands]))
    return (
        f"{name:16} {len(cases):4} exact {exact:.1%}  right of 200 {first:.1%}  confirmed {found.right:.1%}  "
        f"one off {found.one_off:.3%}  look-alikes {found.look_alike:.3%}  best clone {found.best_clone:.2%}  "
        f"another pass {found.other:.2%}  "
        f"calibration error {calibration(cases)[1]:.3f}"
    )


def choose(gathered: Gathered, say: list[str]) -> Thresholds:
    """All four, with a report on both halves."""
    temperature = choose_temperature(_half(gathered.photos + gathered.crops, "a"))
    false, painted = (
        [[at_temperature(each, temperature) for each in them] for them in free]
        for free in (gathered.false, gathered.painted)
    )
    floor = choose_floor(false)
    for name, free in (("plate-free", false), ("numbers on tailboards", painted)):
        read = sum(any(worth(each) >= floor for each in them) for them in free)
        say.append(f"{name}: {read} of {len(free)} with a reading")
    sets = {"photos": gathered.photos, "crops": gathered.crops}
    cases = {name: [_seen_at(case, temperature, floor) for case in them] for name, them in sets.items()}
    stands = {
        (name, half): [against_passes(case, [c.label.plate for c in them]) for case in _half(them, half)]
        for name, them in cases.items()
        for half in "ab"
    }
    margin = choose_margin([each for name in cases for each in stands[name, "a"]])
    limits = Thresholds(temperature, margin, LEAD, round(floor, 3))
    say += [
        _report(f"{name}, half {half}", _half(them, half), stands[name, half], limits)
        for name, them in cases.items()
        for half in "ab"
    ]
    return limits


def _seen_at(case: Case, temperature: float, floor: float) -> Case:
    if case.sighting is None:
        return case
    sighting = at_temperature(case.sighting, temperature)
    return replace(case, sighting=sighting if worth(sighting) >= floor else None)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("labels", type=Path)
    parser.add_argument("--free", type=int, default=400, help="drawn pictures without a plate; 0 keeps the floor")
    parser.add_argument("--out", type=Path, default=MODELS / "thresholds.toml")
    chosen = parser.parse_args(arguments)
    say: list[str] = []
    limits = choose(gather(chosen.labels, chosen.free), say)
    sys.stdout.write("\n".join(say) + "\n")
    values = "".join(f"{name} = {getattr(limits, name)}\n" for name in Thresholds.__slots__)
    chosen.out.write_text(
        f"# Written by `python -m drivers.camera.plates_training.choose_thresholds`; see thresholds.py.\n{values}",
        "utf-8",
    )
    sys.stdout.write(values)


if __name__ == "__main__":
    main()
