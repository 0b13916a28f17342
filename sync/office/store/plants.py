"""Plant epochs: enrolled, heard of, and what they still lack."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
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
from sync.office.store.inbox import compare_ledgers, tell_nonsense, tell_restored
from sync.office.store.money import note_state, recall_grants
from sync.office.store.policy_notes import note_heard
from sync.office.store.reconcile import IS_COPY, Mode, forget_documents, judge_state, mode_of
from sync.office.store.schema import allotments, documents, dropped, instances
from sync.office.store.terms import current_term
from sync.terms import Told, judge_told


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


@dataclass(frozen=True, slots=True)
class Heard:
    """What became of a STATE."""

    granted: bool = False
    short: bool = False
    """It tells less than this plant epoch told or sent before: it comes late, or from a copy."""


def hear_state(tx: Connection, instance: str, state: State) -> Heard:
    """Note a plant's STATE and grant what it asks for, if free.

    A settled epoch has nothing more to say. What a copy may have told, or a STATE that came late or again, takes
    nothing off what is reserved and asks for nothing; that it has seen a grant which these books forgot always counts.
    """
    head = tx.execute(select(instances).where(instances.c.instance == instance).with_for_update()).mappings().first()
    if head is None:
        return Heard()
    compare_ledgers(tx, head["plant"], instance, head["last_seq"], state)
    if head["state"] == "settled":
        return Heard()
    last = json.loads(head["status"]) if head["status"] else {}
    place, told_place = _place(last), (state.last_seq, state.documents_applied)
    short = state.last_seq < head["last_seq"] or told_place < place
    frozen = tx.execute(select(instances.c.frozen).where(instances.c.instance == instance)).scalar_one()
    original = not (short or frozen or state.mode == "fenced")
    newer = told_place > place or not last or state.at >= datetime.fromisoformat(last["at"])
    judged = judge_state(tx, head, state, lost=_remember(tx, head, state), original=original)
    told = judge_told(current_term(tx), state.term, fenced=not original)
    if told is Told.NONSENSE or (told is Told.RIVAL and head["state"] != "open"):
        tell_nonsense(tx, head["plant"], instance, head["last_seq"], state.term.number if state.term else 0)
        original = False
    granted = original and _believe(tx, head, state, newer)
    if original or (not short and frozen) or state.mode == "fenced":
        fields = {"mode": state.mode, "status_at": now_text()}
        if state.mode != "fenced":  # how far the original was is still the original's word
            told_all = state.model_dump(mode="json") | ({} if newer else {"at": last["at"]})
            fields["status"] = canonical(told_all)
        tx.execute(update(instances).where(instances.c.instance == instance).values(**fields))
    if granted or judged:
        next_change(tx)
    return Heard(granted, short)


def _place(status: Mapping[str, Any]) -> tuple[int, int]:
    """How far the plant was by its last STATE. Its clock may be set back; these only grow."""
    return status.get("last_seq", 0), status.get("documents_applied", 0)


def _believe(tx: Connection, head: Any, state: State, newer: bool) -> bool:
    """What the plant has and wants; whether anything was granted."""
    note_heard(
        tx, head["instance"], head["status_at"], {name: each.granted_fen for name, each in state.accounts.items()}
    )
    told = {name: (each.returned_fen, each.want_granted_fen) for name, each in state.accounts.items()}
    proven = (state.last_seq, state.last_hash) == (head["last_seq"], head["last_hash"])
    return note_state(tx, head["instance"], told, proven=proven, newer=newer)


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
    A frozen or settled instance, and one for which a copy spoke last, is told nothing but that: who listens may be the
    copy, or a thief.
    """
    last_seq, last_hash, frozen, state, copy = tx.execute(
        select(instances.c.last_seq, instances.c.last_hash, instances.c.frozen, instances.c.state, IS_COPY)
        .where(instances.c.instance == instance)
    ).one()  # fmt: skip
    if frozen or copy or state == "settled":
        return Committed({}, (), last_seq, last_hash, current_term(tx))
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
