"""What counts as a plate."""

import pytest

from drivers.camera.plates.alphabet import CHARACTERS, CLASS_OF, PROVINCES, SPECIAL, canonical, is_plate


def test_classes_are_one_of_a_kind_and_the_blank_is_first() -> None:
    assert CHARACTERS[0] == ""
    assert len(CHARACTERS) == len(set(CHARACTERS)) == 1 + 31 + 34 + 7
    assert all(CHARACTERS[index] == character for character, index in CLASS_OF.items() if character != "O")
    assert len(PROVINCES) == 31
    assert len(SPECIAL) == 7


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("皖A·O1I23", "皖A01123"),
        (" 粤b 5j512 ", "粤B5J512"),
        ("粤OA2160", "粤OA2160"),
        ("粤0A2160", "粤OA2160"),  # no office is a digit
        ("使014578", "使014578"),
        ("", ""),
        ("0", "0"),
    ],
)
def test_one_way_of_writing(written: str, meant: str) -> None:
    assert canonical(written) == meant
    assert canonical(meant) == meant


@pytest.mark.parametrize(
    "text",
    [
        "京A12345", "皖AUB816", "粤OA2160", "苏B1234挂", "渝B3587学", "川A1234警", "粤Z1234港", "粤Z12A4澳", "使014578",
        "京A0023使", "沪A0023领", "京AD12345", "粤BF1A234"[:3] + "A1234", "沪A12345D",
    ],
)  # fmt: skip
def test_plates(text: str) -> None:
    assert is_plate(text)


@pytest.mark.parametrize(
    "text",
    [
        "", "京A1234", "京A123456", "京AI2345", "京A1234O", "1A12345", "京112345", "京京12345", "京A12挂34", "京AABCDE",
        "沪Z1234港", "京A12345I", "京AZ12345", "京A1234挂挂", "京A12345\n",
    ],
)  # fmt: skip
def test_no_plates(text: str) -> None:
    assert not is_plate(text)
