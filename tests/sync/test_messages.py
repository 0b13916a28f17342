"""The types on the wire: canonical text, tolerance for the new, refusal of the wrong."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from sync.canonical import canonical, is_canonical, parse
from sync.documents import DOCUMENTS, NoticeCancelled
from sync.messages import Grant, WireRecord
from sync.records import RECORDS, HoldChanged

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(JSON)
def test_canonical_text_is_a_fixed_point(value: object) -> None:
    text = canonical(value)
    assert json.loads(text) == value
    assert canonical(json.loads(text)) == text


@given(JSON, st.booleans(), st.sampled_from([(",", ":"), (", ", ": ")]))
def test_the_quick_check_knows_canonical_text_and_no_other_writing(
    value: object, ascii_only: bool, marks: tuple[str, str]
) -> None:
    text = canonical(value).encode()
    assert parse(text) == value
    assert is_canonical(parse(text), text)
    other = json.dumps(value, ensure_ascii=ascii_only, separators=marks).encode()
    assert is_canonical(parse(other), other) is (other == text)


@pytest.mark.parametrize("text", ['{"a":1,"a":1}', '{"a":[{"b":1,"b":2}]}', '{"b":1,"a":1}', '"\\u0061"', "[1 ]", " 1"])
def test_the_quick_check_refuses_what_means_the_same(text: str) -> None:
    assert not is_canonical(parse(text.encode()), text.encode())


@pytest.mark.parametrize(
    "text", ["1.0", '{"a":[1e3]}', "NaN", "[Infinity]", '"\\ud800"', "[" * 10_000, "{", "1" * 5_000]
)
def test_what_is_no_json_of_ours_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match="."):
        parse(text.encode())


def test_canonical_text_sorts_and_keeps_chinese() -> None:
    assert canonical({"b": 1, "a": "浙A12345"}) == '{"a":"浙A12345","b":1}'


@pytest.mark.parametrize("value", [1.0, float("nan"), {"a": 1.5}, [[0.1]], ({"x": (2.0,)},)])
def test_a_float_has_no_place_in_a_record(value: object) -> None:
    with pytest.raises(TypeError, match="float"):
        canonical(value)


def test_kinds_name_their_types_and_fit_the_chain() -> None:
    assert all(name == record.KIND and "|" not in name for name, record in RECORDS.items())
    assert all(name == document.KIND for name, document in DOCUMENTS.items())
    assert {"ticket", "weighment", "void", "exit"} <= RECORDS.keys()


def test_a_record_survives_its_body() -> None:
    record = HoldChanged(visit="V1", notice="FH-1", account="K1/coke", hold_fen=12)
    assert HoldChanged.model_validate_json(record.body()) == record


def test_fields_of_a_newer_version_are_ignored_and_missing_ones_are_not() -> None:
    assert NoticeCancelled.model_validate({"notice": "FH-1", "colour": "red"}) == NoticeCancelled(notice="FH-1")
    with pytest.raises(ValidationError):
        NoticeCancelled.model_validate({})


@pytest.mark.parametrize("granted_fen", [-1, 10**15 + 1, "x", None, 1.5])
def test_an_impossible_amount_is_refused(granted_fen: object) -> None:
    with pytest.raises(ValidationError):
        Grant.model_validate({"account": "A", "granted_fen": granted_fen})


def test_messages_cannot_be_changed() -> None:
    row = WireRecord(seq=1, kind="test", body="{}", at="", hash="")
    with pytest.raises(ValidationError):
        row.seq = 2
