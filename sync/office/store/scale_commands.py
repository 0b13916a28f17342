"""Commands to weighing indicators (置零) as head office lists them: the command and what became of it are one line."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, select, tuple_

from sync.office.effects import COMMAND_KINDS
from sync.office.reading import read_row
from sync.office.store.schema import inbox
from sync.records import Record, ScaleCommanded, ScaleCommandEnded

Key = tuple[str, int]


def commands_told(tx: Connection, incidents: Sequence[dict[str, Any]]) -> dict[Key, dict[str, Any]]:
    """By row (instance, number), of those incidents that are commands or their ends: lane, person, the weight before
    (`weight_kg`), whether its `ended` is known, `after_kg` and `what` was answered. A command whose end stands among
    them is left out, for that tells both.
    """
    keys = [(row["instance"], row["seq"]) for row in incidents if row["kind"] in COMMAND_KINDS]
    rows = _read(tx, keys)
    begun = {(key[0], end.commanded) for key, end in rows.items() if isinstance(end, ScaleCommandEnded)}
    rows |= _read(tx, begun - rows.keys())
    told = {}
    for key in keys:
        record = rows.get(key)
        if isinstance(record, ScaleCommandEnded):
            told[key] = _line(rows.get((key[0], record.commanded)), record)
        elif isinstance(record, ScaleCommanded) and key not in begun:
            told[key] = _line(record, None)
    return told


def _line(named: Record | None, end: ScaleCommandEnded | None) -> dict[str, Any]:
    """An end may name a row that is no command."""
    command = named if isinstance(named, ScaleCommanded) else None
    first = command or end
    return {
        "lane": first.lane if first else "",
        "person": command.person_name or command.person if command else "",
        "weight_kg": command.weight_kg if command else None,
        "ended": end is not None,
        "after_kg": end.weight_kg if end else None,
        "what": end.what if end and end.result != "done" else "",
    }


def _read(tx: Connection, keys: Iterable[Key]) -> dict[Key, Record]:
    wanted = list(keys)
    if not wanted:
        return {}
    query = select(inbox.c.instance, inbox.c.seq, inbox.c.kind, inbox.c.body)
    found = tx.execute(query.where(tuple_(inbox.c.instance, inbox.c.seq).in_(wanted)))
    read = {(row.instance, row.seq): read_row(row.kind, row.body) for row in found}
    return {key: record for key, record in read.items() if isinstance(record, Record)}
