"""Head office's terms 任期, as a plant judges them. Pure.

A head office restored from a backup has forgotten grants that it made since. It begins a new term with a higher number
and a random id, and grants nothing before every plant has told it, in that term, what it holds. A plant that follows
the new term takes nothing of an older one: what was forgotten and is still under way is void, what had arrived is told.
The same rule fences the old machine, should it still run. Why this is enough: docs/decisions/0009.
"""

import secrets
from enum import Enum

from sync.messages import LAST_TERM, Term

MOST_AHEAD = 2**16
"""A term further ahead of ours is nobody's: each restore raises the number by one, and so does each rival."""


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
    """A term above every number known, with an id that no message sent before can carry. ValueError behind the last
    number that a message carries."""
    if highest >= LAST_TERM:
        raise ValueError(f"no term follows number {highest}")
    return Term(number=highest + 1, id=secrets.token_hex(16))


class Told(Enum):
    """What a plant's STATE is worth to head office's books."""

    LAST_WORD = "last word"
    """It follows our term: what it tells is all that it ever got from other terms, or ever will."""
    WAITING = "waiting"
    """It follows an older term, or none; or it is a copy, which cannot speak for the original. Settle or ask again."""
    RIVAL = "rival"
    """It follows a term that we did not begin and that ours cannot end: another head office lives, or we forgot one."""
    NONSENSE = "nonsense"
    """It names a number that no head office can have reached: one box's word, which must not stop all the others."""


def judge_told(own: Term, told: Term | None, *, fenced: bool) -> Told:
    """Judge the term that a plant's STATE names. `fenced`: the plant runs on a copy of its books, and the original,
    with grants that the copy never saw, may run as well."""
    if told is None or told.number < own.number:
        return Told.WAITING
    if told != own:
        return Told.RIVAL if credible(own, told.number) else Told.NONSENSE
    return Told.WAITING if fenced else Told.LAST_WORD


def credible(own: Term, number: int) -> bool:
    """Whether another head office can have come to this number, so that ours may have to go above it."""
    return number <= own.number + MOST_AHEAD and number < LAST_TERM


def may_be_granted(own: Term, told_number: int) -> bool:
    """Whether a plant epoch may get grants; `told_number` is the term in which its last word was heard (0: never).

    A box enrolled after a restore must tell as the others did. Else its first grant could lie undelivered while books
    restored once more, with a lower number, count it as told; and then arrive. The first term has nothing before it.
    """
    return own.number == 1 or told_number == own.number
