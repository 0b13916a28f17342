"""A plant whose system calls are recorded: `python -m tests.edge.faults.power_child FOLDER SYNCHRONOUS VISITS...`.

One life of the same plant that `child` kills for each number of visits, ended in order, the next on the same folder.
SYNCHRONOUS is what SQLite is told: FULL as the program does, NORMAL or OFF for the controls.
"""

import asyncio
import sqlite3
import sys
from pathlib import Path

import structlog

from edge.store import database
from edge.store.witness import Witness
from tests.edge.faults.child import Worker

WITNESS = Path("witness") / "plant.json"
"""In the recorded folder, not outside it as in a plant: both are on the one disk that loses its power."""
INSTANCE = "HX01/3/0123456789abcdef"


def weaken(synchronous: str) -> None:
    """Control: connections that sync less than a ledger needs."""
    connect = database.connect

    def careless(path: Path, *, writable: bool) -> sqlite3.Connection:
        connection = connect(path, writable=writable)
        if writable:
            connection.execute(f"PRAGMA synchronous={synchronous}")
        return connection

    database.connect = careless


async def live(folder: Path, visits: int) -> None:
    """One life, from opening the books to closing them, with its witness."""
    worker = Worker(folder, "")
    witness = Witness(folder / WITNESS, INSTANCE)
    assert witness.begin(worker.database) == ""
    await worker.work(visits)
    witness.close()


def main() -> None:
    """All lives, one after the other."""
    folder, synchronous, *lives = sys.argv[1:]
    if synchronous != "FULL":
        weaken(synchronous)
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    for visits in lives:
        asyncio.run(live(Path(folder), int(visits)))


if __name__ == "__main__":
    main()
