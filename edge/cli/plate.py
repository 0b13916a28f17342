"""`weighgate plate`: read plates in pictures, and measure how well that is done."""

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edge.cli.common import JSON, Problem
from edge.cli.plate_crops import crops
from edge.cli.plate_tune import models, rollback, tune
from edge.cli.table import table

if TYPE_CHECKING:
    from drivers.camera.plates.evaluate import Case, Label
    from drivers.camera.plates.eye import PlateEye
    from drivers.readings import PlateReading

CROP = click.option("--crop", is_flag=True, help="The picture is the plate itself.")


@click.group()
def plate() -> None:
    """Number plates in pictures."""


@plate.command()
@click.argument("images", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="IMAGE…")
@CROP
@JSON
def read(images: tuple[Path, ...], crop: bool, as_json: bool) -> None:
    """Read the plates in each IMAGE (JPEG, PNG, BMP, WebP), the one that matters most first.

    Exit code 0: every picture shows a plate. 1: one of them shows none. 2: one of them is no picture.
    """
    from drivers.camera.plates.images import NotAnImage, read_image

    eye = _eye()
    none, broken = [], []
    for path in images:
        try:
            image = read_image(path)
        except NotAnImage as error:
            broken.append(path)
            click.echo(str(error), err=True)
            continue
        if crop:
            seen = [] if (only := eye.see_crop(image)) is None else [only.plate]
        else:
            seen = [each.plate for each in eye.see(image)]
        if not seen:
            none.append(path)
        if as_json:
            click.echo(json.dumps({"file": str(path), "plates": [_facts(each) for each in seen]}, ensure_ascii=False))
        else:
            click.echo(f"{path}: {'; '.join(_words(each) for each in seen) or '没有车牌 no plate'}")
    sys.exit(2 if broken else 1 if none else 0)


def _eye() -> "PlateEye":
    from drivers.camera.plates.eye import PlateEye

    try:
        return PlateEye()
    except (OSError, ValueError) as error:
        raise Problem(str(error)) from None


def _facts(seen: "PlateReading") -> dict[str, Any]:
    return {
        "text": seen.text,
        "color": seen.color,
        "rows": seen.rows,
        "confidence": seen.confidence_permille / 1000,
        "box": None if seen.box is None else list(seen.box),
    }


def _words(seen: "PlateReading") -> str:
    rows = ", two rows" if seen.rows == 2 else ""
    x, y, width, height = seen.box or (0, 0, 0, 0)
    return f"{seen.text} {seen.color}{rows} {seen.confidence_permille / 10:.1f} % at {x},{y} {width}x{height}"


@plate.command("eval")
@click.argument("labels", type=click.Path(dir_okay=False, path_type=Path), metavar="LABELS.csv")
@CROP
@click.option("--half", type=click.Choice(["a", "b"]), default=None,
              help="Only the plates of this half (by SHA-256): thresholds are chosen on a.")  # fmt: skip
@click.option("--sheet", type=click.Path(dir_okay=False, path_type=Path), default=None,
              help="Write the worst cases as one picture (PNG).")  # fmt: skip
@JSON
def evaluate(labels: Path, crop: bool, half: str | None, sheet: Path | None, as_json: bool) -> None:
    """Measure on labelled pictures: LABELS.csv has the columns file and plate, and may have color, rows and kind.

    Exact means every character, the province too; O is 0 and I is 1 after the second character. Exit code 2: a line of
    the list cannot be right, or a picture cannot be read.
    """
    from drivers.camera.plates import evaluate as measure
    from drivers.camera.plates.figures import figures

    wanted = _wanted(labels, crop, half)
    cases = []
    for case in measure.look(_eye(), wanted, crop=crop):
        cases.append(case)
        if case.trouble:
            click.echo(case.trouble, err=True)
        elif sys.stderr.isatty():
            click.echo(f"\r{len(cases)}/{len(wanted)}", err=True, nl=False)
    unreadable = sum(bool(case.trouble) for case in cases)
    if unreadable == len(cases):
        raise Problem(f"{labels}: not one of its {len(cases)} pictures can be read")
    facts = figures(cases)
    if as_json:
        click.echo(json.dumps(facts, ensure_ascii=False))
    else:
        for line in _report(facts):
            click.echo(line)
    if sheet is not None:
        _write_sheet(sheet, cases)
    if unreadable:
        raise Problem(f"{labels}: {unreadable} of its {len(cases)} pictures cannot be read; they count as not exact")


def _wanted(labels: Path, crop: bool, half: str | None) -> list["Label"]:
    """The lines that are asked for; how many that is of all is said where it is not all. Problem."""
    from drivers.camera.plates import evaluate as measure

    try:
        every = measure.every_label(labels)
        wanted = [each for each in measure.of_kind(labels, every, crop=crop) if half in (None, each.half)]
    except measure.LabelsError as error:
        raise Problem(str(error)) from None
    if not wanted:
        raise Problem(f"{labels}: no plate is in half {half}")
    if len(wanted) < len(every):
        asked = f"kind {'crop' if crop else 'photo'}" + (f", half {half}" if half else "")
        click.echo(f"{labels}: {len(wanted)} of {len(every)} lines ({asked})", err=True)
    return wanted


def _write_sheet(path: Path, cases: Sequence["Case"]) -> None:
    from drivers.camera.plates.sheet import contact_sheet, worst

    try:
        path.write_bytes(contact_sheet(worst(cases)))
    except OSError as error:
        raise Problem(f"--sheet: {path}: {error.strerror}") from None


def _report(facts: dict[str, Any]) -> Iterator[str]:
    """The figures for a person."""
    unreadable = f" ({facts['unreadable']} unreadable)" if facts["unreadable"] else ""
    yield (
        f"{facts['images']} pictures{unreadable}: exact {facts['exact']:.1%}, without the province "
        f"{facts['exact_without_province']:.1%}, no plate {facts['no_plate']}, median {facts['ms_median']:.1f} ms"
    )
    for name in ("color", "rows", "province"):
        parts = [f"{key} {right}/{count}" for key, (right, count) in facts[f"by_{name}"].items()]
        if parts:
            yield f"by {name}: {', '.join(parts)}"
    if facts["confusions"]:
        yield f"confusions (truth>read): {', '.join(f'{pair} {count}' for pair, count in facts['confusions'].items())}"
    parts = [f"{each['confidence']:.2f}→{each['exact']:.2f}" for each in facts["calibration"]]
    yield f"calibration, confidence→exact by deciles: {' '.join(parts)}; error {facts['calibration_error']:.3f}"
    yield f"right pass out of 200: {facts['right_of_200_passes']:.1%}"
    yield "acceptance curve (the shipped margin first):"
    rows = [("margin", "right", "one character off", "of these look-alikes", "the thief's best", "another pass")]
    rows += [
        (f"{each['margin']:+.2f}", f"{each['right']:.1%}", f"{each['one_off']:.3%}", f"{each['look_alike']:.3%}",
         f"{each['best_clone']:.2%}", f"{each['other_pass']:.2%}")
        for each in facts["acceptance"]
    ]  # fmt: skip
    yield from (f"  {line}" for line in table(rows))
    for each in facts["mistakes"]:
        yield f"  {each['plate']} read {each['read'] or '-'}  {each['file']}"


for command in (crops, tune, models, rollback):
    plate.add_command(command)
