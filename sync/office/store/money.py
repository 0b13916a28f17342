"""Customers, payment notices, approved credit, grants. Each function belongs inside one `Store.write` transaction."""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select, update

from sync.allotment import InstanceState, OfficeCounters
from sync.office.accounts import Account, Allotment
from sync.office.clock import now_text
from sync.office.refusal import NotAllowed
from sync.office.store.cover import cover_exposure
from sync.office.store.database import insert_first, insert_new, next_change
from sync.office.store.found_again import open_account
from sync.office.store.policy_notes import note_granted
from sync.office.store.reconcile import Mode, hold_mode, refuse_ungranted, refuse_while_reconciling, ungranted
from sync.office.store.schema import accounts, allotments, credits, customers, instances, notices, payments, undone
from sync.units import format_fen


@dataclass(frozen=True, slots=True)
class Payment:
    """到款通知书: `reference` is the bank's, and makes it unique for ever."""

    reference: str
    customer_id: str
    customer_name: str
    amount_fen: int
    payer: str = ""
    posted_by: str = ""


@dataclass(frozen=True, slots=True)
class Credit:
    """赊销申请, approved: its quantity at its price is the fund of an account of its own."""

    application: str
    customer_id: str
    customer_name: str
    product: str
    quantity_kg: int
    price_fen_per_t: int
    amount_fen: int
    due: str
    responsible: str
    posted_by: str = ""

    @property
    def account(self) -> str:
        """Where its money stands: `C001/credit-2611-01`."""
        return f"{self.customer_id}/credit-{self.application}"


def prepaid_account(customer_id: str) -> str:
    """The account payments of a customer go to."""
    return f"{customer_id}/prepaid"


def post_payment(tx: Connection, payment: Payment, first: tuple[str, int] | None = None) -> bool:
    """Book a payment; False when exactly this one was booked before; NotAllowed for another of its reference.

    `first` is an instance and fen: that plant gets so much before any other that asked for money.
    """
    _name_customer(tx, payment.customer_id, payment.customer_name)
    account = prepaid_account(payment.customer_id)
    open_account(tx, {"account": account, "customer_id": payment.customer_id, "kind": "prepaid", "fund_fen": 0})
    _lock(tx, account)
    row = {
        "reference": payment.reference, "account": account, "amount_fen": payment.amount_fen, "payer": payment.payer,
        "posted_at": now_text(), "posted_by": payment.posted_by,
    }  # fmt: skip
    if not insert_first(tx, payments, row):
        known = tx.execute(select(payments).where(payments.c.reference == payment.reference)).mappings().one()
        _same_payment(known, payment, account)
        _not_undone(tx, payment.reference)
        return False
    tx.execute(
        update(accounts).where(accounts.c.account == account).values(fund_fen=accounts.c.fund_fen + payment.amount_fen)
    )
    if first is not None:
        grant_by_hand(tx, account, *first)
    grant_wanted(tx, account)
    next_change(tx)
    return True


def _same_payment(known: Any, payment: Payment, account: str) -> None:
    if known["account"] == account and known["amount_fen"] == payment.amount_fen and known["payer"] == payment.payer:
        return
    text = f"{known['account']} ¥{format_fen(known['amount_fen'])} {known['payer']}"
    raise NotAllowed(
        "reference", payment.reference,
        f"这个银行流水号已登记为 {text};同一流水号只能登记一次",
        f"this bank reference is already booked as {text}; one reference, one payment",
    )  # fmt: skip


def _not_undone(tx: Connection, reference: str) -> None:
    """A cheque presented once more is another payment: the first one keeps its reference, and stays undone."""
    when = tx.execute(select(undone.c.undone_at).where(undone.c.reference == reference)).scalar()
    if when is not None:
        raise NotAllowed(
            "reference", reference,
            f"这笔到款已于 {when[:10]} 退票;再次到账请用新的流水号",
            f"this payment was undone on {when[:10]}; allowed: the new payment's own reference",
        )  # fmt: skip


def approve_credit(tx: Connection, credit: Credit) -> bool:
    """Book an approved application; False when exactly this one was booked before."""
    _name_customer(tx, credit.customer_id, credit.customer_name)
    wanted = {
        "account": credit.account, "product": credit.product, "quantity_kg": credit.quantity_kg,
        "price_fen_per_t": credit.price_fen_per_t, "amount_fen": credit.amount_fen, "due": credit.due,
        "responsible": credit.responsible,
    }  # fmt: skip
    fund = {
        "account": credit.account, "customer_id": credit.customer_id, "kind": "credit", "fund_fen": credit.amount_fen,
    }  # fmt: skip
    open_account(tx, fund)
    row = {"application": credit.application, "posted_at": now_text(), "posted_by": credit.posted_by, **wanted}
    if not insert_first(tx, credits, row):
        known = tx.execute(select(credits).where(credits.c.application == credit.application)).mappings().one()
        differs = [name for name, value in wanted.items() if known[name] != value]
        if differs:
            raise NotAllowed(
                "application", credit.application,
                f"这份赊销申请已登记,{differs[0]} 为 {known[differs[0]]};改动请用新的申请单号",
                f"this application is already booked with {differs[0]} {known[differs[0]]}; use a new number",
            )  # fmt: skip
        return False
    next_change(tx)
    return True


def _name_customer(tx: Connection, customer_id: str, name: str) -> None:
    known = tx.execute(select(customers.c.name).where(customers.c.customer_id == customer_id)).scalar()
    if known is None and not name:
        raise NotAllowed(
            "customer_id",
            customer_id,
            "没有这个客户;第一次登记请写客户名称",
            "no such customer; give its name the first time",
        )
    if known is not None and name and name != known:
        raise NotAllowed(
            "customer_name",
            name,
            f"客户 {customer_id} 已登记为 {known}",
            f"customer {customer_id} is registered as {known}",
        )
    if known is None:
        insert_new(tx, customers, [{"customer_id": customer_id, "name": name}])


def _lock(tx: Connection, account: str) -> Any:
    """The account's row, locked until the end of the transaction."""
    return tx.execute(select(accounts).where(accounts.c.account == account).with_for_update()).mappings().first()


def load_account(tx: Connection, account: str) -> Account | None:
    """The account with all its allotments, locked; None when there is none of this name.

    Whatever is free covers payments undone before anybody may be granted of it.
    """
    row = _lock(tx, account)
    return None if row is None else cover_exposure(tx, read_accounts(tx, account)[0])


def read_accounts(tx: Connection, account: str | None = None) -> list[Account]:
    """All accounts (or one) with their allotments, without a lock."""
    open_notices = select(notices.c.account, notices.c.instance, notices.c.hold_fen).where(notices.c.state == "issued")
    joined = select(allotments, instances.c.state).join(instances, instances.c.instance == allotments.c.instance)
    listed = select(accounts).order_by(accounts.c.account)
    if account is not None:
        open_notices = open_notices.where(notices.c.account == account)
        joined = joined.where(allotments.c.account == account)
        listed = listed.where(accounts.c.account == account)
    noticed: dict[tuple[str, str], int] = defaultdict(int)
    for name, instance, hold_fen in tx.execute(open_notices):
        noticed[name, instance] += hold_fen
    spread: dict[str, dict[str, Allotment]] = defaultdict(dict)
    for row in tx.execute(joined).mappings():
        spread[row["account"]][row["instance"]] = _allotment(row, noticed[row["account"], row["instance"]])
    return [
        Account(
            row["account"], row["customer_id"], row["kind"], row["fund_fen"], spread[row["account"]],
            row["exposure_fen"],
        )
        for row in tx.execute(listed).mappings()
    ]  # fmt: skip


def _allotment(row: Any, noticed_fen: int) -> Allotment:
    counters = OfficeCounters(
        row["granted_fen"], row["returned_seen_fen"], InstanceState(row["state"]), row["settled_spend_fen"]
    )
    if counters.state is InstanceState.SETTLED:  # its holds and wishes ended with it
        return Allotment(counters, row["spent_fen"], row["voided_fen"])
    return Allotment(counters, row["spent_fen"], row["voided_fen"], row["held_fen"], row["wanted_fen"], noticed_fen)


def save_grants(tx: Connection, before: Account, after: Account) -> bool:
    """Write the grants that `after` has more than `before`; whether there were any."""
    if after == before:
        return False
    hold_mode(tx)
    refuse_while_reconciling(tx)
    after.check()
    changed = False
    for instance, allotment in after.allotments.items():
        if before.allotments.get(instance, Allotment()).counters == allotment.counters:
            continue
        insert_new(tx, allotments, [{"account": after.account, "instance": instance}])
        tx.execute(
            update(allotments)
            .where(allotments.c.account == after.account, allotments.c.instance == instance)
            .values(granted_fen=allotment.counters.granted_fen)
        )
        note_granted(tx, after.account, instance, allotment.counters.granted_fen)
        changed = True
    return changed


def grant_wanted(tx: Connection, account: str) -> bool:
    """Call when more may be free: it covers exposure first, then what plants asked for; whether a plant got some."""
    before = load_account(tx, account)
    if before is None or hold_mode(tx) is not Mode.NORMAL:
        return False
    after = before
    barred = barred_instances(tx)
    for instance in sorted(before.allotments):
        if instance not in barred:
            after = after.with_want(instance)
    return save_grants(tx, before, after)


def barred_instances(tx: Connection) -> set[str]:
    """Instances that get no grants: their ledger forked or its chain broke, they have not told since a restore, or a
    copy speaks for them."""
    frozen = set(tx.execute(select(instances.c.instance).where(instances.c.frozen != "")).scalars())
    return frozen | ungranted(tx)


def grant_by_hand(tx: Connection, account: str, instance: str, amount_fen: int) -> int:
    """Grant more than notices need, for a link that is expected to fail; the new cumulative total in fen."""
    refuse_while_reconciling(tx)
    before = load_account(tx, account)
    if before is None:
        raise NotAllowed("account", account, "没有这个账户", "no such account")
    refuse_ungranted(tx, instance)
    if instance in barred_instances(tx):
        raise NotAllowed("plant", instance, "账本分叉,已冻结", "its ledger forked; it is frozen")
    if not 0 < amount_fen <= before.free_fen:
        raise _not_free(before, amount_fen)
    after = before.granting(instance, amount_fen)
    save_grants(tx, before, after)
    next_change(tx)
    return after.allotments[instance].counters.granted_fen


def _not_free(account: Account, amount_fen: int) -> NotAllowed:
    given, free = format_fen(amount_fen), format_fen(account.free_fen)
    if account.free_fen > 0:
        return NotAllowed("amount", given, f"可分配 ¥{free}", f"allowed: more than 0, at most the ¥{free} that is free")
    out_fen = sum(each.unused_fen for each in account.allotments.values())
    zh, en = "没有可分配的钱;请先登记到款", "nothing is free: post a payment first"
    if account.exposure_fen:
        exposure = format_fen(account.exposure_fen)
        zh, en = f"{zh}(退票敞口 ¥{exposure} 先补足)", f"{en}; ¥{exposure} of a payment undone is covered before it"
    elif out_fen > 0:
        zh = f"{zh},或收回 (recall) 各厂未用的 ¥{format_fen(out_fen)}"
        en = f"{en}, or recall the ¥{format_fen(out_fen)} that lies unused at plants"
    return NotAllowed("amount", given, zh, en)


def note_state(tx: Connection, instance: str, told: dict[str, tuple[int, int]], *, proven: bool, newer: bool) -> bool:
    """A plant's STATE, account → (returned, wanted), cumulative fen: note it, grant what is free; whether granted.

    `proven`: it was told by the very ledger that is applied here; only then is a return believed before its row comes.
    `newer`: it is not from before the last one; else it may end a wish, but begins none.
    """
    granted = False
    for account in _with_news(tx, instance, told, proven):
        returned_fen, wanted_fen = told[account] if proven else (0, told[account][1])
        before = load_account(tx, account)
        if before is None:
            continue
        allotment = before.allotments.get(instance, Allotment())
        returned_fen = allotment.counters.hear_return(returned_fen).returned_seen_fen
        if not newer:
            wanted_fen = min(wanted_fen, allotment.wanted_fen)
        if (returned_fen, wanted_fen) != (allotment.counters.returned_seen_fen, allotment.wanted_fen):
            insert_new(tx, allotments, [{"account": account, "instance": instance}])
            tx.execute(
                update(allotments)
                .where(allotments.c.account == account, allotments.c.instance == instance)
                .values(returned_seen_fen=returned_fen, wanted_fen=wanted_fen)
            )
        more_is_free = returned_fen > allotment.counters.returned_seen_fen
        if more_is_free or wanted_fen > allotment.counters.granted_fen:
            granted = grant_wanted(tx, account) or granted
    return granted


def recall_grants(tx: Connection, instance: str, seen: dict[str, int]) -> list[str]:
    """Take over grants that a plant has seen and these books do not hold, account → cumulative fen; which they are.

    Only books restored from an older copy have forgotten a grant. The plant may have spent it, so it counts again
    before anything more is granted from that account; the free part may become negative by it, and then nothing is.
    """
    row = allotments.c
    listed = tx.execute(select(row.account, row.granted_fen).where(row.instance == instance))
    kept: dict[str, int] = {each.account: each.granted_fen for each in listed}
    forgotten = [account for account, seen_fen in sorted(seen.items()) if seen_fen > kept.get(account, 0)]
    for account in forgotten:
        if _lock(tx, account) is None:
            continue  # its payments are forgotten too: it holds nothing that could be granted
        insert_new(tx, allotments, [{"account": account, "instance": instance}])
        mine = (row.account == account, row.instance == instance)
        before = OfficeCounters(*tx.execute(select(row.granted_fen, row.returned_seen_fen).where(*mine)).one())
        after = before.recovered(seen[account], before.returned_seen_fen)
        tx.execute(update(allotments).where(*mine).values(granted_fen=after.granted_fen))
    return forgotten


def _with_news(tx: Connection, instance: str, wanted: dict[str, tuple[int, int]], proven: bool) -> list[str]:
    """The accounts of a STATE that say something new or wait for money. STATE names every account and comes often:
    each of the others would cost a lock and a look at all its allotments."""
    row = allotments.c
    listed = tx.execute(
        select(row.account, row.granted_fen, row.returned_seen_fen, row.wanted_fen).where(row.instance == instance)
    )
    kept = {account: (granted_fen, (seen_fen, wanted_fen)) for account, granted_fen, seen_fen, wanted_fen in listed}
    news = []
    for account, told in sorted(wanted.items()):
        granted_fen, before = kept.get(account, (0, (0, 0)))
        if told[1] != before[1] or told[1] > granted_fen or (proven and told != before):
            news.append(account)
    return news
