"""Taking in a plant's rows: kept for ever, applied once, in order, in the commit that moves `last_seq`.

Rows are inserted under (instance, seq). The same number with another hash is a FORK: two boxes, or a restored copy,
speak with one key. Both rows are kept, the instance is frozen (no grants, no notices), and a person must look. Rows
past a gap wait in the inbox; the answer names the last row without a gap, so the plant goes back to it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, Select, func, select, update

from sync.chain import ChainBroken, verify_row, verify_rows
from sync.messages import State, WireRecord
from sync.office.clock import now_text
from sync.office.effects import Incident
from sync.office.store.applying import tell
from sync.office.store.bulk import add_rows, insert_new
from sync.office.store.database import next_change
from sync.office.store.epochs import apply_in_epoch
from sync.office.store.late import book_unapplied
from sync.office.store.schema import forks, inbox, instances

_PARKED_AT_ONCE = 5000
_HIGHEST_SEQ = 2**53


class Unstorable(Exception):
    """Rows no honest plant writes: a number out of range, or text that no database keeps. Nothing was taken in."""


class UnknownInstance(Exception):
    """Rows of a plant epoch that is not enrolled here."""


@dataclass(frozen=True, slots=True)
class Ingested:
    """Where the instance stands after the commit. `last_seq` and `last_hash` are what ACK says."""

    last_seq: int
    last_hash: str
    applied: int
    forked: bool = False
    owed: bool = False
    """Money was granted, or a document numbered: some plant lacks something now."""
    change: int = 0


def ingest_all(tx: Connection, rows: Mapping[str, Sequence[WireRecord]]) -> dict[str, Ingested]:
    """Take in rows of several instances, each as `ingest` does.

    Locks in one order for every process: instances, then accounts, then the number of the last change.
    """
    named = sorted(rows)
    tx.execute(
        select(instances.c.instance)
        .where(instances.c.instance.in_(named))
        .order_by(instances.c.instance)
        .with_for_update()
    )
    taken = {instance: _take_in(tx, instance, rows[instance]) for instance in named}
    change = next_change(tx) if any(news for _, news in taken.values()) else 0
    return {instance: replace(done, change=change if news else 0) for instance, (done, news) in taken.items()}


def ingest(tx: Connection, instance: str, records: Sequence[WireRecord]) -> Ingested:
    """Take in rows of one instance, in any order, any number of times."""
    return ingest_all(tx, {instance: records})[instance]


def _take_in(tx: Connection, instance: str, records: Sequence[WireRecord]) -> tuple[Ingested, bool]:
    """One instance's rows; whether pages have something new to show."""
    _check_storable(records)
    head = tx.execute(_head(instance).with_for_update()).mappings().first()
    if head is None:
        raise UnknownInstance(instance)
    last_seq, last_hash = int(head["last_seq"]), str(head["last_hash"])
    received_at, broken = now_text(), None
    ready = _following(tx, instance, last_seq, last_hash, records)
    add_rows(tx, inbox, [_inbox_row(instance, record, received_at) for record in ready])
    left = [record for record in records if record.seq <= last_seq] if ready else records
    new, other = _sort_out(tx, instance, left)
    insert_new(tx, inbox, [_inbox_row(instance, record, received_at) for record in new])
    forked = _keep_forks(tx, head["plant"], instance, other, received_at)
    if not ready:
        ready, broken = _ready(tx, instance, last_seq, last_hash, new)
    if broken is not None and not head["frozen"]:
        _freeze(tx, head["plant"], instance, "chain", broken.seq, broken.what)
    owed = False
    if ready:
        granted = apply_in_epoch(tx, head, instance, ready)
        last_seq, last_hash = ready[-1].seq, ready[-1].hash
        advance = update(instances).where(instances.c.instance == instance).returning(instances.c.documents)
        documents = tx.execute(advance.values(last_seq=last_seq, last_hash=last_hash)).scalar_one()
        owed = granted or documents != head["documents"]
    if head["state"] == "settled" and (ready or new or forked):
        book_unapplied(tx, head["plant"], instance)
    return Ingested(last_seq, last_hash, len(ready), forked, owed), bool(ready or forked or broken)


def _following(
    tx: Connection, instance: str, last_seq: int, last_hash: str, records: Sequence[WireRecord]
) -> list[WireRecord]:
    """The rows beyond the applied ones, if they are just what comes next, their chain whole, and nothing is parked.

    Then none of them can be here yet. That is how nearly all rows come, perhaps twice. Empty for anything else, which
    is sorted out row by row.
    """
    ahead: dict[int, WireRecord] = {}
    for record in records:
        if record.seq > last_seq and ahead.setdefault(record.seq, record).hash != record.hash:
            return []
    following = [ahead[seq] for seq in sorted(ahead)]
    try:
        verify_rows(following, last_seq, last_hash)
    except ChainBroken:
        return []
    if not following:
        return []
    # Asked after the instance is locked, so that no other process adds to them meanwhile.
    highest = tx.execute(select(func.max(inbox.c.seq)).where(inbox.c.instance == instance)).scalar() or 0
    return following if highest == last_seq else []


def _check_storable(records: Sequence[WireRecord]) -> None:
    texts = "".join([text for record in records for text in (record.kind, record.body, record.at, record.hash)])
    try:
        texts.encode()
    except UnicodeEncodeError as error:
        raise Unstorable("a row holds half a character") from error
    if "\0" in texts or not all(1 <= record.seq <= _HIGHEST_SEQ for record in records):
        seqs = f"{records[0].seq} to {records[-1].seq}" if records else "none"
        raise Unstorable(f"among rows {seqs} is one that cannot be kept")


def _head(instance: str) -> Select[Any]:
    named = ("plant", "last_seq", "last_hash", "frozen", "state", "documents")
    return select(*(instances.c[name] for name in named)).where(instances.c.instance == instance)


def _sort_out(
    tx: Connection, instance: str, records: Sequence[WireRecord]
) -> tuple[list[WireRecord], list[WireRecord]]:
    """New rows in order, and rows whose number is taken by another hash (here already, or within the message)."""
    numbers = [record.seq for record in records]
    if not numbers:
        return [], []
    window = inbox.c.seq.between(min(numbers), max(numbers))
    stored = tx.execute(select(inbox.c.seq, inbox.c.hash).where(inbox.c.instance == instance, window))
    known: dict[int, str] = {row.seq: row.hash for row in stored}
    new: dict[int, WireRecord] = {}
    other = []
    for record in records:
        if record.seq in known:
            if known[record.seq] != record.hash:
                other.append(record)
        else:
            known[record.seq] = record.hash
            new[record.seq] = record
    return [new[seq] for seq in sorted(new)], other


def _inbox_row(instance: str, record: WireRecord, received_at: str) -> dict[str, Any]:
    return {
        "instance": instance, "seq": record.seq, "kind": record.kind, "body": record.body, "at": record.at,
        "hash": record.hash, "received_at": received_at,
    }  # fmt: skip


def _keep_forks(tx: Connection, plant: str, instance: str, other: list[WireRecord], received_at: str) -> bool:
    if not other:
        return False
    insert_new(tx, forks, [_inbox_row(instance, record, received_at) for record in other])
    seq = other[0].seq
    what = f"第 {seq} 行到了两个不同内容 row {seq} came twice with different content"
    _freeze(tx, plant, instance, "fork", seq, what)
    return True


def _freeze(tx: Connection, plant: str, instance: str, kind: str, seq: int, what: str) -> None:
    tx.execute(update(instances).where(instances.c.instance == instance, instances.c.frozen == "").values(frozen=what))
    tell(tx, plant, instance, [Incident(seq, kind, now_text(), what)])


def compare_ledgers(tx: Connection, plant: str, instance: str, last_seq: int, state: State) -> None:
    """Hold a STATE against the inbox: another hash under its number is a FORK; fewer rows than it sent are told.

    A plant that fenced itself is a copy, whatever its rows are, and says so: it sells nothing and sends no rows. It is
    told, and nothing is frozen by it, for the original may come back.
    """
    if state.mode == "fenced":
        what = "厂以副本运行 the plant runs on a copy of its books: put the true ones back, or settle and enrol again"
        tell(tx, plant, instance, [Incident(last_seq, "copy", now_text(), what)])
        return
    mine = (inbox.c.instance == instance, inbox.c.seq == state.last_seq)
    kept = tx.execute(select(inbox.c.hash).where(*mine)).scalar()
    if kept is not None and kept != state.last_hash:
        what = f"第 {state.last_seq} 行与厂里的不同 row {state.last_seq} is another one at the plant"
        _freeze(tx, plant, instance, "fork", state.last_seq, what)
    elif state.last_seq < last_seq:
        what = f"the plant tells of {state.last_seq} rows, {last_seq} came: a restored copy, or a late message"
        tell(tx, plant, instance, [Incident(last_seq, "fewer", now_text(), what)])


def tell_restored(tx: Connection, plant: str, instance: str, last_seq: int, lost: str) -> None:
    """The plant has what these books do not hold: they were restored from an older copy."""
    what = f"head office forgot what the plant has from it: {lost}"
    tell(tx, plant, instance, [Incident(last_seq, "restored", now_text(), what)])


def tell_nonsense(tx: Connection, plant: str, instance: str, last_seq: int, number: int) -> None:
    """A STATE is worth nothing for the term that it names: no head office can have reached it, or only a box that was
    replaced, and may be stolen, knows of it. Told once."""
    what = f"the plant names term {number}: not believed, for its epoch is closing or no head office can be so far"
    tell(tx, plant, instance, [Incident(last_seq, "restored", now_text(), what)])


def _ready(
    tx: Connection, instance: str, last_seq: int, last_hash: str, new: list[WireRecord]
) -> tuple[list[WireRecord], ChainBroken | None]:
    """The rows that continue the applied prefix, from this message, then from those parked, their chain checked."""
    by_seq = {record.seq: record for record in new}
    ready: list[WireRecord] = []
    while True:
        record = by_seq.pop(last_seq + 1, None)
        if record is None:
            parked = _parked(tx, instance, last_seq)
            if not parked:
                return ready, None
            by_seq = parked
            continue
        try:
            last_hash = verify_row(last_hash, record)
        except ChainBroken as error:
            return ready, error
        ready.append(record)
        last_seq = record.seq


def _parked(tx: Connection, instance: str, last_seq: int) -> dict[int, WireRecord]:
    """Rows that arrived earlier and start right behind `last_seq`, by number; empty when the next one is missing."""
    mine = inbox.c.instance == instance
    if tx.execute(select(inbox.c.seq).where(mine, inbox.c.seq == last_seq + 1)).first() is None:
        return {}
    window = inbox.c.seq.between(last_seq + 1, last_seq + _PARKED_AT_ONCE)
    rows = tx.execute(select(inbox).where(mine, window)).mappings()
    return {row["seq"]: WireRecord(**{name: row[name] for name in WireRecord.model_fields}) for row in rows}
