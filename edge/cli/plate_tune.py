"""`weighgate plate tune|models|rollback`: teach the reader the plates that people compared here, and go back."""

import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from drivers.camera.plates.installed import SHIPPED_NAME, BadModel, Models
from drivers.camera.plates.thresholds import SHIPPED_READER
from edge.cli.common import CONFIG, JSON, No, Problem, counted, read_settings
from edge.cli.table import table

if TYPE_CHECKING:
    from drivers.camera.plates_training.site import Crops

EXTRA = "in a checkout: pip install -e '.[training]' (the trainer is not in the wheel)"
RESTART = "the plant reads with it after a restart: systemctl restart weighgate"
_STEPS = 300


@click.command()
@CONFIG
@click.option("--seed", default=1, show_default=True, help="Another seed draws other plates in another order.")
@click.option("--steps", default=_STEPS, show_default=True, type=click.IntRange(10, 20_000),
              help="Of 32 crops and 32 drawn plates; some 0.4 s each on one core.")  # fmt: skip
@JSON
def tune(config: Path, seed: int, steps: int, as_json: bool) -> None:
    """Teach the reader the plates that people compared here (data/crops), and install it if it is no worse.

    Half of the plates are learned from, the other half is only measured on. Exit code 1: too few plates, or the new net
    is worse than the one in use; nothing has changed.
    """
    settings = read_settings(config)
    try:
        from drivers.camera.plates_training import export
        from drivers.camera.plates_training import tune as trainer
    except ModuleNotFoundError as error:
        raise Problem(f"{error.name} is not installed; {EXTRA}") from None
    try:
        trainer.load(SHIPPED_READER)
    except (OSError, trainer.WrongNet) as error:
        raise Problem(str(error)) from None
    known = Models(settings.plate_models_folder)
    chosen = known.choose()
    if chosen.trouble:
        click.echo(chosen.trouble, err=True)
    crops = _study(chosen.model, settings.crops_folder)
    with tempfile.TemporaryDirectory(prefix="weighgate-tune-") as folder:
        made = Path(folder) / "reader.onnx"
        try:
            taught = trainer.teach(crops, chosen.model, made, seed=seed, steps=steps, say=_progress(steps))
            facts: dict[str, Any] = {"made": datetime.now(UTC).isoformat(timespec="seconds"), "seed": seed}
            facts |= {"steps": steps, "compared_with": chosen.name, **taught.facts}
            name = None if taught.objections else known.install(made, facts)
        except (OSError, ValueError, BadModel, trainer.WrongNet, export.ExportRefused) as error:
            raise Problem(str(error)) from None
    left_out = [{"file": str(label.file), "plate": label.plate, "why": why} for label, why in taught.left_out]
    if as_json:
        told = {**facts, "left_out": left_out, "objections": taught.objections, "installed": name}
        click.echo(json.dumps(told, ensure_ascii=False))
    else:
        for line in _report(facts, left_out):
            click.echo(line)
    if taught.objections:
        raise No(f"not installed: {'; '.join(taught.objections)}")
    if not as_json:
        click.echo(f"installed: {name}; {RESTART}")


def _study(model: Path, folder: Path) -> "Crops":
    from drivers.camera.plates.evaluate import LabelsError, load_labels
    from drivers.camera.plates.eye import PlateEye
    from drivers.camera.plates_training import site

    labels = folder / "labels.csv"
    if not labels.exists():
        raise No(f"{folder}: no plate has been kept; set keep_crops = true under [plates] and let people compare some")
    try:
        return site.study(PlateEye(model=model), load_labels(labels, crop=True))
    except site.TooFew as error:
        raise No(f"{labels}: too few to learn from: {error}") from None
    except (LabelsError, OSError, ValueError) as error:
        raise Problem(str(error)) from None


def _progress(steps: int) -> Callable[[int], None]:
    def say(step: int) -> None:
        if sys.stderr.isatty():
            click.echo(f"\r{step}/{steps}", err=True, nl=step == steps)

    return say


def _report(facts: Mapping[str, Any], doubts: Sequence[Mapping[str, str]]) -> Iterator[str]:
    """What was learned and measured, for a person."""
    before, after = facts["exam_before"], facts["exam_after"]
    yield (
        f"learned from {counted(facts['learned_crops'], 'crop')} of {counted(facts['learned_plates'], 'plate')}, "
        f"measured on {counted(after['crops'], 'crop')} of {counted(facts['checked_plates'], 'other plate')}"
    )
    if doubts:
        yield f"{counted(len(doubts), 'crop')} left out; look whether the plate is the one in the picture:"
        yield from (f"  {each['plate']}  {each['why']}  {each['file']}" for each in doubts)
    yield from table(
        [
            ("", "before", "after"),
            (f"{after['crops']} unseen crops, exact", f"{before['exact']:.1%}", f"{after['exact']:.1%}"),
            ("their plates confirmed", f"{before['confirmed']:.1%}", f"{after['confirmed']:.1%}"),
            (
                f"{after['clones']} plates one character off, confirmed",
                str(before["clones_confirmed"]),
                str(after["clones_confirmed"]),
            ),
            (f"{after['drawn']} drawn plates, exact", f"{before['drawn_exact']:.1%}", f"{after['drawn_exact']:.1%}"),
        ]
    )


@click.command()
@CONFIG
@JSON
def models(config: Path, as_json: bool) -> None:
    """The nets taught here, and which one reads (*)."""
    known = Models(read_settings(config).plate_models_folder)
    current, chosen = known.current, known.choose()
    lines = [{"name": SHIPPED_NAME, "current": chosen.name == SHIPPED_NAME, "trouble": "", "card": {}}]
    lines += [
        {"name": each.name, "current": each.name == chosen.name, "trouble": each.trouble, "card": dict(each.card)}
        for each in known.installed()
    ]
    for line in lines:
        if as_json:
            click.echo(json.dumps(line, ensure_ascii=False))
        else:
            click.echo(f"{'*' if line['current'] else ' '} {line['name']}  {line['trouble'] or _card(line['card'])}")
    if chosen.trouble:
        raise No(f"{current}: {chosen.trouble}")


def _card(card: Any) -> str:
    if not card:
        return "as installed with weighgate"
    try:
        before, after = card["exam_before"], card["exam_after"]
        return (
            f"{card['made']}  exact {before['exact']:.1%} -> {after['exact']:.1%} of {after['crops']} unseen crops, "
            f"drawn {before['drawn_exact']:.1%} -> {after['drawn_exact']:.1%}"
        )
    except (KeyError, TypeError, ValueError):
        return "no figures"


@click.command()
@CONFIG
def rollback(config: Path) -> None:
    """Go back to the net that read before the last `tune`, in the end to the shipped one."""
    known = Models(read_settings(config).plate_models_folder)
    left = known.current
    try:
        name = known.roll_back()
    except OSError as error:
        raise Problem(str(error)) from None
    if name is None:
        raise No("the shipped net is in use; there is none before it")
    click.echo(f"{left} -> {name}; {RESTART}")
