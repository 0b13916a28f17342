"""How likely a text is under what the reading net saw: exact, by the forward algorithm of CTC.

A line of the net is T x C log-probabilities, one column a character, column 0 the blank. A text's likelihood is the sum
over all ways to spread it over the T steps (Graves and others, Connectionist Temporal Classification, 2006, sec. 4.1).
"""

from collections.abc import Sequence
from functools import lru_cache
from itertools import groupby
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from drivers.camera.plates.alphabet import (
    CHARACTERS,
    CLASS_OF,
    DIGITS,
    LETTERS,
    NEW_ENERGY,
    PROVINCES,
    SPECIAL,
    canonical,
    is_plate,
)

Line: TypeAlias = NDArray[np.float32]
"""T x C log-probabilities of one crop."""

SUREST_NAT = 20.0
"""No net is surer than this: a probability below e^-20 counts as e^-20, also that of a character it does not know. So
32 steps stay within what a float64 holds, and nothing needs to be rescaled."""
MOST_STEPS = 35
_LEAST = 1e-307

_ALNUM = DIGITS + LETTERS
_FRONT = (PROVINCES, LETTERS + "O")
_PLACES: tuple[tuple[str, ...], ...] = (
    (*_FRONT, _ALNUM, _ALNUM, _ALNUM, _ALNUM, _ALNUM + SPECIAL),
    (*_FRONT, NEW_ENERGY, _ALNUM, *[DIGITS] * 4),
    (*_FRONT, *[DIGITS] * 5, NEW_ENERGY),
)
"""What may stand at each place: all plates of seven characters, and the two of eight. An embassy's plate from before
2017 (使 and six digits) is read only where the net needs no help."""


def log_likelihoods(line: Line, texts: Sequence[str]) -> NDArray[np.float64]:
    """Natural logarithm of the probability of each text, in order. ValueError for more than 35 steps.

    Two steps, and of each the probabilities of the blank, 京 and 津. 京 is 京京, 京 and a blank, or a blank and 京:
    0.24 + 0.48 + 0.03.

    >>> line = np.log(np.array([[0.1, 0.8, 0.1], [0.6, 0.3, 0.1]], np.float32))
    >>> [f"{likelihood:.2f}" for likelihood in np.exp(log_likelihoods(line, ["京", "京津", ""]))]
    ['0.75', '0.08', '0.06']
    """
    steps = len(line)
    if steps > MOST_STEPS:
        raise ValueError(f"{steps} steps are more than {MOST_STEPS}")
    seen = np.exp(np.maximum(line.astype(np.float64), -SUREST_NAT))
    seen = np.hstack([seen, np.full((steps, 1), np.exp(-SUREST_NAT))])
    classes, lengths = _classes(tuple(texts), line.shape[1])
    states = np.zeros((len(texts), 2 * classes.shape[1] + 1), np.intp)
    states[:, 1::2] = classes
    jumps = np.zeros(states.shape, np.float64)  # from one character to the next without a blank, if they differ
    jumps[:, 3::2] = states[:, 3::2] != states[:, 1:-2:2]
    emits = seen[:, states]
    # Two columns of nothing on the left stand for the states before the first.
    before = np.zeros((len(texts), states.shape[1] + 2))
    before[:, 2:4] = emits[0, :, :2]
    for emit in emits[1:]:
        before[:, 2:] = (before[:, 2:] + before[:, 1:-1] + jumps * before[:, :-2]) * emit
    rows = np.arange(len(texts))
    ends = before[rows, 2 * lengths + 2] + np.where(lengths > 0, before[rows, 2 * lengths + 1], 0)
    return np.asarray(np.log(np.maximum(ends, _LEAST)), np.float64)


def mean_log_likelihoods(lines: Sequence[Line], texts: Sequence[str]) -> NDArray[np.float64]:
    """The same as the mean over several crops of one plate."""
    return np.asarray(np.mean([log_likelihoods(line, texts) for line in lines], axis=0), np.float64)


def _classes(texts: tuple[str, ...], unknown: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    lengths = np.array([len(text) for text in texts], np.intp)
    classes = np.zeros((len(texts), int(lengths.max(initial=0))), np.intp)
    for row, text in enumerate(texts):
        classes[row, : len(text)] = [CLASS_OF.get(character, unknown) for character in text]
    return classes, lengths


def one_off(text: str) -> tuple[str, ...]:
    """Every text that differs in one character, with one that stands at this place of some plate of seven."""
    places = _PLACES[0]
    return tuple(
        text[:at] + other + text[at + 1 :]
        for at, character in enumerate(text)
        for other in (places[at] if at < len(places) else _ALNUM)
        if other != character
    )


def best_path(line: Line) -> str:
    """The text of the likeliest path, whether it is a plate or not."""
    return canonical("".join(CHARACTERS[index] for index, _ in groupby(line.argmax(axis=1).tolist())))


def best_plate(line: Line) -> str | None:
    """The plate of the likeliest path that the grammar allows (Viterbi); None when none does."""
    text = best_path(line)
    if is_plate(text):
        return text
    found = [_Paths(line, places).best() for places in _PLACES]
    plates = [(score, text) for score, text in found if is_plate(text)]
    return max(plates)[1] if plates else None


class _Paths:
    """The best path to each number of characters, where each place has its own choice of them.

    `ink[k, c]` is the score of the best path that stands on character c as its k-th (from 0), `gap[k]` of the one that
    stands on a blank after k characters. The choices of every step are kept to go back along them.
    """

    def __init__(self, line: Line, places: tuple[str, ...]) -> None:
        allowed = _allowed(places)
        self._ink, self._gap = np.full(allowed.shape, -np.inf), np.full(len(places) + 1, -np.inf)
        self._gap[0] = 0
        self._steps: list[tuple[NDArray[np.intp | np.bool_], ...]] = []
        for step in line.astype(np.float64):
            self._step(step, allowed)

    def _step(self, step: NDArray[np.float64], allowed: NDArray[np.bool_]) -> None:
        ranks = np.arange(len(allowed))
        top = self._ink.argmax(axis=1)
        best = self._ink[ranks, top]
        self._ink[ranks, top] = -np.inf
        second = self._ink.argmax(axis=1)
        # Without a blank between, the character before must be another one.
        jump = np.repeat(best[:-1, None], allowed.shape[1], axis=1)
        jump[ranks[:-1], top[:-1]] = self._ink[ranks[:-1], second[:-1]]
        self._ink[ranks, top] = best
        enter = np.repeat(self._gap[:-1, None], allowed.shape[1], axis=1)
        by_jump = np.zeros(allowed.shape, np.bool_)
        by_jump[1:] = jump > enter[1:]
        enter[1:] = np.maximum(enter[1:], jump)
        enters = enter > self._ink
        self._ink = np.where(allowed, np.maximum(enter, self._ink) + step, -np.inf)
        ends = best > self._gap[1:]
        self._gap[1:] = np.where(ends, best, self._gap[1:])
        self._gap += step[0]
        self._steps.append((enters, by_jump, ends, top, second))

    def best(self) -> tuple[float, str]:
        """Score and text of the best path through all places; the text is "" when the line is too short for them."""
        at, on = (
            len(self._ink),
            -1,
        )  # `on` is the class it stands on as character `at`, -1 a blank after `at` characters
        if self._ink[-1].max() > self._gap[-1]:
            at, on = at - 1, int(self._ink[-1].argmax())
        score = float(self._gap[-1] if on < 0 else self._ink[at, on])
        if not np.isfinite(score):
            return score, ""
        text = ""
        for enters, by_jump, ends, top, second in reversed(self._steps):
            if on < 0:
                if at and ends[at - 1]:
                    at, on = at - 1, int(top[at - 1])
            elif enters[at, on]:
                text = CHARACTERS[on] + text
                if by_jump[at, on]:
                    at, on = at - 1, int(second[at - 1] if top[at - 1] == on else top[at - 1])
                else:
                    on = -1
        return score, canonical(text)


@lru_cache(maxsize=len(_PLACES))
def _allowed(places: tuple[str, ...]) -> NDArray[np.bool_]:
    allowed = np.zeros((len(places), len(CHARACTERS)), np.bool_)
    for at, characters in enumerate(places):
        allowed[at, [CLASS_OF[character] for character in characters]] = True
    return allowed
