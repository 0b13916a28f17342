"""Likelihoods of texts against the plain definition: every way to spread a text over the steps, added up."""

import time
from itertools import groupby, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from drivers.camera.plates.alphabet import CHARACTERS, CLASS_OF, is_plate
from drivers.camera.plates.likelihood import (
    SUREST_NAT,
    Line,
    best_path,
    best_plate,
    log_likelihoods,
    mean_log_likelihoods,
    one_off,
)
from tests.drivers.camera.plates.lines import line_of

SMALL = CHARACTERS[1:4]


def _line(weights: list[list[float]]) -> Line:
    """T x 4: blank and three characters."""
    raw = np.array(weights)
    return np.asarray(raw - np.log(np.exp(raw).sum(axis=1, keepdims=True)), np.float32)


def _by_definition(line: Line) -> dict[str, float]:
    """The probability of every text, path by path."""
    seen = np.exp(np.maximum(line.astype(np.float64), -SUREST_NAT))
    texts: dict[str, float] = {}
    for path in product(range(line.shape[1]), repeat=len(line)):
        text = "".join(CHARACTERS[index] for index, _ in groupby(path) if index)
        texts[text] = texts.get(text, 0) + float(np.prod(seen[range(len(line)), path]))
    return texts


weights = st.lists(st.lists(st.floats(-6, 6), min_size=4, max_size=4), min_size=1, max_size=6)


@given(weights)
@settings(max_examples=40, deadline=None)
def test_all_ways_of_a_text_are_added_up(raw: list[list[float]]) -> None:
    line = _line(raw)
    wanted = _by_definition(line)
    found = np.exp(log_likelihoods(line, list(wanted)))
    assert found == pytest.approx(list(wanted.values()), rel=1e-9)
    assert found.sum() == pytest.approx(1, rel=1e-5)


def test_a_wrong_rule_would_show() -> None:
    """The control: counting only the best path, or joining a doubled character, is another number."""
    line = _line([[0, 1, 0, 0], [0, 0, 0, 0], [0, 1, 0, 0]])
    one = SMALL[0]
    twice = float(np.exp(log_likelihoods(line, [one + one])[0]))
    assert twice == pytest.approx(float(np.exp(line[0, 1] + line[1, 0] + line[2, 1])), rel=1e-6), "only with a blank"
    once = float(np.exp(log_likelihoods(line, [one])[0]))
    assert once > float(np.exp(line[0, 1] + line[1, 1] + line[2, 1])) * 1.5


def test_texts_of_any_length_stand_side_by_side() -> None:
    line = line_of("浙A12345")
    texts = ["", "浙", "浙A12345", "浙A123456789", "浙A1234", "not a plate", "浙A12345"]
    together = log_likelihoods(line, texts)
    alone = [log_likelihoods(line, [text])[0] for text in texts]
    assert together == pytest.approx(alone)
    assert int(np.argmax(together)) == 2
    assert together[2] == together[6]
    assert np.isfinite(together).all(), "a character nobody knows is unlikely, not impossible"
    assert len(log_likelihoods(line, [])) == 0


def test_the_mean_of_crops() -> None:
    lines = [line_of("浙A12345"), line_of("浙A12346")]
    both = mean_log_likelihoods(lines, ["浙A12345", "浙A12346"])
    assert both[0] == pytest.approx(both[1], abs=0.5)


def test_too_many_steps_are_said() -> None:
    with pytest.raises(ValueError, match="36 steps are more than 35"):
        log_likelihoods(np.zeros((36, len(CHARACTERS)), np.float32), ["浙A12345"])


def test_200_candidates_take_less_than_5_ms() -> None:
    line, texts = line_of("浙A12345"), [f"浙A{number:05}" for number in range(200)]
    took = []
    for _ in range(20):
        began = time.perf_counter()
        log_likelihoods(line, texts)
        took.append(time.perf_counter() - began)
    assert min(took) < 0.005


def test_one_off_is_every_other_character_that_fits_its_place() -> None:
    texts = one_off("浙A12345")
    assert len(texts) == len(set(texts)) == 30 + 24 + 4 * 33 + 40
    assert all(sum(a != b for a, b in zip(text, "浙A12345", strict=True)) == 1 for text in texts)
    assert {"粤A12345", "浙B12345", "浙A1234挂", "浙AB2345"} <= set(texts)
    assert "浙A1挂345" not in texts


@pytest.mark.parametrize(
    "plate", ["浙A12345", "粤ZA123港", "浙AD12345", "沪A77777", "京A1123警", "粤OA2160", "使112233"]
)
def test_the_best_plate_is_what_stands_there(plate: str) -> None:
    assert best_plate(line_of(plate)) == plate


def test_the_grammar_decides_where_the_net_is_unsure() -> None:
    """A digit cannot stand first; a character too few cannot be all."""
    line = line_of("浙A12345", unsure={0: ("8", 0.6), 4: ("", 0.55)})
    assert best_path(line) == "8A1245"
    assert best_plate(line) == "浙A12345"


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_the_best_path_is_the_best_of_all_plates_near_it(seed: int) -> None:
    """By its path score; the check by definition is over the one-off plates of the answer."""
    dice = np.random.default_rng(seed)
    raw = dice.normal(size=(12, len(CHARACTERS))) * 3
    line = np.asarray(raw - np.log(np.exp(raw).sum(axis=1, keepdims=True)), np.float32)
    best = best_plate(line)
    if best is None:
        return
    assert is_plate(best)
    score = _path_score(line, best)
    rivals = [text for text in one_off(best) if is_plate(text)]
    assert max(_path_score(line, text) for text in rivals[:: max(1, len(rivals) // 40)]) <= score + 1e-9


def _path_score(line: Line, text: str) -> float:
    """The score of the best path of one text, by the plain recursion."""
    states = [0]
    for character in text:
        states += [CLASS_OF[character], 0]
    seen: NDArray[np.float64] = line.astype(np.float64)
    score = [float(seen[0, states[0]]), float(seen[0, states[1]])] + [-np.inf] * (len(states) - 2)
    for step in seen[1:]:
        now = []
        for at, state in enumerate(states):
            ways = [score[at], score[at - 1] if at else -np.inf]
            if at > 1 and state and state != states[at - 2]:
                ways.append(score[at - 2])
            now.append(max(ways) + float(step[state]))
        score = now
    return max(score[-1], score[-2])
