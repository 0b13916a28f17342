"""What was doubtful once stays so: a plate that is hidden, asked again and again, or answered for much later is no way
past the question. A person decides, on record.
"""

import asyncio
import fcntl
from pathlib import Path

import pytest

from edge.domain.refusal import Reason
from edge.domain.visit import VisitState
from edge.station import gate_runner
from edge.station.crops import LABELS, CropStore
from edge.station.views import VerdictView
from sync.plate_records import PlateDecided, PlateQuestioned
from sync.records import GateRefused, Weighed
from tests.edge.station.rig import PLATE, TARE_KG, Lane, PlantRig, done, notice, refused, running
from tests.edge.station.test_plates import CLONE, OTHER, PAPER, asked, called, question, released

pytestmark = pytest.mark.anyio


async def decided(rig: PlantRig) -> None:
    """The camera sees nothing: it is asked about, and goes on with a person's yes, on record."""
    assert not await rig.told(PlateDecided)
    done(await rig.lane.runner.compare("D01", "N1", True, question(rig).look.picture))
    (said,) = await rig.told(PlateDecided)
    assert (said.answer, said.operator) == ("same", "D01")
    assert (await rig.told(Weighed))[-1].plate_by == "D01"


async def lighter(rig: PlantRig) -> Lane:
    """N1 is loading somewhere; what stands on its deck now is as light as N1 was."""
    await rig.send(notice())
    lane = await rig.loading()
    await lane.drive_off()
    await lane.stand(TARE_KG + 40)
    return lane


async def test_another_truck_gets_no_slip_of_the_one_that_loads(rig: PlantRig) -> None:
    lane = await lighter(rig)
    lane.camera.seen = OTHER
    why = refused(await lane.runner.empty_exit("D01"), Reason.PLATE_DIFFERS)
    assert why.numbers["before"] == PLATE and (await rig.visit()).state is VisitState.LOADING
    (doubt,) = await rig.told(PlateQuestioned)
    assert (doubt.place, doubt.agreement) == ("empty", "swapped")
    lane.camera.seen = PLATE
    done(await lane.runner.empty_exit("D01"))


@pytest.mark.parametrize("seen", [CLONE, None])
async def test_an_empty_truck_that_the_camera_is_not_sure_of_is_compared(rig: PlantRig, seen: str | None) -> None:
    lane = await lighter(rig)
    lane.camera.seen = seen
    refused(await lane.runner.empty_exit("D01"), Reason.PLATE_UNSURE)
    assert question(rig).place.en == "empty exit" and (await rig.visit()).state is VisitState.LOADING
    await decided(rig)
    assert (await rig.visit()).state is VisitState.EMPTY_EXIT
    told = await rig.station.tickets.plates("N1")
    assert (told[-1].place.en, told[-1].agreement, told[-1].by) == ("empty exit", "agrees", "D01")


async def test_a_plate_that_was_seen_at_the_tare_is_not_hidden_at_load_complete(rig: PlantRig) -> None:
    await rig.send(notice())
    lane = await rig.loading()
    lane.camera.seen = None
    await lane.stand(TARE_KG + 18_000)
    refused(await lane.runner.load_complete("D01", "N1"), Reason.PLATE_UNSURE)
    await decided(rig)


async def test_who_was_never_seen_is_weighed_by_the_dispatchers_eyes(rig: PlantRig) -> None:
    """A site whose camera reads nothing is not asked at every press."""
    await rig.send(notice())
    await called(rig)
    lane = rig.lane
    lane.camera.seen = None
    done(await lane.runner.tare("D01", "N1"))
    done(await lane.runner.start_loading("D01"))
    await lane.stand(TARE_KG + 18_000)
    done(await lane.runner.load_complete("D01", "N1"))


async def unseen_tare(rig: PlantRig) -> Lane:
    """Another truck was held at load complete, of a tare of which no camera knows."""
    await rig.send(notice())
    await called(rig)
    lane = rig.lane
    lane.camera.seen = None
    done(await lane.runner.tare("D01", "N1"))
    done(await lane.runner.start_loading("D01"))
    lane.camera.seen = OTHER
    await lane.stand(TARE_KG + 18_000)
    refused(await lane.runner.load_complete("D01", "N1"), Reason.PLATE_DIFFERS)
    return lane


async def test_unloading_does_not_wash_a_doubt_away(rig: PlantRig) -> None:
    lane = await unseen_tare(rig)
    done(await lane.runner.unload("D01", "N1"))
    lane.camera.seen = None
    refused(await lane.runner.load_complete("D01", "N1"), Reason.PLATE_UNSURE)
    await decided(rig)


async def test_nor_does_a_hold_for_another_reason(rig: PlantRig) -> None:
    """Seen rightly in between, it is not in doubt any more."""
    lane = await unseen_tare(rig)
    lane.camera.seen = CLONE
    await lane.stand(60_000)
    refused(await lane.runner.recheck("D01", "N1"), Reason.PLATE_UNSURE)
    refused(await lane.runner.compare("D01", "N1", False, question(rig).look.picture), Reason.PLATE_DIFFERS)
    lane.camera.seen = None
    refused(await lane.runner.recheck("D01", "N1"), Reason.PLATE_UNSURE)
    lane.camera.seen = PLATE
    refused(await lane.runner.recheck("D01", "N1"), Reason.OVERLOAD)
    await lane.stand(TARE_KG + 18_000)
    lane.camera.seen = None
    done(await lane.runner.recheck("D01", "N1"))


async def test_who_was_refused_at_the_tare_does_not_cover_the_plate(rig: PlantRig) -> None:
    await rig.send(notice())
    await called(rig)
    rig.lane.camera.seen = OTHER
    refused(await rig.lane.runner.tare("D01"), Reason.PLATE_DIFFERS)
    rig.lane.camera.seen = None
    refused(await rig.lane.runner.tare("D01"), Reason.PLATE_UNSURE)
    await decided(rig)


@pytest.mark.parametrize("first", [CLONE, OTHER])
async def test_scanning_until_it_is_read_opens_nothing(rig: PlantRig, first: str) -> None:
    code = await released(rig)
    rig.gate_camera.seen = first
    assert (await rig.gate.scan(code, "G02")).verdict != "open"
    rig.gate_camera.seen = PLATE
    verdict = asked(await rig.gate.scan(code, "G02"))
    assert [each.reason for each in await rig.told(GateRefused)][-1] == "plate_unsure"
    assert rig.barrier.model.pulses == 0
    opened = await rig.gate.compare("G02", "王门卫", True, "", PAPER, verdict.picture)
    assert isinstance(opened, VerdictView) and (opened.verdict, opened.plate_by) == ("open", "王门卫")


async def test_a_doubt_is_of_its_own_pass(rig: PlantRig) -> None:
    code = await released(rig)
    await rig.lane.drive_off()
    await rig.send(notice("N2", plate=OTHER))
    second = await rig.pass_code(await rig.ticketed("N2", 1_000, plate=OTHER))
    rig.gate_camera.seen = OTHER
    assert (await rig.gate.scan(code, "G02")).verdict == "refuse"
    assert (await rig.gate.scan(second, "G02")).verdict == "open"


@pytest.mark.parametrize("override", [False, True])
async def test_an_answer_to_an_old_question_looks_again(
    rig: PlantRig, monkeypatch: pytest.MonkeyPatch, override: bool
) -> None:
    code = await released(rig)
    rig.gate_camera.seen = CLONE
    old = asked(await rig.gate.scan(code, "G02"))
    monkeypatch.setattr(gate_runner, "_QUESTION_MS", -1)
    rig.gate_camera.seen = OTHER  # it backed off, and another one stands there now
    if override:
        answer = await rig.gate.override("G02", "王门卫", "认识", PAPER)
    else:
        answer = await rig.gate.compare("G02", "王门卫", True, "", PAPER, old.picture)
    assert isinstance(answer, VerdictView) and answer.why is not None
    assert (answer.verdict, answer.why.reason) == ("refuse", "plate_differs") and answer.picture != old.picture
    assert rig.barrier.model.pulses == 0 and not await rig.told(PlateDecided)


async def test_what_an_open_question_shows_is_kept_until_it_is_answered(
    rig: PlantRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = await released(rig)
    monkeypatch.setattr(rig.pictures, "_budget_bytes", 60)  # two of the test's looks
    rig.gate_camera.seen = CLONE
    verdict = asked(await rig.gate.scan(code, "G02"))
    await rig.lane.drive_off()
    await rig.send(notice("N2", plate=OTHER))
    done(await rig.station.yard.arrive(OTHER, "D01"))
    done(await rig.lane.runner.call("N2", "D01"))
    await rig.lane.stand(TARE_KG)
    refused(await rig.lane.runner.tare("D01"), Reason.PLATE_DIFFERS)
    rig.lane.camera.seen = "苏E6H368"
    refused(await rig.lane.runner.tare("D01"), Reason.PLATE_UNSURE)
    shown = question(rig).look
    for number in range(4):
        await rig.pictures.keep(b"jpeg %d" % number, what="tare 2", at=rig.desk.clock.now())
    assert verdict.look is not None
    for digest in (verdict.look.picture, verdict.look.crop, shown.picture, shown.crop):
        assert rig.pictures.get(digest)
    done(await rig.lane.runner.compare("D01", "N2", True, shown.picture))
    await rig.gate.compare("G02", "", True, "", PAPER, verdict.picture)
    await rig.pictures.keep(bytes(60), what="tare 2", at=rig.desk.clock.now())
    assert not any(rig.pictures.get(digest) for digest in (verdict.picture, shown.picture)), "answered: they make way"


async def test_who_holds_the_crops_holds_no_gate(tmp_path: Path) -> None:
    """A command that erases was stopped while it held the lock: the next truck passes, and an alarm says so."""
    crops = CropStore(tmp_path / "crops", 1)
    async with running(tmp_path, crops=crops) as rig:
        await rig.grant(10_000_000)
        code = await released(rig)
        rig.gate_camera.seen = CLONE
        verdict = asked(await rig.gate.scan(code, "G02"))
        (tmp_path / "crops").mkdir()
        with (tmp_path / "crops" / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            answer = asyncio.create_task(rig.gate.compare("G02", "王", True, "", PAPER, verdict.picture))
            while not rig.barrier.model.pulses:
                await asyncio.sleep(0.01)
            again = await asyncio.wait_for(rig.gate.scan(code, "G02"), 5)
            assert again.why is not None and again.why.reason == "pass_used" and not answer.done()
            opened = await asyncio.wait_for(answer, 5)
        assert isinstance(opened, VerdictView) and opened.verdict == "open"
        assert [alarm.source for alarm in rig.desk.alarms] == ["plate crops"] and crops.labels() == []


@pytest.mark.parametrize("bad", [b"file,plate\n\xff\xfe", b"file,plate\n" + b"x" * 140_000 + b",y\n"])
async def test_a_damaged_list_of_crops_ends_no_weighing(tmp_path: Path, bad: bytes) -> None:
    crops = CropStore(tmp_path / "crops", 1)
    (tmp_path / "crops").mkdir()
    (tmp_path / "crops" / LABELS).write_bytes(bad)
    async with running(tmp_path, crops=crops) as rig:
        await rig.grant(10_000_000)
        await rig.send(notice())
        await called(rig)
        rig.lane.camera.seen = CLONE
        refused(await rig.lane.runner.tare("D01", "N1"), Reason.PLATE_UNSURE)
        done(await rig.lane.runner.compare("D01", "N1", True, question(rig).look.picture))
        assert (await rig.visit()).state is VisitState.TARED and not rig.desk.failed.done()
        assert [alarm.source for alarm in rig.desk.alarms] == ["plate crops"]
    assert (tmp_path / "crops" / LABELS).read_bytes() == bad, "left for a person to see"
