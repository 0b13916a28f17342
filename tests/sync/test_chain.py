"""The hash chain: its one formula, and every way to break it."""

import hashlib

import pytest

from sync.chain import GENESIS_HASH, ChainBroken, row_hash, verify_row, verify_rows
from tests.sync.support import make_rows


def test_the_formula_as_published() -> None:
    text = "0" * 64 + '|1|ticket|{"plate":"浙A12345"}'
    assert row_hash(GENESIS_HASH, 1, "ticket", '{"plate":"浙A12345"}') == hashlib.sha256(text.encode()).hexdigest()


def test_a_whole_chain_and_its_tail_verify() -> None:
    rows = make_rows(20)
    assert verify_rows(rows) == (20, rows[-1].hash)
    assert verify_rows(rows[7:], after_seq=7, prev_hash=rows[6].hash) == (20, rows[-1].hash)
    assert verify_rows([]) == (0, GENESIS_HASH)


@pytest.mark.parametrize(
    "change",
    [{"body": '{"n":5}'}, {"kind": "other"}, {"hash": "0" * 64}, {"seq": 6}],
)
def test_a_changed_row_is_found(change: dict[str, object]) -> None:
    rows = make_rows(9)
    rows[4] = rows[4].model_copy(update=change)
    with pytest.raises(ChainBroken) as broken:
        verify_rows(rows)
    assert broken.value.seq in (5, 6)


def test_a_missing_a_doubled_and_a_swapped_row_are_found() -> None:
    rows = make_rows(9)
    for bad in ([*rows[:4], *rows[5:]], [*rows[:5], *rows[4:]], [rows[1], rows[0], *rows[2:]]):
        with pytest.raises(ChainBroken, match="expected row"):
            verify_rows(bad)


def test_content_cannot_move_between_fields() -> None:
    first = make_rows(1)[0]
    moved = first.model_copy(update={"kind": "a|b", "hash": row_hash(GENESIS_HASH, 1, "a|b", first.body)})
    with pytest.raises(ChainBroken, match="holds a"):
        verify_row(GENESIS_HASH, moved)
