"""Drawn plates: the same from the same seed, of every kind and province, and labelled where they stand."""

from collections import Counter

import numpy as np
import pytest

from drivers.camera.plates.alphabet import CLASS_OF, PROVINCES, canonical, is_plate
from drivers.camera.plates_training.batches import LENGTH, STEPS, level_at, make_batch
from drivers.camera.plates_training.dev_set import DevSet, score, spell
from drivers.camera.plates_training.generator import COLORS, NO_COLOR, Generator
from drivers.camera.plates_training.texts import KINDS, random_plate


def test_one_seed_one_row_of_samples() -> None:
    first, again, other = (make_batch(Generator(seed), 12, 1.0) for seed in (7, 7, 8))
    assert (first.lines == again.lines).all()
    assert (first.classes == again.classes).all()
    assert (first.columns == again.columns).all()
    assert not (first.classes == other.classes).all()


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_drawn_and_told_where_its_characters_stand(kind: str) -> None:
    generator = Generator(3)
    for _ in range(6):
        sample = generator.sample(0.5, kind)
        assert sample.line.shape == (32, 128, 3)
        assert sample.line.dtype == np.uint8
        assert is_plate(canonical(sample.plate.text)), sample.plate
        assert len(sample.columns) == len(sample.plate.text)
        assert (np.diff(sample.columns) > 3).all(), "characters stand in reading order"
        assert sample.columns.min() > 0
        assert sample.columns.max() < 128
        assert sample.color in (NO_COLOR, COLORS.index(sample.plate.color))


def test_no_province_is_rarer_than_others() -> None:
    rng = np.random.default_rng(1)
    seen = Counter(random_plate(rng, "blue").text[0] for _ in range(3100))
    assert set(seen) == set(PROVINCES)
    assert min(seen.values()) > 60
    assert max(seen.values()) < 150


def test_a_batch_tells_text_and_columns_alike() -> None:
    batch = make_batch(Generator(5), 16, 0.35)
    assert batch.classes.shape == (16, LENGTH)
    assert batch.columns.shape == (16, STEPS)
    for classes, columns in zip(batch.classes, batch.columns, strict=True):
        assert [c for c in columns if c] == [c for c in classes if c]


def test_it_grows_harder() -> None:
    assert level_at(0, 100) == 0.35
    assert level_at(50, 100) == pytest.approx(0.675)
    assert level_at(100, 100) == level_at(10**6, 100) == 1.0


def test_spelling_joins_repeats_and_drops_blanks() -> None:
    one, zero, anhui, a = (CLASS_OF[c] for c in "10皖A")
    assert spell(np.array([0, anhui, anhui, 0, a, one, 0, one, one, zero, 0])) == "皖A110"
    assert spell(np.zeros(32, np.int64)) == ""


def test_score_counts_the_province_apart() -> None:
    of = DevSet("x", np.zeros((4, 32, 128, 3), np.uint8), ("皖A12345", "皖A12346", "皖A12347", "皖A12348"))
    result = score(of, ["皖A12345", "桂A12346", "皖A1234", "皖A12349"])
    assert (result.exact, result.without_province, result.wrong_length) == (0.25, 0.5, 1)
    assert result.confused == {("皖", "桂"): 1, ("8", "9"): 1}
