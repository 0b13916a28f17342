"""The terms 任期 of these books: the last one is current. Each restore from a backup begins another (sync.terms)."""

from sqlalchemy import Connection, insert, select

from sync.messages import Term
from sync.office.clock import now_text
from sync.office.store.schema import terms

MODE = "reconciling"
"""The name in `meta` of how far these books may be trusted (`sync.office.store.reconcile.Mode`). Always there, so that
it can be locked."""


def current_term(tx: Connection) -> Term:
    """The term that everything sent now belongs to."""
    number, term_id = tx.execute(select(terms.c.number, terms.c.id).order_by(terms.c.number.desc()).limit(1)).one()
    return Term(number=number, id=term_id)


def term_began_at(tx: Connection) -> str:
    """When the current term began, ISO 8601 UTC."""
    return str(tx.execute(select(terms.c.began_at).order_by(terms.c.number.desc()).limit(1)).scalar_one())


def begin_term(tx: Connection, term: Term, why: str) -> None:
    """From this commit on."""
    tx.execute(insert(terms).values(number=term.number, id=term.id, began_at=now_text(), why=why))
