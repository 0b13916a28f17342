"""Plant epochs: enrolled, heard of, and what they still lack."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import Connection, false, insert, select, update

from sync.answers import Committed
from sync.canonical import canonical
from sync.chain import GENESIS_HASH
from sync.keys import Instance, fingerprint, parse_public, public_hex
from sync.messages import State, WireDocument
from sync.office.clock import now_text
from sync.office.refusal import NotAllowed
from sync.office.store.database import lock_name, next_change, put
from sync.office.store.inbox import compare_ledgers, tell_restored
from sync.office.store.money import note_state, recall_grants
from sync.office.store.policy_notes import note_heard
from sync.office.store.reconcile import Mode, forget_documents, judge_state, mode_of
from sync.office.store.schema import allotments, documents, dropped, instances
from sync.office.store.terms import current_term


@dataclass(frozen=True, slots=True)
class Known:
    """An enrolled instance, with the key its messages must be signed with."""

    instance: Instance
    key: Ed25519PublicKey


def enrol(tx: Connection, plant: str, name: str, key: Ed25519PublicKey, epoch: int | None = None) -> Instance:
    """Register a box's key as the plant's next epoch; its key again is the same epoch. Older epochs get no grants."""
    lock_name(tx, plant)
    rows = tx.execute(select(instances).where(instances.c.plant == plant)).mappings().all()
    for row in rows:
        if row["fingerprint"] == fingerprint(key):
            if epoch not in (None, row["epoch"]):
                raise NotAllowed(
                    "epoch", str(epoch), f"此密钥已登记为第 {row['epoch']} 期", f"this key is epoch {row['epoch']}"
                )
            return Instance(plant, row["epoch"], row["fingerprint"])
    newest = max((row["epoch"] for row in rows), default=0)
    number = newest + 1 if epoch is None else epoch
    if number <= newest:
        raise NotAllowed(
            "epoch", str(number), f"期号不可重用,须大于 {newest}", f"never used again; allowed: above {newest}"
        )
    instance = Instance.of(plant, number, key)
    tx.execute(update(instances).where(instances.c.plant == plant, instances.c.state == "open").values(state="closing"))
    fields = {
        "instance": instance.wire_id, "plant": plant, "epoch": number, "fingerprint": instance.fingerprint,
        "plant_name": name, "public_key": public_hex(key), "state": "open", "last_hash": GENESIS_HASH,
        "enrolled_at": now_text(),
    }  # fmt: skip
    tx.execute(insert(instances).values(**fields))
    next_change(tx)
    return instance


def known_instances(tx: Connection) -> dict[str, Known]:
    """All enrolled instances by their wire id."""
    rows = tx.execute(select(instances.c.instance, instances.c.public_key))
    return {wire_id: Known(Instance.parse(wire_id), parse_public(key)) for wire_id, key in rows}


def hear_state(tx: Connection, instance: str, state: State) -> bool:
    """Note a plant's STATE and grant what it asks for, if free; whether anything was granted."""
    head = tx.execute(select(instances).where(instances.c.instance == instance).with_for_update()).mappings().first()
    if head is None:
        return False
    compare_ledgers(tx, head["plant"], instance, head["last_seq"], state)
    judged = judge_state(tx, head, state, lost=_remember(tx, head, state))
    told = {name: (each.returned_fen, each.want_granted_fen) for name, each in state.accounts.items()}
    note_heard(tx, instance, head["status_at"], {name: each.granted_fen for name, each in state.accounts.items()})
    granted = note_state(tx, instance, told)
    status = canonical(state.model_dump(mode="json"))
    tx.execute(update(instances).where(instances.c.instance == instance).values(status=status, status_at=now_text()))
    if granted or judged:
        next_change(tx)
    return granted


def _remember(tx: Connection, head: Any, state: State) -> bool:
    """What the plant has from us and these books do not know, after they were restored from a copy: grants count
    again, document numbers are not used again, and a person is told. Whether there was any."""
    instance, applied = head["instance"], state.documents_applied
    lost = recall_grants(tx, instance, {name: each.granted_fen for name, each in state.accounts.items()})
    if applied > head["documents"]:
        tx.execute(update(instances).where(instances.c.instance == instance).values(documents=applied))
        forget_documents(tx, instance, head["documents"] + 1, applied)
        lost.append(f"documents {head['documents'] + 1} to {applied}")
    if lost:
        tell_restored(tx, head["plant"], instance, head["last_seq"], ", ".join(lost[-20:]))
    return bool(lost)


def read_committed(tx: Connection, instance: str, after_document: int, most: int) -> Committed:
    """What `sync.answers` answers from: all grants, and at most `most` documents behind a number.

    Books that do not know what the plants hold tell no grants, only that they are there (ACK), so that the plants tell.
    """
    known = allotments.c.instance == instance if mode_of(tx) is Mode.NORMAL else false()
    totals = tx.execute(select(allotments.c.account, allotments.c.granted_fen).where(known))
    granted_fen = {name: int(total) for name, total in totals}
    listed = tx.execute(
        select(documents.c.number, documents.c.kind, documents.c.body)
        .where(documents.c.instance == instance, documents.c.number > after_document)
        .order_by(documents.c.number)
        .limit(most)
    )
    waiting = tuple(_document(number, kind, body) for number, kind, body in listed)
    last_seq, last_hash = tx.execute(
        select(instances.c.last_seq, instances.c.last_hash).where(instances.c.instance == instance)
    ).one()
    return Committed(granted_fen, waiting, last_seq, last_hash, current_term(tx))


def _document(number: int, kind: str, body: str) -> WireDocument:
    return WireDocument.model_validate_json(f'{{"number":{number},"kind":"{kind}","body":{body}}}')


def count_all_dropped(tx: Connection, dropped_since: Mapping[tuple[str, str], int]) -> None:
    """Count by topic and reason."""
    for (topic, reason), times in dropped_since.items():
        count_dropped(tx, topic, reason, times)


def count_dropped(tx: Connection, topic: str, reason: str, times: int) -> None:
    """Count messages that were not ours; a topic and reason is one line, however many there are."""
    mine = (dropped.c.topic == topic, dropped.c.reason == reason)
    row: Any = tx.execute(select(dropped).where(*mine)).mappings().first()
    now = now_text()
    before, first_at = (row["count"], row["first_at"]) if row else (0, now)
    entry = {"topic": topic, "reason": reason, "count": before + times, "first_at": first_at, "last_at": now}
    put(tx, dropped, [entry])
    next_change(tx)
