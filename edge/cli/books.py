"""`weighgate ledger`, `ticket` and `report`: the books from the command line.

Reading works beside a running plant. Reprint and void need the plant stopped (one writer); while it runs, its tickets
page does both.
"""

import json
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import click

from edge.cli.common import CONFIG, JSON, Problem, read_settings
from edge.domain.refusal import Refusal
from edge.settings import PlantSettings
from edge.signing import PassKey
from edge.station import ticket_desk
from edge.station.plates import history
from edge.station.scale_alarms import alarm_view
from edge.station.ticket_view import paper_view
from edge.station.views import Done, PlateSaidView, ScaleAlarmView, as_json
from edge.store.books import Books
from edge.store.clock import Clock
from edge.store.database import Database, StoreBroken, StoreBusy, connect
from edge.store.scale_alarms import StoredScaleAlarm
from edge.store.tail_check import BooksTorn
from edge.store.witness import Witness, WitnessUnwritable
from sync.keys import load_private
from sync.secrets import matches
from sync.units import format_fen, format_kg

T = TypeVar("T")
_BARS = "▁▂▃▄▅▆▇█"


@click.group()
def ledger() -> None:
    """The append-only ledger."""


@ledger.command("verify")
@click.argument("database", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--witness",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The witness file of these books; the one beside their folder when there is one.",
)
@JSON
def ledger_verify(database: Path, witness: Path | None, as_json: bool) -> None:
    """Check chain, numbers, balances and references; exit 0 only if all hold."""
    from edge.store.verify import NotBooks, verify

    folder = database.resolve().parent
    beside = folder.with_name(f"{folder.name}.witness") / "plant.json"
    try:
        report = verify(database, witness or (beside if beside.exists() else None))
    except NotBooks as error:
        raise Problem(str(error)) from None
    if as_json:
        click.echo(json.dumps(report.as_json(), ensure_ascii=False))
    else:
        for check in report.checks:
            click.echo(f"{'ok  ' if check.ok else 'FAIL'} {check.name}{'' if check.ok else ': ' + check.problem}")
        looks = f"{report.plate_looks} looks at plates, {report.plate_decisions} decided by people"
        click.echo(f"{report.records} records, {report.tickets} tickets, {looks}")
    sys.exit(0 if report.ok else 1)


@click.group()
def ticket() -> None:
    """Tickets in a plant's books."""


@ticket.command("show")
@CONFIG
@click.argument("number")
@JSON
def ticket_show(config: Path, number: str, as_json: bool) -> None:
    """Show one ticket with its seals, prints and exit, what was seen of its truck's plate and who compared it, and what
    the scale watch found.

    With --json each scale alarm comes with all its evidence: numbers, weighing, indicator, and the whole weight curve;
    each look at the plate with its reading, the two nearest, and the hashes of its pictures.
    """
    from edge.main import make_plant  # heavy, and only needed here

    settings = read_settings(config)
    plant = make_plant(settings, PassKey(load_private(settings.keys.directory / "plant.key")))

    def read(books: Books) -> dict[str, Any] | None:
        stored = books.paper(number)
        if stored is None:
            return None
        view = paper_view(plant, stored)
        alarms = books.scale_alarms.of_visit(view.visit)
        told = [_evidence(each) if as_json else _sentence(alarm_view(plant, each)) for each in alarms]
        seen = history(books, plant, view.visit)
        looks = [_as_dict(each) if as_json else _plate_sentence(each) for each in seen]
        return _as_dict(view) | {"plates": looks, "scale_alarms": told}

    facts = _read(settings, read)
    if facts is None:
        click.echo(f"no ticket {number}", err=True)
        sys.exit(1)
    _print(facts, as_json)


def _plate_sentence(said: PlateSaidView) -> str:
    read = f" {said.look.free} {said.look.confidence_permille // 10}%" if said.look and said.look.free else ""
    return f"{said.at} {said.place.zh}{read} {said.said.zh} {said.by} / {said.said.en}".replace("  ", " ")


@ticket.command("reprint")
@CONFIG
@click.argument("number")
@click.option("--by", required=True, help="Id of the person who asks.")
def ticket_reprint(config: Path, number: str, by: str) -> None:
    """Queue a marked copy; printed when the plant runs."""
    settings = read_settings(config)
    if by not in {person.id for person in settings.person}:
        raise Problem(f"--by: {by!r} — one of {', '.join(person.id for person in settings.person)}")
    _answer(_write(settings, lambda books: ticket_desk.reprint(books, number, by)))


@ticket.command("void")
@CONFIG
@click.argument("number")
@click.option("--first", required=True, help="Id of the first person.")
@click.option("--second", required=True, help="Id of the second person.")
@click.option("--reason", required=True)
def ticket_void(config: Path, number: str, first: str, second: str, reason: str) -> None:
    """Void a ticket before its truck left; both persons type their PIN."""
    settings = read_settings(config)
    if first == second:
        raise Problem("--second: voiding takes two different persons")
    for person in (first, second):
        _authenticate(settings, person)
    _answer(_write(settings, lambda books: ticket_desk.void(books, number, first, second, reason)))


@click.group()
def report() -> None:
    """Day and month reports."""


@report.command("day")
@CONFIG
@click.argument("date", type=click.DateTime(["%Y-%m-%d"]))
@JSON
def report_day(config: Path, date: datetime, as_json: bool) -> None:
    """The sums of one business date, YYYY-MM-DD."""
    _sums(config, date.strftime("%Y-%m-%d"), as_json)


@report.command("month")
@CONFIG
@click.argument("month", type=click.DateTime(["%Y-%m"]))
@JSON
def report_month(config: Path, month: datetime, as_json: bool) -> None:
    """The sums of one month, YYYY-MM."""
    _sums(config, month.strftime("%Y-%m"), as_json)


def _sums(config: Path, period: str, as_json: bool) -> None:
    sums = _read(read_settings(config), lambda books: books.tickets.sums(period))
    facts: dict[str, Any] = {"period": period, **sums}
    if not as_json:
        facts["net_kg"] = format_kg(sums["net_kg"])
        facts["amount"] = f"¥{format_fen(facts.pop('amount_fen'))}"
    _print(facts, as_json)


def _read(settings: PlantSettings, work: Callable[[Books], T]) -> T:
    path = settings.books_file
    if not path.exists():
        raise Problem(f"{path}: no books here yet; run the plant first")
    connection = connect(path, writable=False)
    try:
        return work(Books(connection, Clock()))
    finally:
        connection.close()


def _write(settings: PlantSettings, work: Callable[[Books], T]) -> T:
    """Write to the books as the plant does: held against their witness first, which is told of it. A copy is not
    written to, only marked as one.
    """
    path = settings.books_file
    if not path.exists():
        raise Problem(f"{path}: no books here yet; run the plant first")
    try:
        database = Database(path, Clock())
    except StoreBusy:
        raise Problem("the plant is running: use its tickets page, or stop it first") from None
    try:
        return _witnessed(settings, database, work)
    except (BooksTorn, StoreBroken, StoreBusy, WitnessUnwritable) as error:
        raise Problem(str(error)) from None
    finally:
        database.close()


def _witnessed(settings: PlantSettings, database: Database, work: Callable[[Books], T]) -> T:
    owner = database.transact_now(lambda books: books.text("instance"))
    if not owner.startswith(f"{settings.plant.code}/{settings.plant.epoch}/"):
        raise Problem(
            f"{settings.books_file}: these books belong to {owner or 'no plant yet'}, the configuration is of"
            f" {settings.plant.code} epoch {settings.plant.epoch}"
        )
    witness = Witness(settings.witness_file, owner)
    try:
        if why := witness.begin(database):
            raise Problem(f"these books are fenced: {why}")
        return database.transact_now(work)
    finally:
        witness.close()


def _authenticate(settings: PlantSettings, who: str) -> None:
    known = {person.id: person for person in settings.person}
    typed = click.prompt(f"PIN of {who}", hide_input=True, err=True)
    if who not in known or not matches(typed, known[who].pin_hash):
        raise Problem(f"{who}: unknown person or wrong PIN")


def _answer(outcome: Done | Refusal) -> None:
    click.echo(f"{outcome.words.zh}\n{outcome.words.en}", err=isinstance(outcome, Refusal))
    sys.exit(1 if isinstance(outcome, Refusal) else 0)


def _as_dict(view: object) -> dict[str, Any]:
    return as_json(view)


def _evidence(alarm: StoredScaleAlarm) -> dict[str, Any]:
    """The ledger's own record, and who saw it."""
    seen = alarm.seen.model_dump(mode="json") if alarm.seen else None
    return {"seq": alarm.seq, **alarm.told.model_dump(mode="json"), "seen": seen}


def _sentence(alarm: ScaleAlarmView) -> str:
    seen = f"{alarm.seen_by} {alarm.seen_at}: {alarm.note}" if alarm.seen_by else "未确认 not acknowledged"
    return f"{alarm.at} {alarm.words.zh} {alarm.words.en} ({seen})\n  {_drawn(alarm)}"


def _drawn(alarm: ScaleAlarmView) -> str:
    """The weight about the alarm as a line of bars."""
    if not alarm.curve_kg:
        return "无曲线 no curve"
    low_kg, high_kg = min(alarm.curve_kg), max(alarm.curve_kg)
    steps = [(kg - low_kg) * (len(_BARS) - 1) // max(1, high_kg - low_kg) for kg in alarm.curve_kg]
    seconds = len(alarm.curve_kg) * alarm.curve_step_ms // 1000
    return f"{''.join(_BARS[step] for step in steps)}  {format_kg(low_kg)} … {format_kg(high_kg)} kg, {seconds} s"


def _print(facts: dict[str, Any], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(facts, ensure_ascii=False))
        return
    for name, value in facts.items():
        for each in value if isinstance(value, list) else [value]:
            click.echo(f"{name}: {each}")
