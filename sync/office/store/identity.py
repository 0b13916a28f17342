"""What a witness compares: how often these books were started, how far they have come, whether they are a copy."""

from sqlalchemy import Connection, delete, select

from sync.file_identity import machine_id
from sync.office.store.database import current_change, put
from sync.office.store.reconcile import begin_reconcile
from sync.office.store.schema import meta, terms
from sync.office.witness import Seen, older_than

COPY = "copy"
"""Set to 1 in a backup, never in books that are in use."""
_START = "start"


def seen_of(tx: Connection) -> Seen:
    """These books, now."""
    first = tx.execute(select(terms.c.id).order_by(terms.c.number).limit(1)).scalar_one()
    return Seen(first, _number(tx, _START), current_change(tx), machine_id())


def compare(tx: Connection, witness: Seen | None) -> str:
    """Begin RECONCILE when the books are a backup or older than their witness; why, or ''."""
    why = "由备份恢复 / restored from a backup" if _number(tx, COPY) else older_than(witness, seen_of(tx))
    if why:
        tx.execute(delete(meta).where(meta.c.name == COPY))
        begin_reconcile(tx, why)
    return why


def count_start(tx: Connection) -> None:
    """Head office starts on these books once more; commit before the witness is told."""
    put(tx, meta, [{"name": _START, "number": _number(tx, _START) + 1}])


def _number(tx: Connection, name: str) -> int:
    return int(tx.execute(select(meta.c.number).where(meta.c.name == name)).scalar() or 0)
