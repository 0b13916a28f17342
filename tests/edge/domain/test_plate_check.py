"""Is it the truck that the paper claims? Nothing but the very reading agrees by itself."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.camera.plates.alphabet import DIGITS, LETTERS
from drivers.readings import Nearness, PlateAnswer, PlateMatch
from edge.domain import plate_check
from edge.domain.plate_check import Agreement, Place, characters_apart, check_plate
from edge.domain.refusal import Reason
from tests.edge.looks import look

CLAIMED, OTHER = "浙A12345", "苏E6H369"
SERIAL = st.text(LETTERS + DIGITS, min_size=5, max_size=5)


def agreement(match: PlateMatch | None) -> Agreement:
    """Of the claimed plate; every "no" of it can be said."""
    check = check_plate(CLAIMED, match)
    why = check.refusal
    assert (why is None) == (check.agreement in (Agreement.AGREES, Agreement.NOT_SEEN))
    assert why is None or (why.words.zh and why.words.en and CLAIMED in why.words.zh)
    return check.agreement


@pytest.mark.parametrize(
    ("match", "says"),
    [
        (None, Agreement.NOT_SEEN),
        (look(None, CLAIMED), Agreement.NOT_SEEN),
        (look(CLAIMED, CLAIMED, OTHER), Agreement.AGREES),
        (look("浙A·12345", CLAIMED), Agreement.AGREES),
        (look(CLAIMED, CLAIMED, unsure=True), Agreement.ASK),  # read right, and still not sure
        (look("浙A12346", CLAIMED), Agreement.ASK),  # one character off, however sure
        (look("浙A12346", CLAIMED, permille=1000), Agreement.ASK),
        (look("浙A12346", CLAIMED, "浙A12346"), Agreement.DIFFERS),  # it is the neighbour's truck
        (look("浙A12366", CLAIMED), Agreement.DIFFERS),  # two characters off and sure
        (look("浙A12366", CLAIMED, permille=899), Agreement.ASK),  # not sure
        (look(OTHER, CLAIMED, OTHER), Agreement.DIFFERS),
        (look(OTHER, CLAIMED), Agreement.DIFFERS),
        (look("浙A123", CLAIMED), Agreement.ASK),  # part of a plate says nothing for sure
        (look("苏E6H", CLAIMED), Agreement.ASK),
        (look("浙A1234", CLAIMED), Agreement.ASK),  # one was missed
    ],
)
def test_the_answer_to_each_look(match: PlateMatch | None, says: Agreement) -> None:
    assert agreement(match) is says


@given(SERIAL, st.integers(0, 4), st.sampled_from(LETTERS + DIGITS), st.integers(0, 1000), st.booleans())
def test_a_thief_with_one_character_changed_never_passes_by_himself(
    serial: str, place: int, letter: str, permille: int, confirmed: bool
) -> None:
    """Whatever the matcher makes of it: even one that lets the claimed plate win over the reading is not believed."""
    claimed = f"浙A{serial}"
    cloned = f"浙A{serial[:place]}{letter}{serial[place + 1 :]}"
    match = look(cloned, claimed, permille=permille)
    if confirmed and match.free is not None:
        match = PlateMatch(PlateAnswer.CONFIRMED, claimed, (Nearness(claimed, 300),), match.free)
    says = check_plate(claimed, match).agreement
    assert (says is Agreement.AGREES) == (cloned == claimed)
    assert says in (Agreement.AGREES, Agreement.ASK), "and one character alone turns nobody away"


def test_the_test_of_the_thief_sees_a_matcher_that_is_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Control: were a confirmed plate agreed without its reading, the clone would pass."""
    match = PlateMatch(PlateAnswer.CONFIRMED, CLAIMED, (Nearness(CLAIMED, 300),), look("浙A12346", CLAIMED).free)
    assert check_plate(CLAIMED, match).agreement is Agreement.ASK
    monkeypatch.setattr(plate_check, "characters_apart", lambda one, other: 0)
    assert check_plate(CLAIMED, match).agreement is Agreement.AGREES


def test_another_truck_than_the_one_that_was_tared() -> None:
    """Whatever the paper says by now: it loaded on the other one's tare."""
    match = look(OTHER, OTHER, CLAIMED)
    for claimed in (CLAIMED, OTHER):
        swapped = check_plate(claimed, match, [CLAIMED])
        assert (swapped.agreement, swapped.before) == (Agreement.DIFFERS, CLAIMED)
        assert swapped.refusal is not None and swapped.refusal.reason is Reason.PLATE_DIFFERS
        assert swapped.refusal.numbers["before"] == CLAIMED
    assert check_plate(OTHER, match, [OTHER]).refusal is None
    assert not check_plate(CLAIMED, match).before, "at the tare nobody was seen: only the paper is against it"
    clone = check_plate(CLAIMED, look("浙A12346", CLAIMED), [CLAIMED])
    assert (clone.agreement, clone.before) == (Agreement.ASK, ""), "one character: a person looks"


def test_what_a_person_says() -> None:
    """Yes answers a question and overrules nothing clear; no is final; nobody asked changes nothing."""
    asked = check_plate(CLAIMED, look("浙A12346", CLAIMED))
    clear = check_plate(CLAIMED, look(OTHER, CLAIMED))
    unseen = check_plate(CLAIMED, None)
    assert asked.told(None) == asked
    assert asked.told(True).agreement is Agreement.AGREES
    assert clear.told(True).agreement is Agreement.DIFFERS
    assert unseen.told(True) == unseen
    assert {each.told(False).agreement for each in (asked, clear, unseen)} == {Agreement.DIFFERS}
    assert replace(unseen, seen="").told(False).refusal is not None


def test_a_person_is_asked_for_what_was_seen_before() -> None:
    """What speaks against the truck now says what it says as ever."""
    hidden, agrees = Agreement.NOT_SEEN, Agreement.AGREES
    assert check_plate(CLAIMED, look(None, CLAIMED)).asks_if(hidden, True).agreement is Agreement.ASK
    assert check_plate(CLAIMED, look(CLAIMED, CLAIMED)).asks_if(agrees, True).agreement is Agreement.ASK
    assert check_plate(CLAIMED, None).asks_if(hidden, True).told(True).refusal is None
    for match in (look(CLAIMED, CLAIMED), look("浙A12346", CLAIMED), look(OTHER, CLAIMED)):
        check = check_plate(CLAIMED, match)
        assert check.asks_if(hidden, True) == check == check.asks_if(agrees, False)


@pytest.mark.parametrize(
    ("one", "other", "apart"),
    [
        (CLAIMED, CLAIMED, 0), (CLAIMED, "浙A·12345", 0), (CLAIMED, "浙AI2345", 0), (CLAIMED, "浙A12346", 1),
        (CLAIMED, "浙A1234", 1),
        ("浙AD12345", CLAIMED, 1), (CLAIMED, "浙A2345", 1), (CLAIMED, "浙A54321", 4), (CLAIMED, "", 7), ("", "", 0),
    ],
)  # fmt: skip
def test_characters_apart(one: str, other: str, apart: int) -> None:
    assert characters_apart(one, other) == characters_apart(other, one) == apart


def test_places_have_words() -> None:
    assert all(place.words.zh and place.words.en for place in Place)
