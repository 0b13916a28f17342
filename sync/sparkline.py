"""A weight curve as a small picture: the points of an SVG line, for the pages of the plant and of head office."""

from collections.abc import Sequence

WIDTH, HEIGHT = 300, 60
_MARGIN = 3
_FLAT_KG = 100
"""A curve that moves less is drawn as flat as it was."""


def sparkline(curve_kg: Sequence[int]) -> str:
    """Points in a picture `WIDTH` by `HEIGHT`, the least weight at the bottom; '' of no curve."""
    low_kg, high_kg = min(curve_kg, default=0), max(curve_kg, default=0)
    room_kg = max(high_kg - low_kg, _FLAT_KG)
    last = max(1, len(curve_kg) - 1)
    high = HEIGHT - 2 * _MARGIN
    return " ".join(
        f"{at * WIDTH // last},{HEIGHT - _MARGIN - (mass_kg - low_kg) * high // room_kg}"
        for at, mass_kg in enumerate(curve_kg)
    )
