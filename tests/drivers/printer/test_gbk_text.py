"""What a GBK printer gets: two bytes a hanzi, never four; nothing steers it; nothing vanishes unsaid."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.printer.gbk_text import columns, is_gbk, printable, wrap


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("6 m³", "6 m3"),
        ("km²", "km2"),
        ("¥5", "￥5"),
        ("28\u2009340\u00a0kg", "28 340 kg"),
        ("25–60", "25-60"),
        ("−40 ℃", "-40 ℃"),
        ("é", "é"),
        ("\ufb01ne", "fine"),
        ("浙A·12345 ±5°", "浙A·12345 ±5°"),
    ],
)
def test_equals_replace_without_a_warning(text: str, printed: str) -> None:
    assert printable(text) == (printed, ())


@pytest.mark.parametrize(
    ("text", "printed", "warning"),
    [
        ("张䶮", "张〓", "U+4DAE 䶮 is not in GBK, printed as '〓'"),
        ("𠮷野", "〓野", "U+20BB7 𠮷 is not in GBK, printed as '〓'"),
        ("a\x1b@b", "a @b", "U+001B is not in GBK, printed as ' '"),
        ("甲\n净重 1 kg", "甲 净重 1 kg", "U+000A is not in GBK, printed as ' '"),
        ("甲\u202e乙", "甲乙", "U+202E is not in GBK, printed as ''"),
        ("ก", "?", "U+0E01 ก is not in GBK, printed as '?'"),
        ("\ud800", "?", "U+D800 is not in GBK, printed as '?'"),
    ],
)
def test_losses_are_told(text: str, printed: str, warning: str) -> None:
    assert printable(text) == (printed, (warning,))


@given(st.text())
def test_every_text_becomes_bytes_a_gbk_printer_knows(text: str) -> None:
    result = printable(text).text
    for char in result:
        encoded = char.encode("gb18030")
        assert len(encoded) <= 2
        assert len(encoded) == 2 or 0x20 <= encoded[0] < 0x7F


def test_bytes_are_columns() -> None:
    """For GBK's hanzi, full-width forms and Chinese punctuation the byte count is the width W, F, A gives."""
    for char in (
        chr(code) for code in (*range(0x20, 0x7F), *range(0x3000, 0xA000), *range(0xFF01, 0xFFE7)) if is_gbk(chr(code))
    ):
        wide = unicodedata.east_asian_width(char) in {"W", "F", "A"}
        assert columns(char) == (2 if wide else 1), f"U+{ord(char):04X}"
        assert char.encode("gb18030") == char.encode("gbk")


@given(st.text(alphabet="ab 冶金焦·1"), st.integers(2, 48))
def test_wrapping_loses_nothing_but_spaces(text: str, width: int) -> None:
    lines = wrap(text, width)
    assert all(columns(line) <= width for line in lines)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")


def test_words_stay_whole_where_they_can() -> None:
    assert wrap("HX01-03-0001234 weighgate 0.1.0", 20) == ["HX01-03-0001234", "weighgate 0.1.0"]
    assert wrap("湖州示例铸造有限公司", 8) == ["湖州示例", "铸造有限", "公司"]
    assert wrap("", 8) == [""]
    with pytest.raises(ValueError, match="too narrow"):
        wrap("甲", 1)
