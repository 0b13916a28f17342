"""`weighgate-office close|settle|suspense|reconcile|backup|restore`: how plant epochs end, and how books come back."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from sync.office import epochs, recovery
from sync.office.command import CONFIG, JSON, open_configured, read_text, say, signed, signed_alone
from sync.office.persons import TwoPersons, check_names
from sync.office.refusal import NotAllowed
from sync.office.settings import load_settings
from sync.office.store.decisions import two_needed
from sync.units import format_fen

_FILE = click.Path(path_type=Path, dir_okay=False)
_PINS = click.option("--pins", type=_FILE, help="A file with both PINs, a line each (-: standard input); else asked.")


@click.command()
@CONFIG
@click.argument("plant")
@click.option("--reason", default="")
@JSON
def close(config: Path, plant: str, reason: str, as_json: bool) -> None:
    """Close a plant's epoch 关账期: it finishes its trucks, gives its money back, and sends its last record."""
    with open_configured(config) as (_, store):
        told = epochs.close_plant(store, plant, reason)
    say(as_json, told, f"{told['instance']}: closing; it is settled when the plant's last record arrives")


@click.command()
@CONFIG
@click.argument("instance")
@click.option("--disk", type=click.Path(path_type=Path), help="The lost box's data folder, or plant.db in it.")
@click.option("--paper", type=_FILE, help="CSV: ticket,account,plate,net_kg,amount (yuan).")
@click.option("--last-ticket", default="", help="With --disk: the number on the last stub, or none.")
@click.option("--suspend-unreadable", is_flag=True, help="With --disk: tickets not readable here go into suspense.")
@click.option("--first", required=True, help="Name of the first person, of finance or accounting.")
@click.option("--second", required=True)
@_PINS
@JSON
def settle(
    config: Path, instance: str, disk: Path | None, paper: Path | None, last_ticket: str, suspend_unreadable: bool,
    first: str, second: str, pins: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Settle a lost box 结算, an INSTANCE like HX01/1/9f86d081884c7d65, by its disk or by paper; two persons.

    Everything is checked and shown before the PINs are asked for; without them nothing is settled."""
    if (disk is None) == (paper is None):
        raise NotAllowed("disk", "", "--disk 和 --paper 选一个", "give either --disk or --paper")
    text = read_text(paper) if paper is not None else ""
    with open_configured(config) as (settings, store):

        def run(persons: TwoPersons | None) -> dict[str, Any]:
            if disk is None:
                return epochs.settle_by_paper(store, instance, text, persons)
            return epochs.settle_by_disk(store, instance, disk, persons, last_ticket, suspend_unreadable)

        check_names(settings, first, second)
        planned = run(None)
        if not as_json:
            click.echo("\n".join(["would be settled 将结算:", *_settled(planned)]), err=True)
        told = run(signed(settings, first, second, pins))
    say(as_json, told, "\n".join(_settled(told)))


def _settled(told: dict[str, Any]) -> list[str]:
    lines = [f"{told['instance']}: settled by {told['how']}, {told['rows']} rows and {told['stubs']} stubs taken in"]
    lines += [f"  {account}: ¥{format_fen(fen)} dispatched" for account, fen in told["accounts"].items()]
    lines += _read(told["disk"]) if "disk" in told else []
    if told["suspense"]:
        lines.append(f"  {told['suspense']} signed rows not counted wait in suspense 挂账: decide on each")
    return lines


def _read(disk: dict[str, Any]) -> list[str]:
    last = f"the last is {disk['last_ticket']} of {disk['last_at']}" if disk["tickets"] else "none at all"
    lines = [f"  on the disk: {disk['tickets']} tickets, {last}: hold it against the last stub 存根"]
    if disk["witness"]:
        return [*lines, f"  the box's witness agrees: {disk['witness']}"]
    return [*lines, "  no witness 见证 was found: only the last stub tells whether tickets are missing"]


@click.group()
def suspense() -> None:
    """Late tickets of settled epochs 挂账: list them, charge them, dismiss them."""


@suspense.command("list")
@CONFIG
@click.option("--all", "all_states", is_flag=True, help="Also those that were decided.")
@JSON
def list_command(config: Path, all_states: bool, as_json: bool) -> None:
    """One line each, oldest first."""
    with open_configured(config) as (_, store):
        rows = epochs.suspense(store, all_states)
    for row in rows:
        what = f"{row['kind']} {row['ticket']} {row['account']} ¥{format_fen(row['amount_fen'])} {row['note']}".strip()
        say(as_json, row, f"{row['instance']} {row['seq']}: {what} ({row['state']})")
    if not rows and not as_json:
        click.echo("nothing in suspense")


def _decision(command: Callable[..., None]) -> Callable[..., None]:
    """What both decisions are told: which row, why, and who says so."""
    for given in (
        JSON, _PINS, click.option("--second", default="", help="Needed where money is given back."),
        click.option("--first", required=True, help="Who decides, of finance or accounting."),
        click.option("--reason", required=True), click.argument("seq", type=int), click.argument("instance"), CONFIG,
    ):  # fmt: skip
        command = given(command)
    return command


@suspense.command()
@_decision
def charge(**given: Any) -> None:
    """The goods left and nobody was charged: book the ticket to its account, in the place of its stub if it has one.
    Of a void: its truck never left with the goods: give the money back; two persons."""
    _decide(charge=True, **given)


@suspense.command()
@_decision
def dismiss(**given: Any) -> None:
    """Not to be charged, and why: it is on another stub, or the load never left."""
    _decide(charge=False, **given)


def _decide(
    config: Path, instance: str, seq: int, reason: str, first: str, second: str, pins: Path | None, as_json: bool,
    charge: bool,
) -> None:  # fmt: skip
    with open_configured(config) as (settings, store):
        planned = epochs.plan_late(store, instance, seq, charge)
        if planned.gives_back and not second:
            raise two_needed(planned)
        by = signed(settings, first, second, pins) if second else signed_alone(settings, first, pins)
        told = epochs.decide_late(store, instance, seq, charge, reason, by)
    zh, en = epochs.say_late(told)
    say(as_json, told, f"{en} / {zh} ({told['resolved_by']})")


@click.command()
@CONFIG
@click.option("--begin", is_flag=True, help="The books were put back from a copy: ask every plant again.")
@click.option("--finish", is_flag=True, help="All plants have told, all payments are in: grant again; two persons.")
@click.option("--first", default="", help="With --finish: the first person, of finance or accounting.")
@click.option("--second", default="")
@click.option("--accept-shortage", is_flag=True, help="With --finish: although more is out than was posted.")
@click.option("--not-ours", multiple=True, help="With --finish: a plant's code that speaks with a key not known here.")
@_PINS
@JSON
def reconcile(
    config: Path, begin: bool, finish: bool, first: str, second: str, accept_shortage: bool,
    not_ours: tuple[str, ...], pins: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Restored books 对账恢复: where it stands, which plants have not told; begin it, finish it."""
    if begin and finish:
        raise NotAllowed("finish", "", "--begin 和 --finish 选一个", "give either --begin or --finish")
    with open_configured(config) as (settings, store):
        if begin:
            told = recovery.begin_reconcile(store, "人工开始 / begun by hand")
        elif finish:
            persons = signed(settings, first, second, pins)
            told = recovery.finish_reconcile(store, persons, accept_shortage, not_ours)
        else:
            told = recovery.reconcile_status(store)
    say(as_json, told, "\n".join(_standing(told)))


def _standing(told: dict[str, Any]) -> list[str]:
    if told["mode"] == "normal":
        return [f"normal; term {told['term']}"]
    lines = [f"{told['mode']}; term {told['term']}: {told['why']}"]
    if told["mode"] == "halted":
        lines.append("  a plant follows another head office. If that one is not to go on: reconcile --begin here")
        return lines
    lines += [f"  told 已报到: {instance}" for instance in told["told"]]
    lines += [f"  not told 未报到: {instance} (connect it, or settle it)" for instance in told["missing"]]
    lines += [f"  unknown key 未登记: {name} (enrolled after the backup? enrol it)" for name in told["unknown"]]
    lines += [f"  {each['account']}: ¥{format_fen(each['fen'])} more is out than was posted" for each in told["short"]]
    return lines


@click.command()
@CONFIG
@click.argument("file", type=_FILE)
@JSON
def backup(config: Path, file: Path, as_json: bool) -> None:
    """Copy the books to FILE, also while head office runs. The copy can only come up to be reconciled."""
    recovery.backup_books(load_settings(config), file)
    say(as_json, {"file": str(file), "bytes": file.stat().st_size}, f"{file}: written and checked")


@click.command()
@click.argument("backup_file", metavar="BACKUP", type=_FILE)
@CONFIG
@click.option("--replace", is_flag=True, help="Move the books that are there aside.")
@JSON
def restore(backup_file: Path, config: Path, replace: bool, as_json: bool) -> None:
    """Put BACKUP in the place of the books; head office is stopped. Nothing is granted before `reconcile --finish`."""
    told = recovery.restore_books(load_settings(config), config, backup_file, replace=replace)
    lines = [f"{told['database']}: restored" + (f"; the old books are now {told['aside']}" if told["aside"] else "")]
    lines += [*_standing(told), "next: docs/operating.md, Head office from a backup"]
    say(as_json, told, "\n".join(lines))


COMMANDS = (close, settle, suspense, reconcile, backup, restore)
