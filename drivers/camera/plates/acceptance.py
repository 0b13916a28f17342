"""How safe the match is, measured on labelled pictures: the right pass out of 200, and clones one character off."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from drivers.camera.plates.alphabet import DIGITS, LETTERS, PROVINCES
from drivers.camera.plates.evaluate import Case, Label
from drivers.camera.plates.likelihood import one_off
from drivers.camera.plates.match import Likelihoods, stand
from drivers.camera.plates.thresholds import Thresholds

PASSES = 200
"""So many open passes are held against each picture: its own and 199 others."""
MARGINS = (8.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0, 0.0, -1.0, -2.0, -3.0, -4.0, -6.0)
_ALIKE = ("0DQC", "8B36", "5S", "2Z7T", "17TL", "CG6", "EFP", "MNH", "VYU", "KX", "4A", "69")
LOOK_ALIKES = frozenset(one + other for group in _ALIKE for one in group for other in group if one != other)
"""Characters that are easily taken for each other; a province for any other one also counts."""


@dataclass(frozen=True, slots=True)
class Stand:
    """One case against the open passes, in nat; -inf everywhere where nothing was seen.

    `first`: the right pass is the likeliest of all. `own`: how the right one stands: ahead of what nobody expects, and
    ahead of the other passes. `clones`: how each plate one character off stands as a pass in its stead, with the pair
    of characters. `other`: how the best of the other passes stands when the right one is not among them.
    """

    first: bool
    own: tuple[float, float]
    clones: tuple[tuple[str, float, float], ...]
    other: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Accepted:
    """Shares of what is confirmed at a margin: right plates, plates one character off (all, and only look-alikes), and
    any other pass. `best_clone`: of the pictures in whose place a thief had only to choose the right clone."""

    margin: float
    right: float
    one_off: float
    look_alike: float
    best_clone: float
    other: float


def passes_for(label: Label, plates: Sequence[str]) -> list[str]:
    """199 other open passes: other plates of the list, then made ones of the same office; the same at every run."""
    dice = random.Random(label.plate)
    others = [plate for plate in dict.fromkeys(plates) if plate != label.plate]
    chosen = dict.fromkeys(dice.sample(others, min(len(others), PASSES - 1)))
    while len(chosen) < PASSES - 1:
        front = label.plate[:2] if dice.random() < 0.8 else dice.choice(PROVINCES) + dice.choice(LETTERS)
        made = front + "".join(dice.choice(DIGITS if dice.random() < 0.8 else LETTERS) for _ in label.plate[2:])
        if made != label.plate:
            chosen[made] = None
    return list(chosen)


def against_passes(case: Case, plates: Sequence[str]) -> Stand:
    """One case against 200 open passes, and against every clone."""
    truth = case.label.plate
    pairs = [(_pair(truth, clone), clone) for clone in one_off(truth)]
    lost = (-float("inf"), -float("inf"))
    if case.sighting is None:
        return Stand(False, lost, tuple((pair, *lost) for pair, _ in pairs), lost)
    likelihoods = Likelihoods([case.sighting.lines])
    others = passes_for(case.label, plates)
    free = likelihoods.best([case.text])
    scores = likelihoods.of([truth, free, *others, *(clone for _, clone in pairs)])
    best_other = max(scores[other] for other in others)

    def standing(text: str) -> tuple[float, float]:
        if scores[text] < scores[free] - MARGINS[0]:  # behind the free reading alone by more than any margin
            return scores[text] - scores[free], scores[text] - best_other
        found = stand(likelihoods, [text], free)
        return (found.ahead if found else 0.0), scores[text] - best_other

    rest = stand(likelihoods, others, free)
    return Stand(
        scores[truth] > best_other,
        standing(truth),
        tuple((pair, *standing(clone)) for pair, clone in pairs),
        lost if rest is None else (rest.ahead, rest.lead),
    )


def _pair(one: str, other: str) -> str:
    return next(a + b for a, b in zip(one, other, strict=True) if a != b)


def acceptance(stands: Sequence[Stand], margin: float, lead: float) -> Accepted:
    """What is confirmed at a margin and a lead, of all cases, those without a sighting too."""

    def confirmed(ahead: float, apart: float) -> bool:
        return ahead >= -margin and apart >= lead

    def share(them: Sequence[tuple[float, float]]) -> float:
        return sum(confirmed(*one) for one in them) / max(len(them), 1)

    clones = [clone for each in stands for clone in each.clones]
    alike = [(ahead, apart) for pair, ahead, apart in clones if pair in LOOK_ALIKES or pair[0] in PROVINCES]
    return Accepted(
        margin,
        share([each.own for each in stands]),
        share([(ahead, apart) for _, ahead, apart in clones]),
        share(alike),
        sum(any(confirmed(*clone[1:]) for clone in each.clones) for each in stands) / max(len(stands), 1),
        share([each.other for each in stands]),
    )


def curve(stands: Sequence[Stand], limits: Thresholds) -> list[Accepted]:
    """The acceptance at every margin of the table, and at the shipped one first."""
    return [acceptance(stands, margin, limits.lead) for margin in (limits.margin, *MARGINS)]
