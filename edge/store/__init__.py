"""SQLite on disk: one append-only ledger and the tables that follow from it. The only importer of sqlite_utils."""
