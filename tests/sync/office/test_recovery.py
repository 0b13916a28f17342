"""Backup, restore and the witness: a copy of head office's books never grants before the plants have told."""

import json
import os
import shutil
import sqlite3
import stat
import threading
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from sync.file_identity import machine_id, mark_of
from sync.office.recovery import open_books, reconcile_status, witness_books
from sync.office.settings import load_settings
from sync.office.store.database import Store
from sync.office.store.plants import hear_state
from sync.office.store.terms import current_term
from sync.office.witness import Seen, Witness, older_than
from tests.sync.office.program import Office, call, told
from tests.sync.office.test_epochs import HEADER
from tests.sync.office.test_money import pay

PAY = ("--customer", "C001", "--name", "示例客户甲", "--amount", "1000")


@pytest.fixture
def office(tmp_path: Path) -> Office:
    made = Office.make(tmp_path)
    told("pay", made.config, *PAY, "--reference", "B1")
    return made


def books(office: Office) -> Path:
    return office.config.parent / "office.sqlite3"


def mode(office: Office) -> str:
    return str(told("reconcile", office.config)["mode"])


def tell(office: Office) -> None:
    """The plant connects and tells its STATE in the current term."""
    store = Store(f"sqlite:///{books(office)}")
    with store.write() as tx:
        state = office.plant.state().model_copy(update={"term": current_term(tx)})
        hear_state(tx, office.plant.instance.wire_id, state)
    store.close()


def finish(office: Office, tmp_path: Path, *more: str) -> str:
    pins = tmp_path / "pins"
    pins.write_text(f"{office.pins['财务 F01']}\n{office.pins['核算 A01']}\n", encoding="utf-8")
    done = call(
        "reconcile", office.config, "--finish", "--first", "财务 F01", "--second", "核算 A01", "--pins", pins, *more
    )
    return done.stderr


def test_a_backup_of_running_books_is_checked_private_and_never_overwritten(office: Office, tmp_path: Path) -> None:
    file = tmp_path / "nightly.sqlite3"
    store = office.books()  # open, as in a running head office
    assert told("backup", office.config, file)["bytes"] > 0
    store.close()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert sorted(path.name for path in tmp_path.glob("*nightly*")) == ["nightly.sqlite3"]
    done = call("backup", office.config, file)
    assert done.returncode == 1 and "exists already" in done.stderr
    done = call("backup", office.config, tmp_path / "none" / "x")
    assert done.returncode == 1 and "not written" in done.stderr
    assert mode(office) == "normal", "the books themselves go on"


def test_a_restored_office_reconciles_and_then_goes_on(office: Office, tmp_path: Path) -> None:
    file = tmp_path / "nightly.sqlite3"
    told("backup", office.config, file)
    told("pay", office.config, *PAY, "--reference", "B2")
    done = call("restore", file, office.config)
    assert done.returncode == 1 and "--replace" in done.stderr
    restored = told("restore", file, office.config, "--replace")
    assert restored["mode"] == "reconciling" and restored["term"] == 2
    assert restored["missing"] == [office.plant.instance.wire_id]
    aside = office.config.parent / restored["aside"]
    assert stat.S_IMODE(aside.stat().st_mode) == 0o600 and aside.name.endswith("+0800"), aside
    done = call("grant", office.config, "HX01", "--account", "C001/prepaid", "--amount", "1")
    assert done.returncode == 1 and "being reconciled" in done.stderr
    assert told("pay", office.config, *PAY, "--reference", "B2")["new"], "the payment after the backup is posted again"
    assert "not told" in finish(office, tmp_path)
    tell(office)
    assert finish(office, tmp_path) == "" and mode(office) == "normal"
    assert told("grant", office.config, "HX01", "--account", "C001/prepaid", "--amount", "2000")
    assert told("verify", office.config)["ok"]
    store = Store(f"sqlite:///{file}")  # the backup itself is still whole
    store.close()


def test_a_backup_put_in_place_by_hand_comes_up_reconciling(office: Office, tmp_path: Path) -> None:
    file = tmp_path / "nightly.sqlite3"
    told("backup", office.config, file)
    for old in office.config.parent.glob("office.sqlite3*"):
        old.unlink()
    Witness(office.config.parent).path.unlink()
    shutil.copy(file, books(office))
    assert mode(office) == "reconciling"
    tell(office)
    assert finish(office, tmp_path) == "" and mode(office) == "normal", "once: the mark of the copy is gone"


def test_an_older_copy_of_the_files_is_told_by_the_witness(office: Office, tmp_path: Path) -> None:
    """Copied with the office stopped, not by `backup`: nothing in it says that it is a copy."""
    old = tmp_path / "old.sqlite3"
    with closing(sqlite3.connect(books(office))) as source, closing(sqlite3.connect(old)) as copy:
        source.backup(copy)
    told("pay", office.config, *PAY, "--reference", "B2")
    assert mode(office) == "normal"
    shutil.copy(old, books(office))
    for ending in ("-wal", "-shm"):
        books(office).with_name(f"office.sqlite3{ending}").unlink(missing_ok=True)
    done = call("grant", office.config, "HX01", "--account", "C001/prepaid", "--amount", "1")
    assert done.returncode == 1 and "being reconciled" in done.stderr, "the very first command tells"
    status = told("reconcile", office.config)
    assert "the witness saw" in status["why"] and status["term"] == 2
    assert told("reconcile", office.config)["term"] == 2, "looked at again it begins no other"


@pytest.mark.parametrize("how", ["new files", "in place", "in place after a kill"])
def test_the_whole_folder_put_back_with_a_copy_of_its_witness_is_told(
    how: str, office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, seen = office.config.parent, Witness(office.config.parent).path
    settings = load_settings(office.config)
    store = open_books(settings, office.config, starting=True)
    witness_books(store, office.config, safe=True)
    if how == "in place after a kill" and mark_of(seen) == (0, 0):
        pytest.skip("this file system keeps no attributes")
    night, witnessed = Path(shutil.copytree(folder, tmp_path / "night")), seen.read_bytes()
    pay(store, 1_000, reference="B9")
    witness_books(store, office.config, safe=True, renew=how != "in place after a kill")
    store.close()
    shutil.rmtree(folder)
    shutil.copytree(night, folder)
    if how == "new files":
        seen.unlink()
    seen.write_bytes(witnessed)
    store = open_books(settings, office.config, starting=True)
    status = reconcile_status(store)
    store.close()
    assert status["mode"] == "reconciling" and "copy" in status["why"]


SEEN = Seen("a" * 32, 3, 70, "m1")


@pytest.mark.parametrize(
    ("witness", "now", "older"),
    [
        (SEEN, SEEN, False),
        (SEEN, Seen("a" * 32, 4, 71, "m1"), False),
        (SEEN, Seen("a" * 32, 9, 99, ""), False),
        (SEEN, Seen("a" * 32, 2, 90, "m1"), True),
        (SEEN, Seen("a" * 32, 3, 69, "m1"), True),
        (SEEN, Seen("b" * 32, 3, 70, "m1"), True),
        (SEEN, Seen("a" * 32, 3, 70, "m2"), True),
        (Seen("a" * 32, 3, 70, "m1", "a copy"), SEEN, True),
        (None, Seen("a" * 32, 1, 5, "m1"), True),
        (None, Seen("a" * 32, 0, 5, "m1"), False),
    ],
)
def test_which_books_a_witness_takes_for_a_copy(witness: Seen | None, now: Seen, older: bool) -> None:
    assert bool(older_than(witness, now)) is older


def test_either_database_is_held_against_the_witness(store_url: str, tmp_path: Path) -> None:
    config = tmp_path / "office.toml"
    config.write_text(f'[office]\nname = "x"\ndatabase = "{store_url}"\n[link]\nenabled = false\n', encoding="utf-8")
    settings = load_settings(config)
    store = open_books(settings, config, starting=True)
    pay(store, 1_000)
    witness_books(store, config, safe=False)
    store.close()
    for spoilt, expected in (
        ("", "normal"),
        ("UPDATE meta SET number = number - 1 WHERE name = 'change'", "reconciling"),
    ):
        store = Store(settings.database_url)
        with store.write() as tx:
            if spoilt:
                tx.exec_driver_sql(spoilt)
        store.close()
        store = open_books(settings, config, starting=True)
        assert reconcile_status(store)["mode"] == expected
        store.close()
    seen = Witness(tmp_path).read()
    assert seen is not None and seen.start == 3


def test_a_witness_is_read_whole_while_it_is_written(tmp_path: Path) -> None:
    witness = Witness(tmp_path)
    lines = [Seen("a" * 32, 1, change, "m1") for change in (999_999, 1_000_000)]
    witness.write(lines[0], safe=False)
    done = threading.Event()

    def write() -> None:
        while not done.is_set():
            for seen in lines:
                witness.write(seen, safe=False)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert {witness.read() for _ in range(300)} <= set(lines)
    finally:
        done.set()
        writer.join()


def test_what_was_read_before_another_process_wrote_makes_the_witness_no_copy(tmp_path: Path) -> None:
    witness = Witness(tmp_path)
    witness.write(SEEN, safe=True)
    witness.write(replace(SEEN, change=SEEN.change - 1), safe=False)
    assert witness.read() in (SEEN, replace(SEEN, change=SEEN.change - 1))


def test_the_witness_is_one_small_line_that_is_overwritten_in_place(tmp_path: Path) -> None:
    witness = Witness(tmp_path)
    assert witness.read() is None
    witness.write(SEEN, safe=True)
    size = witness.path.stat().st_size
    witness.write(Seen("a" * 32, 3, 10**15, machine_id()), safe=False)
    assert witness.path.stat().st_size == size == 512
    assert witness.read() == Seen("a" * 32, 3, 10**15, machine_id())
    witness.path.write_bytes(b"\0" * 512)
    assert witness.read() is None


def test_head_office_starts_only_with_its_witness_and_a_restore_waits_until_it_is_stopped(
    office: Office, tmp_path: Path
) -> None:
    file = tmp_path / "nightly.sqlite3"
    told("backup", office.config, file)
    office.start()
    try:
        done = call("restore", file, office.config, "--replace")
        assert done.returncode == 1 and "stop it first" in done.stderr
    finally:
        office.stop()
    seen = Witness(office.config.parent).read()
    assert seen is not None and seen.start == 1
    assert mode(office) == "normal"
    Witness(office.config.parent).path.unlink()
    assert "missing" in told("reconcile", office.config)["why"]


def test_a_restore_of_what_is_no_backup_leaves_the_books_alone(office: Office, tmp_path: Path) -> None:
    junk = tmp_path / "junk"
    junk.write_bytes(os.urandom(9000))
    empty = tmp_path / "empty.sqlite3"
    sqlite3.connect(empty).execute("CREATE TABLE meta (name, number)").connection.close()
    damaged = tmp_path / "damaged.sqlite3"
    told("backup", office.config, damaged)
    content = bytearray(damaged.read_bytes())
    content[4096 * 3 : 4096 * 4] = os.urandom(4096)
    damaged.write_bytes(content)
    for file in (junk, empty, damaged, tmp_path / "none"):
        done = call("restore", file, office.config, "--replace")
        assert done.returncode == 1 and "Traceback" not in done.stderr, file
    assert mode(office) == "normal" and told("verify", office.config)["ok"]
    assert [path.name for path in office.config.parent.glob(".office*")] == []


def test_two_persons_of_finance_and_accounting_must_sign(office: Office, tmp_path: Path) -> None:
    told("reconcile", office.config, "--begin")
    tell(office)
    pins = tmp_path / "pins"
    good = {name: office.pins[name] for name in ("财务 F01", "核算 A01", "开票 B01")}
    for first, second, written, said in (
        ("财务 F01", "财务 F01", [good["财务 F01"]] * 2, "another person"),
        ("财务 F01", "开票 B01", [good["财务 F01"], good["开票 B01"]], "allowed, of finance and accounting"),
        ("财务 F01", "核算 A01", [good["财务 F01"], "000"], "the PIN of 核算 A01 is wrong"),
        ("财务 F01", "核算 A01", [good["财务 F01"]], "one line for each"),
    ):
        pins.write_text("\n".join(written), encoding="utf-8")
        done = call("reconcile", office.config, "--finish", "--first", first, "--second", second, "--pins", pins)
        assert done.returncode == 1 and said in done.stderr, said
    assert mode(office) == "reconciling"
    assert finish(office, tmp_path) == ""


def test_postgresql_is_backed_up_by_its_own_tools(office: Office, tmp_path: Path) -> None:
    file = office.config.parent / "pg.toml"
    text = office.config.read_text("utf-8").replace("sqlite:///office.sqlite3", "postgresql://x@127.0.0.1:1/x")
    file.write_text(text, encoding="utf-8")
    for arguments in (("backup", file, tmp_path / "b"), ("restore", tmp_path / "b", file)):
        done = call(*arguments)
        assert done.returncode == 1 and "pg_dump" in done.stderr and "reconcile --begin" in done.stderr


def test_the_commands_of_money_and_epochs(office: Office, tmp_path: Path) -> None:
    """One pass over each; the rules themselves are tested with the store."""
    config = office.config
    told("grant", config, "HX01", "--account", "C001/prepaid", "--amount", "600")
    refund = ("refund", config, "--customer", "C001", "--reference", "R1", "--reason", "x", "--amount")
    assert told(*refund, "100")["new"]
    assert "¥300.00 is free" in call(*refund[:5], "R2", *refund[6:], "500").stderr
    assert told("recall", config, "--account", "C001/prepaid", "--keep", "10")["recalled"]
    undone = told("undo", config, "B1", "--reason", "支票退回")
    assert (undone["covered_fen"], undone["exposure_fen"]) == (30_000, 70_000)
    assert (
        call("reprice", config, "--product", "焦炭", "--price", "1900").stdout.strip()
        == "no open notice of this product"
    )
    closing = told("close", config, "HX01")["instance"]
    assert call("suspense", "list", config).stdout.strip() == "nothing in suspense"
    stubs = tmp_path / "stubs.csv"
    stubs.write_text(
        "ticket,account,plate,net_kg,amount\nHX01-01-0000001,C001/prepaid,浙A1,100,200\n", encoding="gb18030"
    )
    pins = tmp_path / "pins"
    pins.write_text(f"{office.pins['财务 F01']}\n{office.pins['核算 A01']}\n", encoding="utf-8")
    sign = ("--first", "财务 F01", "--second", "核算 A01", "--pins", pins)
    assert "either --disk or --paper" in call("settle", config, closing, *sign).stderr
    settled = told("settle", config, closing, "--paper", stubs, *sign)
    assert settled["spend_fen"] == 20_000 and json.dumps(settled)
    assert told("verify", config)["checks"]["epochs"]
    for decision in ("charge", "dismiss"):
        done = call("suspense", decision, config, closing, "1", "--reason", "x", "--first", "财务 F01")
        assert done.returncode == 1 and "no such row in suspense" in done.stderr


def test_a_settlement_is_checked_and_shown_before_anybody_types_a_pin(office: Office, tmp_path: Path) -> None:
    """Without a file of PINs the command would ask; nobody is there to answer, and that must not be reached."""
    closing = told("close", office.config, "HX01")["instance"]
    stubs = tmp_path / "stubs.csv"
    stubs.write_text(f"{HEADER}HX01-01-0000001,C009/prepaid,浙A1,100,200\n", encoding="utf-8")
    names = ("--first", "财务 F01", "--second", "核算 A01")
    for arguments, said in (
        ((closing, "--paper", stubs, *names), "no such account"),
        ((closing, "--paper", tmp_path / "none", *names), "cannot be read"),
        ((closing, "--disk", tmp_path / "none", *names), "no such file"),
        (("HX01/1/9f86d081884c7d65", "--paper", stubs, *names), "no such epoch"),
        ((closing, "--paper", stubs, "--first", "财务 F01", "--second", "开票 B01"), "allowed, of finance"),
    ):
        done = call("settle", office.config, *arguments)
        assert done.returncode == 1 and said in done.stderr and "PIN" not in done.stdout, said
    pins = tmp_path / "pins"
    pins.write_text("1\n2\n", encoding="utf-8")
    stubs.write_text(HEADER, encoding="utf-8")
    done = call("settle", office.config, closing, "--paper", stubs, *names, "--pins", pins)
    assert done.returncode == 1 and "would be settled 将结算" in done.stderr and "the PIN of" in done.stderr
    assert told("verify", office.config)["ok"], "and the rehearsal left nothing behind"


def test_a_damaged_file_ends_in_one_line(office: Office, tmp_path: Path) -> None:
    file = office.config.parent / "office.sqlite3"
    whole = tmp_path / "whole.sqlite3"
    told("backup", office.config, whole)
    pages, ended = whole.read_bytes(), set[int]()
    for page in range(0, len(pages) // 4096, 3):
        for each in file.parent.glob("office.sqlite3*"):
            each.unlink()
        start = page * 4096 + (100 if page == 0 else 0)
        file.write_bytes(pages[:start] + b"\x5a" * (4096 * (page + 1) - start) + pages[4096 * (page + 1) :])
        done = call("verify", office.config)
        ended.add(done.returncode)
        assert "Traceback" not in done.stderr and (done.returncode or done.stdout), (page, done.stderr)
    assert 1 in ended
    file.write_bytes(b"no database, but the file is there" * 400)
    for command, code in (("verify", 1), ("run", 2), ("check", 0)):
        done = call(command, office.config)
        assert done.returncode == code, (command, done)
        assert code == 0 or "the file is damaged (file is not a database)" in done.stderr, done.stderr
    done = call("backup", office.config, tmp_path / "another")
    assert done.returncode == 1 and "the backup was not written" in done.stderr
