"""What each page shows, read in one snapshot. No rule is decided here."""

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sync.office.link import OfficeLink
from sync.office.settings import Settings
from sync.office.store import views as store_views
from sync.office.store.balances import balance_totals, balances, day_of
from sync.office.store.database import Store
from sync.office.store.decisions import list_suspense
from sync.office.store.figures import read_figures
from sync.office.store.policy_inputs import open_plants
from sync.office.store.reconcile import Mode, mode_of, standing
from sync.office.store.scale_alarms import alarms_of_day, alarms_of_visits
from sync.office.store.topups import list_accounts, list_grants, waiting_trucks
from sync.office.web.views import Words, plant_rows

_PARTS = ("dispatched", "held", "plant1", "plant2", "plant3", "plant4")
_MOST_SHIPMENTS = 100
_MOST_SUSPENSE = 200
_MOST_PLANT_COLUMNS = 3
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True, slots=True)
class Ask:
    """What a page is read with."""

    tx: Any
    query: dict[str, str]
    words: Words
    link: OfficeLink | None
    settings: Settings

    @property
    def date(self) -> str:
        """The business date that was asked for; today when none, or none that is a date."""
        text = self.query.get("date", "")
        return text if _is_date(text) else self.words.today()


def page_facts(
    store: Store, page: str, query: dict[str, str], words: Words, link: OfficeLink | None, settings: Settings
) -> dict[str, Any]:
    """Everything one page shows, and whether the books are reconciled, which every page tells."""
    with store.read() as tx:
        return {"standing": standing(tx), **_FACTS[page](Ask(tx, query, words, link, settings))}


def _shipments(ask: Ask) -> dict[str, Any]:
    tx, query, words = ask.tx, ask.query, ask.words
    day = ask.date if query.get("date") else ""
    rows = store_views.list_shipments(tx, query.get("plant", ""), day, query.get("q", ""), _MOST_SHIPMENTS + 1)
    counted = alarms_of_visits(tx, [row["visit"] for row in rows])
    rows = [{**row, "alarms": counted.get((row["instance"], row["visit"]), 0)} for row in rows]
    return {
        "rows": rows[:_MOST_SHIPMENTS], "cut": _MOST_SHIPMENTS if len(rows) > _MOST_SHIPMENTS else 0, "day": day,
        "today": store_views.totals(tx, words.today()), "yard": store_views.yard_counts(tx),
        "days": days(tx, words), "plants": plant_rows(store_views.list_plants(tx), ask.link, words),
        "incidents": store_views.list_incidents(tx, 6), "balances": _busiest_account(tx),
    }  # fmt: skip


def _balances(ask: Ask) -> dict[str, Any]:
    rows = balance_rows(balances(ask.tx))
    total = balance_totals(rows)
    total["at"] = Counter()
    for row in rows:
        total["at"].update(row["at"])
    plants = sorted(total["at"])
    return {
        "rows": rows, "total": total, "plants": plants if len(plants) <= _MOST_PLANT_COLUMNS else [],
        "accounts": list_accounts(ask.tx), "choices": _plants_open(ask.tx),
    }  # fmt: skip


def _day(ask: Ask) -> dict[str, Any]:
    chosen = date.fromisoformat(ask.date)
    before, after = (
        (chosen + timedelta(days=step)).isoformat() if date.min < chosen < date.max else "" for step in (-1, 1)
    )
    typed = ask.query.get("date", "")
    return {
        "day": day_of(ask.tx, ask.date), "before": before, "after": after,
        "wrong_day": "" if not typed or _is_date(typed) else typed[:20], "alarms": alarms_of_day(ask.tx, ask.date),
    }  # fmt: skip


def _figures(ask: Ask) -> dict[str, Any]:
    now_s = int(datetime.now(UTC).timestamp())
    way = ask.settings.policy.way
    return {**read_figures(ask.tx), "sites": [(each, way(each.plant)) for each in open_plants(ask.tx, way, now_s)]}


def _notices(ask: Ask) -> dict[str, Any]:
    customers = store_views.list_customers(ask.tx)
    return {"rows": store_views.list_notices(ask.tx), "plants": _plants_open(ask.tx), "customers": customers}


def _payments(ask: Ask) -> dict[str, Any]:
    tx = ask.tx
    return {
        "rows": store_views.list_payments(tx), "refunds": store_views.list_refunds(tx),
        "credits": store_views.list_credits(tx), "customers": store_views.list_customers(tx),
    }  # fmt: skip


def _topup(ask: Ask) -> dict[str, Any]:
    return {
        "plants": plant_rows(_plants_open(ask.tx), ask.link, ask.words), "grants": list_grants(ask.tx),
        "accounts": list_accounts(ask.tx), "trucks": waiting_trucks(ask.tx),
    }  # fmt: skip


def _code(_ask: Ask) -> dict[str, Any]:
    return {}


def _plants(ask: Ask) -> dict[str, Any]:
    rows = plant_rows(store_views.list_plants(ask.tx), ask.link, ask.words)
    short = [row for row in balances(ask.tx) if row["free_fen"] < 0] if mode_of(ask.tx) is not Mode.NORMAL else []
    alarms = alarms_of_day(ask.tx, ask.words.today())
    return {"alarms": alarms, "rows": rows, "open": [row for row in rows if row["state"] == "open"], "short": short}


def _exceptions(ask: Ask) -> dict[str, Any]:
    tx = ask.tx
    visit = ask.query.get("visit", "")[:120]
    late = sorted(list_suspense(tx, all_states=True), key=lambda row: bool(row["state"] != "open"))
    return {
        "rows": store_views.list_incidents(tx, visit=visit), "visit": visit, "forks": store_views.list_forks(tx),
        "dropped": store_views.list_dropped(tx), "suspense": late[:_MOST_SUSPENSE],
    }  # fmt: skip


_FACTS: dict[str, Callable[[Ask], dict[str, Any]]] = {
    "shipments": _shipments, "balances": _balances, "day": _day, "figures": _figures, "notices": _notices,
    "payments": _payments, "topup": _topup, "code": _code, "plants": _plants, "exceptions": _exceptions,
}  # fmt: skip


def balance_rows(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Accounts with the parts of their bar: label key, plant, fen, place and width in thousandths (whole numbers)."""
    for row in rows:
        parts = [("dispatched", "", row["dispatched_fen"]), ("held", "", row["held_fen"])]
        parts += [("allotted", _place(each), each["unused_fen"]) for each in row["allotted"] if each["unused_fen"]]
        row["parts"] = [
            {"label": label, "plant": plant, "fen": fen, "colour": _PARTS[min(index, len(_PARTS) - 1)]}
            for index, (label, plant, fen) in enumerate(parts)
        ] + [{"label": "free", "plant": "", "fen": row["free_fen"], "colour": "free"}]
        row["at"] = {
            _place(each): each["unused_fen"]
            for each in row["allotted"]
            if each["unused_fen"] or each["state"] == "open"
        }
        total, before = max(1, row["fund_fen"]), 0
        for part in row["parts"]:
            part["x"] = before * 1000 // total
            before += max(0, part["fen"])
            part["width"] = before * 1000 // total - part["x"]
    return rows


def _place(allotted: Mapping[str, Any]) -> str:
    """The plant; of an epoch that is closing with its number: the plant's new box cannot spend that money."""
    plant: str = allotted["plant"]
    return plant if allotted["state"] == "open" else f"{plant}/{allotted['epoch']}"


def _busiest_account(tx: Any) -> list[dict[str, Any]]:
    """The account of the truck that moved last, for the panel beside the shipments."""
    last = store_views.list_shipments(tx, limit=1)
    if last and (rows := balances(tx, last[0]["account"])):
        return balance_rows(rows)
    return balance_rows(balances(tx)[:1])


def days(tx: Any, words: Words) -> list[dict[str, Any]]:
    """The last 14 business dates with tonnes in hundredths and a bar height of 0 to 100."""
    today = datetime.fromisoformat(words.today())
    dates = [(today - timedelta(days=back)).date().isoformat() for back in range(13, -1, -1)]
    found = store_views.daily_kg(tx, dates[0])
    most = max([found.get(day, 0) for day in dates] + [1])
    return [{"day": day, "kg": found.get(day, 0), "height": found.get(day, 0) * 100 // most} for day in dates]


def _plants_open(tx: Any) -> list[dict[str, Any]]:
    return [row for row in store_views.list_plants(tx) if row["state"] == "open"]


def _is_date(text: str) -> bool:
    try:
        return _DATE.fullmatch(text) is not None and bool(date.fromisoformat(text))
    except ValueError:
        return False
