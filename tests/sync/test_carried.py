"""The top-up code: what is written is read; whatever is not head office's own text is refused, with the line."""

from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from sync import carried
from sync.carried import CarriedFault, CarriedGrant, CarriedGrantError, TermMark
from sync.keys import Instance
from sync.messages import Term

OFFICE = Ed25519PrivateKey.generate()
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
GRANT = CarriedGrant(
    Instance("HX01", 3, "9f86d081884c7d65"),
    TermMark.of(Term(number=2, id="0123456789abcdef" * 2)),
    "C0042/预付",
    12_345_600,
    datetime(2026, 11, 23, 19, 5, 1, tzinfo=UTC),
)
CODE = carried.write(GRANT, OFFICE)

grants = st.builds(
    CarriedGrant,
    st.builds(
        Instance,
        st.from_regex(r"[A-Z0-9]{2,8}", fullmatch=True),
        st.integers(1, 65535),
        st.binary(min_size=8, max_size=8).map(bytes.hex),
    ),
    st.builds(TermMark, st.integers(1, 2**31), st.binary(min_size=8, max_size=8).map(bytes.hex)),
    st.text(st.characters(exclude_categories=["C"]), min_size=1, max_size=120),
    st.integers(0, 10**15),
    st.integers(0, 2**32 - 1).map(lambda seconds: datetime.fromtimestamp(seconds, UTC)),
)


def refused(text: str) -> CarriedGrantError:
    with pytest.raises(CarriedGrantError) as error:
        carried.read(text, OFFICE.public_key())
    return error.value


@given(grants)
def test_what_is_written_is_read(grant: CarriedGrant) -> None:
    code = carried.write(grant, OFFICE)
    assert set(code) <= set(ALPHABET)  # a QR code's alphanumeric mode
    assert len(code) <= carried.MOST_CHARACTERS
    assert carried.read(code, OFFICE.public_key()) == grant
    assert carried.read("\n".join(carried.lines(code)).lower(), OFFICE.public_key()) == grant


def test_what_people_do_when_typing_is_forgiven() -> None:
    typed = CODE.replace("0", "o").replace("1", "l").replace("A", "a")
    assert carried.read(f"  {typed[:30]}-{typed[30:]}\r\n", OFFICE.public_key()) == GRANT


def test_the_lines_are_the_code() -> None:
    shown = carried.lines(CODE)
    assert "".join(shown).replace(" ", "") == CODE
    assert all(len(line) == 25 for line in shown[:-1])  # 21 characters in groups of five
    assert len(shown) == 10


def test_every_single_typo_is_told_by_its_line() -> None:
    for at, right in enumerate(CODE):
        for wrong in ALPHABET.replace(right, "") + "U%":
            error = refused(CODE[:at] + wrong + CODE[at + 1 :])
            assert (error.fault, error.line) == (CarriedFault.TYPO, at // 21 + 1), (at, wrong)


def test_two_neighbours_that_changed_places_are_told() -> None:
    for at in range(len(CODE) - 1):
        if CODE[at] == CODE[at + 1]:
            continue
        error = refused(CODE[:at] + CODE[at + 1] + CODE[at] + CODE[at + 2 :])
        # Across a line's end two lines are wrong; the first is told.
        assert (error.fault, error.line) == (CarriedFault.TYPO, at // 21 + 1)


@given(st.integers(0, 9), st.integers(0, 9))
def test_a_line_in_another_lines_place_is_told(first: int, second: int) -> None:
    lines = carried.lines(CODE)
    if first == second or max(first, second) == len(lines) - 1:
        return  # the last line is shorter, so that all the others move
    lines[first], lines[second] = lines[second], lines[first]
    assert refused("".join(lines)).line == min(first, second) + 1


def test_every_truncation_is_refused() -> None:
    assert refused("").fault is CarriedFault.NOT_A_CODE
    for kept in range(1, len(CODE)):
        error = refused(CODE[:kept])
        if kept > 1:
            assert (error.fault, error.line) == (CarriedFault.TRUNCATED, -(-kept // 21)), kept


def test_what_stands_behind_the_code_is_told() -> None:
    assert refused(CODE + "0").fault is CarriedFault.TYPO


def test_every_flipped_bit_is_refused() -> None:
    raw = _raw(CODE)
    assert _text(raw) == CODE  # or the flips below would be refused for another reason
    for bit in range(len(raw) * 8):
        flipped = bytearray(raw)
        flipped[bit // 8] ^= 1 << bit % 8
        error = refused(_text(bytes(flipped)))
        assert error.fault is not CarriedFault.NOT_A_CODE or bit < 8


@settings(max_examples=300)
@given(st.text(max_size=400) | st.text(ALPHABET, max_size=400))
def test_any_other_text_is_refused(text: str) -> None:
    refused(text)


def test_another_text_is_no_code() -> None:
    for other in ("HX01-03-0001234", "https://weighgate.example/lane/1", "京A12345", "9" * 200):
        assert refused(other).fault is CarriedFault.NOT_A_CODE
    assert refused(CODE * 30).fault is CarriedFault.NOT_A_CODE


def test_another_key_is_no_head_office() -> None:
    assert refused(carried.write(GRANT, Ed25519PrivateKey.generate())).fault is CarriedFault.FORGED


def test_another_version_says_so() -> None:
    raw = bytearray(_raw(CODE))
    raw[0] = 2
    assert refused(_text(bytes(raw))).fault is CarriedFault.OTHER_VERSION


@pytest.mark.parametrize(
    "wrong",
    [
        {"account": ""},
        {"account": "x" * 121},
        {"granted_fen": -1},
        {"granted_fen": 10**15 + 1},
        {"made_at": datetime(2026, 11, 23)},  # noqa: DTZ001 - the naive time is the point
        {"instance": Instance("HX01", 70_000, "9f86d081884c7d65")},
    ],
)
def test_what_does_not_fit_is_not_written(wrong: dict[str, object]) -> None:
    fields = {name: getattr(GRANT, name) for name in CarriedGrant.__slots__} | wrong
    with pytest.raises(ValueError):
        carried.write(CarriedGrant(**fields), OFFICE)


def _raw(code: str) -> bytes:
    data = "".join(character for at, character in enumerate(code) if at % 21 != 20 and at != len(code) - 1)
    number = 0
    for character in data:
        number = number * 32 + ALPHABET.index(character)
    return (number >> len(data) * 5 % 8).to_bytes(len(data) * 5 // 8, "big")


def _text(raw: bytes) -> str:
    """The same layout written down a second time, so that wrong bytes come with right checks."""
    number, count = int.from_bytes(raw, "big") << -len(raw) * 8 % 5, -(-len(raw) * 8 // 5)
    data = "".join(ALPHABET[number >> 5 * (count - 1 - at) & 31] for at in range(count))
    out = ""
    for start in range(0, count, 20):
        value = start // 20 + 1
        for character in data[start : start + 20]:
            value = _twice(value) ^ ALPHABET.index(character)
        out += data[start : start + 20] + ALPHABET[_twice(value)]
    return out


def _twice(value: int) -> int:
    return value << 1 if value < 16 else (value << 1) ^ 37


@pytest.mark.parametrize("mark", ["", ".", ")"])
@pytest.mark.parametrize("between", ["\n", " "])
def test_lines_with_the_numbers_they_are_shown_with_are_read(mark: str, between: str) -> None:
    numbered = [f"{number}{mark} {line}" for number, line in enumerate(carried.lines(CODE), 1)]
    assert carried.read(between.join(numbered), OFFICE.public_key()) == GRANT
    wrong = between.join([*numbered[:3], numbered[3][:-1] + ("A" if numbered[3][-1] != "A" else "B"), *numbered[4:]])
    assert (refused(wrong).fault, refused(wrong).line) == (CarriedFault.TYPO, 4)


def test_a_code_scanned_twice_into_one_field_is_one_code() -> None:
    assert carried.read(CODE + CODE, OFFICE.public_key()) == GRANT
    assert carried.read(f"{CODE}\n{CODE.lower()}\n", OFFICE.public_key()) == GRANT
    assert refused(CODE + CODE[:-1]).fault in (CarriedFault.TYPO, CarriedFault.NOT_A_CODE)
