"""Rows of a fork in words, whatever they hold; and a reason that is kept in both languages."""

import pytest

from sync import records as wire
from sync.office.web.ledger_words import row_words
from sync.office.web.views import Words
from tests.sync.office.plant import FakePlant


def test_rows_are_told_by_what_a_person_knows_them_by() -> None:
    plant = FakePlant()
    plant.truck("N1", "C001/prepaid", 4_000_000, 20_000, 200_000)
    _, tare, _, ticket, _ = plant.rows
    zh, en = Words(False, 8), Words(True, 8)
    assert zh.ledger_row(tare.kind, tare.body).startswith("称重 · 皮重 · 14\u2009520 kg · ")
    said = en.ledger_row(ticket.kind, ticket.body)
    assert said.startswith(
        "Ticket · HX01-01-0000001 · N1 · 浙A12345 · C001/prepaid · 示例客户甲 · 焦炭 · 34\u2009520 kg"
    )
    assert "¥40,000.00" in said and "{" not in said
    assert said.endswith("14:00:03"), "the moment as the company's clocks show it"


def test_every_kind_has_words() -> None:
    for kind in wire.RECORDS:
        assert row_words(kind, "{}", False, str) != kind, kind


@pytest.mark.parametrize("body", ["", "[]", "7", '{"ticket": 3, "net_kg": "x", "at": "never", "role": []}'])
def test_any_body_will_do(body: str) -> None:
    assert row_words("ticket", body, True, str) == "Ticket"


def test_each_page_shows_its_half_of_a_reason() -> None:
    kept = "由备份恢复 / restored from a backup"
    assert (Words(False, 8).side(kept), Words(True, 8).side(kept)) == ("由备份恢复", "restored from a backup")
    assert Words(True, 8).side("new books") == "new books"
