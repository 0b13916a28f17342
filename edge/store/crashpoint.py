"""Named places where a test may kill the process for good. Does nothing unless WEIGHGATE_CRASH says so.

`WEIGHGATE_CRASH=print.sending:3` sends SIGKILL to this very process at the third time `print.sending` is reached.
"""

import os
import signal

_NAME, _, _COUNT = os.environ.get("WEIGHGATE_CRASH", "").partition(":")
_left = int(_COUNT or "1")

POINTS = (
    "press.before_commit",
    "press.after_commit",
    "commit.before",
    "commit.after",
    "print.before_sending",
    "print.sending",
    "print.sent_bytes",
    "print.done",
    "gate.used",
    "gate.opened",
    "sync.acked",
)
"""Every name that occurs in the program; a test checks the list."""


def crashpoint(name: str) -> None:
    """Die here by SIGKILL if this is the chosen place and the chosen time."""
    global _left
    if name != _NAME:
        return
    _left -= 1
    if _left <= 0:
        os.kill(os.getpid(), signal.SIGKILL)


def arm(name: str, count: int) -> None:
    """Choose the place from inside the process (a forked test child)."""
    global _NAME, _left
    _NAME, _left = name, count
