"""What plants tell of plates: taken from old and new programs, and what people decided stands among the incidents."""

import json
from datetime import UTC, datetime

from sync.office.reading import read_row
from sync.office.store.database import Store
from sync.office.store.inbox import ingest
from sync.office.store.verification import verify_books
from sync.office.store.views import list_incidents
from sync.office.web.ledger_words import row_words
from sync.office.web.words import INCIDENTS
from sync.plate_records import NearPlate, PlateDecided, PlateLook, PlateQuestioned
from sync.records import Exited, Weighed, Weighing
from tests.sync.office.plant import FakePlant
from tests.sync.office.test_money import pay

AT = datetime(2026, 11, 23, 6, 33, tzinfo=UTC)
LOOK = PlateLook(
    answer="ask", free="浙A12346", color="yellow", confidence_permille=970, crop_sha256="c4" * 32,
    nearest=(NearPlate(plate="浙A12345", behind_milli=3_120),),
)  # fmt: skip


def questioned(agreement: str) -> PlateQuestioned:
    """A truck that was not weighed for its plate."""
    return PlateQuestioned(
        place="load", lane="1", visit="v-N1", claimed="浙A12345", agreement=agreement, look=LOOK, operator="D01", at=AT
    )


def decided(answer: str, **more: str) -> PlateDecided:
    """What a person made of it."""
    fields = {"place": "gate", "at_device": "south", "visit": "v-N1", "claimed": "浙A12345", "seen": "浙A12346"}
    return PlateDecided.model_validate({**fields, "answer": answer, "operator": "G02", "look": LOOK, "at": AT, **more})


def test_decisions_and_swaps_are_incidents_and_open_questions_are_none(store: Store, plant: FakePlant) -> None:
    pay(store, 10_000_000)
    plant.taken("N1", "C001/prepaid", 0)
    for agreement in ("ask", "differs", "swapped"):
        plant.write(questioned(agreement))
    plant.write(decided("same", name="王门卫", ticket="HX01-01-0000001"))
    plant.write(decided("other", reason="车头不对"))
    for _ in range(2):
        with store.write() as tx:
            ingest(tx, plant.instance.wire_id, plant.rows)
    with store.read() as tx:
        rows = {row["kind"]: row["what"] for row in list_incidents(tx)}
        assert verify_books(tx).ok
    assert rows == {
        "plate_differs": "load 1 v-N1: 浙A12345 / 浙A12346 97%",
        "plate_swapped": "load 1 v-N1: 浙A12345 / 浙A12346 97%",
        "plate_same": "gate south HX01-01-0000001: 浙A12345 / 浙A12346 97%, 王门卫",
        "plate_other": "gate south v-N1: 浙A12345 / 浙A12346 97%, G02: 车头不对",
    }
    assert set(rows) <= INCIDENTS.keys()


def test_a_row_says_what_it_is_about() -> None:
    said = row_words("plate_decided", decided("same").body(), True, str)
    assert said.startswith("Plate compared · 浙A12345 · 浙A12346")


def test_records_of_an_older_plant_are_read_as_ever() -> None:
    """Without a look, without who compared: nothing is known of the plate but its text."""
    old = {
        "ticket": "T1", "visit": "v-N1", "pass_id": "p", "gate": "south", "plate_seen": "浙A12345", "operator": "G02",
        "at": AT.isoformat(),
    }  # fmt: skip
    read = read_row(Exited.KIND, json.dumps(old))
    assert isinstance(read, Exited) and (read.look, read.plate_by) == (None, "")


def test_a_look_that_nobody_could_have_written_is_unreadable() -> None:
    for wrong in ({"confidence_permille": 1001}, {"rows": 3}, {"free": "浙" * 21}, {"nearest": [{"plate": "x"}]}):
        body = json.loads(decided("same").body())
        body["look"] |= wrong
        assert isinstance(read_row(PlateDecided.KIND, json.dumps(body)), str), wrong


def test_a_weighing_keeps_its_look_without_its_curve() -> None:
    """Head office reads a weighing without its evidence, which is nine tenths of it; the look stays."""
    weighed = Weighed(
        weighment="w", visit="v-N1", role="gross", gross_kg=34_520, lane="1", indicator="toledo", division_kg=20,
        operator="D01", at=AT, look=LOOK, plate_by="王调度", curve_kg=(1, 2, 3),
    )  # fmt: skip
    read = read_row(Weighed.KIND, weighed.body())
    assert isinstance(read, Weighing) and read.look == LOOK and read.plate_by == "王调度"
