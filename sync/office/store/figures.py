"""The three figures of the grant policy, each with the counts behind it. Whole numbers: fen, ms, and per mille."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, func, select

from sync.office.clock import time_text
from sync.office.policy import nearest_rank
from sync.office.store.money import read_accounts
from sync.office.store.schema import customers, notices, shortages, topups

STRANDED_GOAL_PER_MILLE = 200
REFUSALS_GOAL_PER_MILLE = 10
LATENCY_GOAL_MS = 2000
REFUSALS_DAYS = 30
LATENCY_DAYS = 7
_MOST_ROWS = 20


def read_figures(tx: Connection, now: datetime | None = None) -> dict[str, Any]:
    """All three: `stranded`, `refusals`, `latency`; `good` is None where there is nothing to judge yet."""
    now = now or datetime.now(UTC)
    return {"stranded": _stranded(tx), "refusals": _refusals(tx, now), "latency": _latency(tx, now)}


def per_mille(part: int, whole: int) -> int:
    """Rounded half up; 0 of nothing."""
    return (part * 2000 + whole) // (2 * whole) if whole > 0 else 0


def _stranded(tx: Connection) -> dict[str, Any]:
    """Money at plants that no notice and no truck has a claim on, of all money that is not dispatched yet."""
    names = {row.customer_id: row.name for row in tx.execute(select(customers))}
    unused_fen = remaining_fen = 0
    rows = []
    for account in read_accounts(tx):
        there_fen = sum(each.unpromised_fen for each in account.allotments.values())
        left_fen = max(0, account.fund_fen - account.dispatched_fen)
        unused_fen += there_fen
        remaining_fen += left_fen
        if there_fen:
            rows.append({
                "account": account.account, "customer_name": names.get(account.customer_id, ""),
                "unused_fen": there_fen, "remaining_fen": left_fen, "per_mille": per_mille(there_fen, left_fen),
            })  # fmt: skip
    share = per_mille(unused_fen, remaining_fen)
    rows.sort(key=lambda row: (-int(row["unused_fen"]), str(row["account"])))
    return {
        "unused_fen": unused_fen, "remaining_fen": remaining_fen, "per_mille": share,
        "goal_per_mille": STRANDED_GOAL_PER_MILLE, "rows": rows[:_MOST_ROWS],
        "good": share <= STRANDED_GOAL_PER_MILLE if remaining_fen else None,
    }  # fmt: skip


def _refusals(tx: Connection, now: datetime) -> dict[str, Any]:
    """Trucks that lacked money although it lay elsewhere, of all notices asked for in 30 days."""
    since = time_text(now - timedelta(days=REFUSALS_DAYS))
    row = shortages.c
    found = [dict(each) for each in tx.execute(select(shortages).where(row.at >= since).order_by(row.at.desc()))
             .mappings()]  # fmt: skip
    issued = int(tx.execute(select(func.count()).where(notices.c.issued_at >= since)).scalar_one())
    asked = issued + sum(each["what"] == "refused" for each in found)
    elsewhere = [each for each in found if each["elsewhere_fen"] >= each["missing_fen"]]
    share = per_mille(len(elsewhere), asked)
    return {
        "elsewhere": len(elsewhere), "lacking": len(found), "asked": asked, "days": REFUSALS_DAYS, "per_mille": share,
        "goal_per_mille": REFUSALS_GOAL_PER_MILLE, "rows": elsewhere[:_MOST_ROWS],
        "good": len(elsewhere) * 1000 < asked * REFUSALS_GOAL_PER_MILLE if asked else None,
    }  # fmt: skip


def _latency(tx: Connection, now: datetime) -> dict[str, Any]:
    """From the commit of a grant to the plant's STATE that has it, of grants made while the plant was heard."""
    since = time_text(now - timedelta(days=LATENCY_DAYS))
    row = topups.c
    took_ms, waiting, not_heard = [], 0, 0
    for granted_at, live, seen_at in tx.execute(
        select(row.granted_at, row.live, row.seen_at).where(row.granted_at >= since)
    ):
        if not live:
            not_heard += 1
        elif seen_at:
            took_ms.append(max(0, _ms(seen_at) - _ms(granted_at)))
        else:
            waiting += 1
    p95_ms = nearest_rank(took_ms, 95)
    return {
        "count": len(took_ms), "p50_ms": nearest_rank(took_ms, 50), "p95_ms": p95_ms, "days": LATENCY_DAYS,
        "waiting": waiting, "not_heard": not_heard, "goal_ms": LATENCY_GOAL_MS,
        "good": p95_ms < LATENCY_GOAL_MS if took_ms else None,
    }  # fmt: skip


def _ms(stored: str) -> int:
    return (datetime.fromisoformat(stored) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
