"""How a plant epoch ends at head office: closed by its own record, or settled by two persons; and what comes late.

open → closing (no grants, no notices; what is out stays reserved) → settled (its net dispatch counts, the rest is
free). A ticket or void in a row behind the settlement is late: it matches a paper stub, or it waits in suspense 挂账
for finance. Its shipment is booked like any other, its money never by itself.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, select, update

from sync.allotment import InstanceState, OfficeCounters
from sync.documents import CloseEpoch
from sync.messages import WireRecord
from sync.office.clock import now_text
from sync.office.effects import Incident
from sync.office.reading import read_row
from sync.office.refusal import NotAllowed
from sync.office.store.applying import apply_rows, tell
from sync.office.store.corrections import pursue_exposure
from sync.office.store.database import insert_new, next_change, put
from sync.office.store.found_again import refuse_unknown_accounts
from sync.office.store.late import (
    book_late,
    book_unapplied,
    money_rows,
    net_by_account,
    net_by_ticket,
    unread_rows,
)
from sync.office.store.money import grant_wanted
from sync.office.store.orders import CHANGEABLE, number_document, open_instance
from sync.office.store.reconcile import Mode, mode_of
from sync.office.store.schema import (
    accounts,
    allotments,
    inbox,
    instances,
    notices,
    settlements,
    shipments,
    stubs,
    suspense,
)
from sync.records import EpochClosed
from sync.units import format_fen


@dataclass(frozen=True, slots=True)
class Stub:
    """存根: a ticket known only from its paper."""

    ticket: str
    account: str
    plate: str
    net_kg: int
    amount_fen: int


@dataclass(frozen=True, slots=True)
class Settled:
    """What an epoch was settled with, net fen by account."""

    instance: str
    how: str
    spend_fen: dict[str, int]
    stubs: int = 0
    suspended: int = 0
    """Signed tickets and voids, parked or forked, that neither row nor stub counts."""


def close_epoch(tx: Connection, plant: str, reason: str) -> str:
    """关账期: no more grants and notices; the plant finishes what holds money and closes. Returns the instance."""
    instance = open_instance(tx, plant)
    number_document(tx, instance, "", CloseEpoch(reason=reason))
    tx.execute(update(instances).where(instances.c.instance == instance).values(state="closing"))
    next_change(tx)
    return instance


def apply_in_epoch(tx: Connection, head: Any, instance: str, ready: Sequence[WireRecord]) -> bool:
    """Apply rows that continue the prefix, and end the epoch where its own record says so; whether money was granted.

    `head` has the instance's plant, state and frozen; its row is locked.
    """
    plant, state = head["plant"], InstanceState(head["state"])
    granted = False
    for part in _parts(ready):
        granted = apply_rows(tx, plant, instance, part) or granted
        if state is InstanceState.SETTLED:
            book_late(tx, plant, instance, part)
        elif part[-1].kind == EpochClosed.KIND and _close_by_record(tx, plant, instance, part[-1], head["frozen"]):
            state, granted = InstanceState.SETTLED, True
    pursue_exposure(tx, instance)
    return granted


def _parts(ready: Sequence[WireRecord]) -> list[Sequence[WireRecord]]:
    """Cut behind each row that closes the epoch."""
    cuts = [0, *(index + 1 for index, row in enumerate(ready) if row.kind == EpochClosed.KIND), len(ready)]
    return [ready[start:end] for start, end in zip(cuts, cuts[1:], strict=False) if end > start]


def _close_by_record(tx: Connection, plant: str, instance: str, row: WireRecord, frozen: str) -> bool:
    """Settle with our own applied tickets, if the plant's final counters say the same; else a person must look."""
    record = read_row(row.kind, row.body)
    if not isinstance(record, EpochClosed):
        return False
    mine = {each["account"]: each for each in _allotments(tx, instance)}
    odd = [f"frozen: {frozen}"] if frozen else []
    for account, told in sorted(record.accounts.items()):
        here = mine.get(account)
        ours = (here["spent_fen"], here["voided_fen"]) if here else (0, 0)
        if ours != (told.spent_fen, told.voided_fen):
            odd.append(f"{account}: 厂 plant {told.spent_fen} − {told.voided_fen} fen, 总部 here {ours[0]} − {ours[1]}")
    odd += [f"读不出 unreadable: {each['kind']} row {each['seq']}" for each, _ in unread_rows(tx, instance)]
    odd += [f"{name}: {_net(each)} fen net" for name, each in sorted(mine.items()) if _net(each) < 0]
    if odd:
        what = f"关账记录与总部不符 the closing record differs: {'; '.join(odd[:5])}"
        tell(tx, plant, instance, [Incident(row.seq, "closed_differs", now_text(), what)])
        tx.execute(update(instances).where(instances.c.instance == instance).values(state="closing"))
        return False
    settle(tx, instance, "record", row.seq, (), ("", ""))
    return True


def settle(
    tx: Connection, instance: str, how: str, seq: int, paper: Iterable[Stub], persons: tuple[str, str]
) -> Settled:
    """SETTLED: applied tickets up to `seq` and the paper's count as dispatched; what else was reserved is free.

    The caller tells pages of the change when all locks are taken.
    """
    if how != "record":  # there the plant's own counters tell
        refuse_unknown_accounts(tx, instance)
    listed = list(paper)
    added: dict[str, int] = defaultdict(int)
    for stub in listed:
        added[stub.account] += stub.amount_fen
    insert_new(tx, allotments, [{"account": name, "instance": instance} for name in sorted(added)])
    rows = _allotments(tx, instance)
    names = [row["account"] for row in rows]
    tx.execute(
        select(accounts.c.account).where(accounts.c.account.in_(names)).order_by(accounts.c.account).with_for_update()
    )
    mine = (inbox.c.instance == instance, inbox.c.seq <= seq)
    counted = net_by_account(net_by_ticket(record for _, record in money_rows(tx, inbox, *mine)))
    spend = {}
    for row in rows:
        before = OfficeCounters(row["granted_fen"], row["returned_seen_fen"], InstanceState.CLOSING)
        spend[row["account"]] = before.settle(counted[row["account"]] + added[row["account"]]).settled_spend_fen
    put(tx, allotments, [
        {"account": name, "instance": instance, "settled_spend_fen": spend_fen} for name, spend_fen in spend.items()
    ])  # fmt: skip
    fields = {"how": how, "settled_seq": seq, "first_person": persons[0], "second_person": persons[1]}
    insert_new(tx, settlements, [{"instance": instance, "settled_at": now_text(), **fields}])
    insert_new(tx, stubs, [
        {"instance": instance, "ticket": stub.ticket, "account": stub.account, "plate": stub.plate,
         "net_kg": stub.net_kg, "amount_fen": stub.amount_fen} for stub in listed
    ])  # fmt: skip
    tx.execute(update(instances).where(instances.c.instance == instance).values(state="settled"))
    open_here = (notices.c.instance == instance, notices.c.state.in_((*CHANGEABLE, "cancelling")))
    tx.execute(update(notices).where(*open_here).values(state="cancelled", reason="账期已结算 epoch settled"))
    plant = tx.execute(select(instances.c.plant).where(instances.c.instance == instance)).scalar_one()
    suspended = book_unapplied(tx, plant, instance)
    for name in names:
        grant_wanted(tx, name)
    return Settled(instance, how, spend, len(listed), suspended)


def settled_with(tx: Connection, instance: str) -> Settled | None:
    """What an epoch was settled with; None while it is not."""
    how = tx.execute(select(settlements.c.how).where(settlements.c.instance == instance)).scalar()
    if how is None:
        return None
    spend = {row["account"]: int(row["settled_spend_fen"]) for row in _allotments(tx, instance)}
    paper = tx.execute(select(func.count()).select_from(stubs).where(stubs.c.instance == instance)).scalar_one()
    late = tx.execute(select(func.count()).select_from(suspense).where(suspense.c.instance == instance)).scalar_one()
    return Settled(instance, how, spend, int(paper), int(late))


def _allotments(tx: Connection, instance: str) -> list[Any]:
    query = select(allotments).where(allotments.c.instance == instance).order_by(allotments.c.account)
    return list(tx.execute(query).mappings())


def _net(row: Any) -> int:
    return int(row["spent_fen"]) - int(row["voided_fen"])


def closing_head(tx: Connection, instance: str) -> Any:
    """The locked row of an epoch that two persons may settle; NotAllowed for any other."""
    head = tx.execute(select(instances).where(instances.c.instance == instance).with_for_update()).mappings().first()
    if head is None:
        known = (
            ", ".join(tx.execute(select(instances.c.instance).where(instances.c.state == "closing")).scalars()) or "-"
        )
        raise NotAllowed("instance", instance, f"没有这一期;可结算:{known}", f"no such epoch; allowed: {known}")
    if head["state"] == "settled":
        raise NotAllowed("instance", instance, "已结算", "is settled already")
    if head["state"] == "open":
        raise NotAllowed(
            "instance", instance,
            "该期仍开着;先登记新机 (enrol) 或关账期 (close)",
            "is open: enrol the plant's next box, or `close` it first",
        )  # fmt: skip
    return head


def settle_by_paper(tx: Connection, instance: str, paper: Sequence[Stub], persons: tuple[str, str]) -> Settled:
    """Settle a lost box with the applied rows and the stubs beyond them. NotAllowed names the stub that cannot be."""
    head = closing_head(tx, instance)
    named = [stub.ticket for stub in paper]
    here = (shipments.c.instance == instance, shipments.c.ticket.in_(named))
    for ticket in sorted(tx.execute(select(shipments.c.ticket).where(*here)).scalars()):
        raise NotAllowed("ticket", ticket, "此票已在总部账上,不要再写", "is in the books already: leave it out")
    counted = set(named)
    if len(counted) < len(named):
        twice = next(ticket for ticket in named if named.count(ticket) > 1)
        raise NotAllowed("ticket", twice, "写了两次", "stands there twice")
    known = set(tx.execute(select(accounts.c.account)).scalars())
    for stub in paper:
        if stub.account not in known:
            raise NotAllowed("account", stub.account, "没有这个账户", f"no such account (ticket {stub.ticket})")
    # Restored books have forgotten grants, and a lost box tells of none; two boxes with one key spend twice.
    if mode_of(tx) is Mode.NORMAL and not head["frozen"]:
        _within_reserve(tx, instance, paper)
    told = settle(tx, instance, "paper", head["last_seq"], paper, persons)
    next_change(tx)
    return told


def settle_by_rows(
    tx: Connection, instance: str, last_seq: int, persons: tuple[str, str], *, suspend_unread: bool = False
) -> Settled:
    """Settle a lost box whose disk was read to its end; its own closing record may have done so just now. Tickets that
    this program cannot read count only in suspense, and the two persons must have said so."""
    unread = unread_rows(tx, instance)
    if unread and not suspend_unread:
        listed = ", ".join(f"{each['kind']} {each['seq']} ({record.why})" for each, record in unread[:5])
        raise NotAllowed(
            "disk", instance,
            f"有 {len(unread)} 行出库单或作废读不出:{listed};先升级总部程序,或加 --suspend-unreadable 转入挂账",
            f"{len(unread)} tickets or voids cannot be read: {listed}; update head office's program, or send them "
            "into suspense: --suspend-unreadable",
        )  # fmt: skip
    told = settled_with(tx, instance) or settle(tx, instance, "disk", last_seq, (), persons)
    next_change(tx)
    return told


def _within_reserve(tx: Connection, instance: str, paper: Sequence[Stub]) -> None:
    """A box cannot have sold more than it was granted: more on paper is a slip of the pen."""
    reserve = {row["account"]: row for row in _allotments(tx, instance)}
    added: dict[str, int] = defaultdict(int)
    for stub in paper:
        added[stub.account] += stub.amount_fen
    for name, amount_fen in sorted(added.items()):
        row = reserve.get(name)
        left_fen = row["granted_fen"] - row["returned_seen_fen"] - _net(row) if row else 0
        if amount_fen > left_fen:
            raise NotAllowed(
                "amount", format_fen(amount_fen),
                f"{name} 在该期只剩 ¥{format_fen(left_fen)},存根合计不可能超过",
                f"{name} had only ¥{format_fen(left_fen)} left in this epoch: the stubs cannot exceed it",
            )  # fmt: skip
