"""置零 at head office: a command and its end are one line in the page's language; only what was done reads as done."""

import pytest

from sync.office.store.database import Store
from sync.office.store.inbox import ingest
from sync.office.store.views import list_incidents
from sync.office.web.views import Words
from tests.sync.office.plant import FakePlant

REFUSED = "仪表拒绝置零:重量未稳定 / The indicator refuses to zero: its weight is not stable"


def lines(store: Store, plant: FakePlant, english: bool) -> list[tuple[str, str]]:
    """Category and line of each incident, newest first, after all that the plant has written has come."""
    words = Words(english, 8)
    with store.write() as tx:
        ingest(tx, plant.instance.wire_id, plant.rows)
    with store.read() as tx:
        return [(words.incident(row["kind"])[0], words.command(row["command"])) for row in list_incidents(tx)]


@pytest.mark.parametrize(
    ("result", "what", "after_kg", "zh", "en"),
    [
        (
            "done", "已置零(原 40 kg) / Zeroed (was 40 kg)", 0,
            ("仪表置零", "磅 2 · 操作 李敏 · 置零前 40 kg · 置零后 0 kg"),
            ("Indicator zeroed", "Lane 2 · by 李敏 · before 40 kg · after 0 kg"),
        ),
        (
            "refused", REFUSED, 40,
            ("置零未执行", "磅 2 · 操作 李敏 · 置零前 40 kg · 置零后 40 kg · 仪表拒绝置零：重量未稳定"),
            ("Zero not done", "Lane 2 · by 李敏 · before 40 kg · after 40 kg · " + REFUSED.partition(" / ")[2]),
        ),
        (
            "unknown", "没有回答 / no answer", None,
            ("置零结果不明", "磅 2 · 操作 李敏 · 置零前 40 kg · 置零后 — · 没有回答"),
            ("Zero: outcome unknown", "Lane 2 · by 李敏 · before 40 kg · after — · no answer"),
        ),
    ],
)  # fmt: skip
def test_a_command_and_its_end_are_one_line(
    store: Store, plant: FakePlant, result: str, what: str, after_kg: int | None,
    zh: tuple[str, str], en: tuple[str, str],
) -> None:  # fmt: skip
    plant.command_ended(plant.commanded(), result, what, after_kg)
    assert lines(store, plant, False) == [zh]
    assert lines(store, plant, True) == [en]


def test_without_an_end_it_does_not_read_as_done(store: Store, plant: FakePlant) -> None:
    plant.commanded()
    assert lines(store, plant, True) == [("Zero command", "Lane 2 · by 李敏 · before 40 kg · after — · no result yet")]


def test_an_end_that_names_no_command_and_a_word_of_a_later_release(store: Store, plant: FakePlant) -> None:
    plant.command_ended(2**53, "postponed", "later", None)
    assert lines(store, plant, True) == [("Zero: outcome unknown", "Lane 2 · by — · before — · after — · later")]
