"""A plant's books on disk with a long ledger behind them, written at once instead of truck by truck."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

from edge.station.head_office import DOCUMENTS_APPLIED
from edge.store.clock import Clock
from edge.store.database import Database
from sync.chain import GENESIS_HASH
from tests.sync.backlog import Backlog

_ROW = """
INSERT INTO ledger (seq, kind, body, prev_hash, hash, at, boot_id, monotonic_ms, clock)
VALUES (?, ?, ?, ?, ?, ?, 'b', 1, 'ok')
"""
_NEWEST_TICKET = """
INSERT INTO tickets (number, ticket, visit, pass_id, pass_code, business_date, body, ledger_mark, net_kg, amount_fen)
SELECT json_extract(body, '$.number'), json_extract(body, '$.ticket'), json_extract(body, '$.visit'),
       json_extract(body, '$.pass_id'), '', json_extract(body, '$.business_date'), body, '',
       json_extract(body, '$.net_kg'), json_extract(body, '$.amount_fen')
FROM ledger WHERE kind = 'ticket' ORDER BY seq DESC LIMIT 1
"""
"""The one that opening the books looks for."""


def write_backlog(path: Path, backlog: Backlog) -> None:
    """New books whose ledger holds the backlog; what the other tables would hold of it is left out."""
    database = Database(path, Clock())
    database.transact_now(lambda books: books.keep(DOCUMENTS_APPLIED, backlog.trucks))
    database.close()
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN")
    connection.executemany(_ROW, _ledger(backlog))
    connection.execute(_NEWEST_TICKET)
    connection.execute("COMMIT")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


def _ledger(backlog: Backlog) -> Iterator[tuple[object, ...]]:
    before = GENESIS_HASH
    for row in backlog.rows:
        yield row.seq, row.kind, row.body, before, row.hash, row.at
        before = row.hash
