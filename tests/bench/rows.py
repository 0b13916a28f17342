"""One line of `make bench`: a figure, the floor measured in the same run, and what we promised."""

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """A figure in `unit`, beside `floor`, named by `floor_name`: the same quantity for the least work that could do it
    (a bare commit, an empty ledger), measured in the same run.

    Where less is better, a target is `max_value` (in `unit`), `max_ratio` (value / floor), or both; where more is
    better, `min_value` and `min_ratio`. A figure that could not be taken has no value, and `why_not` says why.
    """

    name: str
    value: float | None
    unit: str = ""
    floor: float | None = None
    floor_name: str = ""
    max_value: float | None = None
    max_ratio: float | None = None
    min_value: float | None = None
    min_ratio: float | None = None
    why_not: str = ""

    @property
    def ratio(self) -> float | None:
        """How many times its floor the figure is; None where one of the two is missing."""
        return None if not self.floor or self.value is None else self.value / self.floor

    @property
    def target(self) -> str:
        """The promise in words; empty where none was made."""
        parts = []
        if self.max_ratio is not None:
            parts.append(f"≤ {self.max_ratio:g} ×")
        if self.max_value is not None:
            parts.append(f"≤ {self.max_value:g} {self.unit}")
        if self.min_ratio is not None:
            parts.append(f"≥ {self.min_ratio:g} ×")
        if self.min_value is not None:
            parts.append(f"≥ {self.min_value:,g} {self.unit}")
        return ", ".join(parts)

    @property
    def met(self) -> bool | None:
        """Whether every part of the target holds; None where none was made or nothing was measured."""
        if self.value is None:
            return None
        checks = []
        if self.max_ratio is not None:
            checks.append(self.ratio is not None and self.ratio <= self.max_ratio)
        if self.max_value is not None:
            checks.append(self.value <= self.max_value)
        if self.min_ratio is not None:
            checks.append(self.ratio is not None and self.ratio >= self.min_ratio)
        if self.min_value is not None:
            checks.append(self.value >= self.min_value)
        return all(checks) if checks else None


def percentile(samples: Sequence[float], percent: int) -> float:
    """The smallest sample that at least `percent` % of all samples do not exceed (nearest rank)."""
    if not samples:
        raise ValueError("no samples")
    rank = max(1, math.ceil(percent * len(samples) / 100))
    return sorted(samples)[rank - 1]
