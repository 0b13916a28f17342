"""The transition table is total: every state meets every event, and only what is written may happen."""

from itertools import product

import pytest

from edge.domain.refusal import Reason, Refusal
from edge.domain.visit import HOLD_OPEN, IN_PLANT, TRANSITIONS, VisitEvent, VisitState, next_state

PICTURE = """
noticed:arrive>queued cancel>cancelled expire>expired
queued:call>admitted cancel>cancelled expire>expired
admitted:call>admitted weigh_tare>tared cancel>cancelled
tared:call>tared start_loading>loading leave_empty>empty_exit
loading:call>loading hold>held clear>ticketed leave_empty>empty_exit
held:call>held hold>held clear>ticketed unload>loading leave_empty>empty_exit
ticketed:seal>sealed void>voided
sealed:release>released void>voided
released:close>closed return_goods>returned
closed:return_goods>returned
"""
"""Written a second time by hand: a change of the table must be meant."""


def expected() -> dict[tuple[str, str], str]:
    """The picture as a table."""
    table = {}
    for line in PICTURE.split("\n"):
        state, _, steps = line.partition(":")
        for step in steps.split():
            event, _, following = step.partition(">")
            table[state, event] = following
    return table


@pytest.mark.parametrize("state", VisitState)
@pytest.mark.parametrize("event", VisitEvent)
def test_every_pair_has_an_answer(state: VisitState, event: VisitEvent) -> None:
    following = next_state(state, event)
    wanted = expected().get((state.value, event.value))
    if wanted is not None:
        assert following is VisitState(wanted)
        return
    assert isinstance(following, Refusal) and following.reason is Reason.NOT_NOW
    assert state.words.zh in following.words.zh and event.words.en in following.words.en


def test_no_pair_but_the_written_ones() -> None:
    assert {(state.value, event.value): to.value for (state, event), to in TRANSITIONS.items()} == expected()


def reachable(start: VisitState) -> set[VisitState]:
    """All states that can follow."""
    found, waiting = set(), [start]
    while waiting:
        state = waiting.pop()
        for event in VisitEvent:
            following = TRANSITIONS.get((state, event))
            if following is not None and following not in found:
                found.add(following)
                waiting.append(following)
    return found


def test_every_state_can_be_reached_and_left_or_is_an_end() -> None:
    assert reachable(VisitState.NOTICED) == set(VisitState) - {VisitState.NOTICED}
    ends = {state for state in VisitState if not reachable(state)}
    assert {end.value for end in ends} == {"cancelled", "empty_exit", "voided", "returned", "expired"}


def test_no_goods_leave_without_ticket_and_seal() -> None:
    for state in VisitState:
        if VisitState.RELEASED in (TRANSITIONS.get((state, event)) for event in VisitEvent):
            assert state is VisitState.SEALED
    after_tare = {VisitState.TARED, VisitState.LOADING, VisitState.HELD}
    assert not any((state, VisitEvent.CANCEL) in TRANSITIONS for state in after_tare), "a tared truck is weighed out"


def test_a_hold_ends_once() -> None:
    """Money is reserved up to the ticket; no way leads back to a state that reserves it."""
    for state, event in product(VisitState, VisitEvent):
        following = TRANSITIONS.get((state, event))
        if following in HOLD_OPEN:
            assert state in HOLD_OPEN
    assert IN_PLANT & HOLD_OPEN and VisitState.NOTICED not in IN_PLANT
