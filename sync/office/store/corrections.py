"""Money that goes back out: refunds, payments undone, allotments recalled. Each belongs inside one `Store.write`."""

import json
from dataclasses import dataclass

from sqlalchemy import Connection, insert, select, update

from sync.documents import Recall
from sync.office.accounts import Account
from sync.office.clock import now_text
from sync.office.refusal import NotAllowed
from sync.office.store.database import insert_first, next_change
from sync.office.store.money import load_account, prepaid_account
from sync.office.store.orders import number_document
from sync.office.store.reconcile import Mode, mode_of, refuse_until_told
from sync.office.store.schema import accounts, allotments, documents, instances, payments, refunds, undone
from sync.units import format_fen


@dataclass(frozen=True, slots=True)
class Refund:
    """退款: paid back out of a customer's prepaid money; `reference` makes it unique for ever, like a payment's."""

    reference: str
    customer_id: str
    amount_fen: int
    reason: str
    posted_by: str
    again: bool = False
    """The money went out before the books were restored from their backup: it is only booked again."""


@dataclass(frozen=True, slots=True)
class Undone:
    """退票: a payment that came to nothing. `covered_fen` of it was still here; the rest is exposure 敞口."""

    reference: str
    account: str
    amount_fen: int
    covered_fen: int
    recalled: tuple[str, ...] = ()
    """The plant epochs asked to give back what they do not need."""
    new: bool = True


def post_refund(tx: Connection, refund: Refund) -> bool:
    """Pay back what is free; False when exactly this one was booked before; NotAllowed with the numbers.

    Restored books do not know what was refunded since their backup, so what they call free may be gone: until they are
    reconciled, a refund is only booked `again`.
    """
    account = _known_account(load_account(tx, prepaid_account(refund.customer_id)), refund.customer_id)
    known = tx.execute(select(refunds).where(refunds.c.reference == refund.reference)).mappings().first()
    if known is None:
        refuse_until_told(tx)
        if mode_of(tx) is Mode.RECONCILING and not refund.again:
            raise NotAllowed(
                "office", "reconcile",
                "正在对账恢复,备份后退过的款账上还没有:对账完成后再退;恢复前已退的,用“恢复前已退”补登",
                "being reconciled, and refunds since the backup are not in the books yet: refund after "
                "`weighgate-office reconcile --finish`; one paid out before the restore is booked --again",
            )  # fmt: skip
        _free_enough(account, refund.amount_fen)
        row = {
            "reference": refund.reference, "account": account.account, "amount_fen": refund.amount_fen,
            "reason": refund.reason, "posted_at": now_text(), "posted_by": refund.posted_by,
        }  # fmt: skip
        if insert_first(tx, refunds, row):
            tx.execute(
                update(accounts)
                .where(accounts.c.account == account.account)
                .values(fund_fen=accounts.c.fund_fen - refund.amount_fen)
            )
            next_change(tx)
            return True
        known = tx.execute(select(refunds).where(refunds.c.reference == refund.reference)).mappings().one()
    if (known["account"], known["amount_fen"]) != (account.account, refund.amount_fen):
        text = f"{known['account']} ¥{format_fen(known['amount_fen'])}"
        raise NotAllowed(
            "reference", refund.reference,
            f"这个退款流水号已登记为 {text}", f"this refund reference is already booked as {text}",
        )  # fmt: skip
    return False


def _known_account(account: Account | None, customer_id: str) -> Account:
    if account is None:
        raise NotAllowed("customer_id", customer_id, "没有到款", "no payment was ever booked for it")
    return account


def _free_enough(account: Account, amount_fen: int) -> None:
    """What is free covers exposure first, also while restored books are reconciled and nothing is covered yet."""
    payable_fen = max(0, account.free_fen - account.exposure_fen)
    if amount_fen <= payable_fen:
        return
    free = format_fen(payable_fen)
    zh, en = [f"可退 ¥{free}"], [f"¥{free} is free"]
    if account.exposure_fen:
        exposure = format_fen(account.exposure_fen)
        zh.append(f"退票敞口 ¥{exposure} 尚未补足,先补款")
        en.append(f"¥{exposure} of a payment undone is not covered yet and comes first: post a payment")
    elif (out_fen := sum(each.unused_fen for each in account.allotments.values())) > 0:
        zh.append(f"另有 ¥{format_fen(out_fen)} 在各厂额度中,先收回 (recall) 再退")
        en.append(f"¥{format_fen(out_fen)} lies unused at plants: recall it first")
    raise NotAllowed("amount", format_fen(amount_fen), ";".join(zh), "; ".join(en))


def undo_payment(tx: Connection, reference: str, reason: str, by: str) -> Undone:
    """Take a payment back, a cheque that bounced: what is free at once, the rest as it comes back from the plants."""
    paid = tx.execute(select(payments).where(payments.c.reference == reference)).mappings().first()
    if paid is None:
        raise NotAllowed("reference", reference, "没有这笔到款", "no such payment")
    holders = lock_holders(tx, paid["account"])
    if load_account(tx, paid["account"]) is None:
        raise LookupError(paid["account"])  # a foreign key says that it is there
    row = {
        "reference": reference, "account": paid["account"], "amount_fen": paid["amount_fen"], "covered_fen": 0,
        "reason": reason, "undone_at": now_text(), "undone_by": by,
    }  # fmt: skip
    known = tx.execute(select(undone.c.reference).where(undone.c.reference == reference)).first()
    if known is not None:
        return _undone(tx, reference, (), new=False)
    refuse_until_told(tx)
    tx.execute(insert(undone).values(**row))
    tx.execute(
        update(accounts)
        .where(accounts.c.account == paid["account"])
        .values(exposure_fen=accounts.c.exposure_fen + paid["amount_fen"])
    )
    account = load_account(tx, paid["account"])
    recalled = tuple(_recall_unused(tx, account, holders, f"退票 {reference}")) if account else ()
    next_change(tx)
    return _undone(tx, reference, recalled, new=True)


def _undone(tx: Connection, reference: str, recalled: tuple[str, ...], new: bool) -> Undone:
    row = tx.execute(select(undone).where(undone.c.reference == reference)).mappings().one()
    return Undone(reference, row["account"], row["amount_fen"], row["covered_fen"], recalled, new)


def lock_holders(tx: Connection, account: str, plant: str = "") -> list[str]:
    """The unsettled plant epochs that hold money of an account, locked in order: always before the account itself."""
    held = select(allotments.c.instance).where(allotments.c.account == account)
    chosen = select(instances.c.instance).where(instances.c.instance.in_(held), instances.c.state != "settled")
    if plant:
        chosen = chosen.where(instances.c.plant == plant)
    return list(tx.execute(chosen.order_by(instances.c.instance).with_for_update()).scalars())


def _recall_unused(tx: Connection, account: Account, holders: list[str], reason: str) -> list[str]:
    """Ask for all that is not held, as long as something is exposed; notices that were sent before keep their holds."""
    if not account.exposure_fen:
        return []
    asked = [name for name in holders if account.allotments[name].unused_fen > 0]
    for instance in asked:
        number_document(tx, instance, account.account, Recall(account=account.account, keep_fen=0, reason=reason))
    return asked


def pursue_exposure(tx: Connection, instance: str) -> None:
    """Rows came from a plant: what fell free there is recalled again while a payment undone is not covered.

    The caller has locked the instance. One recall of an account is under way at a time.
    """
    here = select(allotments.c.account).where(allotments.c.instance == instance)
    exposed = select(accounts.c.account).where(accounts.c.account.in_(here), accounts.c.exposure_fen > 0)
    for name in sorted(tx.execute(exposed).scalars()):
        if mode_of(tx) is not Mode.NORMAL or _under_way(tx, instance, name):
            continue
        account = load_account(tx, name)
        if account is not None and account.allotments[instance].unused_fen > 0:
            _recall_unused(tx, account, [instance], "敞口")


def _under_way(tx: Connection, instance: str, account: str) -> bool:
    """Whether the last recall of an account has not been applied by the plant yet, as far as its STATE has told."""
    mine = (documents.c.instance == instance, documents.c.subject == account, documents.c.kind == Recall.KIND)
    last = tx.execute(select(documents.c.number).where(*mine).order_by(documents.c.number.desc()).limit(1)).scalar()
    if last is None:
        return False
    applied = applied_documents(tx, instance)
    return applied is None or applied < last


def applied_documents(tx: Connection, instance: str) -> int | None:
    """The last document a plant had applied when it told its last STATE; None before the first."""
    status = tx.execute(select(instances.c.status).where(instances.c.instance == instance)).scalar()
    return int(json.loads(status)["documents_applied"]) if status else None


def recall_unused(tx: Connection, account: str, instance: str, keep_fen: int, reason: str) -> bool:
    """Ask one plant epoch for what it does not hold above `keep_fen`; False when it has no more than that unused.

    Only a wish: what comes back is free when the plant's return has arrived.
    """
    state = tx.execute(select(instances.c.state).where(instances.c.instance == instance).with_for_update()).scalar()
    loaded = load_account(tx, account)
    if loaded is None:
        raise NotAllowed("account", account, "没有这个账户", "no such account")
    allotment = loaded.allotments.get(instance)
    if state is None or state == "settled" or allotment is None or allotment.unused_fen <= keep_fen:
        return False
    number_document(tx, instance, account, Recall(account=account, keep_fen=keep_fen, reason=reason))
    next_change(tx)
    return True
