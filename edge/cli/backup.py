"""`weighgate backup` and `restore`: a copy of the books, and books from such a copy, which never sell again."""

import json
from pathlib import Path
from zoneinfo import ZoneInfo

import click

from edge.cli.common import CONFIG, JSON, Problem, counted, read_settings
from edge.settings import PlantSettings


@click.command()
@CONFIG
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@JSON
def backup(config: Path, file: Path, as_json: bool) -> None:
    """Write a checked copy of the books to the new FILE; the plant may go on weighing."""
    from edge.store.backup import BackupFailed, back_up

    settings = read_settings(config)
    try:
        report = back_up(settings.books_file, file)
    except BackupFailed as error:
        raise Problem(str(error)) from None
    held = f"{counted(report.records, 'record')}, {counted(report.tickets, 'ticket')}"
    facts = {"file": str(file), "records": report.records, "tickets": report.tickets, "head_hash": report.head_hash}
    if as_json:
        click.echo(json.dumps(facts))
        return
    click.echo(f"{file}: {report.records} 条记录,{report.tickets} 张出库单,已核对。恢复后只能查、补打、放行,不能出单")
    click.echo(f"{file}: {held}, checked. Restored it reads, reprints and opens the gate; it never sells")


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@CONFIG
@click.option("--replace", is_flag=True, help="Move the books that are there aside; they are kept.")
def restore(file: Path, config: Path, replace: bool) -> None:
    """Put the books of the backup FILE back. The plant must be stopped; it comes up fenced."""
    from edge.store.backup import BackupFailed
    from edge.store.backup import restore as put_back
    from edge.store.database import StoreBusy

    settings = read_settings(config)
    instance, zone = _instance(settings), ZoneInfo(settings.plant.timezone)
    try:
        report, aside = put_back(file, settings.books_file, instance, replace=replace, zone=zone)
    except StoreBusy:
        raise Problem("the plant is running: stop it first, for instance with: systemctl stop weighgate") from None
    except BackupFailed as error:
        raise Problem(str(error)) from None
    if aside is not None:
        click.echo(f"原账本保存为 {aside}\nThe old books are kept as {aside}")
    held = f"{counted(report.records, 'record')}, {counted(report.tickets, 'ticket')}"
    click.echo(f"{report.records} 条记录,{report.tickets} 张出库单,最后一行 {report.head_hash[:8].upper()}")
    click.echo(f"{held}, last row {report.head_hash[:8].upper()}")
    click.echo(
        "已恢复并隔离:门岗、查询、补打照常,不得出单、作废、收款。\n"
        "下一步:1) systemctl start weighgate 放行场内已出单的车;2) 备份之后开出的单由总部核对;"
        "3) 请总部开新账期(docs/operating.md“Restoring a plant”)\n"
        "Restored and fenced: gate, reading and reprints work; no tickets, voids or money.\n"
        "Next: 1) systemctl start weighgate, and let out the trucks that have tickets; 2) head office compares what was"
        " sold after the backup; 3) enrol a new epoch (docs/operating.md, “Restoring a plant”)"
    )


def _instance(settings: PlantSettings) -> str:
    from sync.keys import Instance, KeyFileError, load_private

    try:
        key = load_private(settings.keys.directory / "plant.key")
    except KeyFileError as error:
        raise Problem(str(error)) from None
    return Instance.of(settings.plant.code, settings.plant.epoch, key).wire_id
