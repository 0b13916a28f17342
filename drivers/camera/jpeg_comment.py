"""The comment (COM) segment of a JPEG: where the virtual camera writes the plate that a real one would have to read.

ITU-T T.81, B.2.4.5: FF FE, two bytes of length that count themselves, the comment.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass

from drivers.readings import PlateAnswer, PlateColor, PlateReading

_SOI = b"\xff\xd8"
_EOI = b"\xff\xd9"
_COM, _SOS = 0xFE, 0xDA


class NotJpegError(ValueError):
    """The bytes are not a whole JPEG picture, or its comment is not ours."""


@dataclass(frozen=True, slots=True)
class Comment:
    """What a virtual camera says of its picture: what it reads, and whether it is certain of it."""

    plate: PlateReading
    unsure: bool = False


def plate_comment(plate: PlateReading, *, unsure: bool = False) -> bytes:
    """The comment's bytes for one plate."""
    body: dict[str, object] = {
        "plate": plate.text, "color": plate.color, "confidence_permille": plate.confidence_permille,
        **({"rows": plate.rows} if plate.rows != 1 else {}), **({"box": plate.box} if plate.box else {}),
        **({"answer": PlateAnswer.ASK} if unsure else {}),
    }  # fmt: skip
    return json.dumps(body, sort_keys=True).encode("ascii")


def plate_in(jpeg: bytes) -> PlateReading | None:
    """The plate in the picture's comment, None without a comment. NotJpegError when the bytes are no picture."""
    said = comment_in(jpeg)
    return said.plate if said else None


def comment_in(jpeg: bytes) -> Comment | None:
    """All that the picture's comment says, None without a comment. NotJpegError when the bytes are no picture."""
    comments = list(_comments(jpeg))
    if not comments:
        return None
    try:
        body = json.loads(comments[0])
        color = None if body["color"] is None else PlateColor(body["color"])
        confidence = int(body["confidence_permille"])
        if not 0 <= confidence <= 1000:
            raise ValueError(f"confidence_permille {confidence} is not 0 to 1000")
        box = body.get("box")
        x, y, width, height = (int(side) for side in box) if box else (0, 0, 0, 0)
        plate = PlateReading(
            str(body["plate"]), color, confidence, int(body.get("rows", 1)), (x, y, width, height) if box else None
        )
        return Comment(plate, body.get("answer") == PlateAnswer.ASK)
    except (ValueError, KeyError, TypeError) as error:
        raise NotJpegError(f"the picture's comment is not a plate: {error}") from None


def _comments(jpeg: bytes) -> Iterator[bytes]:
    if not jpeg.startswith(_SOI) or not jpeg.rstrip(b"\x00").endswith(_EOI):
        raise NotJpegError(f"{len(jpeg)} bytes that are no whole JPEG (first: {jpeg[:4].hex(' ') or 'none'})")
    at = 2
    while at + 4 <= len(jpeg):
        if jpeg[at] != 0xFF:
            raise NotJpegError(f"no JPEG segment at byte {at}")
        marker, length = jpeg[at + 1], int.from_bytes(jpeg[at + 2 : at + 4], "big")
        if marker == _SOS:
            return
        if marker == _COM:
            yield jpeg[at + 4 : at + 2 + length]
        at += 2 + max(length, 2)
    raise NotJpegError("the JPEG ends within its header")


def with_comment(jpeg: bytes, comment: bytes) -> bytes:
    """The same picture with a comment, right after its start."""
    return jpeg[:2] + bytes([0xFF, _COM]) + (len(comment) + 2).to_bytes(2, "big") + comment + jpeg[2:]
