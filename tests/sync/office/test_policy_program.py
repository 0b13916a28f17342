"""The real program takes its turn of the policy by itself, as the configuration says."""

import time
from pathlib import Path
from typing import Any

import httpx

from sync.office import requests
from tests.sync.office.program import Office


def test_the_program_leaves_money_at_a_plant_whose_link_may_fail(tmp_path: Path) -> None:
    office = Office.make(tmp_path)
    with office.config.open("a", encoding="utf-8") as file:
        file.write('\n[policy]\nmode = "exact"\nplants = { HX01 = "forecast" }\n')
    books = office.books()
    body = requests.PaymentIn(reference="B1", customer_id="C001", customer_name="甲", amount_fen=90_000_000)
    requests.book_payment(books, body, "F01")
    order = requests.NoticeIn(
        plant="HX01", customer_id="C001", plate="浙A12345", product="焦炭", price_fen_per_t=200_000, limit_kg=20_000
    )
    requests.book_notice(books, order, "B01", 8)
    books.close()
    office.start()
    with httpx.Client(base_url=office.address, trust_env=False, timeout=10) as client:
        client.headers["authorization"] = f"Bearer {office.token}"
        deadline = time.monotonic() + 15
        while (granted := _granted(client)) == 4_000_000 and time.monotonic() < deadline:
            time.sleep(0.1)
        code, seconds, log = office.stop()
    assert granted == 4_000_000 + 10_000_000, "one truck of 50 t beyond the notice"
    assert code == 0 and seconds < 2.0, "a client that keeps its connection open does not hold it up"
    assert "grant policy" in log


def _granted(client: httpx.Client) -> int:
    rows: list[Any] = client.get("/api/balances").json()
    return int(rows[0]["allotted"][0]["granted_fen"])
