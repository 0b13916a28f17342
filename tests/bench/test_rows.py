"""The benchmark table's own arithmetic; the figures themselves are not asserted anywhere."""

import json

import pytest

from tests.bench import __main__ as runner
from tests.bench.rows import Row, percentile


def test_a_missed_target_is_named_and_a_row_without_one_is_not_judged() -> None:
    assert Row("commit", 6, "ms", floor=2, max_ratio=3).met is True
    assert Row("commit", 6.1, "ms", floor=2, max_ratio=3).met is False
    assert Row("commit", 6, "ms", floor=2, max_ratio=3, max_value=5).met is False
    assert Row("commit", 6, "ms").met is None
    assert Row("commit", 6, "ms", max_ratio=3).met is False, "a promised ratio without a floor was not kept"


def test_where_more_is_better_less_is_missed() -> None:
    assert Row("drain", 6000, "rows/s", floor=12_000, min_ratio=0.5, min_value=5000).met is True
    assert Row("drain", 5999, "rows/s", floor=12_000, min_ratio=0.5).met is False
    assert Row("drain", 6000, "rows/s", floor=12_000, min_ratio=0.5, min_value=6001).met is False
    assert Row("drain", 6000, "rows/s", min_ratio=0.5).met is False, "a promised ratio without a floor was not kept"
    assert Row("drain", 1, "rows/s", min_ratio=0.5, min_value=5000).target == "≥ 0.5 ×, ≥ 5,000 rows/s"


def test_percentile_is_a_sample() -> None:
    assert percentile([5, 1, 4, 2, 3], 50) == 3
    assert percentile(list(range(1, 101)), 99) == 99
    assert percentile([7], 99) == 7
    with pytest.raises(ValueError, match="no samples"):
        percentile([], 50)


def test_the_table_is_aligned_and_shows_value_floor_ratio_and_verdict() -> None:
    lines = runner.table(
        [Row("load complete p99", 1.5, "ms", 1.0, "bare commit", 20, 3), Row("memory", 131, "MB")]
    ).split("\n")
    assert " ".join(lines[1].split()) == "load complete p99 1.5 ms bare commit 1 ms 1.50 ≤ 3 ×, ≤ 20 ms ok"
    assert lines[0].index("value") == lines[1].index("1.5 ms") == lines[2].index("131 MB")


def test_json_carries_what_the_table_shows(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.argv", ["bench", "--json", "nothing-matches-this"])
    assert runner.main() == 1, "no figure at all is not a success"
    assert json.loads(capsys.readouterr().out)["rows"] == []
