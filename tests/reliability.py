"""What long fault runs share: the seed that repeats a run, and the line that docs/reliability.md is filled from."""

import json
import os
import random
import time
from dataclasses import dataclass, field

import pytest


def choose_seed() -> int:
    """`WEIGHGATE_SEED`, or a new one."""
    return int(os.environ.get("WEIGHGATE_SEED") or random.SystemRandom().randrange(2**32))


@dataclass
class Run:
    """One run of one fault, from now on."""

    fault: str
    seed: int = field(default_factory=choose_seed)
    since: float = field(default_factory=time.monotonic)

    def tell(self, capfd: pytest.CaptureFixture[str], count: int, result: str) -> None:
        """Print one line, also when pytest captures output."""
        seconds = round(time.monotonic() - self.since, 1)
        line = {"fault": self.fault, "count": count, "result": result, "seed": self.seed, "seconds": seconds}
        with capfd.disabled():
            print("\nRELIABILITY " + json.dumps(line, ensure_ascii=False), flush=True)  # noqa: T201 - the run's result
