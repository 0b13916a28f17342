"""RECONCILE 对账恢复: books that are older than what the plants know grant nothing until every plant has told them.

Restored books begin a new term (`sync.terms`). A plant that has adopted it takes no grant of an older one, so its STATE
in the new term is the last word on what it ever got; a random id makes sure that no older STATE can pass for it. When
every plant epoch that is not settled has told its STATE, the books are whole again, but for payments after the backup.
"""

from collections.abc import Collection
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from sync.envelope import Fault
from sync.messages import LAST_TERM, State, Term
from sync.office.clock import now_text
from sync.office.refusal import NotAllowed
from sync.office.store.database import insert_new, lock_name, next_change, put
from sync.office.store.schema import accounts, dropped, forgotten, incidents, instances, meta, terms
from sync.office.store.terms import MODE, begin_term, current_term, term_began_at
from sync.terms import Told, credible, judge_told, may_be_granted, next_term

_FOREIGN = "foreign_term"
IS_COPY = instances.c.mode == "fenced"
"""Whether a plant epoch's last STATE came from a copy of its books."""


class Mode(IntEnum):
    """How far these books may be trusted. Kept in `meta`."""

    NORMAL = 0
    HALTED = 1
    """A plant follows a term that another head office began: a person decides which of the two goes on."""
    RECONCILING = 2
    """A new term is begun; the plants are telling."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where reconciling stands."""

    mode: Mode
    term: Term
    why: str
    told: tuple[str, ...]
    missing: tuple[str, ...]
    """Plant epochs that are neither settled nor have told everything in the current term."""
    unknown: tuple[str, ...] = ()
    """Who spoke since the term began with a key that these books do not know: a box enrolled after the backup?"""


def mode_of(tx: Connection) -> Mode:
    """Whether grants and notices are made at all."""
    return Mode(_number(tx, MODE))


def hold_mode(tx: Connection) -> Mode:
    """The mode, and nobody changes it before this transaction ends: who gives money asks so, with the account locked.

    Without it a grant that another process is just committing would slip past the beginning of RECONCILE: out of money
    that plants may hold which nobody has asked yet.
    """
    kept = select(meta.c.number).where(meta.c.name == MODE).with_for_update(read=True)
    return Mode(tx.execute(kept).scalar_one())


def refuse_while_reconciling(tx: Connection) -> None:
    """NotAllowed for everything that gives money to a plant, or numbers a document of a new order."""
    mode = mode_of(tx)
    if mode is Mode.HALTED:
        raise NotAllowed(
            "office", "halted",
            "厂已跟随另一个总部任期;须有人决定由哪一台继续 (weighgate-office reconcile)",
            "a plant follows another head office's term; a person must decide: `weighgate-office reconcile`",
        )  # fmt: skip
    if mode is Mode.RECONCILING:
        raise NotAllowed(
            "office", "reconcile",
            "总部账本由备份恢复,正在对账;各厂报到并由两人确认后才可开单和分配额度",
            "the books were restored and are being reconciled: allowed after every plant has told and "
            "`weighgate-office reconcile --finish`",
        )  # fmt: skip


def refuse_until_told(tx: Connection) -> None:
    """NotAllowed while what is free cannot be known, because some plant has not told what it holds."""
    if mode_of(tx) is Mode.NORMAL:
        return
    missing = standing(tx).missing
    if missing or mode_of(tx) is Mode.HALTED:
        named = ", ".join(missing) or "-"
        raise NotAllowed(
            "office", "reconcile",
            f"正在对账恢复,可用余额未定;尚未报到:{named}",
            f"being reconciled, so what is free is not known yet; not told: {named}",
        )  # fmt: skip


def refuse_untold(tx: Connection, instance: str) -> None:
    """NotAllowed for a document to a plant epoch that has not told restored books which numbers it has applied."""
    if mode_of(tx) is not Mode.NORMAL and instance in standing(tx).missing:
        raise untold(instance)


def untold(instance: str) -> NotAllowed:
    """The refusal of what waits for a plant epoch's word."""
    return NotAllowed(
        "plant", instance,
        "总部账本恢复后该厂尚未报到;等它连上一次",
        "has not told since head office was restored: wait until it connects",
    )  # fmt: skip


def ungranted(tx: Connection) -> set[str]:
    """Plant epochs that get no grants: until they have told in the current term, and while a copy speaks for them."""
    own = current_term(tx)
    listed = tx.execute(select(instances.c.instance, instances.c.told_term, IS_COPY).where(instances.c.state == "open"))
    return {name for name, number, copy in listed if copy or not may_be_granted(own, number)}


def refuse_ungranted(tx: Connection, instance: str) -> None:
    """NotAllowed for a grant to a plant epoch that gets none; says which of the two reasons it is."""
    if instance not in ungranted(tx):
        return
    if tx.execute(select(IS_COPY).where(instances.c.instance == instance)).scalar():
        raise NotAllowed(
            "plant", instance,
            "该厂正以账本副本运行;换回原账本,或结算该期并登记新一期",
            "runs on a copy of its books: put the true ones back, or settle this epoch and enrol the next",
        )  # fmt: skip
    raise untold(instance)


def begin_reconcile(tx: Connection, why: str) -> Term:
    """Begin a new term above every number known and ask every plant epoch again. Any time, any number of times."""
    term = _begin(tx, why)
    next_change(tx)
    return term


def _begin(tx: Connection, why: str) -> Term:
    lock_name(tx, "term")
    # Locked in the order of everybody else: plant epochs, accounts, and then the mode.
    tx.execute(select(instances.c.instance).order_by(instances.c.instance).with_for_update())
    tx.execute(update(instances).values(told_upto=""))
    _keep(tx, MODE, Mode.RECONCILING)
    own, foreign = current_term(tx), _number(tx, _FOREIGN)
    if own.number >= LAST_TERM:
        raise NotAllowed("office", "term", "任期号已用完", f"no term follows number {own.number}")
    term = next_term(max(own.number, foreign) if credible(own, foreign) else own.number)
    begin_term(tx, term, why)
    _tell(tx, f"{why}: 任期 term {term.number}")
    return term


def finish_reconcile(tx: Connection, told_by: str, not_ours: Collection[str] = ()) -> None:
    """Back to normal. NotAllowed while a plant epoch has not told, or an unknown box speaks that is not named. The
    caller grants what is waited for, then tells pages of the change."""
    if mode_of(tx) is Mode.NORMAL:
        raise NotAllowed("office", "reconcile", "没有在对账恢复", "the books are not being reconciled")
    refuse_until_told(tx)
    unknown = [name for name in _unknown_boxes(tx) if name not in not_ours]
    if unknown:
        raise NotAllowed(
            "not_ours", ", ".join(unknown[:5]),
            "有未登记密钥的机器在报到;备份之后登记的机器须先登记回来,确非本公司的用 --not-ours 逐个列出",
            "speaks with a key that is not enrolled here: enrol again what was enrolled after the backup; name each "
            "that is not yours with --not-ours",
        )  # fmt: skip
    _keep(tx, MODE, Mode.NORMAL)
    _tell(tx, f"对账完成 reconciled: {told_by}")


def standing(tx: Connection) -> Standing:
    """For the page and the command."""
    term = current_term(tx)
    why = tx.execute(select(terms.c.why).where(terms.c.number == term.number)).scalar_one()
    listed = tx.execute(
        select(instances.c.instance, instances.c.told_term)
        .where(instances.c.state != "settled")
        .order_by(instances.c.instance)
    ).all()
    told = tuple(name for name, number in listed if number == term.number)
    missing = tuple(name for name, number in listed if number != term.number)
    return Standing(mode_of(tx), term, why, told, missing, _unknown_boxes(tx))


def _unknown_boxes(tx: Connection) -> tuple[str, ...]:
    """By the name in their topic, nothing of which is proven. One that was enrolled after it spoke is known."""
    here, enrolled_at = dropped.c, func.max(instances.c.enrolled_at)
    newest = tx.execute(select(instances.c.plant, enrolled_at).group_by(instances.c.plant))
    known = {row.plant: row[1] for row in newest}
    heard = (here.reason == Fault.UNKNOWN_KEY.value, here.last_at >= term_began_at(tx))
    found = set()
    for topic, last_at in tx.execute(select(here.topic, here.last_at).where(*heard)):
        name = topic.split("/")[1] if topic.count("/") == 2 else topic
        if last_at > known.get(name, ""):
            found.add(name)
    return tuple(sorted(found))


def judge_state(tx: Connection, head: Any, state: State, *, lost: bool, original: bool) -> bool:
    """What a plant's STATE says about these books: it may halt them, begin a new term, or count as told. Whether it
    changed anything that pages show.

    `lost` says that the plant has grants or documents from us which the books did not hold; `original`, that nothing
    speaks against it being the one and only box. Of a forked ledger two boxes tell: neither has the last word.
    Only an open epoch can stop all the others: a box that was replaced may be in a thief's hands. What such a one has
    more from us still counts, at the cost of the accounts it names.
    """
    own, mode, trusted = current_term(tx), mode_of(tx), head["state"] == "open"
    told = judge_told(own, state.term, fenced=not original)
    if told is Told.RIVAL and state.term is not None:
        return trusted and _hear_rival(tx, head["instance"], state.term.number, mode)
    if lost and trusted and mode is Mode.NORMAL:
        name = head["instance"]
        _begin(tx, f"{name} 有总部账上没有的额度或单据 / {name} has more from us than these books hold")
        return True
    if told is Told.LAST_WORD and own.number > 1 and not _unknown_accounts(tx, state):
        return _note_told(tx, head, state, own.number)
    return False


def _hear_rival(tx: Connection, instance: str, number: int, mode: Mode) -> bool:
    if number > _number(tx, _FOREIGN):
        _keep(tx, _FOREIGN, number)
    if mode is Mode.RECONCILING:
        _begin(tx, f"{instance} 跟随任期 {number} / {instance} follows term {number}")
    elif mode is Mode.NORMAL:
        # Perhaps this is the old machine, left running: to begin a term here would stop the one that replaced it.
        _keep(tx, MODE, Mode.HALTED)
        _tell(tx, f"{instance} follows another head office's term {number}")
    return mode is not Mode.HALTED


def _unknown_accounts(tx: Connection, state: State) -> bool:
    """Whether the plant holds money of accounts that these books lack: their payments must be posted again first, or
    what it holds of them would count as free."""
    held = [name for name, each in state.accounts.items() if each.granted_fen]
    known = tx.execute(select(func.count()).select_from(accounts).where(accounts.c.account.in_(held))).scalar_one()
    return int(known) < len(held)


def _note_told(tx: Connection, head: Any, state: State, number: int) -> bool:
    """Accounts may be told in slices, first to last: told is the plant when they leave no gap from end to end."""
    upto: str = head["told_upto"]
    if head["told_term"] == number or (state.first_account and not state.first_account <= upto):
        return False
    reached = {"told_upto": max(upto, state.last_account)} if state.last_account else {"told_term": number}
    tx.execute(update(instances).where(instances.c.instance == head["instance"]).values(**reached))
    return True


def forget_documents(tx: Connection, instance: str, first: int, last: int) -> None:
    """Numbers that the plant has applied and these books have not: they are not used again."""
    insert_new(tx, forgotten, [{"instance": instance, "first_number": first, "last_number": last}])


def _number(tx: Connection, name: str) -> int:
    return int(tx.execute(select(meta.c.number).where(meta.c.name == name)).scalar() or 0)


def _keep(tx: Connection, name: str, number: int) -> None:
    put(tx, meta, [{"name": name, "number": number}])


def _tell(tx: Connection, what: str) -> None:
    """An incident of head office itself: it belongs to no plant epoch."""
    last = tx.execute(select(func.max(incidents.c.seq)).where(incidents.c.instance == "")).scalar() or 0
    row = {"instance": "", "seq": last + 1, "kind": "restored", "plant": "", "at": now_text(), "what": what}
    tx.execute(insert(incidents).values(**row))
