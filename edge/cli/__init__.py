"""`weighgate`, the plant's command line. Exit codes: 0 done; 1 the answer is no; 2 wrong use or configuration;
130 stopped with Ctrl-C.

Answers go to stdout (with `--json` one object a line), logs and errors to stderr. This file stays small: the commands
take a moment to be read, and Ctrl-C in that moment is no error to report.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

INTERRUPTED = 130
"""The exit code after Ctrl-C, as shells have it."""


@contextmanager
def leaving_at_once() -> Iterator[None]:
    """Ctrl-C ends the program without a word: for as long as there is nothing to tidy up."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:
        signal.signal(signal.SIGINT, lambda *_: os._exit(INTERRUPTED))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def main() -> None:
    """The program."""
    with leaving_at_once():
        from edge.cli.commands import main as commands
    commands()
