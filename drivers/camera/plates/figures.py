"""All figures of an evaluation in one place: the command prints them, the benchmark and the model card quote them."""

from collections.abc import Sequence
from typing import Any

from drivers.camera.plates.acceptance import Accepted, against_passes, curve
from drivers.camera.plates.evaluate import Case, calibration, confusions, median_ms, shares
from drivers.camera.plates.thresholds import shipped


def figures(cases: Sequence[Case]) -> dict[str, Any]:
    """All figures of an evaluation, as JSON can hold them; shares are 0..1, `by_…` are [exact, all]."""
    plates = [case.label.plate for case in cases]
    stands = [against_passes(case, plates) for case in cases]
    deciles, error = calibration(cases)
    by = {
        "color": shares(cases, lambda label: label.color),
        "rows": shares(cases, lambda label: None if label.rows is None else str(label.rows)),
        "province": shares(cases, lambda label: label.plate[0]),
    }
    return {
        "images": len(cases),
        "exact": _share([case.exact for case in cases]),
        "exact_without_province": _share([case.text[1:] == case.label.plate[1:] for case in cases]),
        "no_plate": sum(not case.text and not case.trouble for case in cases),
        "unreadable": sum(bool(case.trouble) for case in cases),
        "ms_median": round(median_ms(cases), 1),
        **{f"by_{name}": {key: list(count) for key, count in found.items()} for name, found in by.items()},
        "confusions": dict(confusions(cases).most_common(20)),
        "calibration": [
            {"confidence": round(said, 3), "exact": round(was, 3), "images": count} for said, was, count in deciles
        ],
        "calibration_error": round(error, 4),
        "right_of_200_passes": _share([each.first for each in stands]),
        "acceptance": [_accepted(each) for each in curve(stands, shipped())],
        "mistakes": [
            {"file": str(case.label.file), "plate": case.label.plate, "read": case.text}
            for case in cases
            if not case.exact
        ],
    }


def _share(them: Sequence[bool]) -> float:
    return round(sum(them) / max(len(them), 1), 4)


def _accepted(one: Accepted) -> dict[str, float]:
    return {
        "margin": one.margin,
        "right": round(one.right, 4),
        "one_off": round(one.one_off, 6),
        "look_alike": round(one.look_alike, 6),
        "best_clone": round(one.best_clone, 4),
        "other_pass": round(one.other, 4),
    }
