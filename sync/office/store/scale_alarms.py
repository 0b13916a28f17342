"""Alarms of the plants' scale watch 称重报警: which row told one, of which visit, and who at the plant has seen it. The
words and the curve stay in the inbox row.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, case, func, select, tuple_

from sync.office.clock import time_text
from sync.office.effects import Effects
from sync.office.store.bulk import among, change, insert_new
from sync.office.store.schema import inbox, incidents, instances, scale_alarms, shipments
from sync.records import ScaleAlarmed, ScaleAlarmSeen

_FACTS = ("plant", "visit", "business_date", "seen_by", "seen_at", "note")


def save_alarms(tx: Connection, plant: str, instance: str, effects: Effects) -> None:
    """Write what rows told; the first who saw an alarm stays."""
    insert_new(tx, scale_alarms, _rows(plant, instance, effects))
    earlier = [alarm for alarm in effects.seen if alarm not in effects.alarms]
    if not earlier:
        return
    mine = (scale_alarms.c.instance == instance, scale_alarms.c.seq.in_(earlier), scale_alarms.c.seen_by == "")
    unseen = tx.execute(select(scale_alarms.c.seq).where(*mine)).scalars()
    told = [{"instance": instance, "seq": seq, **_seen(effects.seen[seq])} for seq in unseen]
    change(tx, scale_alarms, ("instance", "seq"), told)


def alarms_of_older_books(tx: Connection) -> None:
    """Rows that a program took in which did not know what they mean."""
    kinds = inbox.c.kind.in_((ScaleAlarmed.KIND, ScaleAlarmSeen.KIND))
    for instance, plant, last_seq in tx.execute(
        select(instances.c.instance, instances.c.plant, instances.c.last_seq)
    ).all():
        effects = Effects()
        mine = (inbox.c.instance == instance, inbox.c.seq <= last_seq, kinds)
        for row in tx.execute(select(inbox).where(*mine).order_by(inbox.c.seq)).mappings():
            effects.feed(row["seq"], row["kind"], row["body"], row["at"])
        save_alarms(tx, plant, instance, effects)
        told = [{"instance": instance, "plant": plant, **asdict(incident)} for incident in effects.incidents]
        insert_new(tx, incidents, told)


def odd_alarms(tx: Connection, plant: str, instance: str, effects: Effects) -> list[str]:
    """Where the table differs from what the rows say, for `weighgate-office verify`."""
    found = tx.execute(select(scale_alarms).where(scale_alarms.c.instance == instance)).mappings()
    stored = {row["seq"]: {name: row[name] for name in ("instance", "seq", *_FACTS)} for row in found}
    told = {row["seq"]: row for row in _rows(plant, instance, effects)}
    return [
        f"{instance}: scale alarm {seq} is {stored.get(seq)}, the rows say {told.get(seq)}"
        for seq in sorted(stored.keys() | told.keys())
        if stored.get(seq) != told.get(seq)
    ]


def alarms_told(tx: Connection, rows: Sequence[tuple[str, int]]) -> dict[tuple[str, int], dict[str, Any]]:
    """Words, numbers, curve, ticket and who has seen it, of the alarms that these rows (instance, number) told."""
    if not rows:
        return {}
    key = tuple_(scale_alarms.c.instance, scale_alarms.c.seq)
    query = (
        select(scale_alarms, inbox.c.body, shipments.c.ticket)
        .join(inbox, (inbox.c.instance == scale_alarms.c.instance) & (inbox.c.seq == scale_alarms.c.seq))
        .outerjoin(
            shipments, (shipments.c.instance == scale_alarms.c.instance) & (shipments.c.visit == scale_alarms.c.visit)
        )
        .where(key.in_(rows))
    )
    return {
        (row["instance"], row["seq"]): {**json.loads(row["body"]), **{name: row[name] for name in (*_FACTS, "ticket")}}
        for row in tx.execute(query).mappings()
    }


def alarms_of_visits(tx: Connection, visits: Sequence[str]) -> dict[tuple[str, str], int]:
    """How many each visit (instance, name) has; none are left out."""
    if not visits:
        return {}
    query = (
        select(scale_alarms.c.instance, scale_alarms.c.visit, func.count())
        .where(among(tx, scale_alarms.c.visit, visits), scale_alarms.c.visit != "")
        .group_by(scale_alarms.c.instance, scale_alarms.c.visit)
    )
    return {(instance, visit): int(count) for instance, visit, count in tx.execute(query)}


def rows_of_visit(tx: Connection, visit: str) -> list[tuple[str, int]]:
    """The rows (instance, number) that told alarms of a visit."""
    query = select(scale_alarms.c.instance, scale_alarms.c.seq).where(scale_alarms.c.visit == visit)
    return [(instance, int(seq)) for instance, seq in tx.execute(query)]


def alarms_of_day(tx: Connection, business_date: str) -> dict[str, tuple[int, int]]:
    """By plant: how many on one business date, and how many of them nobody has seen."""
    unseen = func.sum(case((scale_alarms.c.seen_by == "", 1), else_=0))
    query = select(scale_alarms.c.plant, func.count(), unseen).where(scale_alarms.c.business_date == business_date)
    return {plant: (int(count), int(left)) for plant, count, left in tx.execute(query.group_by(scale_alarms.c.plant))}


def _rows(plant: str, instance: str, effects: Effects) -> list[dict[str, Any]]:
    return [
        {
            "instance": instance, "seq": seq, "plant": plant, "visit": told.visit,
            "business_date": told.business_date, **_seen(effects.seen.get(seq)),
        }
        for seq, told in sorted(effects.alarms.items())
    ]  # fmt: skip


def _seen(seen: ScaleAlarmSeen | None) -> dict[str, str]:
    if seen is None:
        return {"seen_by": "", "seen_at": "", "note": ""}
    return {"seen_by": seen.person_name or seen.person, "seen_at": time_text(seen.at), "note": seen.note}
