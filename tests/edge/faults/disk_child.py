"""A plant on a disk that fails: `python -m tests.edge.faults.disk_child FOLDER VISITS`, run under strace's injections.

Works as the program does when its disk breaks: the first failure ends everything, the books are closed, exit status 3.
"""

import asyncio
import contextlib
import sys
from pathlib import Path

import structlog

from edge.store.database import StoreBroken
from tests.edge.faults.child import Worker

BROKEN, BROKEN_AT_START = 3, 4


async def live(folder: Path, visits: int) -> int:
    """One life, to its end or to the first failure."""
    worker = Worker(folder, "")
    work = asyncio.create_task(worker.work(visits))
    await asyncio.wait((work, worker.desk.failed), return_when=asyncio.FIRST_COMPLETED)
    if not worker.desk.failed.done() or worker.desk.failed.cancelled():  # the end of work cancels it
        await work
        return 0
    failure = worker.desk.failed.exception()
    work.cancel()
    with contextlib.suppress(asyncio.CancelledError, StoreBroken):
        await work
    worker.database.close()
    sys.stdout.write(f"{failure}\n")
    return BROKEN if isinstance(failure, StoreBroken) else 1


def main() -> None:
    """The status says how it ended."""
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    try:
        sys.exit(asyncio.run(live(Path(sys.argv[1]), int(sys.argv[2]))))
    except StoreBroken as error:  # the disk failed before there was a plant
        sys.stdout.write(f"{error}\n")
        sys.exit(BROKEN_AT_START)


if __name__ == "__main__":
    main()
