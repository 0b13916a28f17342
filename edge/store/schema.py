"""The plant's tables, as migrations. The ledger is the truth; all other tables change only in the same transaction.

STRICT tables and CHECKs refuse what the domain should never ask for; triggers refuse UPDATE and DELETE on the ledger.
Times are ISO 8601 UTC text, masses kg, money fen.
"""

import sqlite3
from functools import lru_cache

from sqlite_utils import Database as SqliteUtils
from sqlite_utils import Migrations

from edge.store.findings import Findings

migrations = Migrations("plant")

_LEDGER = """
CREATE TABLE ledger (
    seq INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    body TEXT NOT NULL,
    prev_hash TEXT NOT NULL,
    hash TEXT NOT NULL,
    at TEXT NOT NULL,
    boot_id TEXT NOT NULL,
    monotonic_ms INTEGER NOT NULL,
    clock TEXT NOT NULL CHECK (clock IN ('ok', 'bad'))
) STRICT;
CREATE INDEX ledger_kind ON ledger (kind, seq);
CREATE TRIGGER ledger_no_update BEFORE UPDATE ON ledger BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER ledger_no_delete BEFORE DELETE ON ledger BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
"""

_BOOKS = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE accounts (
    account TEXT PRIMARY KEY,
    granted_fen INTEGER NOT NULL DEFAULT 0,
    returned_fen INTEGER NOT NULL DEFAULT 0,
    spent_fen INTEGER NOT NULL DEFAULT 0,
    voided_fen INTEGER NOT NULL DEFAULT 0,
    held_fen INTEGER NOT NULL DEFAULT 0,
    CHECK (granted_fen >= 0 AND returned_fen >= 0 AND voided_fen >= 0 AND held_fen >= 0),
    CHECK (voided_fen <= spent_fen),
    CHECK (spent_fen - voided_fen + held_fen <= granted_fen - returned_fen)
) STRICT, WITHOUT ROWID;
CREATE TABLE visits (
    visit TEXT PRIMARY KEY,
    notice TEXT NOT NULL UNIQUE,
    version INTEGER NOT NULL,
    order_body TEXT NOT NULL,
    plate TEXT NOT NULL,
    account TEXT NOT NULL,
    state TEXT NOT NULL,
    hold_fen INTEGER NOT NULL CHECK (hold_fen >= 0),
    wanted_fen INTEGER NOT NULL CHECK (wanted_fen >= 0),
    queue_number INTEGER NOT NULL DEFAULT 0,
    arrived_at TEXT NOT NULL DEFAULT '',
    tare_kg INTEGER,
    tare_at TEXT NOT NULL DEFAULT '',
    held_at TEXT NOT NULL DEFAULT '',
    held_refusal TEXT NOT NULL DEFAULT '',
    held_gross_kg INTEGER,
    ticket TEXT NOT NULL DEFAULT ''
) STRICT, WITHOUT ROWID;
CREATE INDEX visits_open ON visits (state) WHERE state NOT IN
    ('released', 'closed', 'cancelled', 'empty_exit', 'voided', 'returned', 'expired');
CREATE UNIQUE INDEX visits_plate ON visits (plate) WHERE state IN
    ('queued', 'admitted', 'tared', 'loading', 'held', 'ticketed', 'sealed');
CREATE INDEX visits_by_plate ON visits (plate, state);
CREATE TABLE tickets (
    number INTEGER PRIMARY KEY,
    ticket TEXT NOT NULL UNIQUE,
    visit TEXT NOT NULL UNIQUE,
    pass_id TEXT NOT NULL UNIQUE,
    pass_code TEXT NOT NULL,
    business_date TEXT NOT NULL,
    body TEXT NOT NULL,
    ledger_mark TEXT NOT NULL,
    net_kg INTEGER NOT NULL CHECK (net_kg > 0),
    amount_fen INTEGER NOT NULL CHECK (amount_fen >= 0),
    void_seq INTEGER,
    enterprise_seal TEXT NOT NULL DEFAULT '',
    enterprise_at TEXT NOT NULL DEFAULT '',
    finance_seal TEXT NOT NULL DEFAULT '',
    finance_at TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX tickets_date ON tickets (business_date, number);
CREATE TABLE passes_used (
    pass_id TEXT PRIMARY KEY,
    ticket TEXT NOT NULL UNIQUE,
    gate TEXT NOT NULL,
    at TEXT NOT NULL,
    opened INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE TABLE print_jobs (
    job INTEGER PRIMARY KEY,
    ticket TEXT NOT NULL,
    lane TEXT NOT NULL,
    copy_number INTEGER NOT NULL CHECK (copy_number >= 0),
    state TEXT NOT NULL CHECK (state IN ('queued', 'sending', 'sent', 'failed', 'unknown')),
    detail TEXT NOT NULL DEFAULT '',
    by TEXT NOT NULL DEFAULT '',
    UNIQUE (ticket, copy_number)
) STRICT;
CREATE INDEX print_jobs_open ON print_jobs (state, job) WHERE state <> 'sent';
CREATE TABLE stock (
    product TEXT PRIMARY KEY,
    received_kg INTEGER NOT NULL,
    sold_kg INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE TABLE lanes (lane TEXT PRIMARY KEY, visit TEXT NOT NULL, captured_visit TEXT NOT NULL) STRICT, WITHOUT ROWID;
"""

_SLIPS = """
CREATE TABLE empty_slips (
    pass_id TEXT PRIMARY KEY,
    visit TEXT NOT NULL UNIQUE,
    plate TEXT NOT NULL,
    tare_kg INTEGER NOT NULL CHECK (tare_kg >= 0),
    exit_kg INTEGER NOT NULL CHECK (exit_kg >= 0),
    lane TEXT NOT NULL,
    operator TEXT NOT NULL,
    pass_code TEXT NOT NULL,
    ledger_mark TEXT NOT NULL,
    at TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX empty_slips_at ON empty_slips (at);
"""

_SCALE_ALARMS = """
CREATE TABLE scale_alarms (
    seq INTEGER PRIMARY KEY,
    lane TEXT NOT NULL,
    kind TEXT NOT NULL,
    visit TEXT NOT NULL,
    seen_seq INTEGER,
    row_sum INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX scale_alarms_standing ON scale_alarms (lane, seq) WHERE seen_seq IS NULL;
CREATE INDEX scale_alarms_visit ON scale_alarms (visit, seq) WHERE visit <> '';
CREATE INDEX visits_tares ON visits (plate, queue_number, tare_kg) WHERE tare_kg IS NOT NULL;
"""

_PLATE_ROWS = """
CREATE TABLE plate_rows (
    seq INTEGER PRIMARY KEY,
    visit TEXT NOT NULL,
    row_sum INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX plate_rows_visit ON plate_rows (visit, seq);
"""

_SUMMED = (
    "ledger", "meta", "accounts", "visits", "tickets", "passes_used", "print_jobs", "stock", "lanes", "empty_slips",
)  # fmt: skip
_LEDGER_GUARD = (
    "CREATE TRIGGER ledger_no_update BEFORE UPDATE OF seq, kind, body, prev_hash, hash, at, boot_id, monotonic_ms,"
    " clock ON ledger BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END"
)


@migrations()
def m001_ledger_and_books(db: SqliteUtils) -> None:
    """The first release's tables."""
    for statement in _statements(_LEDGER + _BOOKS):
        db.execute(statement)


@migrations()
def m002_empty_slips(db: SqliteUtils) -> None:
    """Exit passes of empty trucks. Their print jobs and their use stand under the visit's name."""
    for statement in _statements(_SLIPS):
        db.execute(statement)


@migrations()
def m003_row_sums(db: SqliteUtils) -> None:
    """A check sum in every row (`edge.store.row_sums`); the ledger's guard lets its own be set, and nothing else."""
    for table in _SUMMED:
        db.execute(f"ALTER TABLE {table} ADD COLUMN row_sum INTEGER NOT NULL DEFAULT 0")
    db.execute("DROP TRIGGER ledger_no_update")
    db.execute(_LEDGER_GUARD)


@migrations()
def m004_scale_alarms(db: SqliteUtils) -> None:
    """Which ledger rows are alarms of the scale watch, and which row says that a person saw it. An index for a plate's
    last tares."""
    for statement in _statements(_SCALE_ALARMS):
        db.execute(statement)


@migrations()
def m005_plate_rows(db: SqliteUtils) -> None:
    """Which ledger rows tell what was seen of a visit's plate, so that the looks at one truck can be compared."""
    for statement in _statements(_PLATE_ROWS):
        db.execute(statement)


def check_schema(connection: sqlite3.Connection, findings: Findings) -> bool:
    """Tables, indexes and guards are those that the migrations made: a guard that is gone refuses nothing any more.

    False when a table is another one, so that nothing more can be said of its rows.
    """
    known = [migration.name for migration in migrations.pending(SqliteUtils(memory=True))]
    try:
        applied = [migration.name for migration in migrations.applied(SqliteUtils(connection))]
    except KeyError as missing:  # a column's name, when its text in the schema is damaged
        findings.say("database", f"its table of migrations has no column {missing}")
        return False
    if applied != known[: len(applied)]:
        findings.say("database", f"its migrations are {', '.join(applied)}; this program knows {', '.join(known)}")
        return False
    found = {tuple(row) for row in connection.execute(_OBJECTS)}
    differing = sorted(found ^ _made(len(applied)), key=str)
    for kind, name, _, _ in differing:
        findings.say("database", f"the {kind} {name} is not as this program makes it")
    return all(kind != "table" for kind, *_ in differing)


# Less the table of sqlite_utils: killed while making it, it goes on without its index.
_OBJECTS = "SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE tbl_name <> '_sqlite_migrations'"


@lru_cache(4)
def _made(count: int) -> frozenset[tuple[str, ...]]:
    """What stands in the schema of new books after so many migrations."""
    database = SqliteUtils(memory=True)
    following = [migration.name for migration in migrations.pending(database)][count:]
    migrations.apply(database, stop_before=following)
    return frozenset(tuple(row) for row in database.conn.execute(_OBJECTS))


def _statements(script: str) -> list[str]:
    """Split on semicolons at line ends; a trigger's body stays on its own line with its END."""
    return [statement.strip() for statement in script.split(";\n") if statement.strip()]
