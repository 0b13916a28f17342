"""What a number plate can say: its characters, one way of writing it, and the grammar of GA 36-2018."""

import re

PROVINCES = "京津冀晋蒙辽吉黑沪苏浙皖闽赣鲁豫鄂湘粤桂琼渝川贵云藏陕甘青宁新"
LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"
"""I and O are never used on a plate: they look like 1 and 0."""
DIGITS = "0123456789"
SPECIAL = "挂学警港澳使领"
"""Trailer, driving school, police, Hong Kong, Macao, embassy, consulate."""

CHARACTERS: tuple[str, ...] = ("", *PROVINCES, *DIGITS, *LETTERS, *SPECIAL)
"""The classes of the reading net, in order. Index 0 is the CTC blank."""
CLASS_OF: dict[str, int] = {character: index for index, character in enumerate(CHARACTERS) if character}
CLASS_OF["O"] = CLASS_OF["0"]
"""The class of each character that `canonical` leaves. The face has one shape for O and 0."""

_DROPPED = re.compile(r"[\s.·•・‧∙⋅\-]")
_ALIKE = str.maketrans("OI", "01")

_SERIAL = rf"(?=[{LETTERS}]*[0-9])[{LETTERS}0-9]"
NEW_ENERGY = "DFABCEGHJK"
"""The letters that mark a new-energy vehicle."""
_GRAMMAR = re.compile(
    "|".join(
        [
            rf"[{PROVINCES}][{LETTERS}O]{_SERIAL}{{5}}",  # cars, lorries; O: old police plates
            rf"[{PROVINCES}][{LETTERS}]{_SERIAL}{{4}}[挂学警领]",
            rf"粤Z{_SERIAL}{{4}}[港澳]",
            r"京A[0-9]{4}使",
            r"使[0-9]{6}",  # the form before 2017
            rf"[{PROVINCES}][{LETTERS}][{NEW_ENERGY}][{LETTERS}0-9][0-9]{{4}}",  # small, new energy
            rf"[{PROVINCES}][{LETTERS}][0-9]{{5}}[{NEW_ENERGY}]",  # large, new energy
        ]
    )
)


def canonical(text: str) -> str:
    """`text` as plates are compared: capitals, no dot or blank, and after the second character O is 0 and I is 1.

    The second character is the letter of the issuing office, so a 0 read there is the O of old police plates.
    """
    bare = _DROPPED.sub("", text).upper()
    head = bare[:2]
    if head.endswith("0") and head[0] in PROVINCES:
        head = head[0] + "O"
    return head + bare[2:].translate(_ALIKE)


def is_plate(text: str) -> bool:
    """Is this canonical text a plate that can exist: 7 characters, or 8 for a new-energy vehicle?"""
    return _GRAMMAR.fullmatch(text) is not None
