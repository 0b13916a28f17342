"""How plant epochs end, on both databases: by their own record, by disk, by paper; and what comes late."""

import sqlite3
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, update

from edge.store.backup import back_up, restore
from edge.store.clock import Clock
from edge.store.database import Database
from sync import records as wire
from sync.documents import CloseEpoch
from sync.office import epochs
from sync.office.persons import TwoPersons
from sync.office.refusal import NotAllowed
from sync.office.store import views
from sync.office.store.database import Store
from sync.office.store.inbox import ingest
from sync.office.store.plants import enrol
from sync.office.store.schema import allotments, settlements, stubs, suspense
from sync.office.store.verification import verify_books
from sync.records import EpochClosed, FinalCounters
from tests.sync.office.plant import FakePlant, tampered
from tests.sync.office.test_corrections import grant, undo
from tests.sync.office.test_money import ACCOUNT, account, granted, issue, pay

PRICE = 200_000
PERSONS = TwoPersons("财务 F01", "核算 A01")
HEADER = "ticket,account,plate,net_kg,amount\n"


def take(store: Store, plant: FakePlant, until: int | None = None) -> None:
    with store.write() as tx:
        ingest(tx, plant.instance.wire_id, plant.rows[:until])


def state(store: Store, plant: FakePlant) -> str:
    with store.read() as tx:
        return next(str(row["state"]) for row in views.list_plants(tx) if row["instance"] == plant.instance.wire_id)


def closed(plant: FakePlant, **counters: int) -> None:
    fields = {"granted_fen": 10_000_000, "returned_fen": 0, "spent_fen": 0, "voided_fen": 0, **counters}
    plant.write(EpochClosed(accounts={ACCOUNT: FinalCounters(**fields)}, at=plant.now()))


def incidents(store: Store) -> list[str]:
    with store.read() as tx:
        return [row["kind"] for row in views.list_incidents(tx)]


def sold(store: Store, plant: FakePlant) -> None:
    """¥100,000 paid and granted; one ticket over ¥20,000, one of ¥10,000 voided."""
    pay(store, 10_000_000)
    grant(store, plant, 10_000_000)
    plant.truck("N1", ACCOUNT, 4_000_000, 10_000, PRICE)
    visit = plant.taken("N2", ACCOUNT, 4_000_000)
    ticket = plant.ticket(visit, "N2", ACCOUNT, 5_000, PRICE, 4_000_000)
    plant.void(visit, ticket, ACCOUNT, 1_000_000)


def lost(store: Store, plant: FakePlant) -> FakePlant:
    """The box is gone; the next one is enrolled at once."""
    following = FakePlant(epoch=2)
    with store.write() as tx:
        enrol(tx, "HX01", "一厂", following.key.public_key())
    return following


def test_a_plant_that_closes_is_settled_by_its_own_record(store: Store, plant: FakePlant) -> None:
    sold(store, plant)
    assert epochs.close_plant(store, "HX01", "换机")["instance"] == plant.instance.wire_id
    with store.read() as tx:
        assert [row["kind"] for row in views.documents_of(tx, plant.instance.wire_id)] == [CloseEpoch.KIND]
    for refused in (
        lambda: issue(store),
        lambda: grant(store, plant, 1),
        lambda: epochs.close_plant(store, "HX01", ""),
    ):
        with pytest.raises(NotAllowed):
            refused()
    assert state(store, plant) == "closing" and account(store)["free_fen"] == 0, "what is out stays reserved"
    plant.write(wire.Returned(account=ACCOUNT, returned_fen=3_000_000, reason="关账期"))
    closed(plant, spent_fen=3_000_000, voided_fen=1_000_000, returned_fen=3_000_000)
    plant.write(wire.Alarm(source="lane1", what="printer", at=plant.now()))
    take(store, plant)
    assert state(store, plant) == "settled"
    row = account(store)
    assert (row["dispatched_fen"], row["held_fen"], row["free_fen"]) == (2_000_000, 0, 8_000_000)


def test_a_closing_record_that_tells_other_sums_settles_nothing(store: Store, plant: FakePlant) -> None:
    sold(store, plant)
    closed(plant, spent_fen=3_000_000, voided_fen=0)
    take(store, plant)
    assert state(store, plant) == "closing" and "closed_differs" in incidents(store)
    assert account(store)["free_fen"] == 0
    told = epochs.settle_by_paper(store, plant.instance.wire_id, HEADER, PERSONS)
    assert told["spend_fen"] == 2_000_000 and account(store)["free_fen"] == 8_000_000


def test_a_settlement_frees_money_for_exposure_first_and_then_for_who_waits(store: Store, plant: FakePlant) -> None:
    sold(store, plant)
    take(store, plant)
    following = lost(store, plant)
    undo(store)
    pay(store, 3_000_000, "B2")
    assert account(store)["exposure_fen"] == 7_000_000
    epochs.settle_by_paper(store, plant.instance.wire_id, HEADER, PERSONS)
    row = account(store)
    assert (row["exposure_fen"], row["fund_fen"], row["free_fen"]) == (0, 3_000_000, 1_000_000)
    assert granted(store)["HX01"] == 10_000_000 and following.epoch == 2


def paper(*lines: str) -> str:
    return HEADER + "".join(f"{line}\n" for line in lines)


def test_a_lost_box_is_settled_by_its_stubs(store: Store, plant: FakePlant) -> None:
    sold(store, plant)
    take(store, plant)
    with pytest.raises(NotAllowed, match="is open: enrol the plant's next box"):
        epochs.settle_by_paper(store, plant.instance.wire_id, HEADER, PERSONS)
    lost(store, plant)
    assert account(store)["free_fen"] == 0, "the old box may still sell: all of it stays reserved"
    text = paper("HX01-01-0000003,C001/prepaid,浙A12345,8000,16000.00", "HX01-01-0000004,C001/prepaid,浙B1,500,1000")
    told = epochs.settle_by_paper(store, plant.instance.wire_id, text, PERSONS)
    assert (told["spend_fen"], told["stubs"], told["how"]) == (3_700_000, 2, "paper")
    row = account(store)
    assert (row["dispatched_fen"], row["free_fen"]) == (3_700_000, 6_300_000)
    with pytest.raises(NotAllowed, match="is settled already"):
        epochs.settle_by_paper(store, plant.instance.wire_id, HEADER, PERSONS)


BAD_PAPER: list[tuple[str, str]] = [
    ("ticket,plate\n", "paper"),
    (paper("HX01-01-0000003,C001/prepaid,浙A1,8000"), "paper"),
    (paper("HX01-02-0000003,C001/prepaid,浙A1,8000,1"), "ticket"),
    (paper("HX01-01-0000003,C001/prepaid,浙A1,x,1"), "net_kg, line 2"),
    (paper("HX01-01-0000003,C001/prepaid,浙A1,8000,1.234"), "amount, line 2"),
    (paper("HX01-01-0000003,C001/prepaid,浙A1,8000,0"), "paper"),
    (paper("HX01-01-0000003,C9/prepaid,浙A1,8000,1"), "account"),
    (paper("HX01-01-0000001,C001/prepaid,浙A1,8000,1"), "ticket"),
    (paper(*["HX01-01-0000003,C001/prepaid,浙A1,8000,1"] * 2), "ticket"),
    (paper("HX01-01-0000003,C001/prepaid,浙A1,8000,80000.01"), "amount"),
    (paper("HX01-01-0000003,C001/prepaid,浙A1,8000,160.00").removesuffix("0.00\n"), "paper"),
]


def test_a_slip_of_the_pen_settles_nothing(store: Store, plant: FakePlant) -> None:
    sold(store, plant)
    take(store, plant)
    lost(store, plant)
    for text, field in BAD_PAPER:
        with pytest.raises(NotAllowed) as caught:
            epochs.settle_by_paper(store, plant.instance.wire_id, text, PERSONS)
        assert caught.value.field == field, text
    for instance in ("HX01", "HX09/1/9f86d081884c7d65"):
        with pytest.raises(NotAllowed, match="instance"):
            epochs.settle_by_paper(store, instance, HEADER, PERSONS)
    assert state(store, plant) == "closing"


def late_ticket(store: Store, plant: FakePlant, stub: str = "") -> None:
    """Two trucks head office never heard of; the box is settled; then its rows arrive after all."""
    sold(store, plant)
    known = len(plant.rows)
    take(store, plant)
    lost(store, plant)
    epochs.settle_by_paper(store, plant.instance.wire_id, paper(*([stub] if stub else [])), PERSONS)
    plant.truck("N3", ACCOUNT, 2_000_000, 8_000, PRICE)
    visit = plant.taken("N4", ACCOUNT, 1_000_000)
    ticket = plant.ticket(visit, "N4", ACCOUNT, 500, PRICE, 1_000_000)
    plant.void(visit, ticket, ACCOUNT, 100_000)
    with store.write() as tx:
        ingest(tx, plant.instance.wire_id, plant.rows[known:])


def test_a_late_ticket_that_has_its_stub_is_matched(store: Store, plant: FakePlant) -> None:
    late_ticket(store, plant, "HX01-01-0000003,C001/prepaid,浙A12345,8000,16000.00")
    assert [row["ticket"] for row in epochs.suspense(store)] == ["HX01-01-0000004"] * 2
    row = account(store)
    assert (row["dispatched_fen"], row["suspense_fen"]) == (3_600_000, 0), "the ticket in suspense and its void"
    with store.read() as tx:
        assert views.totals(tx)["shipments"] == 3, "that one counts; the other one nobody has decided on"


def test_a_late_ticket_without_stub_waits_and_is_never_netted(store: Store, plant: FakePlant) -> None:
    late_ticket(store, plant, "HX01-01-0000003,C001/prepaid,浙A12345,8000,15000")
    rows = epochs.suspense(store)
    assert [(row["kind"], row["amount_fen"]) for row in rows] == [
        ("ticket", 1_600_000), ("ticket", 100_000), ("void", 100_000),
    ]  # fmt: skip
    assert rows[0]["note"] == "存根 stub: C001/prepaid ¥15,000.00"
    assert account(store)["dispatched_fen"] == 3_500_000
    assert {"late_ticket", "late_void"} <= set(incidents(store))
    take(store, plant)
    assert len(epochs.suspense(store)) == 3, "the same rows again are no other tickets"


def test_finance_charges_or_dismisses_each_late_row_once(store: Store, plant: FakePlant) -> None:
    late_ticket(store, plant)
    first, second, void = epochs.suspense(store)
    instance = plant.instance.wire_id
    with pytest.raises(NotAllowed, match="reason"):
        epochs.decide_late(store, instance, first["seq"], True, " ", "F01")
    epochs.decide_late(store, instance, first["seq"], True, "客户确认提货", "F01")
    epochs.decide_late(store, instance, second["seq"], True, "已提货", "F01")
    assert account(store)["dispatched_fen"] == 3_700_000
    with pytest.raises(NotAllowed, match="takes two persons"):
        epochs.decide_late(store, instance, void["seq"], True, "已作废", "F01")
    assert account(store)["dispatched_fen"] == 3_700_000, "one person gives no money back"
    told = epochs.decide_late(store, instance, void["seq"], True, "已作废", PERSONS)
    assert told["resolved_by"] == str(PERSONS)
    assert epochs.say_late(told)[1] == "HX01-01-0000004: ¥1,000.00 given back to C001/prepaid"
    assert account(store)["dispatched_fen"] == 3_600_000
    for seq, said in ((first["seq"], "was charged by F01"), (999, "no such row")):
        with pytest.raises(NotAllowed, match=said):
            epochs.decide_late(store, instance, seq, False, "x", "F01")
    assert epochs.suspense(store) == [] and len(epochs.suspense(store, all_states=True)) == 3


def test_a_charge_beyond_what_is_free_is_shown_and_stops_grants(store: Store, plant: FakePlant) -> None:
    late_ticket(store, plant)
    issue(store, notice="N8", limit_kg=40_000)
    assert account(store)["free_fen"] == 650_000
    for row in epochs.suspense(store)[:1]:
        epochs.decide_late(store, plant.instance.wire_id, row["seq"], True, "客户确认提货", "F01")
    row = account(store)
    assert row["free_fen"] == -950_000 and row["agrees"]
    with pytest.raises(NotAllowed):
        issue(store, notice="N9", plate="浙B22222")
    pay(store, 950_000, "B2")
    assert account(store)["free_fen"] == 0


def disk(path: Path, plant: FakePlant) -> Path:
    """The lost box's books, as far as settling reads them: the last rows only in the write-ahead log."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL)")
    connection.execute("CREATE TABLE ledger (seq INTEGER PRIMARY KEY, kind, body, at, hash)")
    connection.execute("INSERT INTO meta VALUES ('instance', ?)", (plant.instance.wire_id,))
    connection.executemany(
        "INSERT INTO ledger VALUES (?, ?, ?, ?, ?)", [(r.seq, r.kind, r.body, r.at, r.hash) for r in plant.rows]
    )
    found = path.with_name("found.db")
    for ending in ("", "-wal"):
        source = path.with_name(path.name + ending)
        found.with_name(found.name + ending).write_bytes(source.read_bytes())
    connection.close()
    return found


def test_a_lost_box_is_settled_by_its_disk(store: Store, plant: FakePlant, tmp_path: Path) -> None:
    sold(store, plant)
    take(store, plant, 4)
    lost(store, plant)
    told = epochs.settle_by_disk(store, plant.instance.wire_id, disk(tmp_path / "plant.db", plant), PERSONS)
    assert (told["how"], told["rows"], told["spend_fen"]) == ("disk", len(plant.rows) - 4, 2_000_000)
    assert account(store)["free_fen"] == 8_000_000


def test_a_disk_that_was_closed_settles_by_its_own_record(store: Store, plant: FakePlant, tmp_path: Path) -> None:
    sold(store, plant)
    closed(plant, spent_fen=3_000_000, voided_fen=1_000_000)
    lost(store, plant)
    told = epochs.settle_by_disk(store, plant.instance.wire_id, disk(tmp_path / "plant.db", plant), PERSONS)
    assert (told["how"], told["spend_fen"]) == ("record", 2_000_000)


def test_another_disk_an_older_one_and_a_broken_one_are_refused(store: Store, plant: FakePlant, tmp_path: Path) -> None:
    sold(store, plant)
    take(store, plant)
    lost(store, plant)
    older = FakePlant(key=plant.key, rows=plant.rows[:3])
    forked = FakePlant(key=plant.key)
    forked.truck("N8", ACCOUNT, 0, 1_000, PRICE)
    forked.rows += plant.rows[len(forked.rows) :]
    broken = FakePlant(key=plant.key, rows=list(plant.rows))
    broken.truck("N7", ACCOUNT, 0, 1_000, PRICE)
    broken.rows[-2] = broken.rows[-2].model_copy(update={"body": "{}"})
    junk = tmp_path / "junk.db"
    junk.write_bytes(b"no database" * 500)
    books = [disk(_folder(tmp_path / str(n)) / "plant.db", each) for n, each in enumerate((FakePlant(), older, broken))]
    for file, said in zip(
        (*books, junk, tmp_path / "none.db"),
        ("are the books of HX01/1", "lacks row", "chain breaks|settle by paper", "settle by paper", "no such file"),
        strict=True,
    ):
        with pytest.raises(NotAllowed, match=said):
            epochs.settle_by_disk(store, plant.instance.wire_id, file, PERSONS)
        assert state(store, plant) == "closing"
    with store.read() as tx:
        assert verify_books(tx).ok and not views.list_forks(tx)


def test_a_backup_is_not_the_lost_boxs_disk(store: Store, plant: FakePlant, tmp_path: Path) -> None:
    sold(store, plant)
    take(store, plant, 4)
    lost(store, plant)
    books = Database(tmp_path / "plant.db", Clock())
    books.transact_now(lambda tx: tx.keep("instance", plant.instance.wire_id))
    books.close()
    back_up(tmp_path / "plant.db", tmp_path / "backup.db")
    for file in (tmp_path / "backup.db", restored(tmp_path / "backup.db", plant)):
        with pytest.raises(NotAllowed, match="is a backup, not the disk itself"):
            epochs.settle_by_disk(store, plant.instance.wire_id, file, PERSONS)
    assert state(store, plant) == "closing"


def restored(backup: Path, plant: FakePlant) -> Path:
    """The backup put back by the plant's own command."""
    books = backup.with_name("restored.db")
    restore(backup, books, plant.instance.wire_id, replace=False)
    return books


def test_a_forked_ledger_is_settled_by_two_persons_and_never_by_its_own_record(store: Store, plant: FakePlant) -> None:
    sold(store, plant)
    take(store, plant)
    with store.write() as tx:
        ingest(tx, plant.instance.wire_id, [tampered(plant.rows[0], plate="浙B00000")])
    closed(plant, spent_fen=3_000_000, voided_fen=1_000_000)
    take(store, plant)
    assert state(store, plant) == "closing"
    with store.read() as tx:
        assert not verify_books(tx).checks["no_forks"]
    epochs.settle_by_paper(store, plant.instance.wire_id, HEADER, PERSONS)
    assert account(store)["dispatched_fen"] == 2_000_000, "verified with it: two persons have looked at the fork"


def _folder(path: Path) -> Path:
    path.mkdir()
    return path


def test_verify_tells_when_a_settlement_does_not_add_up(store: Store, plant: FakePlant) -> None:
    late_ticket(store, plant, "HX01-01-0000003,C001/prepaid,浙A12345,8000,16000.00")
    spoilt: tuple[Any, ...] = (
        delete(settlements),
        delete(suspense).where(suspense.c.kind == "ticket"),
        update(suspense).values(amount_fen=1),
        update(suspense).where(suspense.c.kind == "void").values(state="charged"),
        update(allotments).values(settled_spend_fen=-1),
        update(stubs).values(amount_fen=1),
        update(stubs).values(matched_seq=0),
    )
    with store.write() as tx:
        for broken in spoilt:
            assert verify_books(tx).ok
            with tx.begin_nested() as before:
                tx.execute(broken)
                assert not verify_books(tx).checks["epochs"], broken
                before.rollback()
