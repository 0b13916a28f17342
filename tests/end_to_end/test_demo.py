"""The main job on real parts, as one command: 24 trucks with every kind of trouble, and all books equal at the end."""

import json
import shutil
import sqlite3
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from edge.demo.audit import OfficeBooks, Seen, invariants, read_plant
from tests.end_to_end.support import WEIGHGATE, processes_of

pytestmark = pytest.mark.timeout(180)


@dataclass(frozen=True)
class Run:
    """One headless run: its folder, and what it said."""

    folder: Path
    status: int
    output: str
    log: str

    @property
    def summary(self) -> dict[str, Any]:
        """The one JSON object."""
        found: dict[str, Any] = json.loads(self.output)
        return found


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    folder = tmp_path_factory.mktemp("headless") / "plant-of-24"
    ended = subprocess.run(
        [WEIGHGATE, "demo", "--headless", "--trucks", "24", "--seed", "7", "--dir", folder],
        capture_output=True, text=True, timeout=150, check=False,
    )  # fmt: skip
    yield Run(folder, ended.returncode, ended.stdout, ended.stderr)
    shutil.rmtree(folder, ignore_errors=True)


def test_it_ends_well_with_one_object_on_standard_output(run: Run) -> None:
    assert run.status == 0, run.output + run.log
    assert run.output.count("\n") == 1
    summary = run.summary
    assert summary["ok"] is True
    assert [name for name, held in summary["invariants"].items() if not held] == []
    assert len(summary["invariants"]) >= 15
    assert summary["wall_seconds"] <= 120
    assert "Traceback" not in run.log


def test_every_kind_of_visit_and_trouble_was_there(run: Run) -> None:
    summary = run.summary
    assert summary["trucks"] == sum(summary["outcomes"].values()) == 24
    assert set(summary["modes"]) == {"prepaid", "credit", "consigned"}
    assert summary["held"] == {"over_balance": 2, "overload": 1}
    assert (summary["topped_up"], summary["unloaded"]) == (1, 2)
    assert set(summary["refused"]) >= {"pass_forged", "pass_used", "plate_differs", "pass_voided"}
    assert summary["outcomes"] == {"released": 21, "voided": 1, "left_empty": 1, "cancelled": 1}
    assert summary["link_cut_seconds"] > 1
    assert summary["tickets_while_cut"] >= 6


def test_both_databases_say_what_the_summary_says(run: Run) -> None:
    """Without our own code in between: plain SQL on the two files."""
    summary = run.summary
    with closing(sqlite3.connect(run.folder / "plant" / "data" / "plant.db")) as plant:
        row = plant.execute("SELECT SUM(net_kg), SUM(amount_fen) FROM tickets WHERE void_seq IS NULL").fetchone()
        assert row == (summary["kg"], summary["fen"])
        used = plant.execute("SELECT COUNT(*) FROM passes_used u JOIN tickets t ON t.pass_id = u.pass_id").fetchone()
        assert used == (summary["released"],)
    with closing(sqlite3.connect(run.folder / "office" / "office.sqlite3")) as office:
        row = office.execute(
            "SELECT COUNT(*), SUM(net_kg), SUM(amount_fen) FROM shipments WHERE ticket <> '' AND state <> 'voided'"
        ).fetchone()
        assert row == (summary["tickets"] - summary["voided"], summary["kg"], summary["fen"])


def test_every_order_was_taken_and_sold_as_head_office_sent_it(run: Run) -> None:
    with closing(sqlite3.connect(run.folder / "plant" / "data" / "plant.db")) as plant:
        taken = plant.execute("SELECT body FROM ledger WHERE kind = 'notice_taken'").fetchall()
    assert taken and all(len(json.loads(body)["order_sha256"]) == 64 for (body,) in taken)
    with closing(sqlite3.connect(run.folder / "office" / "office.sqlite3")) as office:
        assert office.execute("SELECT what FROM incidents WHERE kind = 'order_differs'").fetchall() == []


def test_every_ticket_came_out_as_a_picture(run: Run) -> None:
    pictures = list((run.folder / "paper").rglob("*.png"))
    assert len(pictures) == run.summary["tickets"] + run.summary["outcomes"]["left_empty"]
    assert all(picture.read_bytes().startswith(b"\x89PNG") for picture in pictures)


def test_nothing_is_left_running(run: Run) -> None:
    assert processes_of(run.folder) == []


def test_a_falsified_ledger_is_found_by_the_same_rules(run: Run, tmp_path: Path) -> None:
    """The control: the rules that held for the run do not hold for a copy in which one ticket weighs 20 kg less."""
    copy = tmp_path / "plant.db"
    for file in (run.folder / "plant" / "data").glob("plant.db*"):
        shutil.copy(file, tmp_path / file.name)
    assert not broken(copy, run.summary)
    with closing(sqlite3.connect(copy)) as books:
        books.execute("DROP TRIGGER ledger_no_update")
        rows = books.execute("SELECT seq, kind, body FROM ledger WHERE kind IN ('ticket', 'void')").fetchall()
        voided = {json.loads(body)["ticket"] for _, kind, body in rows if kind == "void"}
        tickets = [(seq, body, json.loads(body)) for seq, kind, body in rows if kind == "ticket"]
        seq, body, ticket = next(
            row for row in tickets if row[2]["ticket"] not in voided
        )  # a voided one counts nowhere
        forged = body.replace(f'"net_kg":{ticket["net_kg"]}', f'"net_kg":{ticket["net_kg"] - 20}')
        assert forged != body
        books.execute("UPDATE ledger SET body = ? WHERE seq = ?", (forged, seq))
        books.commit()
    assert broken(copy, run.summary) >= {"ledger_verifies", "amounts_follow_weights", "office_equals_plant_kg"}


def broken(file: Path, summary: dict[str, Any]) -> set[str]:
    """The names of the rules about plant and sums that do not hold for these books."""
    plant = read_plant(file)
    totals = {
        "shipments": summary["office_shipments"], "released": summary["released"], "voided": summary["voided"],
        "net_kg": summary["office_kg"], "amount_fen": summary["office_fen"],
    }  # fmt: skip
    balances: list[dict[str, Any]] = [
        {"account": account, "dispatched_fen": fen, "fund_fen": fen, "agrees": True}
        for account, fen in plant.spent_by_account().items()
    ]
    head = [{"last_seq": plant.head_seq, "last_hash": plant.head_hash}]
    office = OfficeBooks(totals, balances, head, True, {each["account"]: each["fund_fen"] for each in balances})
    papers = Counter(notice for _, notice in plant.papers)
    seen = Seen(24, [], papers, len(plant.of("exit")), {"plant": 0}, 1)
    return {name for name, held in invariants(plant, office, seen).items() if not held}


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--trucks", "0"], "--trucks"),
        (["--trucks", "many"], "--trucks"),
        (["--speed", "0"], "--speed"),
        (["--seed", "-1"], "--seed"),
        (["--fast"], "--fast"),
        (["--headless", "--manual", "guard"], "--manual"),
        (["--dir", "/proc/nowhere"], "--dir"),
        (["--dir", "."], "is not empty"),
    ],
)
def test_a_wrong_option_is_one_line_and_status_2(options: list[str], says: str) -> None:
    ended = subprocess.run(
        [WEIGHGATE, "demo", *options], capture_output=True, text=True, timeout=30, check=False,
        cwd=Path(__file__).parent,
    )  # fmt: skip
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert ended.stderr.count("\n") == 1
    assert says in ended.stderr
