"""What the figures are made of: which frauds make up each of the six, counting, and what a count proves."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from edge.domain.scale_watch import WatchKind, WatchRules
from tests.edge.watch import frauds
from tests.edge.watch.frauds import Fraud, Tried, replaced, try_fraud

Try = Callable[[int, WatchRules], Tried]


@dataclass(frozen=True)
class Kind:
    """One of the six frauds: its variants, used in turn, and the rule that must see it."""

    variants: tuple[Fraud, ...]
    seen_by: frozenset[WatchKind]

    def attempt(self, seed: int, rules: WatchRules) -> Tried:
        """One try."""
        return try_fraud(self.variants[seed % len(self.variants)], seed, rules=rules)


_K = WatchKind
SIX: dict[str, Kind] = {
    "remote-controlled cell": Kind(
        (frauds.radio_tare_standing, frauds.radio_gross_standing, frauds.radio_tare_rolling),
        frozenset({_K.STEP, _K.TARE_HISTORY, _K.PROPPED}),
    ),
    "water dumped": Kind((frauds.water_here, frauds.water_elsewhere), frozenset({_K.SLOPE, _K.TARE_HISTORY})),
    "second vehicle's axle": Kind((frauds.second_axle,), frozenset({_K.STEP, _K.TARE_HISTORY})),
    "propped deck": Kind((frauds.jack, frauds.prop), frozenset({_K.PROPPED, _K.STEP, _K.SLOPE})),
    "plate swap": Kind((frauds.plate_swap,), frozenset({_K.TARE_HISTORY})),
}
REPLACED_SEEN_BY = frozenset({_K.INDICATOR, _K.ALIBI})
TRIES: dict[str, Try] = {
    **{name: kind.attempt for name, kind in SIX.items()},
    "indicator replaced": lambda seed, rules: replaced(seed, rules),
}
SEEN_BY = {**{name: kind.seen_by for name, kind in SIX.items()}, "indicator replaced": REPLACED_SEEN_BY}


def caught(name: str, seeds: range, rules: WatchRules | None = None) -> int:
    """How many of these tries left a finding."""
    return sum(bool(TRIES[name](seed, rules or WatchRules()).findings) for seed in seeds)


def at_least(hits: int, tries: int, error: float = 0.05) -> float:
    """The rate that so many hits prove: lower Clopper–Pearson bound, one-sided. 100 of 100 give 0.970."""
    return _root(lambda rate: 1 - _below(hits - 1, tries, rate), error) if hits else 0.0


def at_most(events: int, tries: int, error: float = 0.05) -> float:
    """The rate that so few events leave possible: upper bound; 0 of n give 3/n, the rule of three."""
    return _root(lambda rate: 1 - _below(events, tries, rate), 1 - error) if events < tries else 1.0


def _below(most: int, tries: int, rate: float) -> float:
    """P(X <= most) for a binomial X."""
    if most < 0:
        return 0.0
    logs = (
        math.lgamma(tries + 1)
        - math.lgamma(k + 1)
        - math.lgamma(tries - k + 1)
        + k * math.log(rate)
        + (tries - k) * math.log1p(-rate)
        for k in range(most + 1)
    )
    return min(1.0, sum(math.exp(each) for each in logs))


def _root(rising: Callable[[float], float], target: float) -> float:
    low, high = 1e-9, 1 - 1e-9
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if rising(middle) < target else (low, middle)
    return low
