"""敞口: what is free in an account goes first to the payments that were undone after it had been granted."""

from dataclasses import replace

from sqlalchemy import Connection, select, update

from sync.allotment import covered_fen
from sync.office.accounts import Account
from sync.office.store.reconcile import Mode, mode_of
from sync.office.store.schema import accounts, undone


def cover_exposure(tx: Connection, account: Account) -> Account:
    """Take as much as is free out of the fund, oldest undone payment first; the account's row must be locked.

    While plants have not told restored books what they hold, what seems free may be granted already: nothing moves.
    """
    amount_fen = covered_fen(account.exposure_fen, account.free_fen)
    if not amount_fen or mode_of(tx) is not Mode.NORMAL:
        return account
    left_fen = amount_fen
    row = undone.c
    mine = (row.account == account.account, row.covered_fen < row.amount_fen)
    for reference, undone_fen, before_fen in tx.execute(
        select(row.reference, row.amount_fen, row.covered_fen).where(*mine).order_by(row.undone_at, row.reference)
    ).all():
        part_fen = min(left_fen, undone_fen - before_fen)
        tx.execute(update(undone).where(row.reference == reference).values(covered_fen=before_fen + part_fen))
        left_fen -= part_fen
        if not left_fen:
            break
    after = replace(account, fund_fen=account.fund_fen - amount_fen, exposure_fen=account.exposure_fen - amount_fen)
    tx.execute(
        update(accounts)
        .where(accounts.c.account == account.account)
        .values(fund_fen=after.fund_fen, exposure_fen=after.exposure_fen)
    )
    return after
