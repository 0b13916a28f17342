"""Trucks and notices that lacked money are noted, each once, with what lay elsewhere at that moment."""

from collections.abc import Sequence

from sqlalchemy import Connection

from sync.office.accounts import Account
from sync.office.clock import now_text
from sync.office.lack import Lack
from sync.office.store.database import insert_new
from sync.office.store.money import read_accounts
from sync.office.store.schema import shortages


def note_lacks(tx: Connection, plant: str, instance: str, found: Sequence[Lack]) -> None:
    """What a plant's rows tell of; a wait of seconds for a top-up counts like any other."""
    for lack in found:
        listed = read_accounts(tx, lack.account)
        if listed:
            _write(tx, plant, lack, elsewhere_fen(listed[0], instance))


def note_refusal(tx: Connection, plant: str, lack: Lack, elsewhere: int) -> None:
    """A notice that head office refused for want of money."""
    _write(tx, plant, lack, elsewhere)


def elsewhere_fen(account: Account, instance: str) -> int:
    """What is free, and what lies unpromised at the other plants."""
    spread_fen = sum(each.unpromised_fen for name, each in account.allotments.items() if name != instance)
    return max(0, account.free_fen) + spread_fen


def _write(tx: Connection, plant: str, lack: Lack, elsewhere: int) -> None:
    row = {
        "subject": lack.subject, "at": now_text(), "plant": plant, "account": lack.account, "what": lack.what,
        "missing_fen": lack.missing_fen, "elsewhere_fen": elsewhere,
    }  # fmt: skip
    insert_new(tx, shortages, [row])
