"""Head office's terms 任期, as a plant judges them. Pure.

A head office restored from a backup has forgotten grants that it made since. It begins a new term with a higher number
and a random id, and grants nothing before every plant has told it, in that term, what it holds. A plant that follows
the new term takes nothing of an older one: what was forgotten and is still under way is void, what had arrived is told.
The same rule fences the old machine, should it still run. Why this is enough: docs/decisions/0009.
"""

import secrets
from enum import Enum

from sync.messages import Term


class Heard(Enum):
    """What a plant does with a signed message of some term."""

    FOLLOWED = "followed"
    """Of the current term: go on."""
    NEWER = "newer"
    """Adopt its term, commit that, then go on."""
    OLDER = "older"
    """Of a term that is over, or of a rival that came second: nothing in it counts."""


def hear_term(own: Term | None, told: Term) -> Heard:
    """Judge the term of a message against the one the plant follows (None: none yet)."""
    if own is None or told.number > own.number:
        return Heard.NEWER
    return Heard.FOLLOWED if told == own else Heard.OLDER


def first_term() -> Term:
    """The term of new books."""
    return Term(number=1, id=secrets.token_hex(16))


def next_term(highest: int) -> Term:
    """A term above every number known, with an id that no message sent before can carry."""
    return Term(number=highest + 1, id=secrets.token_hex(16))
