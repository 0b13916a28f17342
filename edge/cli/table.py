"""Columns for a terminal, where a Chinese character is two places wide."""

import unicodedata
from collections.abc import Iterator, Sequence


def width(text: str) -> int:
    """How many places a text takes."""
    return sum(2 if unicodedata.east_asian_width(each) in "WF" else 1 for each in text)


def table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Rows as lines with their columns under each other; the first is the heading."""
    widths = [max(width(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        yield "  ".join(cell + " " * (wide - width(cell)) for cell, wide in zip(row, widths, strict=True)).rstrip()
