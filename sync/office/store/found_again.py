"""Accounts that plants told of before these books knew them: books restored from a copy older than a first payment.

Their rows are booked as they come, without an account to count them in. What they spent counts from the moment the
account is opened again, and no plant epoch is settled before: its tickets would be missing from its net dispatch.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, case, func, select

from sync.office.refusal import NotAllowed
from sync.office.store.database import insert_first, put
from sync.office.store.schema import accounts, allotments, shipments


def open_account(tx: Connection, row: Mapping[str, Any]) -> None:
    """Insert an account, unless it is there, with what the plants' rows have told of it so far."""
    if not insert_first(tx, accounts, row):
        return
    here = shipments.c
    spent_fen = case((here.ticket != "", here.amount_fen), else_=0)
    voided_fen = case(((here.ticket != "") & (here.state == "voided"), here.amount_fen), else_=0)
    query = select(here.instance, func.sum(spent_fen), func.sum(voided_fen), func.sum(here.hold_fen))
    told = tx.execute(query.where(here.account == row["account"]).group_by(here.instance)).all()
    put(tx, allotments, [
        {"account": row["account"], "instance": instance, "spent_fen": int(spent), "voided_fen": int(voided),
         "held_fen": int(held)} for instance, spent, voided, held in told
    ])  # fmt: skip


def refuse_unknown_accounts(tx: Connection, instance: str) -> None:
    """NotAllowed for settling an epoch with tickets of an account that is not known here."""
    here = shipments.c
    unknown = (
        select(here.account)
        .where(here.instance == instance, here.ticket != "", here.account.not_in(select(accounts.c.account)))
        .order_by(here.account)
        .limit(1)
    )
    if (name := tx.execute(unknown).scalar()) is not None:
        raise NotAllowed(
            "account", name,
            "有此账户的出库单,但总部没有这个账户;先补登它的到款",
            "has tickets in this epoch, and is not known here: post its payments again first",
        )  # fmt: skip
