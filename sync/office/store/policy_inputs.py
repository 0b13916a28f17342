"""What the grant policy decides from: what lies where, what was sold there, and how long each plant was not heard."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, func, select

from sync.office.accounts import Account, Allotment
from sync.office.clock import time_text
from sync.office.policy import (
    HISTORY_S,
    HOUR_S,
    OUTAGE_SEEN_S,
    Site,
    Way,
    is_forecast,
    outage_s,
    target_fen,
    window_sums,
)
from sync.office.store.orders import CHANGEABLE
from sync.office.store.policy_notes import HEARD_S
from sync.office.store.reconcile import ungranted
from sync.office.store.schema import credits, instances, notices, outages, policy_marks, shipments

_STANDS = ("ticketed", "released", "returned")
_Pair = tuple[str, str]
"""Plant and account."""


@dataclass(frozen=True, slots=True)
class OpenPlant:
    """One plant epoch that takes grants."""

    instance: str
    plant: str
    forecast: bool
    sure: bool
    """Heard lately, and everything of it is here."""
    down_s: int
    """How long it was not heard in the last 14 days."""


@dataclass(slots=True)
class Demand:
    """What customers took from the plants with a forecast; read again each hour, for it changes slowly."""

    read_s: int = -HOUR_S
    plants: frozenset[str] = frozenset()
    targets_fen: dict[_Pair, int] = field(default_factory=dict)

    def refresh(self, tx: Connection, plants: frozenset[str], now_s: int) -> None:
        """Read it, unless that was done for these plants within the hour."""
        if plants == self.plants and self.read_s <= now_s < self.read_s + HOUR_S:
            return
        sales, prices = _sales(tx, plants, now_s)
        prices = {**_ordered(tx, plants), **prices}
        self.targets_fen = {
            pair: target_fen(window_sums(sales.get(pair, []), now_s), price) for pair, price in prices.items()
        }
        self.read_s, self.plants = now_s, plants


def open_plants(tx: Connection, way: Callable[[str], Way], now_s: int) -> list[OpenPlant]:
    """Open epochs that are not frozen, with what the policy thinks of their links."""
    gaps: dict[str, list[tuple[int, int]]] = defaultdict(list)
    since = _text(now_s - OUTAGE_SEEN_S)
    for row in tx.execute(select(outages).where(outages.c.to_at >= since)).mappings():
        gaps[row["plant"]].append((_seconds(row["from_at"]), _seconds(row["to_at"])))
    listed = []
    chosen = select(instances).where(instances.c.state == "open", instances.c.frozen == "")
    refused = ungranted(tx)
    for row in tx.execute(chosen.order_by(instances.c.instance)).mappings():
        if row["instance"] in refused:
            continue
        told = json.loads(row["status"]) if row["status"] else {}
        heard_s = _seconds(row["status_at"]) if row["status_at"] else None
        silent = heard_s is None or now_s - heard_s > HEARD_S
        if heard_s is not None and silent:
            gaps[row["plant"]].append((heard_s, now_s))
        all_here = (told.get("last_seq"), told.get("documents_applied")) == (row["last_seq"], row["documents"])
        down_s = outage_s(gaps[row["plant"]], now_s)
        listed.append(
            OpenPlant(
                row["instance"], row["plant"], is_forecast(way(row["plant"]), down_s), not silent and all_here, down_s
            )
        )
    return listed


def sites_of(
    account: Account, plants: Iterable[OpenPlant], targets_fen: Mapping[_Pair, int], marks: Mapping[_Pair, int]
) -> list[Site]:
    """The plants where the account has money, or should have; `marks` are (account, instance) → over since, s."""
    sites = []
    for each in plants:
        allotment = account.allotments.get(each.instance, Allotment())
        target = targets_fen.get((each.plant, account.account), 0) if each.forecast else 0
        since_s = marks.get((account.account, each.instance))
        if allotment.unpromised_fen or target or since_s is not None:
            sites.append(Site(each.instance, target, allotment.unpromised_fen, since_s, each.sure))
    return sites


def read_marks(tx: Connection) -> dict[_Pair, int]:
    """Since when more than the target lies at a plant, by (account, instance)."""
    return {(row["account"], row["instance"]): _seconds(row["over_since"]) for row in tx.execute(
        select(policy_marks)).mappings()}  # fmt: skip


def overdue_accounts(tx: Connection, today: str) -> set[str]:
    """Credit past its due date: no notice, no ticket, and so no money ahead of them."""
    return set(tx.execute(select(credits.c.account).where(credits.c.due < today)).scalars())


def _sales(
    tx: Connection, plants: frozenset[str], now_s: int
) -> tuple[dict[_Pair, list[tuple[int, int]]], dict[_Pair, int]]:
    """Fen by hour, and the price of the last hour with a sale, by plant and account."""
    row = shipments.c
    hour = func.substr(row.gross_at, 1, 13)
    since = now_s - HISTORY_S
    day_before = (datetime.fromtimestamp(since, UTC) - timedelta(days=2)).date().isoformat()
    query = (
        select(row.plant, row.account, hour, func.sum(row.amount_fen), func.max(row.price_fen_per_t))
        # The business date has an index; the hour of the gross weighing has not.
        .where(row.plant.in_(plants), row.business_date >= day_before, row.gross_at >= _text(since))
        .where(row.state.in_(_STANDS))
        .group_by(row.plant, row.account, hour)
        .order_by(hour)
    )
    sales: dict[_Pair, list[tuple[int, int]]] = defaultdict(list)
    prices: dict[_Pair, int] = {}
    for plant, account, when, fen, price in tx.execute(query):
        sales[plant, account].append((_seconds(f"{when}:00:00+00:00"), int(fen)))
        prices[plant, account] = int(price)
    return sales, prices


def _ordered(tx: Connection, plants: frozenset[str]) -> dict[_Pair, int]:
    """Prices of open notices, for a customer whose first truck is on its way."""
    query = (
        select(instances.c.plant, notices.c.account, notices.c.body)
        .join(instances, instances.c.instance == notices.c.instance)
        .where(notices.c.state.in_(CHANGEABLE), instances.c.plant.in_(plants))
        .order_by(notices.c.issued_at)
    )
    return {(plant, account): json.loads(body)["price_fen_per_t"] for plant, account, body in tx.execute(query)}


def _seconds(stored: str) -> int:
    return int(datetime.fromisoformat(stored).timestamp())


def _text(at_s: int) -> str:
    return time_text(datetime.fromtimestamp(at_s, UTC))
