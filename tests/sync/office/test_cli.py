"""The command line: exit codes 0, 1, 2, one line each, and a run that ends at once with open pages and no broker."""

import json
import sqlite3
from pathlib import Path

import httpx
import pytest

from tests.sync.office.program import Office, call, told


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Office:
    return Office.make(tmp_path_factory.mktemp("cli"))


def test_commands_book_and_verify(office: Office) -> None:
    pay = (
        "pay",
        office.config,
        "--customer",
        "C001",
        "--name",
        "示例客户甲",
        "--reference",
        "B1",
        "--amount",
        "100000",
    )
    assert told(*pay)["new"] and not told(*pay)["new"]
    issued = told("notice", office.config, "HX01", "--customer", "C001", "--plate", "浙A12345", "--product", "焦炭",
                  "--price", "2000", "--limit-kg", "20000")  # fmt: skip
    assert issued["hold_fen"] == 4_000_000 and issued["notice"].startswith("FH")
    granted = told("grant", office.config, "HX01", "--account", "C001/prepaid", "--amount", "1000")
    assert granted["granted_fen"] == 4_100_000
    for total_kg in (40_000, 80_000):
        received = told("stock", office.config, "HX01", "--product", "焦炭", "--received-kg", "40000")
        assert received == {"plant": "HX01", "product": "焦炭", "received_kg": total_kg}
    assert call("cancel", office.config, issued["notice"], "--reason", "不来了").returncode == 0
    checks = told("verify", office.config)
    assert checks["ok"] and checks["checks"]["invariant_i1"]
    done = call("export", office.config)
    assert done.returncode == 0 and done.stdout.startswith("\ufeff厂 plant,")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("pay", "CONFIG", "--customer", "C001", "--reference", "B1", "--amount", "1"), 1, "already booked"),
        (("pay", "CONFIG", "--customer", "C001", "--reference", "B2", "--amount", "1.234"), 1, "amount: '1.234'"),
        (("grant", "CONFIG", "HX01", "--account", "C001/prepaid", "--amount", "9999999"), 1, "free"),
        (("notice", "CONFIG", "HX09", "--customer", "C001", "--plate", "浙B12345", "--product", "x", "--price", "1"), 1,
         "enrolled: HX01"),
        (("stock", "CONFIG", "HX01", "--product", "焦炭", "--received-kg", "-5"), 1, "received_kg"),
        (("stock", "CONFIG", "HX09", "--product", "焦炭", "--received-kg", "5"), 1, "enrolled: HX01"),
        (("check", "none.toml"), 2, "cannot be read"),
        (("verify", "none.toml"), 2, "cannot be read"),
        (("fly",), 2, "No such command"),
    ],
)  # fmt: skip
def test_a_no_is_one_line_and_an_exit_code(office: Office, arguments: tuple[str, ...], code: int, said: str) -> None:
    done = call(*(office.config if word == "CONFIG" else word for word in arguments))
    assert done.returncode == code and said in done.stderr and "Traceback" not in done.stderr


def test_init_never_overwrites_and_check_names_missing_files(office: Office, tmp_path: Path) -> None:
    assert call("init", office.config.parent).returncode == 2
    assert call("check", office.config).returncode == 0
    other = tmp_path / "office.toml"
    other.write_text('[office]\nname = "x"\n', encoding="utf-8")
    done = call("check", other)
    assert done.returncode == 2 and "link.ca: 'ca.crt' — no such file" in done.stderr


def test_enrol_twice_is_the_same_epoch_and_a_bad_request_is_refused(office: Office, tmp_path: Path) -> None:
    box = office.config.parent.parent / "HX01"
    common = ("enrol", office.config, "HX01", "--name", "一厂", "--public-key", box / "sign.pub", "--out", tmp_path)
    assert told(*common, "--csr", box / "tls.csr")["epoch"] == 1
    assert (tmp_path / "tls.crt").exists() and (tmp_path / "office.pub").exists()
    done = call(*common, "--csr", box / "sign.pub")
    assert done.returncode == 1 and "not a PEM certificate request" in done.stderr


def test_verify_says_no_when_the_books_were_touched(tmp_path: Path) -> None:
    office = Office.make(tmp_path)
    told("pay", office.config, "--customer", "C001", "--name", "甲", "--reference", "B1", "--amount", "100000")
    with sqlite3.connect(office.config.parent / "office.sqlite3") as connection:
        connection.execute("update accounts set fund_fen = fund_fen + 1")
    connection.close()
    done = call("verify", office.config, "--json")
    assert done.returncode == 1 and not json.loads(done.stdout)["checks"]["funds"]


def test_it_starts_without_a_broker_and_ends_at_once_with_open_streams(office: Office) -> None:
    office.start()
    with httpx.Client(base_url=office.address, trust_env=False) as client:
        name, pin = next(iter(office.pins.items()))
        assert client.post("/login", data={"name": name, "pin": pin}).status_code == 303
        with client.stream("GET", "/live") as stream:
            lines = stream.iter_lines()
            assert next(lines) == "event: change"
            code, seconds, log = office.stop()
    assert code == 0 and seconds < 2.0, (code, seconds)
    assert "Traceback" not in log and "link down" in log


def test_a_taken_port_is_one_line(office: Office, tmp_path: Path) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        text = office.config.read_text(encoding="utf-8").replace("port = 0", f"port = {taken.getsockname()[1]}")
        file = office.config.parent / "taken.toml"
        file.write_text(text, encoding="utf-8")
        done = call("run", file)
    assert done.returncode == 2 and "web.port" in done.stderr and "Traceback" not in done.stderr
