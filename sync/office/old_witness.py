"""The witness of a lost box, as far as it tells how far its ledger went. The plant writes it (`edge.store.witness`)."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

_SLOT_BYTES = 4096
_RECORD_BYTES = 512
NAME = "plant.json"


@dataclass(frozen=True, slots=True)
class Known:
    """How often these books were started at least, and a row that they must have."""

    instance: str
    start: int
    seq: int
    hash: str


def find_witness(books: Path) -> Path | None:
    """Where the plant keeps it, seen from its books: beside the data folder, or put beside the books; None without."""
    folder = books.resolve().parent
    for place in (folder, folder.with_name(f"{folder.name}.witness"), folder / f"{folder.name}.witness"):
        if (place / NAME).is_file():
            return place / NAME
    return None


def read_known(path: Path) -> Known | None:
    """The newest record that is whole; None when none is. OSError."""
    content = path.read_bytes()
    found = [_unpacked(content[at : at + _RECORD_BYTES]) for at in (0, _SLOT_BYTES)]
    return max((each for each in found if each is not None), key=lambda each: (each.start, each.seq), default=None)


def _unpacked(content: bytes) -> Known | None:
    try:
        text, _, check = content.decode("ascii").strip().partition("\t")
        if hashlib.sha256(text.encode()).hexdigest()[:16] != check:
            return None
        told = json.loads(text)
        return Known(str(told["instance"]), int(told["start"]), int(told["seq"]), str(told["hash"]))
    except (ValueError, TypeError, KeyError):
        return None
