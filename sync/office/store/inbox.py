"""Taking in a plant's rows: kept for ever, applied once, in order, in the commit that moves `last_seq`.

Rows are inserted under (instance, seq). The same number with another hash is a FORK: two boxes, or a restored copy,
speak with one key. Both rows are kept, the instance is frozen (no grants, no notices), and a person must look. Rows
past a gap wait in the inbox; the answer names the last row without a gap, so the plant goes back to it.
"""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from sqlalchemy import Connection, Select, bindparam, select, update

from sync.chain import ChainBroken, verify_row
from sync.messages import Notice, State, WireRecord
from sync.office.clock import now_text
from sync.office.effects import Effects, Incident, Shipment, Sums, orders_named, visits_named
from sync.office.store.database import insert_new, next_change, put
from sync.office.store.lacks import note_lacks
from sync.office.store.money import grant_wanted
from sync.office.store.schema import (
    accounts,
    allotments,
    documents,
    forks,
    inbox,
    incidents,
    instances,
    notices,
    shipments,
)
from sync.units import format_fen

_PARKED_AT_ONCE = 5000
_HIGHEST_SEQ = 2**53
_SHIPMENT_FIELDS = tuple(Shipment.__dataclass_fields__)


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
    granted: bool = False
    change: int = 0


def ingest(tx: Connection, instance: str, records: Sequence[WireRecord]) -> Ingested:
    """Take in rows of one instance, in any order, any number of times."""
    for record in records:
        _check_storable(record)
    head = tx.execute(_head(instance).with_for_update()).mappings().first()
    if head is None:
        raise UnknownInstance(instance)
    last_seq, last_hash = int(head["last_seq"]), str(head["last_hash"])
    new, other = _sort_out(tx, instance, records)
    received_at = now_text()
    insert_new(tx, inbox, [_inbox_row(instance, record, received_at) for record in new])
    forked = _keep_forks(tx, head["plant"], instance, other, received_at)
    ready, broken = _ready(tx, instance, last_seq, last_hash, new)
    if broken is not None and not head["frozen"]:
        _freeze(tx, head["plant"], instance, "chain", broken.seq, broken.what)
    granted = False
    if ready:
        granted = _apply(tx, head["plant"], instance, ready)
        last_seq, last_hash = ready[-1].seq, ready[-1].hash
        tx.execute(
            update(instances).where(instances.c.instance == instance).values(last_seq=last_seq, last_hash=last_hash)
        )
    change = next_change(tx) if ready or forked or broken else 0
    return Ingested(last_seq, last_hash, len(ready), forked, granted, change)


def _check_storable(record: WireRecord) -> None:
    texts = (record.kind, record.body, record.at, record.hash)
    if not 1 <= record.seq <= _HIGHEST_SEQ or any("\0" in text for text in texts):
        raise Unstorable(f"row {record.seq} cannot be kept")
    try:
        "".join(texts).encode()
    except UnicodeEncodeError as error:
        raise Unstorable(f"row {record.seq} holds half a character") from error


def _head(instance: str) -> Select[Any]:
    return select(
        instances.c.plant, instances.c.last_seq, instances.c.last_hash, instances.c.frozen
    ).where(instances.c.instance == instance)  # fmt: skip


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
    _freeze(tx, plant, instance, "fork", other[0].seq, f"row {other[0].seq} came twice with different content")
    return True


def _freeze(tx: Connection, plant: str, instance: str, kind: str, seq: int, what: str) -> None:
    tx.execute(update(instances).where(instances.c.instance == instance, instances.c.frozen == "").values(frozen=what))
    insert_new(tx, incidents, [_incident_row(plant, instance, Incident(seq, kind, now_text(), what))])


def compare_ledgers(tx: Connection, plant: str, instance: str, last_seq: int, state: State) -> None:
    """Hold a STATE against the inbox: another hash under its number is a FORK; fewer rows than it sent are told.

    A plant that fenced itself was told of more rows than it has, or of others: no late message, so it is frozen here.
    """
    mine = (inbox.c.instance == instance, inbox.c.seq == state.last_seq)
    kept = tx.execute(select(inbox.c.hash).where(*mine)).scalar()
    if kept is not None and kept != state.last_hash:
        _freeze(tx, plant, instance, "fork", state.last_seq, f"row {state.last_seq} is another one at the plant")
    elif state.mode == "fenced":
        _freeze(tx, plant, instance, "fork", last_seq, "the plant lacks rows that came from it, or has others")
    elif state.last_seq < last_seq:
        what = f"the plant tells of {state.last_seq} rows, {last_seq} came: a restored copy, or a late message"
        insert_new(tx, incidents, [_incident_row(plant, instance, Incident(last_seq, "fewer", now_text(), what))])


def tell_restored(tx: Connection, plant: str, instance: str, last_seq: int, lost: str) -> None:
    """The plant has what these books do not hold: they were restored from an older copy."""
    what = f"head office forgot what the plant has from it: {lost}"
    insert_new(tx, incidents, [_incident_row(plant, instance, Incident(last_seq, "restored", now_text(), what))])


def _incident_row(plant: str, instance: str, incident: Incident) -> dict[str, Any]:
    return {"instance": instance, "plant": plant, **asdict(incident)}


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


def _apply(tx: Connection, plant: str, instance: str, ready: list[WireRecord]) -> bool:
    """Write what the rows mean; whether money came back and was granted to somebody who waits for it."""
    rows = [(record.kind, record.body) for record in ready]
    effects = Effects(
        shipments=_read_shipments(tx, instance, visits_named(rows)),
        issued=_read_issued(tx, instance, orders_named(rows)),
    )
    for record in ready:
        effects.feed(record.seq, record.kind, record.body, record.at)
    odd = [Incident(ready[-1].seq, kind, now_text(), what) for kind, what in _save_sums(tx, instance, effects.sums)]
    _save_notices(tx, instance, effects)
    insert_new(tx, incidents, [_incident_row(plant, instance, incident) for incident in effects.incidents + odd])
    changed = _with_notice_facts(tx, [effects.shipments[visit] for visit in sorted(effects.touched)])
    put(tx, shipments, [_shipment_row(plant, instance, shipment) for shipment in changed])
    note_lacks(tx, plant, instance, effects.lacks)
    granted = False
    for account in sorted(account for account, sums in effects.sums.items() if sums.returned_fen):
        granted = grant_wanted(tx, account) or granted
    return granted


def _read_shipments(tx: Connection, instance: str, visits: set[str]) -> dict[str, Shipment]:
    if not visits:
        return {}
    found = tx.execute(select(shipments).where(shipments.c.instance == instance, shipments.c.visit.in_(sorted(visits))))
    return {row["visit"]: Shipment(**{name: row[name] for name in _SHIPMENT_FIELDS}) for row in found.mappings()}


def _read_issued(tx: Connection, instance: str, numbers: set[str]) -> dict[str, list[Notice]]:
    """Every version that was ever numbered for this instance, also of amendments still on their way."""
    issued: dict[str, list[Notice]] = defaultdict(list)
    mine = (documents.c.instance == instance, documents.c.kind == Notice.KIND)
    chosen = select(documents.c.subject, documents.c.body).where(*mine, documents.c.subject.in_(sorted(numbers)))
    for number, body in tx.execute(chosen.order_by(documents.c.number)):
        issued[number].append(Notice.model_validate_json(body))
    return issued


def _with_notice_facts(tx: Connection, changed: list[Shipment]) -> list[Shipment]:
    """Before there is a ticket, customer and product are those of the notice."""
    wanted = sorted({shipment.notice for shipment in changed if shipment.notice and not shipment.customer_name})
    if not wanted:
        return changed
    found = tx.execute(select(notices.c.notice, notices.c.body).where(notices.c.notice.in_(wanted)))
    facts = {row.notice: json.loads(row.body) for row in found}
    return [
        replace(shipment, **{name: facts[shipment.notice][name] for name in _NOTICE_FACTS})
        if not shipment.customer_name and shipment.notice in facts
        else shipment
        for shipment in changed
    ]


_NOTICE_FACTS = ("customer_id", "customer_name", "product", "mode", "price_fen_per_t", "credit_due", "carrier")


def _shipment_row(plant: str, instance: str, shipment: Shipment) -> dict[str, Any]:
    fields = {name: getattr(shipment, name) for name in _SHIPMENT_FIELDS}
    return {"instance": instance, "plant": plant, **fields}


def _save_sums(tx: Connection, instance: str, sums: dict[str, Sums]) -> list[tuple[str, str]]:
    """Add to the counters; what cannot be right is booked all the same, and told: the goods are gone already."""
    named = sorted(account for account, each in sums.items() if each != Sums())
    known = set(tx.execute(select(accounts.c.account).where(accounts.c.account.in_(named)).with_for_update()).scalars())
    strange = [f"{account}: no such account here" for account in named if account not in known]
    over = []
    row = allotments.c
    for account in sorted(known):
        each = sums[account]
        insert_new(tx, allotments, [{"account": account, "instance": instance}])
        mine = (row.account == account, row.instance == instance)
        before = tx.execute(select(allotments).where(*mine)).mappings().one()
        after = {
            "spent_fen": before["spent_fen"] + each.spent_fen, "voided_fen": before["voided_fen"] + each.voided_fen,
            "held_fen": before["held_fen"] + each.held_fen,
            "returned_seen_fen": min(max(before["returned_seen_fen"], each.returned_fen), before["granted_fen"]),
        }  # fmt: skip
        tx.execute(update(allotments).where(*mine).values(**after))
        over_fen = after["spent_fen"] - after["voided_fen"] - (before["granted_fen"] - after["returned_seen_fen"])
        if over_fen > 0 and each.spent_fen:
            over.append(f"{account}: tickets exceed the allotment by ¥{format_fen(over_fen)}")
    # One incident of a kind per row: an account each would push the others out.
    found = (("unknown_account", strange), ("over_allotment", over))
    return [(kind, "; ".join(said)) for kind, said in found if said]


def _save_notices(tx: Connection, instance: str, effects: Effects) -> None:
    """New states of notices; a refusal counts only while nothing else was heard of the notice."""
    told = sorted(effects.notices.items())
    mine = (notices.c.notice == bindparam("number"), notices.c.instance == instance)
    change = update(notices).values(state=bindparam("new_state"), reason=bindparam("why"))
    moved = [{"number": n, "new_state": state, "why": why} for n, (state, why) in told if state != "refused"]
    refused = [{"number": n, "new_state": state, "why": why} for n, (state, why) in told if state == "refused"]
    if moved:
        tx.execute(change.where(*mine), moved)
    if refused:
        tx.execute(change.where(*mine, notices.c.state.in_(("issued", "cancelling"))), refused)
