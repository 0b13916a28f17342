"""Head office's terms: what a plant makes of a message's term, and head office of a plant's."""

from itertools import pairwise

import pytest

from sync.allotment import covered_fen
from sync.messages import LAST_TERM, Term
from sync.terms import MOST_AHEAD, Heard, Told, first_term, hear_term, judge_told, may_be_granted, next_term

OURS = Term(number=3, id="a" * 32)
OTHER = Term(number=3, id="b" * 32)
OLDER = Term(number=2, id="c" * 32)
NEWER = Term(number=4, id="d" * 32)


@pytest.mark.parametrize(
    ("own", "told", "heard"),
    [
        (None, OURS, Heard.NEWER),
        (OURS, NEWER, Heard.NEWER),
        (OURS, OURS, Heard.FOLLOWED),
        (OURS, OTHER, Heard.OLDER),
        (OURS, OLDER, Heard.OLDER),
    ],
)
def test_a_plant_never_leaves_a_term_but_for_a_higher_number(own: Term | None, told: Term, heard: Heard) -> None:
    assert hear_term(own, told) is heard


@pytest.mark.parametrize(
    ("told", "fenced", "judged"),
    [
        (OURS, False, Told.LAST_WORD),
        (OURS, True, Told.WAITING),
        (OLDER, False, Told.WAITING),
        (None, False, Told.WAITING),
        (OTHER, False, Told.RIVAL),
        (NEWER, False, Told.RIVAL),
        (NEWER, True, Told.RIVAL),
    ],
)
def test_only_an_original_in_our_own_term_speaks_a_last_word(told: Term | None, fenced: bool, judged: Told) -> None:
    assert judge_told(OURS, told, fenced=fenced) is judged


def test_a_number_that_no_head_office_reached_is_no_rival_and_the_last_one_has_no_next() -> None:
    far, last = OURS.number + MOST_AHEAD, LAST_TERM
    assert judge_told(OURS, Term(number=far, id="e" * 32), fenced=False) is Told.RIVAL
    assert judge_told(OURS, Term(number=far + 1, id="e" * 32), fenced=False) is Told.NONSENSE
    near_the_end = Term(number=last - 1, id="a" * 32)
    assert judge_told(near_the_end, Term(number=last, id="e" * 32), fenced=False) is Told.NONSENSE
    assert next_term(last - 1).number == last
    with pytest.raises(ValueError, match="no term follows"):
        next_term(last)


def test_after_a_restore_only_who_has_told_in_this_term_is_granted() -> None:
    assert may_be_granted(OURS, 3)
    assert not may_be_granted(OURS, 2)
    assert not may_be_granted(OURS, 0)
    assert may_be_granted(first_term(), 0)


def test_two_books_restored_from_one_backup_never_serve_the_same_term() -> None:
    first, again = next_term(OURS.number), next_term(OURS.number)
    assert first.number == again.number == 4
    assert first.id != again.id


def test_a_payment_undone_is_covered_by_what_is_free_and_by_no_debt() -> None:
    assert covered_fen(500, 200) == 200
    assert covered_fen(500, 900) == 500
    assert covered_fen(500, -1) == 0
    assert all(covered_fen(500, low) <= covered_fen(500, high) for low, high in pairwise(range(-2, 600)))
