"""What people ask about plant epochs: close one, settle a lost box by disk or paper, decide on late tickets."""

import csv
import io
import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sync.keys import Instance
from sync.office.notices import check_text, parse_price, parse_whole
from sync.office.old_disk import DiskRead, books_in, old_ledger, rows_behind, what_was_read
from sync.office.persons import TwoPersons
from sync.office.refusal import NotAllowed
from sync.office.store import decisions
from sync.office.store import epochs as books
from sync.office.store.database import Store
from sync.office.store.decisions import Decision
from sync.office.store.epochs import Settled, Stub
from sync.office.store.inbox import Unstorable, ingest
from sync.units import format_fen

COLUMNS = ("ticket", "account", "plate", "net_kg", "amount")


def close_plant(store: Store, plant: str, reason: str) -> dict[str, Any]:
    """关账期: the plant finishes what holds money and closes; then its record settles the epoch."""
    check_text("reason", reason)
    with store.write() as tx:
        instance = books.close_epoch(tx, plant, reason)
    return {"plant": plant, "instance": instance, "state": "closing"}


def settle_by_disk(
    store: Store, instance: str, place: Path, persons: TwoPersons | None, last_ticket: str | None = None,
    suspend_unread: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """Take in the rows that head office lacks from the lost box's disk, then settle. All of it, or nothing; without
    persons nothing, but told what it would be.

    `place` is its data folder, or plant.db with the log beside it. `last_ticket` is the number on the last stub,
    "none" for no stub: another one on the disk settles nothing. '' needs a witness that agrees; None asks for neither.
    `suspend_unread`: tickets that cannot be read here go into suspense; else they settle nothing.
    """
    _check_instance(instance)
    file = books_in(place)
    with old_ledger(file, instance) as ledger, store.write(rehearse=persons is None) as tx:
        read = what_was_read(ledger, file)
        _check_last_ticket(read, last_ticket)
        head = books.closing_head(tx, instance)
        taken, end = 0, (int(head["last_seq"]), str(head["last_hash"]))
        for piece in rows_behind(ledger, file, *end):
            try:
                done = ingest(tx, instance, piece)
            except Unstorable as error:
                raise _broken(file, str(error)) from error
            if done.forked or done.last_seq < piece[-1].seq:
                raise _broken(file, f"the chain breaks behind row {done.last_seq}")
            taken += len(piece)
            end = (done.last_seq, done.last_hash)
        told = books.settle_by_rows(tx, instance, end[0], _pair(persons), suspend_unread=suspend_unread)
    return {**_told(told), "rows": taken, "disk": asdict(read)}


def _check_last_ticket(read: DiskRead, last_ticket: str | None) -> None:
    if last_ticket == "" and not read.witness:
        raise NotAllowed(
            "last_ticket", "",
            "没有见证文件 (plant.json);请写最后一张存根的票号,没有则写 none",
            "no witness (plant.json) was found: give the number on the last stub, none if there is none",
        )  # fmt: skip
    if last_ticket and last_ticket != (read.last_ticket or "none"):
        raise NotAllowed(
            "last_ticket", last_ticket[:60],
            f"盘上最后一张是 {read.last_ticket or '-'},共 {read.tickets} 张;盘上缺票,请用存根结算 (--paper)",
            f"the disk ends with {read.last_ticket or 'no ticket'}, {read.tickets} in all; settle by paper instead",
        )  # fmt: skip


def _broken(file: Path, what: str) -> NotAllowed:
    return NotAllowed(
        "disk", str(file), f"账本有坏行,请用存根结算 (--paper):{what}", f"{what}; settle by paper instead"
    )


def settle_by_paper(store: Store, instance: str, text: str, persons: TwoPersons | None) -> dict[str, Any]:
    """Settle with the applied rows and the stubs in a CSV of `ticket,account,plate,net_kg,amount` (yuan); without
    persons nothing is settled, but told what it would be."""
    paper = read_stubs(text, _check_instance(instance))
    with store.write(rehearse=persons is None) as tx:
        told = books.settle_by_paper(tx, instance, paper, _pair(persons))
    return {**_told(told), "rows": 0}


def _pair(persons: TwoPersons | None) -> tuple[str, str]:
    return persons.pair if persons is not None else ("", "")


def _told(told: Settled) -> dict[str, Any]:
    return {
        "instance": told.instance, "how": told.how, "stubs": told.stubs, "accounts": told.spend_fen,
        "spend_fen": sum(told.spend_fen.values()), "suspense": told.suspended,
    }  # fmt: skip


def _check_instance(instance: str) -> Instance:
    try:
        return Instance.parse(instance)
    except ValueError as error:
        raise NotAllowed("instance", instance[:60], "写成 HX01/1/9f86d081884c7d65", str(error)) from error


def read_stubs(text: str, instance: Instance) -> list[Stub]:
    """The paper tickets of one plant epoch; NotAllowed names the line. A file without a last line end may be cut off
    in the middle of an amount: it is refused, for a settlement is not taken back."""
    if text and not text.endswith("\n"):
        last = text.rpartition("\n")[2][:60]
        raise NotAllowed(
            "paper", last, "文件末行没有换行,可能被截断;请核对后在末尾加一个换行",
            "the last line has no line end, so the file may be cut off: look at it, and end it with a line break",
        )  # fmt: skip
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff")))
    rows = [row for row in reader if any(cell.strip() for cell in row)]
    header = tuple(cell.strip() for cell in rows[0]) if rows else ()
    if header != COLUMNS:
        raise NotAllowed(
            "paper", ",".join(header)[:60], f"第一行须为 {','.join(COLUMNS)}", f"the first line is {','.join(COLUMNS)}"
        )
    return [_stub(number, row, instance) for number, row in enumerate(rows[1:], 2)]


def _stub(line: int, row: list[str], instance: Instance) -> Stub:
    if len(row) != len(COLUMNS):
        raise NotAllowed("paper", f"line {line}", f"须有 {len(COLUMNS)} 列", f"{len(COLUMNS)} columns are expected")
    ticket, account, plate, net, amount = (cell.strip() for cell in row)
    form = f"{instance.plant}-{instance.epoch:02}-"
    if re.fullmatch(rf"{form}[0-9]{{7}}", ticket) is None:
        raise NotAllowed(
            "ticket", f"line {line}: {ticket}"[:60], f"该期的票号形如 {form}0000123", f"allowed: like {form}0000123"
        )
    check_text("plate", plate, required=True)
    net_kg, amount_fen = parse_whole(f"net_kg, line {line}", net), parse_price(f"amount, line {line}", amount)
    if net_kg <= 0 or amount_fen <= 0:
        raise NotAllowed("paper", f"line {line}", "净重和金额须大于 0", "net_kg and amount must be above 0")
    return Stub(ticket, account, plate, net_kg, amount_fen)


def suspense(store: Store, all_states: bool = False) -> list[dict[str, Any]]:
    """挂账: late tickets and voids of settled epochs, oldest first; those that wait for finance, or all."""
    with store.read() as tx:
        return decisions.list_suspense(tx, all_states)


def plan_late(store: Store, instance: str, seq: int, charge: bool) -> Decision:
    """What `decide_late` would do, and whether it takes two persons; NotAllowed where it would refuse."""
    with store.read() as tx:
        return decisions.plan_late(tx, instance, seq, charge)


def decide_late(
    store: Store, instance: str, seq: int, charge: bool, reason: str, by: str | TwoPersons
) -> dict[str, Any]:
    """Book a late ticket to its account, or give a late void's money back (`charge`); or decide that it is not charged:
    it was on another stub, or the load never left. Returns the row, with `changes_fen` by account."""
    check_text("reason", reason, required=True)
    with store.write() as tx:
        return decisions.resolve_late(tx, instance, seq, charge, reason, by)


def say_late(told: dict[str, Any]) -> tuple[str, str]:
    """What was decided, in Chinese and English: what each account was charged, or given back."""
    if told["state"] == "dismissed":
        return f"{told['ticket']} ¥{format_fen(told['amount_fen'])} 已注销", f"{told['ticket']}: dismissed"
    zh = en = ""
    for account, fen in sorted(told["changes_fen"].items()):
        yuan = format_fen(abs(fen))
        zh += f" 已给 {account} 退回 ¥{yuan}" if fen < 0 else f" 已记入 {account} ¥{yuan}"
        en += f" ¥{yuan} given back to {account}" if fen < 0 else f" ¥{yuan} charged to {account}"
    return f"{told['ticket']}{zh}", f"{told['ticket']}:{en}"
