"""Other people's plate readers and ours on the same labelled pictures, one thread each, one after the other.

`make peers` installs them; one that is not there, or fails, is a line that says why. Of ours the first answer counts,
of a peer every line that it reads in the picture, which favours it. A picture that a reader chokes on is a miss.
`WEIGHGATE_BENCH_PICTURES` sets how many photos and how many crops are read.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from statistics import median
from typing import Any

from drivers.camera.plates.alphabet import canonical
from drivers.camera.plates.evaluate import Label, load_labels
from tests.bench.bench_plates import LABELS, ONE_THREAD
from tests.bench.peers.environment import Environment
from tests.bench.rows import Row

MOST = int(os.environ.get("WEIGHGATE_BENCH_PICTURES") or 10_000)
WORKER = Path(__file__).parent / "peers" / "worker.py"
_LONGEST_S = 1800
_TOLD = {"photo": "whole photo", "crop": "CCPD crop"}


@dataclass(frozen=True, slots=True)
class Peer:
    """A reader, and the kinds of pictures it is measured on."""

    name: str
    title: str
    kinds: tuple[str, ...]


OURS = Peer("ours", "ours", ("photo", "crop"))
PEERS = (
    Peer("rapidocr", "rapidocr 3.10.0", ("photo", "crop")),
    Peer("agentclpr", "agentclpr 1.1.0, its recogniser", ("crop",)),
    Peer("hyperlpr", "hyperlpr 0.0.2", ("photo",)),
)


class NotRun(Exception):
    """A reader could not be measured; the reason in a few words."""


@dataclass(frozen=True, slots=True)
class Figures:
    """One reader on one kind of picture."""

    exact_percent: float
    ms: float
    memory_mb: float


def run() -> list[Row]:
    """Three lines for each reader and kind of picture, ours first and beside each peer's."""
    rows: list[Row] = []
    for kind in _TOLD:
        ours = _measured(OURS, kind)
        rows += _rows(OURS, kind, ours, None)
        for peer in PEERS:
            if kind in peer.kinds:
                rows += _rows(peer, kind, _measured(peer, kind), ours)
    return rows


def _rows(peer: Peer, kind: str, told: Figures | NotRun, ours: Figures | NotRun | None) -> Iterator[Row]:
    name = f"{peer.title}: {_TOLD[kind]}"
    if isinstance(told, NotRun):
        yield Row(f"{name}s", None, why_not=str(told))
        return
    for quantity, unit, get in (
        (f"{name}s, exact", "%", attrgetter("exact_percent")),
        (f"{name}, median", "ms", attrgetter("ms")),
        (f"{name}s, memory added by the first", "MB", attrgetter("memory_mb")),
    ):
        yield Row(quantity, get(told), unit, get(ours) if isinstance(ours, Figures) else None, OURS.title)


def _measured(peer: Peer, kind: str) -> Figures | NotRun:
    """Its figures, or why there are none. How long it took goes to stderr."""
    began = time.monotonic()
    try:
        figures = measure(_python(peer), peer.name, kind, chosen(LABELS, kind, MOST))
    except NotRun as reason:
        return reason
    sys.stderr.write(f"  {peer.title}, {_TOLD[kind]}s: {time.monotonic() - began:.0f} s\n")
    return figures


def _python(peer: Peer) -> Path:
    if peer is OURS:
        return Path(sys.executable)
    environment = Environment(peer.name)
    if environment.missing:
        raise NotRun(environment.missing)
    return environment.python


def chosen(labels: Path, kind: str, most: int) -> list[Label]:
    """At most so many labelled pictures of a kind, spread evenly over the list. NotRun when there are none."""
    if not labels.is_file():
        raise NotRun("the labelled photos are not beside the checkout")
    found = load_labels(labels, crop=kind == "crop")
    step = max(1, -(-len(found) // most))
    return found[::step]


def measure(python: Path, name: str, kind: str, labels: list[Label]) -> Figures:
    """Let one reader read all of them, in a process of its own. NotRun when it cannot be loaded or dies."""
    try:
        done = subprocess.run(
            [str(python), "-P", str(WORKER), name, kind],
            input="\n".join(str(label.file) for label in labels), env={**os.environ, **ONE_THREAD},
            capture_output=True, text=True, timeout=_LONGEST_S,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotRun(str(error)[:160]) from None
    if done.returncode:
        raise NotRun((done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1][:160])
    *answers, cost = map(json.loads, done.stdout.splitlines())
    took = [answer["ms"] for answer in answers if "ms" in answer]
    if len(answers) != len(labels) or not took:
        raise NotRun(answers[0].get("trouble", "it did not answer for every picture") if answers else "no answer")
    right = sum(is_right(label, answer) for label, answer in zip(labels, answers, strict=True))
    return Figures(right / len(labels) * 100, median(took), cost["memory_mb"])


def is_right(label: Label, answer: dict[str, Any]) -> bool:
    """Is one of the lines read the plate, province included? O is 0 and I is 1 after the second character."""
    return label.plate in map(canonical, answer.get("texts", ()))
