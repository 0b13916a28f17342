"""Head office's books: the only importer of SQLAlchemy. One schema on SQLite and on PostgreSQL."""
