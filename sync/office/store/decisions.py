"""What finance decides about rows in suspense 挂账: charge them to an account, or dismiss them. Once, for good.

A charge adds to what a settled epoch dispatched. A ticket whose paper stub stands with another amount takes the stub's
place: the customer must not pay twice for one truck. What gives money back, a void, or a ticket of less than its stub,
one person alone could turn into goods that nobody paid for, so it takes two, as a settlement does.
"""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select, update

from sync.allotment import InstanceState, OfficeCounters
from sync.office.clock import now_text
from sync.office.persons import TwoPersons
from sync.office.refusal import NotAllowed
from sync.office.store.database import insert_new, next_change
from sync.office.store.late import FIRST_FORK, money_rows, net_by_ticket
from sync.office.store.money import grant_wanted
from sync.office.store.schema import accounts, allotments, inbox, instances, settlements, stubs, suspense
from sync.units import format_fen


@dataclass(frozen=True, slots=True)
class Decision:
    """What deciding on one row would do."""

    row: dict[str, Any]
    changes_fen: dict[str, int]
    """By account, what its epoch dispatched changes by; below zero: money given back."""
    replaces: str = ""
    """The ticket whose stub it takes the place of."""

    @property
    def gives_back(self) -> bool:
        """Whether it takes two persons."""
        return any(fen < 0 for fen in self.changes_fen.values())


def plan_late(tx: Connection, instance: str, seq: int, charge: bool) -> Decision:
    """What `resolve_late` would do now; NotAllowed where it would refuse."""
    mine = (suspense.c.instance == instance, suspense.c.seq == seq)
    row = tx.execute(select(suspense).where(*mine)).mappings().first()
    if row is None:
        raise NotAllowed("suspense", f"{instance} {seq}", "没有这笔挂账", "no such row in suspense")
    if row["state"] != "open":
        raise NotAllowed(
            "suspense", f"{instance} {seq}",
            f"已由 {row['resolved_by']} 处理", f"was {row['state']} by {row['resolved_by']} already",
        )  # fmt: skip
    if not charge:
        return Decision(dict(row), {})
    if row["amount_fen"] == 0:
        raise NotAllowed(
            "suspense", f"{instance} {seq}", "读不出金额,不能入账;另行向客户结清后注销",
            "its amount cannot be told, so it cannot be charged: settle it with the customer, then dismiss it",
        )  # fmt: skip
    if row["kind"] == "void":
        _refuse_unearned_void(tx, row)
    changes, replaces = _changes(tx, row)
    return Decision(dict(row), changes, replaces)


def _changes(tx: Connection, row: Any) -> tuple[dict[str, int], str]:
    """What a charge changes, by account, and the ticket whose stub it takes the place of."""
    if row["kind"] == "void":
        return {row["account"]: -row["amount_fen"]}, ""
    changes: dict[str, int] = defaultdict(int, {row["account"]: row["amount_fen"]})
    if (stub := _stub_of(tx, row)) is not None:
        changes[stub.account] -= stub.amount_fen
    return dict(changes), stub.ticket if stub is not None else ""


def resolve_late(
    tx: Connection, instance: str, seq: int, charge: bool, reason: str, by: str | TwoPersons
) -> dict[str, Any]:
    """Finance decides on a row in suspense: `charge` books it to the account (a void gives money back), else it is
    dismissed. The free part of the account may become negative by a charge, and then nothing is granted. What gives
    money back needs two persons. Returns the row with `changes_fen`, by account."""
    tx.execute(select(instances.c.instance).where(instances.c.instance == instance).with_for_update())
    decision = plan_late(tx, instance, seq, charge)
    if decision.gives_back and not isinstance(by, TwoPersons):
        raise two_needed(decision)
    for account in sorted(decision.changes_fen):
        _charge(tx, instance, account, decision.changes_fen[account])
    if decision.replaces:
        replaced = (stubs.c.instance == instance, stubs.c.ticket == decision.replaces)
        tx.execute(update(stubs).where(*replaced).values(matched_seq=seq))
    state = "charged" if charge else "dismissed"
    fields = {"state": state, "resolved_at": now_text(), "resolved_by": str(by), "reason": reason}
    tx.execute(update(suspense).where(suspense.c.instance == instance, suspense.c.seq == seq).values(**fields))
    for account in sorted(decision.changes_fen):
        grant_wanted(tx, account)
    next_change(tx)
    return {**decision.row, **fields, "changes_fen": decision.changes_fen}


def two_needed(decision: Decision) -> NotAllowed:
    """The refusal of one person where money is given back."""
    given = ", ".join(f"{name} ¥{format_fen(-fen)}" for name, fen in sorted(decision.changes_fen.items()) if fen < 0)
    return NotAllowed(
        "second", "", f"给客户退回 {given},须两人办理", f"it gives money back to {given}: that takes two persons"
    )


def list_suspense(tx: Connection, all_states: bool = False) -> list[Any]:
    """Rows in suspense, oldest first; those that nobody has decided on, or all. `two` says that charging it gives money
    back, and takes two persons."""
    query = select(suspense, instances.c.plant).join(instances, instances.c.instance == suspense.c.instance)
    if not all_states:
        query = query.where(suspense.c.state == "open")
    listed = tx.execute(query.order_by(suspense.c.arrived_at, suspense.c.seq)).mappings().all()
    return [{**row, "two": row["state"] == "open" and min(_changes(tx, row)[0].values()) < 0} for row in listed]


def standing_stubs(tx: Connection, instance: str) -> list[Any]:
    """The stubs that count: not those whose place a charged ticket took."""
    taken = select(suspense.c.seq).where(suspense.c.instance == stubs.c.instance)
    mine = (stubs.c.instance == instance, stubs.c.matched_seq.not_in(taken))
    return list(tx.execute(select(stubs).where(*mine)).mappings())


def _stub_of(tx: Connection, row: Any) -> Any:
    """The stub of the same ticket that no row has matched. Of a forked ledger two trucks may have one number: there it
    must name the same plate."""
    mine = (stubs.c.instance == row["instance"], stubs.c.ticket == row["ticket"], stubs.c.matched_seq == 0)
    stub = tx.execute(select(stubs).where(*mine)).first()
    return None if stub is not None and row["seq"] >= FIRST_FORK and stub.plate != row["plate"] else stub


def _refuse_unearned_void(tx: Connection, row: Any) -> None:
    """NotAllowed for a void in suspense whose ticket does not count, or not with as much: it would make money."""
    counted_fen = _counted(tx, row)
    if counted_fen < row["amount_fen"]:
        raise NotAllowed(
            "suspense", f"{row['instance']} {row['seq']}",
            f"{row['ticket']} 只入账 ¥{format_fen(counted_fen)};先处理其出库单,未入账的作废请注销",
            f"{row['ticket']} counts with ¥{format_fen(counted_fen)} only: decide on its ticket first; dismiss the "
            "void of a ticket that was not charged",
        )  # fmt: skip


def _counted(tx: Connection, void: Any) -> int:
    """What the ticket of a void counts with. A fork's void takes back a ticket of the fork: numbers are used twice."""
    instance, account, ticket = void["instance"], void["account"], void["ticket"]
    forked = void["seq"] >= FIRST_FORK
    mine = (suspense.c.instance == instance, suspense.c.account == account, suspense.c.ticket == ticket)
    total_fen = 0
    for each in tx.execute(select(suspense).where(*mine, suspense.c.state == "charged")):
        if (each.seq >= FIRST_FORK) == forked:
            total_fen += each.amount_fen if each.kind == "ticket" else -each.amount_fen
    if forked:
        return total_fen
    ended = tx.execute(select(settlements.c.settled_seq).where(settlements.c.instance == instance)).scalar_one()
    rows = money_rows(
        tx, inbox, inbox.c.instance == instance, inbox.c.seq <= ended, inbox.c.body.contains(ticket, autoescape=True)
    )
    total_fen += max(0, net_by_ticket(record for _, record in rows).get((account, ticket), 0))
    paper = [stub for stub in standing_stubs(tx, instance) if (stub["account"], stub["ticket"]) == (account, ticket)]
    return total_fen + sum(int(stub["amount_fen"]) for stub in paper)


def _charge(tx: Connection, instance: str, account: str, amount_fen: int) -> None:
    locked = tx.execute(select(accounts.c.account).where(accounts.c.account == account).with_for_update()).first()
    if locked is None:
        raise NotAllowed("account", account, "没有这个账户;先登记到款", "no such account; post its payment first")
    insert_new(tx, allotments, [{"account": account, "instance": instance}])
    mine = (allotments.c.account == account, allotments.c.instance == instance)
    before = tx.execute(select(allotments.c.settled_spend_fen).where(*mine)).scalar_one()
    if before + amount_fen < 0:
        raise NotAllowed(
            "suspense", account,
            f"该期只入账 ¥{format_fen(before)},不能退回更多",
            f"only ¥{format_fen(before)} counts in this epoch: no more can be given back",
        )  # fmt: skip
    after = OfficeCounters(state=InstanceState.SETTLED, settled_spend_fen=before).charge(amount_fen)
    tx.execute(update(allotments).where(*mine).values(settled_spend_fen=after.settled_spend_fen))
