"""Is it the truck on the paper? Arrival, tare, load complete and gate: what agrees goes on, what is unsure is asked,
what differs waits, and everything seen and decided is in the ledger.
"""

from pathlib import Path

import pytest

from drivers.ports import DeviceTimeout
from drivers.readings import PlateAnswer, PlateMatch, PlateReading
from edge.domain.refusal import Reason
from edge.domain.visit import VisitState
from edge.station import plates
from edge.station.crops import CropStore
from edge.station.eyes import Seen
from edge.station.views import PlateQuestionView, VerdictView
from edge.store.verify import verify
from sync.plate_records import PlateDecided, PlateQuestioned
from sync.records import Exited, GateRefused, VisitMoved, Weighed
from tests.edge.station.rig import PLATE, TARE_KG, PlantRig, done, notice, refused, running, until

pytestmark = pytest.mark.anyio
PAPER = "HX01-03-0000001"
CLONE = "浙A12346"
OTHER = "苏E6H369"


async def released(rig: PlantRig) -> str:
    """A ticketed truck before the gate: its pass code."""
    await rig.send(notice())
    return await rig.pass_code(await rig.ticketed())


def asked(verdict: object) -> VerdictView:
    """The guard must compare; he is shown the reading, the nearest passes and the plate."""
    assert isinstance(verdict, VerdictView), verdict
    assert (verdict.verdict, verdict.plate_asked, verdict.barrier) == ("ask_guard", True, "")
    assert verdict.why is not None and verdict.why.reason == "plate_unsure"
    assert verdict.look is not None and verdict.look.crop and verdict.look.picture == verdict.picture
    return verdict


def question(rig: PlantRig) -> PlateQuestionView:
    """What the lane's page asks."""
    found = rig.lane.runner.view().plate_question
    assert found is not None
    return found


async def called(rig: PlantRig) -> None:
    """N1's truck stands on lane 1, not tared yet."""
    await rig.lane.drive_off()
    done(await rig.station.yard.arrive(PLATE, "D01"))
    done(await rig.lane.runner.call("N1", "D01"))
    await rig.lane.stand(TARE_KG)


async def test_a_clone_one_character_off_asks_the_guard_and_his_yes_is_on_record(rig: PlantRig) -> None:
    code = await released(rig)
    rig.gate_camera.seen = CLONE
    verdict = asked(await rig.gate.scan(code, "G02"))
    look = verdict.look
    assert look is not None and (look.free, look.confidence_permille) == (CLONE, 970)
    assert [(near.plate, near.behind_milli) for near in look.nearest] == [(PLATE, 10_000)]
    assert rig.pictures.get(look.crop) == b"crop of \xff\xd8jpeg 1\xff\xd9"
    opened = await rig.gate.compare("G02", "王门卫", True, "", PAPER, verdict.picture)
    assert isinstance(opened, VerdictView) and (opened.verdict, opened.plate_by) == ("open", "王门卫")
    assert opened.overridden_by == "", "an answer is no override"
    (said,) = await rig.told(PlateDecided)
    assert (said.place, said.at_device, said.visit, said.ticket) == ("gate", "south", "N1", PAPER)
    assert (said.claimed, said.seen, said.answer, said.name, said.operator) == (PLATE, CLONE, "same", "王门卫", "G02")
    assert said.look is not None and said.look.crop_sha256 == look.crop and said.look.answer == "ask"
    (left,) = await rig.told(Exited)
    assert (left.plate_seen, left.plate_by, left.override_of) == (CLONE, "王门卫", "")
    assert left.look == said.look
    (no,) = await rig.told(GateRefused)
    assert no.reason == "plate_unsure" and no.look == said.look
    assert rig.barrier.model.pulses == 1


async def test_no_shuts_the_gate_and_only_a_name_and_a_reason_open_it_then(rig: PlantRig) -> None:
    code = await released(rig)
    rig.gate_camera.seen = CLONE
    verdict = asked(await rig.gate.scan(code, "G02"))
    shut = await rig.gate.compare("G02", "王门卫", False, "车头不对", PAPER, verdict.picture)
    assert isinstance(shut, VerdictView) and shut.why is not None
    assert (shut.verdict, shut.why.reason, shut.overridable, shut.plate_asked) == (
        "refuse",
        "plate_differs",
        True,
        False,
    )
    refused(await rig.gate.compare("G02", "王门卫", True, "", PAPER, verdict.picture), Reason.NO_PLATE_QUESTION)
    assert rig.barrier.model.pulses == 0
    opened = await rig.gate.override("G02", "王门卫", "按错了", PAPER)
    assert isinstance(opened, VerdictView) and opened.verdict == "open"
    told = await rig.told(PlateDecided)
    assert [(each.answer, each.reason) for each in told] == [("other", "车头不对"), ("same", "按错了")]


async def test_an_answer_is_for_the_picture_that_was_shown(rig: PlantRig) -> None:
    """Another guard scans the same pass again: the truck in the new picture was not compared."""
    code = await released(rig)
    rig.gate_camera.seen = CLONE
    old = asked(await rig.gate.scan(code, "G02"))
    new = asked(await rig.gate.scan(code, "G03"))
    for paper, shown in ((PAPER, old.picture), ("HX01-03-0000002", new.picture), (PAPER, "")):
        refused(await rig.gate.compare("G02", "", True, "", paper, shown), Reason.NO_PLATE_QUESTION)
    assert rig.barrier.model.pulses == 0 and not await rig.told(PlateDecided)
    opened = await rig.gate.compare("G03", "", True, "", PAPER, new.picture)
    assert isinstance(opened, VerdictView) and (opened.verdict, opened.plate_by) == ("open", "G03")


async def test_nobody_asked_nothing_to_answer(rig: PlantRig) -> None:
    code = await released(rig)
    refused(await rig.gate.compare("G02", "", True, "", PAPER, ""), Reason.NO_PLATE_QUESTION)
    rig.gate_camera.seen = OTHER
    shut = await rig.gate.scan(code, "G02")
    assert shut.why is not None and shut.why.reason == "plate_differs"
    refused(await rig.gate.compare("G02", "", True, "", PAPER, shut.picture), Reason.NO_PLATE_QUESTION)
    assert rig.barrier.model.pulses == 0


async def test_the_gate_looks_for_open_passes_the_scanned_one_first(rig: PlantRig) -> None:
    """And says which truck it is, when it is another one that may leave."""
    code = await released(rig)
    await rig.lane.drive_off()
    await rig.send(notice("N2", plate=CLONE), notice("N3", plate=OTHER))
    await rig.ticketed("N2", 1_000, plate=CLONE)
    rig.gate_camera.seen = CLONE
    verdict = await rig.gate.scan(code, "G02")
    assert rig.gate_camera.expected == (PLATE, CLONE), "N3 has no pass yet"
    assert verdict.why is not None and verdict.why.reason == "plate_differs", "one character, and it is the neighbour's"
    (no,) = await rig.told(GateRefused)
    assert no.look is not None and (no.look.answer, no.look.plate) == ("confirmed", CLONE)


async def test_the_dispatcher_compares_at_the_tare_and_what_was_pressed_goes_on(rig: PlantRig) -> None:
    await rig.send(notice(), notice("N2", plate=OTHER))
    lane = rig.lane
    await called(rig)
    lane.camera.seen = CLONE
    why = refused(await lane.runner.tare("D01", "N1"), Reason.PLATE_UNSURE)
    assert CLONE in why.words.zh and PLATE in why.words.en
    assert lane.camera.expected == (PLATE,), "N2 is not in the yard"
    shown = question(rig)
    assert (shown.visit, shown.claimed, shown.look.free, shown.place.en) == ("N1", PLATE, CLONE, "tare")
    assert (await rig.visit()).state is VisitState.ADMITTED
    refused(await lane.runner.compare("D01", "N1", True, "old"), Reason.NO_PLATE_QUESTION)
    assert done(await lane.runner.compare("D01", "N1", True, shown.look.picture)).words.zh.startswith("皮重")
    assert (await rig.visit()).state is VisitState.TARED
    assert lane.runner.view().plate_question is None
    (doubt,) = await rig.told(PlateQuestioned)
    assert (doubt.place, doubt.lane, doubt.visit, doubt.agreement) == ("tare", "1", "N1", "ask")
    (said,) = await rig.told(PlateDecided)
    assert (said.answer, said.operator, said.look) == ("same", "D01", doubt.look)
    (weighed,) = await rig.told(Weighed)
    assert (weighed.plate_seen, weighed.plate_by) == (CLONE, "D01")
    assert weighed.look is not None and weighed.look.answer == "ask"


async def test_a_yes_stands_while_the_truck_stays_on_the_deck(rig: PlantRig) -> None:
    """Also for load complete; who drove off and came back is compared again."""
    await rig.send(notice())
    lane = await rig.loading()
    lane.camera.seen = CLONE
    await lane.stand(60_000)
    refused(await lane.runner.load_complete("D01", "N1"), Reason.PLATE_UNSURE)
    refused(await lane.runner.compare("D01", "N1", True, question(rig).look.picture), Reason.OVERLOAD)
    refused(await lane.runner.recheck("D01", "N1"), Reason.OVERLOAD)
    assert len(await rig.told(PlateDecided)) == 1, "asked once"
    await lane.drive_off()
    await lane.stand(TARE_KG + 18_000)
    refused(await lane.runner.recheck("D01", "N1"), Reason.PLATE_UNSURE)


async def test_no_holds_the_load_and_the_right_truck_is_let_go(rig: PlantRig) -> None:
    await rig.send(notice())
    lane = await rig.loading()
    lane.camera.seen = CLONE
    await lane.stand(TARE_KG + 18_000)
    refused(await lane.runner.load_complete("D01", "N1"), Reason.PLATE_UNSURE)
    assert (await rig.visit()).state is VisitState.LOADING, "an open question holds nothing"
    refused(await lane.runner.compare("D01", "N1", False, question(rig).look.picture), Reason.PLATE_DIFFERS)
    assert (await rig.visit()).state is VisitState.HELD
    (said,) = await rig.told(PlateDecided)
    assert (said.place, said.answer) == ("load", "other")
    lane.camera.seen = PLATE
    ticket = done(await lane.runner.recheck("D01", "N1")).ticket
    assert ticket == PAPER


async def test_the_truck_that_was_tared_is_the_truck_that_is_sold(rig: PlantRig) -> None:
    """The camera was certain of the first one; with the second on the deck the load is held, and told as a swap."""
    await rig.send(notice())
    lane = await rig.loading()
    lane.camera.seen = OTHER
    await lane.stand(TARE_KG + 18_000)
    why = refused(await lane.runner.load_complete("D01", "N1"), Reason.PLATE_DIFFERS)
    assert why.numbers == {"seen": OTHER, "plate": PLATE, "before": PLATE}
    assert (await rig.visit()).state is VisitState.HELD
    (doubt,) = await rig.told(PlateQuestioned)
    assert (doubt.place, doubt.agreement) == ("load", "swapped")
    (_, gross) = await rig.told(Weighed)
    assert gross.look is not None and gross.look == doubt.look
    lane.camera.seen = PLATE
    done(await lane.runner.recheck("D01", "N1"))
    assert len(await rig.told(PlateQuestioned)) == 1


async def test_of_a_tare_that_a_person_compared_nothing_is_known_for_certain(rig: PlantRig) -> None:
    """Then another truck at load complete differs from its paper, and is no swap that could be proven."""
    await rig.send(notice())
    lane = rig.lane
    await called(rig)
    lane.camera.seen = CLONE
    refused(await lane.runner.tare("D01"), Reason.PLATE_UNSURE)
    done(await lane.runner.compare("D01", "N1", True, question(rig).look.picture))
    done(await lane.runner.start_loading("D01"))
    lane.camera.seen = OTHER
    await lane.stand(TARE_KG + 18_000)
    why = refused(await lane.runner.load_complete("D01", "N1"), Reason.PLATE_DIFFERS)
    assert why.numbers["before"] == "" and len(await rig.told(PlateQuestioned)) == 1


async def test_who_was_held_for_his_plate_does_not_hide_it(rig: PlantRig) -> None:
    """Nor does a camera that fails just then let him through: a person says so, without a picture if need be."""
    await rig.send(notice())
    lane = await rig.loading()
    lane.camera.seen = OTHER
    await lane.stand(TARE_KG + 18_000)
    refused(await lane.runner.load_complete("D01", "N1"), Reason.PLATE_DIFFERS)
    lane.camera.error = DeviceTimeout("camera 1", "no picture", "look")
    refused(await lane.runner.recheck("D01", "N1"), Reason.PLATE_UNSURE)
    assert (await rig.visit()).state is VisitState.HELD
    done(await lane.runner.compare("D01", "N1", True, question(rig).look.picture))
    (said,) = await rig.told(PlateDecided)
    assert (said.answer, said.seen, said.look) == ("same", "", None)
    assert (await rig.told(Weighed))[-1].plate_by == "D01"


async def test_another_truck_at_the_tare_is_refused_and_on_record(rig: PlantRig) -> None:
    await rig.send(notice())
    await called(rig)
    rig.lane.camera.seen = OTHER
    refused(await rig.lane.runner.tare("D01"), Reason.PLATE_DIFFERS)
    assert rig.lane.runner.view().plate_question is None, "what is clear is not asked"
    (doubt,) = await rig.told(PlateQuestioned)
    assert (doubt.agreement, doubt.claimed) == ("differs", PLATE)
    assert doubt.look is not None and doubt.look.free == OTHER and doubt.look.crop_sha256


async def test_the_question_leaves_with_its_truck(rig: PlantRig) -> None:
    await rig.send(notice())
    await called(rig)
    rig.lane.camera.seen = CLONE
    refused(await rig.lane.runner.tare("D01"), Reason.PLATE_UNSURE)
    shown = question(rig).look.picture
    await rig.lane.drive_off()
    await until(lambda: rig.lane.runner.view().plate_question is None)
    await rig.lane.stand(TARE_KG)
    refused(await rig.lane.runner.compare("D01", "N1", True, shown), Reason.NO_PLATE_QUESTION)


async def test_the_entrance_suggests_and_a_person_taps(tmp_path: Path) -> None:
    async with running(tmp_path, entrance=True) as rig:
        await rig.grant(10_000_000)
        await rig.send(notice(), notice("N2", plate=OTHER), notice("N3", plate=CLONE))
        view = await rig.station.yard.look()
        assert (view.plates, view.sure) == ((PLATE,), True)
        assert set(rig.entrance.expected) == {PLATE, OTHER, CLONE}
        assert view.look is not None
        done(await rig.station.yard.arrive(PLATE, "G02", view.look.picture))
        rig.entrance.seen, rig.entrance.unsure = CLONE, True
        view = await rig.station.yard.look()
        assert (view.plates, view.sure) == ((CLONE, OTHER), False), "the likeliest first, and not one that is inside"
        assert view.look is not None
        done(await rig.station.yard.arrive(CLONE, "G02", view.look.picture))
        rig.entrance.unsure = False
        done(await rig.station.yard.arrive(OTHER, "G02", "a picture that nobody took"))
        moves = [each for each in await rig.told(VisitMoved) if each.event == "arrive"]
        assert [each.look.free for each in moves if each.look] == [PLATE, CLONE, CLONE]
        (said,) = await rig.told(PlateDecided)
        assert (said.place, said.at_device, said.claimed, said.answer) == ("arrival", "entrance", CLONE, "same")
        (doubt,) = await rig.told(PlateQuestioned)
        assert (doubt.place, doubt.claimed, doubt.agreement) == ("arrival", OTHER, "differs"), "nobody is turned away"
    report = verify(tmp_path / "plant.db")
    assert report.ok and (report.plate_looks, report.plate_decisions) == (5, 1)


async def test_without_a_camera_at_the_entrance_people_type_as_ever(rig: PlantRig) -> None:
    await rig.send(notice())
    view = await rig.station.yard.look()
    assert (view.look, view.plates) == (None, ())
    done(await rig.station.yard.arrive(PLATE, "G02"))
    assert [each.look for each in await rig.told(VisitMoved)] == [None]


async def test_the_plates_of_a_visit_are_told_in_their_order(rig: PlantRig) -> None:
    """What the ticket's page shows."""
    code = await released(rig)
    rig.gate_camera.seen = CLONE
    verdict = asked(await rig.gate.scan(code, "G02"))
    await rig.gate.compare("G02", "王门卫", True, "", PAPER, verdict.picture)
    told = await rig.station.tickets.plates("N1")
    assert [(each.place.en, each.agreement, each.by) for each in told] == [
        ("tare", "agrees", ""), ("load complete", "agrees", ""),
        ("gate", "agrees", "王门卫"), ("gate", "agrees", "王门卫"),
    ]  # fmt: skip


async def test_compared_plates_are_kept_only_where_the_site_wants_it(tmp_path: Path) -> None:
    crops = CropStore(tmp_path / "crops", 1)
    async with running(tmp_path, crops=crops) as rig:
        await rig.grant(10_000_000)
        code = await released(rig)
        rig.gate_camera.seen = CLONE
        verdict = asked(await rig.gate.scan(code, "G02"))
        await rig.gate.compare("G02", "", False, "", PAPER, verdict.picture)
        assert crops.labels() == [], "a plate of which a person said no is none of ours"
        verdict = asked(await rig.gate.scan(code, "G02"))
        await rig.gate.compare("G02", "", True, "", PAPER, verdict.picture)
        (label,) = crops.labels()
        assert (label.plate, label.color, label.rows, label.kind) == (PLATE, "yellow", "1", "crop")
        assert (tmp_path / "crops" / label.file).read_bytes().startswith(b"crop of")


async def test_looks_of_a_camera_that_fails_are_no_looks(rig: PlantRig) -> None:
    assert plates.look_record(Seen(None)) is None
    assert plates.look_record(Seen(None, "5a" * 32)) is not None


def test_the_other_plates_in_view_are_on_record() -> None:
    other = PlateReading("苏E6H369", None, 955)
    seen = Seen(PlateMatch(PlateAnswer.ASK, None, (), PlateReading("浙A12345", None, 990), beside=(other,)))
    record = plates.look_record(seen)
    assert record is not None and (record.free, record.beside) == ("浙A12345", ("苏E6H369",))
