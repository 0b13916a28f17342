"""Looks at a plate as a camera gives them, made of texts."""

from drivers.camera.simulated import match_by_equality
from drivers.readings import PlateColor, PlateMatch, PlateReading
from edge.station.eyes import Seen


def look(reads: str | None, *expected: str, permille: int = 970, unsure: bool = False) -> PlateMatch:
    """The camera reads this, and these are expected; None: it sees no plate."""
    reading = None if reads is None else PlateReading(reads, PlateColor.YELLOW, permille)
    return match_by_equality(reading, expected, unsure=unsure)


def seen(reads: str | None, *expected: str, permille: int = 970, unsure: bool = False) -> Seen:
    """The same with a picture and the plate cut out of it."""
    return Seen(look(reads, *expected, permille=permille, unsure=unsure), "5a" * 32, "c4" * 32)
