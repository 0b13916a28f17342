"""`weighgate plate crops`: the plates that people have compared and that this plant keeps to learn from."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path

import click

from edge.cli.common import CONFIG, JSON, No, Problem, read_settings
from edge.domain.dispatch import tidy_plate
from edge.station.crops import CropLabel, CropStore


@click.group()
def crops() -> None:
    """Plates kept to learn from: only those that a person compared, only where plates.keep_crops is true."""


@crops.command("list")
@CONFIG
@JSON
def list_crops(config: Path, as_json: bool) -> None:
    """List what is kept, the oldest first."""
    store = _store(config)
    with _readable():
        labels = store.labels()
    for label in labels:
        if as_json:
            click.echo(json.dumps({**_facts(label), "path": str(store.path(label))}, ensure_ascii=False))
        else:
            click.echo(f"{label.plate} {label.color or '-'} {label.source} {label.file}")
    click.echo(f"{len(labels)} 张车牌截图 plates, {store.total_bytes() / 2**20:.1f} MiB", err=True)


@crops.command()
@CONFIG
@click.option("--plate", "plates", multiple=True, help="This plate's; may be given more than once.")
@click.option("--before", type=click.DateTime(["%Y-%m-%d"]), help="Those kept before this day.")
@click.option("--all", "everything", is_flag=True, help="All of them.")
@JSON
def erase(config: Path, plates: tuple[str, ...], before: datetime | None, everything: bool, as_json: bool) -> None:
    """Erase crops, the pictures and their lines: of a plate, before a day, or all. The plant may be running.

    Exit code 1 when there was none of them. Records and the pictures of weighings are not touched.
    """
    if everything == bool(plates or before):
        raise Problem("crops erase: say --all, or which: --plate 浙A12345, --before 2026-11-01")
    wanted = {tidy_plate(plate) for plate in plates}
    day = before.date() if before else None

    def gone(label: CropLabel) -> bool:
        return (not wanted or tidy_plate(label.plate) in wanted) and (day is None or _kept_before(label, day))

    store = _store(config)
    with _readable():
        erased = store.erase_all() if everything else store.erase(gone)
    for label in erased:
        click.echo(json.dumps(_facts(label), ensure_ascii=False) if as_json else f"{label.plate} {label.file}")
    if not erased:
        raise No("没有这样的车牌截图 there is no such crop")
    click.echo(f"{len(erased)} 张已删除 erased", err=True)


@contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Problem(f"crops: {error}") from error


def _store(config: Path) -> CropStore:
    settings = read_settings(config)
    return CropStore(settings.crops_folder, settings.plates.crops_mib)


def _facts(label: CropLabel) -> dict[str, str]:
    return {"file": label.file, "plate": label.plate, "color": label.color, "rows": label.rows, "source": label.source}


def _kept_before(label: CropLabel, day: date) -> bool:
    """By the day that ends its source; one without a day counts as old."""
    try:
        return date.fromisoformat(label.source.rpartition(" ")[2]) < day
    except ValueError:
        return True
