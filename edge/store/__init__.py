"""SQLite on disk: one append-only ledger and the tables that follow from it. The only importer of sqlite_utils."""

import sys
from typing import Any, cast

# sqlite_utils imports numpy wherever it is installed, 14 MB, to store its values: the books never hold one, and the
# plant's box has little memory.
if "numpy" not in sys.modules:
    cast(dict[str, Any], sys.modules)["numpy"] = None
    import sqlite_utils.db  # noqa: F401

    del sys.modules["numpy"]
