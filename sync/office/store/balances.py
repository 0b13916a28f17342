"""Each customer's money in parts that must add up, and one business day of it."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection, Table, case, func, select

from sync.office.accounts import Account
from sync.office.store.money import read_accounts
from sync.office.store.schema import credits, customers, instances, payments, refunds, shipments, suspense, undone
from sync.office.store.views import LATE, STANDS, TICKETED, totals

PARTS = ("dispatched_fen", "held_fen", "allotted_fen", "free_fen")
"""What a fund is made of. `allotted_fen` is what plants may still hold or spend."""
_SUMMED = ("fund_fen", *PARTS, "suspense_fen", "exposure_fen", "sum_fen")


def balances(tx: Connection, account: str | None = None) -> list[dict[str, Any]]:
    """Each account, or only one, in parts that must add up to its fund.

    `agrees` says whether they do, whether the fund is what was posted, and whether each part can be true: an allotment
    that a plant has outspent makes the sum come right by a part below zero. Only `free_fen` may be below zero: books
    that are short say so there. Exposure and suspense stand beside the sum: the one is in it, the other not yet.
    """
    names = {row[0]: row[1] for row in tx.execute(select(customers.c.customer_id, customers.c.name))}
    known = select(instances.c.instance, instances.c.plant, instances.c.epoch, instances.c.state)
    plants = {row.instance: row for row in tx.execute(known)}
    terms = {row["account"]: dict(row) for row in tx.execute(select(credits)).mappings()}
    posted = posted_sums(tx, account)
    late = _open_suspense(tx)
    return [
        _row(each, names, plants, terms)
        | {"suspense_fen": late.get(each.account, 0)}
        | _checked(each, posted[each.account])
        for each in read_accounts(tx, account)
    ]


@dataclass(slots=True)
class Posted:
    """What was booked to one account in all, fen, and what its fund and its exposure must therefore be."""

    payments_fen: int = 0
    credits_fen: int = 0
    refunds_fen: int = 0
    undone_fen: int = 0
    covered_fen: int = 0
    """Of what was undone, what was taken out of the fund."""

    @property
    def fund_fen(self) -> int:
        return self.payments_fen + self.credits_fen - self.refunds_fen - self.covered_fen

    @property
    def exposure_fen(self) -> int:
        return self.undone_fen - self.covered_fen


_POSTED: tuple[tuple[str, Table, str], ...] = (
    ("payments_fen", payments, "amount_fen"), ("credits_fen", credits, "amount_fen"),
    ("refunds_fen", refunds, "amount_fen"), ("covered_fen", undone, "covered_fen"),
    ("undone_fen", undone, "amount_fen"),
)  # fmt: skip


def posted_sums(tx: Connection, account: str | None = None) -> dict[str, Posted]:
    """All that was booked, by account, or of only one; zeros for any other."""
    posted: dict[str, Posted] = defaultdict(Posted)
    for name, table, column in _POSTED:
        for of, total_fen in _by_account(tx, table, column, account).items():
            setattr(posted[of], name, total_fen)
    return posted


def balance_totals(rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The line under the table: sums of all columns, also by plant; `agrees` as in each row."""
    listed = list(rows)
    by_plant: dict[str, int] = defaultdict(int)
    for row in listed:
        for each in row["allotted"]:
            by_plant[each["plant"]] += each["unused_fen"]
    told: dict[str, Any] = {name: sum(row[name] for row in listed) for name in _SUMMED}
    told["by_plant"] = dict(sorted(by_plant.items()))
    told["agrees"] = all(row["agrees"] for row in listed) and told["sum_fen"] == told["fund_fen"] == sum(
        told[name] for name in PARTS
    )  # fmt: skip
    return told


def day_of(tx: Connection, business_date: str) -> dict[str, Any]:
    """One business day by customer and by plant: tickets that stand, kg, fen, and what was voided. Beside them, in no
    sum, `late`: tickets and fen that came after their epoch was settled and were not charged.

    `agrees` says that both sums are those of `/api/totals` and of the shipments list.
    """
    told = totals(tx, business_date)
    stands, voided = case((STANDS, 1), else_=0), case((shipments.c.state == "voided", 1), else_=0)
    sums = (
        func.sum(stands).label("tickets"), func.sum(stands * shipments.c.net_kg).label("net_kg"),
        func.sum(stands * shipments.c.amount_fen).label("amount_fen"), func.sum(voided).label("voided"),
        func.sum(voided * shipments.c.amount_fen).label("voided_fen"),
    )  # fmt: skip
    mine = (TICKETED, shipments.c.business_date == business_date)
    customer, name = shipments.c.customer_id, func.max(shipments.c.customer_name).label("customer_name")
    by_customer = [
        {**row} for row in tx.execute(select(customer, name, *sums).where(*mine).group_by(customer).order_by(customer))
        .mappings()
    ]  # fmt: skip
    plant = shipments.c.plant
    by_plant = [{**row} for row in tx.execute(select(plant, *sums).where(*mine).group_by(plant).order_by(plant))
                .mappings()]  # fmt: skip
    left_out = select(func.count(), func.coalesce(func.sum(shipments.c.amount_fen), 0))
    late, late_fen = tx.execute(left_out.where(LATE, shipments.c.business_date == business_date)).one()
    whole = {name: sum(int(row[name]) for row in by_customer) for name in DAY_SUMS}
    same = {"tickets": told["shipments"] - told["voided"], **{name: told[name] for name in DAY_SUMS[1:]}}
    return {
        "date": business_date, "customers": by_customer, "plants": by_plant, "total": whole,
        "late": {"tickets": int(late), "amount_fen": int(late_fen)},
        "agrees": whole == same == {name: sum(int(row[name]) for row in by_plant) for name in DAY_SUMS},
    }  # fmt: skip


DAY_SUMS = ("tickets", "net_kg", "amount_fen", "voided", "voided_fen")


def _row(
    account: Account, names: Mapping[str, str], plants: Mapping[str, Any], terms: Mapping[str, Any]
) -> dict[str, Any]:
    allotted = [
        {
            "instance": instance, "plant": plants[instance].plant, "epoch": plants[instance].epoch,
            "state": plants[instance].state,
            "granted_fen": each.counters.granted_fen, "returned_fen": each.counters.returned_seen_fen,
            "unused_fen": each.unused_fen, "dispatched_fen": each.dispatched_fen, "held_fen": each.held_fen,
            "wanted_fen": max(0, each.wanted_fen - each.counters.granted_fen), "noticed_fen": each.noticed_fen,
        }
        for instance, each in sorted(account.allotments.items())
    ]  # fmt: skip
    return {
        "account": account.account, "customer_id": account.customer_id, "kind": account.kind,
        "customer_name": names.get(account.customer_id, ""), "fund_fen": account.fund_fen,
        "dispatched_fen": account.dispatched_fen, "held_fen": account.held_fen, "allotted": allotted,
        "allotted_fen": sum(int(each["unused_fen"]) for each in allotted), "free_fen": account.free_fen,
        "exposure_fen": account.exposure_fen, "credit": terms.get(account.account),
    }  # fmt: skip


def _checked(account: Account, posted: Posted) -> dict[str, Any]:
    """The sum of the parts, and whether it is the fund, and the fund what was posted."""
    unused_fen = sum(each.unused_fen for each in account.allotments.values())
    sum_fen = account.dispatched_fen + account.held_fen + unused_fen + account.free_fen
    agrees = (
        sum_fen == account.fund_fen == posted.fund_fen
        and account.exposure_fen == posted.exposure_fen
        and all(min(each.dispatched_fen, each.held_fen, each.unused_fen) >= 0 for each in account.allotments.values())
    )
    return {"sum_fen": sum_fen, "agrees": agrees, **asdict(posted)}


def _by_account(tx: Connection, table: Table, column: str, account: str | None) -> dict[str, int]:
    query = select(table.c.account, func.sum(table.c[column])).group_by(table.c.account)
    if account is not None:
        query = query.where(table.c.account == account)
    return {name: int(total) for name, total in tx.execute(query)}


def _open_suspense(tx: Connection) -> dict[str, int]:
    """Late tickets that nobody has decided on, less late voids."""
    signed = case((suspense.c.kind == "ticket", suspense.c.amount_fen), else_=-suspense.c.amount_fen)
    query = select(suspense.c.account, func.sum(signed)).where(suspense.c.state == "open")
    return {name: int(total) for name, total in tx.execute(query.group_by(suspense.c.account))}
