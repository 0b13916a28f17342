"""Text as a GBK printer can print it: every character is one byte (1 column) or two bytes (2 columns), never four.

GB18030 writes characters outside GBK in four bytes; most ticket printers take those for two other characters and print
garbage. So they are replaced here, and what was lost is told in a warning. On such printers the number of bytes is the
number of columns, which agrees with `unicodedata.east_asian_width` W, F and A for all of GBK's Chinese and punctuation.
"""

import unicodedata
from typing import NamedTuple

MISSING_WIDE = "〓"
"""Printed for a wide character the printer does not have: the mark Chinese printers traditionally set for one."""
MISSING_NARROW = "?"

# The en dash is in GBK, but two columns wide there: "25–60" would fall apart.
_SAME_MEANING = {
    "¥": "￥", "³": "3", "²": "2", "¹": "1", "−": "-", "‐": "-", "‑": "-", "–": "-", "•": "·", "‧": "·", "・": "·",
    "✓": "√", "✔": "√", "€": "EUR", "™": "(TM)", "©": "(C)", "®": "(R)",
}  # fmt: skip


class Printable(NamedTuple):
    """A text that encodes to GBK, and one sentence for each character that was lost."""

    text: str
    warnings: tuple[str, ...]


def printable(text: str) -> Printable:
    """Replace what a GBK printer lacks.

    Characters with an equal (`³`, `¥`, thin spaces, compatibility forms) change silently. Control characters, which
    would steer the printer, become a space; invisible ones vanish; all others become `〓` or `?`. The last three kinds
    are warned of.

    >>> printable("6 m³ ¥5").text
    '6 m3 ￥5'
    """
    result: list[str] = []
    warnings: list[str] = []
    for char in unicodedata.normalize("NFC", text):
        if is_gbk(char) and char not in _SAME_MEANING and unicodedata.category(char) != "Cc":
            result.append(char)
            continue
        replacement, lost = _replacement(char)
        result.append(replacement)
        if lost:
            shown = f" {char}" if char.isprintable() else ""
            warnings.append(f"U+{ord(char):04X}{shown} is not in GBK, printed as {replacement!r}")
    return Printable("".join(result), tuple(dict.fromkeys(warnings)))


def _replacement(char: str) -> tuple[str, bool]:
    """What stands for the character, and whether meaning was lost."""
    if char in _SAME_MEANING:
        return _SAME_MEANING[char], False
    category = unicodedata.category(char)
    if category == "Zs":
        return " ", False
    if category == "Cc":
        return " ", True
    if category in {"Cf", "Mn", "Me", "Zl", "Zp"}:
        return "", True
    compatible = unicodedata.normalize("NFKC", char)
    if compatible != char and all(is_gbk(part) for part in compatible):
        return compatible, False
    wide = unicodedata.east_asian_width(char) in {"W", "F"}
    return (MISSING_WIDE if wide else MISSING_NARROW), True


def is_gbk(char: str) -> bool:
    """True when the character is one byte of ASCII or two bytes of GBK."""
    try:
        char.encode("gbk")
    except UnicodeEncodeError:
        return False
    return True


def columns(text: str) -> int:
    """Width of a printable text in half-width cells."""
    return len(text.encode("gbk"))


def wrap(text: str, width: int) -> list[str]:
    """Lines of at most `width` columns, nothing dropped but the spaces at a break; at least one line.

    Breaks after the last space of a line when the overflowing word is ASCII and fits on a line, otherwise anywhere.
    `width` must be at least 2, so that one wide character fits.
    """
    if width < 2:
        raise ValueError(f"width {width} is too narrow: at least 2 columns")
    lines: list[str] = []
    rest = text.rstrip()
    while columns(rest) > width:
        cut = _fitting(rest, width)
        space = rest.rfind(" ", 0, cut + 1)
        if space > 0 and rest[cut].isascii() and rest[space + 1 : cut + 1].isascii() and rest[:space].strip():
            cut = space
        lines.append(rest[:cut].rstrip())
        rest = rest[cut:].lstrip(" ")
    return [*lines, rest] if rest or not lines else lines


def _fitting(text: str, width: int) -> int:
    """How many characters from the start fit into `width` columns."""
    used = 0
    for index, char in enumerate(text):
        used += columns(char)
        if used > width:
            return index
    return len(text)
