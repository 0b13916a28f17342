"""Writing what a plant's rows mean, in the transaction that advances its `last_seq`: shipments, counters, incidents,
states of notices. A statement for all rows of a kind, never one for each: a plant may come back with a month of rows.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection, select, update

from sync.allotment import OfficeCounters
from sync.documents import Notice
from sync.messages import WireRecord
from sync.office.clock import now_text
from sync.office.effects import Effects, Incident, Shipment, Sums
from sync.office.reading import orders_named, read_row, visits_named
from sync.office.store.bulk import among, change, fetch, insert_new, put
from sync.office.store.lacks import note_lacks
from sync.office.store.money import grant_wanted
from sync.office.store.scale_alarms import save_alarms
from sync.office.store.schema import accounts, allotments, documents, incidents, notices, shipments
from sync.units import format_fen

_SHIPMENT_FIELDS = tuple(Shipment.__dataclass_fields__)
_values = attrgetter(*_SHIPMENT_FIELDS)


def apply_rows(tx: Connection, plant: str, instance: str, ready: Sequence[WireRecord]) -> bool:
    """Write what the rows mean; whether money came back and was granted to somebody who waits for it."""
    read = [read_row(record.kind, record.body) for record in ready]
    effects = Effects(
        shipments=_read_shipments(tx, instance, visits_named(read)),
        issued=_read_issued(tx, instance, orders_named(read)),
    )
    for record, meaning in zip(ready, read, strict=True):
        effects.take(record.seq, record.kind, record.body, record.at, meaning)
    odd = [Incident(ready[-1].seq, kind, now_text(), what) for kind, what in _save_sums(tx, instance, effects.sums)]
    _save_notices(tx, instance, effects)
    tell(tx, plant, instance, effects.incidents + odd)
    touched = [effects.shipments[visit] for visit in sorted(effects.touched)]
    _add_notice_facts(tx, touched)
    put(tx, shipments, [_shipment_row(plant, instance, shipment) for shipment in touched])
    save_alarms(tx, plant, instance, effects)
    note_lacks(tx, plant, instance, effects.lacks)
    granted = False
    for account in sorted(account for account, sums in effects.sums.items() if sums.returned_fen):
        granted = grant_wanted(tx, account) or granted
    return granted


def tell(tx: Connection, plant: str, instance: str, found: Iterable[Incident]) -> None:
    """Incidents for people; one that is there already, of the same row and kind, stays as it is."""
    insert_new(tx, incidents, [{"instance": instance, "plant": plant, **asdict(incident)} for incident in found])


def _read_shipments(tx: Connection, instance: str, visits: set[str]) -> dict[str, Shipment]:
    if not visits:
        return {}
    found = fetch(tx, shipments, _SHIPMENT_FIELDS, {"instance": instance}, visits)
    return {row.visit: Shipment(*row) for row in found}


def _read_issued(tx: Connection, instance: str, numbers: set[str]) -> dict[str, list[Notice]]:
    """Every version that was ever numbered for this instance, also of amendments still on their way."""
    issued: dict[str, list[Notice]] = defaultdict(list)
    if not numbers:
        return issued
    # By the subject alone: asked for the instance too, PostgreSQL may read all that was ever sent to it.
    columns = (documents.c.number, documents.c.instance, documents.c.kind, documents.c.subject, documents.c.body)
    found = tx.execute(select(*columns).where(among(tx, documents.c.subject, numbers))).all()
    for _, of, kind, number, body in sorted(found):
        if of == instance and kind == Notice.KIND:
            issued[number].append(Notice.model_validate_json(body))
    return issued


def _add_notice_facts(tx: Connection, touched: Sequence[Shipment]) -> None:
    """Before there is a ticket, customer and product are those of the notice."""
    wanted = {shipment.notice for shipment in touched if shipment.notice and not shipment.customer_name}
    if not wanted:
        return
    found = tx.execute(select(notices.c.notice, notices.c.body).where(among(tx, notices.c.notice, wanted)))
    facts = {row.notice: json.loads(row.body) for row in found}
    for shipment in touched:
        if not shipment.customer_name and shipment.notice in facts:
            for name in _NOTICE_FACTS:
                setattr(shipment, name, facts[shipment.notice][name])


_NOTICE_FACTS = ("customer_id", "customer_name", "product", "mode", "price_fen_per_t", "credit_due", "carrier")


def _shipment_row(plant: str, instance: str, shipment: Shipment) -> dict[str, Any]:
    return {"instance": instance, "plant": plant, **dict(zip(_SHIPMENT_FIELDS, _values(shipment), strict=True))}


def _save_sums(tx: Connection, instance: str, sums: dict[str, Sums]) -> list[tuple[str, str]]:
    """Add to the counters; what cannot be right is booked all the same, and told: the goods are gone already."""
    named = sorted(account for account, each in sums.items() if each != Sums())
    if not named:
        return []
    # In one order everywhere: two processes that lock accounts must not wait for each other.
    locking = select(accounts.c.account).where(among(tx, accounts.c.account, named)).order_by(accounts.c.account)
    known = list(tx.execute(locking.with_for_update()).scalars())
    strange = [f"{account}: no such account here" for account in named if account not in set(known)]
    row = allotments.c
    mine = (row.instance == instance, among(tx, row.account, known))
    before = {each["account"]: each for each in tx.execute(select(allotments).where(*mine)).mappings()}
    after, over = [], []
    for account in known:
        counters, over_fen = _added(before.get(account, _NO_COUNTERS), sums[account])
        after.append({"account": account, "instance": instance, **counters})
        if over_fen > 0 and sums[account].spent_fen:
            over.append(f"{account}: tickets exceed the allotment by ¥{format_fen(over_fen)}")
    put(tx, allotments, after)
    # One incident of a kind per row: an account each would push the others out.
    found = (("unknown_account", strange), ("over_allotment", over))
    return [(kind, "; ".join(said)) for kind, said in found if said]


_NO_COUNTERS = dict.fromkeys(("granted_fen", "returned_seen_fen", "spent_fen", "voided_fen", "held_fen"), 0)


def _added(before: Any, sums: Sums) -> tuple[dict[str, int], int]:
    """The counters after adding, and by how much tickets then exceed the allotment."""
    counters = OfficeCounters(before["granted_fen"], before["returned_seen_fen"]).hear_return(sums.returned_fen)
    after = {
        "spent_fen": before["spent_fen"] + sums.spent_fen,
        "voided_fen": before["voided_fen"] + sums.voided_fen,
        "held_fen": before["held_fen"] + sums.held_fen,
        "returned_seen_fen": counters.returned_seen_fen,
    }
    return after, after["spent_fen"] - after["voided_fen"] - counters.outstanding_fen


def _save_notices(tx: Connection, instance: str, effects: Effects) -> None:
    """New states of notices; a refusal counts only while nothing else was heard of the notice."""
    told = sorted(effects.notices.items())
    change(
        tx, notices, ("notice", "instance"),
        [
            {"notice": number, "instance": instance, "state": state, "reason": why}
            for number, (state, why) in told
            if state != "refused"
        ],
    )  # fmt: skip
    for number, (state, why) in told:
        if state == "refused":
            mine = (notices.c.notice == number, notices.c.instance == instance)
            unheard = notices.c.state.in_(("issued", "cancelling"))
            tx.execute(update(notices).where(*mine, unheard).values(state=state, reason=why))
