# ruff: noqa: E501 - one line for each way to tamper
"""`verify` on true books, live and copied, and on books that somebody changed behind the program's back."""

import shutil
import sqlite3
from pathlib import Path

import pytest

from edge.store.clock import Clock
from edge.store.database import Database, StoreBroken
from edge.store.tail_check import BooksTorn
from edge.store.verify import CHECKS, NotBooks, verify
from sync.chain import row_hash
from sync.records import Returned
from tests.edge.store.books import make_books


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Books with a little of everything."""
    path = tmp_path_factory.mktemp("books") / "plant.db"
    make_books(path)
    return path


@pytest.fixture
def books(template: Path, tmp_path: Path) -> Path:
    """A copy to spoil."""
    return Path(shutil.copy(template, tmp_path / "plant.db"))


def spoil(path: Path, *statements: str) -> None:
    """What a thief or a broken tool does: no triggers, no checks, no foreign keys."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA ignore_check_constraints=ON")
    for name in ("ledger_no_update", "ledger_no_delete"):
        connection.execute(f"DROP TRIGGER {name}")
    for statement in statements:
        assert connection.execute(statement).rowcount != 0, f"changed nothing: {statement}"
    connection.close()


def rechain(path: Path) -> None:
    """The clever thief recomputes every hash."""
    connection = sqlite3.connect(path, isolation_level=None)
    before = "0" * 64
    for seq, kind, body in connection.execute("SELECT seq, kind, body FROM ledger ORDER BY seq").fetchall():
        digest = row_hash(before, seq, kind, body)
        connection.execute("UPDATE ledger SET prev_hash = ?, hash = ? WHERE seq = ?", (before, digest, seq))
        before = digest
    connection.close()


def failed(path: Path) -> set[str]:
    """The checks that do not hold."""
    report = verify(path)
    assert not report.ok
    assert all(check.problem for check in report.checks if not check.ok)
    return {check.name for check in report.checks if not check.ok}


def test_true_books_hold(books: Path) -> None:
    report = verify(books)
    assert report.ok, report.as_json()
    assert tuple(check.name for check in report.checks) == CHECKS
    assert (report.tickets, report.as_json()["ok"]) == (4, True)
    assert report.records > 40 and len(report.head_hash) == 64


def test_records_older_than_the_digest_of_the_order_hold(books: Path) -> None:
    spoil(books, NO_DIGEST)
    rechain(books)
    marks = {check.name for check in verify(books).checks if not check.ok}
    marks -= {"database", "rows"}  # the guards are gone, and who changes rows behind the program's back makes no sums
    assert marks == {"tickets", "slips"}, "only the marks printed from the old hashes differ"


def test_live_books_can_be_verified_and_nothing_is_written(books: Path) -> None:
    database = Database(books, Clock())
    assert verify(books).ok
    database.transact_now(lambda each: each.ledger.append(Returned(account="C1/coke", returned_fen=0)))
    report = verify(books)
    assert report.ok
    database.close()


def test_a_read_only_copy_can_be_verified(books: Path) -> None:
    before = books.read_bytes()
    books.chmod(0o400)
    assert verify(books).ok
    assert books.read_bytes() == before


def test_what_is_no_books(tmp_path: Path) -> None:
    with pytest.raises(NotBooks, match="no such file"):
        verify(tmp_path / "nothing.db")
    sqlite3.connect(tmp_path / "other.db").execute("CREATE TABLE x (y)").connection.close()
    with pytest.raises(NotBooks, match="not a plant's books"):
        verify(tmp_path / "other.db")
    (tmp_path / "text.db").write_text("not a database at all, and long enough to be looked at" * 20)
    assert "database" in failed(tmp_path / "text.db")


IN_BODY = (
    "UPDATE ledger SET body = json_replace(body, '$.{field}', {value}) WHERE seq = (SELECT {pick}(seq) FROM ledger"
)
IN_ORDER = "UPDATE visits SET order_body = json_set(order_body, '$.{field}', {value}) WHERE visit = '{visit}'"
NO_DIGEST = "UPDATE ledger SET body = json_remove(body, '$.order_sha256') WHERE kind = 'notice_taken'"
TAMPERED = {
    "a body changed": (("UPDATE ledger SET body = replace(body, '浙A00001', '浙A99999') WHERE seq = 4",), False, "chain"),
    "a row removed": (("DELETE FROM ledger WHERE seq = 7",), False, "chain"),
    "a hash changed": (("UPDATE ledger SET hash = substr(hash, 2) || 'x' WHERE seq = 9",), False, "chain"),
    "the tail cut": (("DELETE FROM ledger WHERE seq > (SELECT MAX(seq) FROM ledger WHERE kind = 'ticket')",), False, "seals"),
    "an unreadable body": (("UPDATE ledger SET body = '{}' WHERE kind = 'stock'",), True, "records"),
    "a ticket left out, chain recomputed": (("UPDATE ledger SET kind = 'ticket?' WHERE seq = (SELECT MIN(seq) FROM ledger WHERE kind = 'ticket')",), True, "numbers"),
    "a ticket row removed": (("DELETE FROM tickets WHERE number = 2",), False, "numbers"),
    "a ticket row added": (("INSERT INTO tickets SELECT 9, 'HX01-03-0000009', 'N9', 'ff', pass_code, business_date, body, ledger_mark, net_kg, amount_fen, NULL, '', '', '', '', 0 FROM tickets WHERE number = 1",), False, "numbers"),
    "a ticket's mass changed": (("UPDATE tickets SET net_kg = net_kg + 20 WHERE number = 1",), False, "tickets"),
    "a ticket's customer changed": (("UPDATE tickets SET body = replace(body, '晋能贸易', '某某贸易') WHERE number = 1",), False, "tickets"),
    "the amount changed everywhere, chain recomputed": ((IN_BODY.format(field="amount_fen", value=1, pick="MIN") + " WHERE kind = 'ticket')", "UPDATE tickets SET amount_fen = 1, body = json_replace(body, '$.amount_fen', 1) WHERE number = 1"), True, "amounts"),
    "the net changed everywhere, chain recomputed": ((IN_BODY.format(field="net_kg", value=100, pick="MIN") + " WHERE kind = 'ticket')", "UPDATE tickets SET net_kg = 100, body = json_replace(body, '$.net_kg', 100) WHERE number = 1"), True, "amounts"),
    "more money on an account": (("UPDATE accounts SET granted_fen = granted_fen + 1",), False, "accounts"),
    "less spent": (("UPDATE accounts SET spent_fen = spent_fen - 1",), False, "accounts"),
    "a hold raised": (("UPDATE visits SET hold_fen = hold_fen + 1 WHERE visit = 'N5'",), False, "visits"),
    "a tare made heavier before the ticket": (("UPDATE visits SET tare_kg = tare_kg + 5000 WHERE state = 'held'",), False, "visits"),
    "a price lowered in an order": ((IN_ORDER.format(field="price_fen_per_t", value=1, visit="N5"),), False, "visits"),
    "a price lowered in a finished order": ((IN_ORDER.format(field="price_fen_per_t", value=1, visit="N1"),), False, "visits"),
    "a limit raised in an order": ((IN_ORDER.format(field="limit_kg", value=99000, visit="N6"),), False, "visits"),
    "another customer in an order": ((IN_ORDER.format(field="customer_id", value="'C2'", visit="N5"),), False, "visits"),
    "another account in an order": ((IN_ORDER.format(field="account", value="'C2/coke'", visit="N5"),), False, "visits"),
    "more axles in an order": ((IN_ORDER.format(field="axles", value=8, visit="N5"),), False, "visits"),
    "an older record and another price for its ticket, chain recomputed": ((NO_DIGEST, IN_ORDER.format(field="price_fen_per_t", value=1, visit="N1")), True, "visits"),
    "an order that nobody can read": (("UPDATE visits SET order_body = '{}' WHERE visit = 'N5'",), False, "visits"),
    "another plate on a visit": (("UPDATE visits SET plate = '浙A99999' WHERE visit = 'N5'",), False, "visits"),
    "a visit moved": (("UPDATE visits SET state = 'queued' WHERE visit = 'N5'",), False, "visits"),
    "a finished visit reopened": (("UPDATE visits SET state = 'loading' WHERE visit = 'N1'",), False, "visits"),
    "a visit removed": (("DELETE FROM visits WHERE visit = 'N1'",), False, "visits"),
    "a tare weighing left out, chain recomputed": (("UPDATE ledger SET kind = 'weighment?' WHERE seq = (SELECT MIN(seq) FROM ledger WHERE kind = 'weighment')",), True, "weighments"),
    "a gross changed, chain recomputed": ((IN_BODY.format(field="gross_kg", value=33000, pick="MIN") + " WHERE kind = 'weighment' AND body LIKE '%\"gross\"%')",), True, "weighments"),
    "a void taken back": (("UPDATE tickets SET void_seq = NULL WHERE void_seq > 0",), False, "voids"),
    "a void by one person, chain recomputed": ((IN_BODY.format(field="second_person", value="'甲'", pick="MAX") + " WHERE kind = 'void')",), True, "voids"),
    "a pass made usable again": (("DELETE FROM passes_used WHERE ticket = 'HX01-03-0000001'",), False, "exits"),
    "an exit left out, chain recomputed": (("UPDATE ledger SET kind = 'exit?' WHERE seq = (SELECT MIN(seq) FROM ledger WHERE kind = 'exit')",), True, "exits"),
    "a seal removed": (("UPDATE tickets SET finance_seal = '' WHERE number = 1",), False, "seals"),
    "a print forgotten": (("UPDATE print_jobs SET state = 'queued' WHERE job = 1",), False, "prints"),
    "an original removed": (("DELETE FROM print_jobs WHERE job = 2",), False, "prints"),
    "a second original, chain recomputed": ((IN_BODY.format(field="copy_number", value=0, pick="MAX") + " WHERE kind = 'print')",), True, "prints"),
    "another ticket's pass code": (("UPDATE tickets SET pass_code = (SELECT pass_code FROM tickets WHERE number = 2) WHERE number = 1",), False, "tickets"),
    "a pass code of noise": (("UPDATE tickets SET pass_code = 'x' WHERE number = 1",), False, "tickets"),
    "another slip's pass code": (("UPDATE empty_slips SET pass_code = (SELECT pass_code FROM empty_slips WHERE visit = 'N7') WHERE visit = 'N8'",), False, "slips"),
    "a pass used at another time": (("UPDATE passes_used SET at = '2026-01-01T00:00:00+00:00' WHERE ticket = 'HX01-03-0000001'",), False, "exits"),
    "a slip used at another gate": (("UPDATE passes_used SET gate = 'north' WHERE ticket = 'N7'",), False, "exits"),
    "a slip removed": (("DELETE FROM empty_slips WHERE visit = 'N8'",), False, "slips"),
    "a slip added": (("INSERT INTO empty_slips SELECT 'ff', 'N5', plate, tare_kg, exit_kg, lane, operator, pass_code, ledger_mark, at, 0 FROM empty_slips LIMIT 1",), False, "slips"),
    "a slip for another truck": (("UPDATE empty_slips SET plate = '浙A99999' WHERE visit = 'N8'",), False, "slips"),
    "an empty truck's visit changed": (("UPDATE visits SET state = 'cancelled' WHERE visit = 'N8'",), False, "slips"),
    "an empty weighing left out, chain recomputed": (("UPDATE ledger SET kind = 'weighment?' WHERE kind = 'weighment' AND body LIKE '%\"empty\"%'",), True, "weighments"),
    "a slip's tare changed, chain recomputed": ((IN_BODY.format(field="tare_kg", value=33000, pick="MIN") + " WHERE kind = 'empty_slip')",), True, "weighments"),
    "a slip left out, chain recomputed": (("UPDATE ledger SET kind = 'empty?' WHERE seq = (SELECT MAX(seq) FROM ledger WHERE kind = 'empty_slip')",), True, "slips"),
    "a slip made usable again": (("DELETE FROM passes_used WHERE ticket = 'N7'",), False, "exits"),
    "a slip used without an exit": (("INSERT INTO passes_used SELECT pass_id, visit, 'south', at, 1, 0 FROM empty_slips WHERE visit = 'N8'",), False, "exits"),
    "a slip used twice, chain recomputed": (("UPDATE ledger SET body = replace(body, 'HX01-03-0000003', 'N7') WHERE kind = 'exit'", "UPDATE ledger SET body = json_replace(body, '$.visit', 'N7') WHERE kind = 'exit' AND body LIKE '%\"N7\"%'"), True, "exits"),
    "a slip's print forgotten": (("DELETE FROM print_jobs WHERE ticket = 'N8'",), False, "slips"),
    "stock changed": (("UPDATE stock SET sold_kg = 0",), False, "stock"),
    "a look forgotten": (("DELETE FROM plate_rows WHERE seq = (SELECT MAX(seq) FROM plate_rows)",), False, "plates"),
    "a look of another truck": (("UPDATE plate_rows SET visit = 'N1' WHERE seq = (SELECT MAX(seq) FROM plate_rows)",), False, "plates"),
    "an answer about a plate left out, chain recomputed": (("UPDATE ledger SET kind = 'plate?' WHERE kind = 'plate_decided'",), True, "plates"),
    "a no made a yes": (("UPDATE ledger SET body = replace(body, '\"answer\":\"same\"', '\"answer\":\"other\"') WHERE kind = 'plate_decided'",), True, "plates"),
    "an alarm forgotten": (("DELETE FROM scale_alarms WHERE visit = 'N6'",), False, "alarms"),
    "an alarm silenced without a person": (("UPDATE scale_alarms SET seen_seq = 1 WHERE visit = 'N6'",), False, "alarms"),
    "an alarm left out, chain recomputed": (("UPDATE ledger SET kind = 'scale?' WHERE seq = (SELECT MAX(seq) FROM ledger WHERE kind = 'scale_alarm')",), True, "alarms"),
    "an alarm of another truck, chain recomputed": ((IN_BODY.format(field="visit", value="'N2'", pick="MAX") + " WHERE kind = 'scale_alarm')",), True, "alarms"),
    "an alarm seen twice, chain recomputed": (("UPDATE ledger SET kind = 'scale_alarm_seen', body = (SELECT body FROM ledger WHERE kind = 'scale_alarm_seen') WHERE kind = 'stock'",), True, "alarms"),
    "a command left out, chain recomputed": (("UPDATE ledger SET kind = 'scale?' WHERE kind = 'scale_command'",), True, "commands"),
    "an end of another command, chain recomputed": ((IN_BODY.format(field="commanded", value=1, pick="MAX") + " WHERE kind = 'scale_command_ended')",), True, "commands"),
    "a zero out of range, chain recomputed": ((IN_BODY.format(field="weight_kg", value=-4001, pick="MAX") + " WHERE kind = 'scale_command')",), True, "commands"),
    "a zero while a truck was served, chain recomputed": ((IN_BODY.format(field="visit", value="'N6'", pick="MAX") + " WHERE kind = 'scale_command')",), True, "commands"),
    "an ACK beyond the end": (("UPDATE meta SET value = '99999' WHERE key = 'acked_seq'",), False, "outbox"),
}  # fmt: skip


@pytest.mark.parametrize("case", TAMPERED)
def test_tampering_is_found(books: Path, case: str) -> None:
    statements, with_new_hashes, check = TAMPERED[case]
    spoil(books, *statements)
    if with_new_hashes:
        rechain(books)
    assert check in failed(books)


PROTECTED = (
    "SELECT seq, kind, body, prev_hash, hash FROM ledger",
    "SELECT number, ticket, visit, pass_id, substr(pass_code, 1, 54), body, net_kg, amount_fen, void_seq FROM tickets",
    "SELECT * FROM accounts",
    "SELECT visit, notice, version, plate, account, state, hold_fen FROM visits",
    "SELECT pass_id, ticket, gate, at FROM passes_used",
    "SELECT pass_id, visit, plate, tare_kg, exit_kg, lane, operator, ledger_mark, at FROM empty_slips",
)


def protected(path: Path) -> list[list[tuple[object, ...]]]:
    """All that the verification answers for."""
    connection = sqlite3.connect(path)
    found = [connection.execute(query).fetchall() for query in PROTECTED]
    connection.close()
    return found


def test_flipped_bits_are_found_or_touch_nothing_that_counts(books: Path) -> None:
    raw, before = books.read_bytes(), protected(books)
    places = [place for place in range(5000, len(raw), 997) if raw[place]]
    found = 0
    for place in places:
        flipped = bytearray(raw)
        flipped[place] ^= 0x10
        books.write_bytes(flipped)
        if verify(books).ok:
            assert protected(books) == before, f"byte {place}"
        else:
            found += 1
    assert found > len(places) / 2


def test_a_torn_tail_stops_the_start(books: Path) -> None:
    spoil(books, "UPDATE ledger SET body = body || ' ' WHERE seq = (SELECT MAX(seq) FROM ledger)")
    with pytest.raises(BooksTorn, match="weighgate ledger verify"):
        Database(books, Clock())
    with pytest.raises(BooksTorn, match="was changed"):
        Database(books, Clock())  # the lock was given back


def test_a_ticket_without_its_record_stops_the_start(books: Path) -> None:
    spoil(books, "DELETE FROM tickets WHERE number = 4")
    with pytest.raises(BooksTorn, match="newest ticket"):
        Database(books, Clock())


def test_a_file_that_is_no_database_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "plant.db").write_text("x" * 5000)
    with pytest.raises(StoreBroken, match=r"plant\.db"):
        Database(tmp_path / "plant.db", Clock())
