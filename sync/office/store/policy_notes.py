"""What the grant policy and its figures are told in passing, in the commit of what happened. No rule reads it back."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, delete, select, update

from sync.office.clock import now_text, time_text
from sync.office.store.database import insert_new
from sync.office.store.schema import instances, outages, shortages, topups

HEARD_S = 150
"""A plant tells its STATE every 60 s; without a word for longer its link counts as down."""
_KEPT = timedelta(days=92)


def note_granted(tx: Connection, account: str, instance: str, granted_fen: int) -> None:
    """A grant was committed: the time until the plant has it begins, if the plant is there at all."""
    heard_at = tx.execute(select(instances.c.status_at).where(instances.c.instance == instance)).scalar() or ""
    live = int(heard_at > _ago(HEARD_S))
    row = {"account": account, "instance": instance, "granted_fen": granted_fen, "granted_at": now_text(), "live": live}
    insert_new(tx, topups, [row])


def note_heard(tx: Connection, instance: str, heard_at: str, granted_fen: Mapping[str, int]) -> None:
    """A STATE came: `heard_at` is when the one before did ('' for the first), `granted_fen` what the plant has."""
    if heard_at and heard_at < _ago(HEARD_S):
        plant = instance.split("/")[0]
        row = {"instance": instance, "from_at": heard_at, "to_at": now_text(), "plant": plant}
        insert_new(tx, outages, [row])
        _forget_old(tx)
    row_of, mine = topups.c, (topups.c.instance == instance, topups.c.seen_at == "")
    for account, waits_fen in tx.execute(select(row_of.account, row_of.granted_fen).where(*mine)).all():
        if waits_fen <= granted_fen.get(account, 0):
            this = (*mine, row_of.account == account, row_of.granted_fen == waits_fen)
            tx.execute(update(topups).where(*this).values(seen_at=now_text()))


def _forget_old(tx: Connection) -> None:
    """Three months are more than any figure looks back."""
    before = time_text(datetime.now(UTC) - _KEPT)
    tx.execute(delete(outages).where(outages.c.to_at < before))
    tx.execute(delete(topups).where(topups.c.granted_at < before))
    tx.execute(delete(shortages).where(shortages.c.at < before))


def _ago(seconds: int) -> str:
    return time_text(datetime.now(UTC) - timedelta(seconds=seconds))
