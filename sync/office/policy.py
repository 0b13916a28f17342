"""How much of a customer's money to leave at a plant whose link may fail. Pure: whole fen, whole seconds, no clock.

    exact      nothing beyond the notices: each is granted its money at the moment it is issued
    forecast   a target of 1.5 × p95 of what the customer took from this plant in 48 hours, at least one truck of 50 t,
               and at most 60 % of what is not promised yet to one of several plants
    auto       forecast where the link was down for two hours or more in the last 14 days, exact elsewhere

What lies unused above the target for 24 hours is asked back. The policy cannot break the promise of `sync.allotment`:
it grants within what is free, by the function that people's grants go through, and a recall is a wish.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from sync.units import amount_fen

HOUR_S = 3600
DAY_S = 24 * HOUR_S
WINDOW_S = 48 * HOUR_S
HISTORY_S = 28 * DAY_S
OUTAGE_SEEN_S = 14 * DAY_S
OUTAGE_S = 2 * HOUR_S
UNUSED_S = DAY_S
TRUCK_KG = 50_000
MOST_PERCENT = 60


class Way(StrEnum):
    """How a plant gets its money."""

    AUTO = "auto"
    EXACT = "exact"
    FORECAST = "forecast"


@dataclass(frozen=True, slots=True)
class Site:
    """One account at one open plant epoch."""

    instance: str
    target_fen: int
    """What should lie there beyond the notices; 0 where money comes exactly with them."""
    unused_fen: int
    """What lies there beyond the notices."""
    over_since_s: int | None = None
    """Since when it has been above the target, as far as head office knows."""
    sure: bool = True
    """Whether the plant is heard and all its rows are here, so that `unused_fen` is no guess."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do for one account now."""

    grants: tuple[tuple[str, int], ...] = ()
    """Instance and how much more, fen, in this order."""
    recalls: tuple[tuple[str, int], ...] = ()
    """Instance and what it should keep beyond its notices, fen."""
    over_since: tuple[tuple[str, int | None], ...] = ()
    """Instance and the new value of `Site.over_since_s`, where it changes."""


def nearest_rank(values: Sequence[int], percent: int) -> int:
    """The smallest value that at least `percent` % of all do not exceed; 0 of none."""
    if not values:
        return 0
    return sorted(values)[max(1, -(-percent * len(values) // 100)) - 1]


def window_sums(sales: Sequence[tuple[int, int]], now_s: int) -> tuple[int, ...]:
    """What was sold in each 48 hours of the last 28 days, a day apart, from the first sale on.

    `sales` are (moment in s, fen). A customer who came three days ago is judged by those three days.
    """
    recent = [(at_s, fen) for at_s, fen in sales if now_s - HISTORY_S <= at_s <= now_s]
    if not recent:
        return ()
    first_s = min(at_s for at_s, _ in recent)
    sums = []
    for end_s in range(now_s, now_s - HISTORY_S + DAY_S, -DAY_S):
        if end_s < first_s:
            break
        sums.append(sum(fen for at_s, fen in recent if end_s - WINDOW_S < at_s <= end_s))
    return tuple(sums)


def target_fen(window_fen: Sequence[int], price_fen_per_t: int) -> int:
    """What should lie at a plant whose link may fail; 0 for a customer who never bought there (price 0)."""
    if price_fen_per_t <= 0:
        return 0
    return max((3 * nearest_rank(window_fen, 95) + 1) // 2, amount_fen(TRUCK_KG, price_fen_per_t))


def outage_s(gaps: Sequence[tuple[int, int]], now_s: int) -> int:
    """Seconds of the last 14 days without a word from a plant; `gaps` are (from, to) and may overlap."""
    total_s, done_s = 0, now_s - OUTAGE_SEEN_S
    for from_s, to_s in sorted(gaps):
        since_s, until_s = max(from_s, done_s), min(to_s, now_s)
        if until_s > since_s:
            total_s, done_s = total_s + until_s - since_s, until_s
    return total_s


def is_forecast(way: Way, down_s: int) -> bool:
    """Whether money is left at the plant before a notice asks for it."""
    return way is Way.FORECAST or (way is Way.AUTO and down_s >= OUTAGE_S)


def plan_account(free_fen: int, sites: Sequence[Site], now_s: int, several: bool, exposed: bool = False) -> Plan:
    """Grants where less than three quarters of the target lie, recalls where more than it has lain for a day.

    Where head office has several plants none gets more than 60 % of what is free, nor of all that is not promised:
    without the second bound, 60 % of the rest each minute would be everything within the hour. `sites` are those where
    the account has money or a target. Money that is missing (`exposed`) is not spread.
    """
    pool_fen = max(0, free_fen) + sum(max(0, site.unused_fen) for site in sites)
    grants: list[tuple[str, int]] = []
    recalls: list[tuple[str, int]] = []
    over_since: list[tuple[str, int | None]] = []
    left_fen = 0 if exposed else max(0, free_fen)
    for site in sorted(sites, key=lambda each: (each.unused_fen - each.target_fen, each.instance)):
        target = min(site.target_fen, pool_fen * MOST_PERCENT // 100) if several else site.target_fen
        most_fen = left_fen * MOST_PERCENT // 100 if several else left_fen
        missing_fen = target - site.unused_fen
        if missing_fen * 4 > target and (gift_fen := min(missing_fen, most_fen)) > 0:
            grants.append((site.instance, gift_fen))
            left_fen -= gift_fen
        since_s = _over_since(site, now_s)
        if since_s is not None and site.sure and now_s - since_s >= UNUSED_S:
            recalls.append((site.instance, site.target_fen))
            since_s = now_s  # asked; the next time a day later
        if since_s != site.over_since_s:
            over_since.append((site.instance, since_s))
    return Plan(tuple(grants), tuple(recalls), tuple(over_since))


def _over_since(site: Site, now_s: int) -> int | None:
    """While a plant is not heard, what was known of it stays: the rows behind an outage tell whether it was used."""
    if not site.sure:
        return site.over_since_s
    if site.unused_fen <= site.target_fen:
        return None
    # A clock that went back must not make the money wait for years.
    return min(site.over_since_s, now_s) if site.over_since_s is not None else now_s
