"""置零 from the lane page: only an empty deck, told to the ledger before the indicator, and its end after."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime

import pytest

from drivers.ports import CommandNo, CommandRefused, DeviceTimeout, ScaleCommand
from drivers.scale.simulated_load import SimulatedLoad
from drivers.worker import monotonic_ms
from edge.domain.refusal import Reason
from edge.station.views import Done
from edge.store.books import Books
from edge.store.findings import Findings
from edge.store.replay_commands import CommandReplay
from sync.records import ScaleCommanded, ScaleCommandEnded
from tests.edge.station.rig import PlantRig, done, notice, refused, until

pytestmark = pytest.mark.anyio
COMMANDED, ENDED = ScaleCommanded.KIND, ScaleCommandEnded.KIND


async def bodies(rig: PlantRig) -> list[tuple[str, dict[str, object]]]:
    """What the ledger says of commands."""
    rows = await rig.database.read(lambda books: books.ledger.rows_after(0, 1_000))
    return [(row.kind, json.loads(row.body)) for row in rows if row.kind in (COMMANDED, ENDED)]


async def shown(rig: PlantRig, kg: int) -> None:
    """The deck shows this weight, and it is stable."""
    rig.lane.deck.set_weight_kg(kg)
    await until(lambda: rig.lane.runner.scale.may_zero() == kg)


async def test_an_empty_deck_is_zeroed_and_both_ends_are_kept(rig: PlantRig) -> None:
    told: list[str] = []
    watch = rig.lane.runner.scale.watch
    watch.zeroed = lambda: told.append("zeroed")  # type: ignore[method-assign]
    for kg in (60, -140):
        rig.lane.deck.shift_zero(kg)
        await until(lambda kg=kg: rig.lane.runner.scale.may_zero() == kg)  # type: ignore[misc]
        assert f"{kg} kg" in done(await rig.lane.runner.zero("调度", str(kg))).words.zh
        await until(lambda: rig.lane.runner.scale.shown_kg() == 0)
    (first, before), (second, after), *_ = await bodies(rig)
    assert (first, second) == (COMMANDED, ENDED)
    expected = {
        "lane": "1", "command": "zero", "indicator": "toledo", "weight_kg": 60, "range_kg": 4000, "visit": "",
        "person": "调度",
    }  # fmt: skip
    assert {name: before[name] for name in expected} == expected
    assert (after["result"], after["weight_kg"]) == ("done", 0)
    assert told == ["zeroed", "zeroed"], "the scale watch knows of an operator's zero"


@pytest.mark.parametrize(
    "next_thing", [lambda deck: deck.set_weight_kg(15_000), lambda deck: setattr(deck, "pulled", True)]
)
async def test_the_note_of_a_zero_goes_with_the_next_thing(
    rig: PlantRig, next_thing: Callable[[SimulatedLoad], None]
) -> None:
    await shown(rig, 40)
    done(await rig.lane.runner.zero("调度", "40"))
    assert rig.lane.runner.view().done is not None
    next_thing(rig.lane.deck)
    await until(lambda: rig.lane.runner.view().done is None)


async def test_the_ledger_knows_before_the_indicator_does(rig: PlantRig) -> None:
    deck = rig.lane.deck
    seen: list[str] = []

    def command(command: ScaleCommand, not_after_ms: int | None = None) -> None:
        with closing(sqlite3.connect(rig.path)) as books:
            seen.extend(kind for (kind,) in books.execute("SELECT kind FROM ledger ORDER BY seq"))

    deck.command = command  # type: ignore[method-assign]
    await shown(rig, 40)
    done(await rig.lane.runner.zero("调度", "40"))
    assert seen[-1] == COMMANDED, "committed, and not yet ended"
    assert [kind for kind, _ in await bodies(rig)] == [COMMANDED, ENDED]


@pytest.mark.parametrize(
    ("error", "reason", "result"),
    [
        (CommandRefused("scale", ScaleCommand.ZERO, CommandNo.ABOVE_RANGE), Reason.ZERO_REFUSED, "refused"),
        (DeviceTimeout("scale", "no answer", "Look at it"), Reason.ZERO_UNKNOWN, "unknown"),
    ],
)
async def test_what_the_indicator_did_not_do_is_said_and_kept(
    rig: PlantRig, error: Exception, reason: Reason, result: str
) -> None:
    def command(command: ScaleCommand, not_after_ms: int | None = None) -> None:
        raise error

    rig.lane.deck.command = command  # type: ignore[method-assign]
    await shown(rig, 40)
    refusal = refused(await rig.lane.runner.zero("调度", "40"), reason)
    assert rig.lane.runner.view().last is not None
    assert refusal.words.zh
    (_, _), (_, ended) = await bodies(rig)
    assert (ended["result"], ended["weight_kg"]) == (result, 40)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda deck: deck.set_weight_kg(900), Reason.ZERO_CHANGED),
        (lambda deck: deck.set_moving(True), Reason.SCALE_MOVING),
        (lambda deck: deck.set_weight_kg(15_000), Reason.ZERO_RANGE),
    ],
)
async def test_a_wheel_that_rolls_on_while_the_ledger_is_written_is_not_zeroed_away(
    rig: PlantRig, monkeypatch: pytest.MonkeyPatch, change: Callable[[SimulatedLoad], None], reason: Reason
) -> None:
    deck, scale, commit = rig.lane.deck, rig.lane.runner.scale, rig.desk.commit
    told: list[ScaleCommand] = []

    def command(command: ScaleCommand, not_after_ms: int | None = None) -> None:
        told.append(command)

    deck.command = command  # type: ignore[method-assign]
    await shown(rig, 40)

    async def slow(work: Callable[[Books], object]) -> object:
        monkeypatch.undo()
        outcome = await commit(work)
        change(deck)
        await until(lambda: getattr(scale.may_zero(), "reason", None) is reason or scale.may_zero() == 900)
        return outcome

    monkeypatch.setattr(rig.desk, "commit", slow)
    refusal = refused(await rig.lane.runner.zero("调度", "40"), reason)
    assert told == []
    (_, begun), (_, ended) = await bodies(rig)
    assert (begun["weight_kg"], ended["result"], ended["what"]) == (40, "refused", " / ".join(refusal.words))


async def test_a_command_that_would_come_late_is_not_sent(rig: PlantRig) -> None:
    deck = rig.lane.deck
    limits: list[int] = []

    def command(command: ScaleCommand, not_after_ms: int | None = None) -> None:
        assert not_after_ms is not None
        limits.append(not_after_ms - monotonic_ms())
        raise CommandRefused("scale", command, CommandNo.TOO_LATE)

    deck.command = command  # type: ignore[method-assign]
    await shown(rig, 40)
    refused(await rig.lane.runner.zero("调度", "40"), Reason.ZERO_REFUSED)
    assert 0 < limits[0] <= 1_000
    (_, _), (_, ended) = await bodies(rig)
    assert ended["result"] == "refused" and "not sent" in str(ended["what"])


async def test_no_zero_under_a_truck(rig: PlantRig) -> None:
    await rig.send(notice())
    await rig.lane.drive_off()
    done(await rig.station.yard.arrive("浙A12345", "调度"))
    done(await rig.lane.runner.call("N1", "调度"))
    await shown(rig, 40)
    refused(await rig.lane.runner.zero("调度", "40"), Reason.LANE_BUSY)
    why = next(each for each in rig.lane.runner.view().actions if each.name == "zero")
    assert not why.enabled and why.why.zh
    assert await bodies(rig) == []
    done(await rig.lane.runner.park("调度", "N1"))
    assert isinstance(await rig.lane.runner.zero("调度", "40"), Done)


async def test_a_truck_that_is_done_and_gone_does_not_bar_the_zero_that_the_next_one_needs(rig: PlantRig) -> None:
    await rig.send(notice())
    await rig.ticketed()
    refused(await rig.lane.runner.zero("调度", "32520"), Reason.LANE_BUSY)
    await shown(rig, 60)  # dirt: it does not come back to zero by itself
    done(await rig.lane.runner.zero("调度", "60"))
    await until(lambda: rig.desk.snapshot.lanes["1"].visit == "")


@pytest.mark.parametrize(
    ("kg", "reason"),
    [(4_020, Reason.ZERO_RANGE), (-4_020, Reason.ZERO_RANGE), (1_500, Reason.ZERO_OCCUPIED)],
)
async def test_what_may_not_be_zeroed_is_not(rig: PlantRig, kg: int, reason: Reason) -> None:
    rig.lane.deck.set_weight_kg(kg)
    scale = rig.lane.runner.scale
    await until(lambda: scale.shown_kg() == kg and not isinstance(scale.monitor.resting_kg(0), int))
    await until(lambda: getattr(scale.may_zero(), "reason", None) is reason)
    refused(await rig.lane.runner.zero("调度", str(kg)), reason)
    assert await bodies(rig) == []


async def test_the_weight_must_be_the_one_that_was_confirmed_and_stable_and_there(rig: PlantRig) -> None:
    await shown(rig, 200)
    refused(await rig.lane.runner.zero("调度", "40"), Reason.ZERO_CHANGED)
    refused(await rig.lane.runner.zero("调度", "--40"), Reason.ZERO_CHANGED)
    rig.lane.deck.set_moving(True)
    await until(lambda: getattr(rig.lane.runner.scale.may_zero(), "reason", None) is Reason.SCALE_MOVING)
    refused(await rig.lane.runner.zero("调度", "200"), Reason.SCALE_MOVING)
    rig.lane.deck.pulled = True
    await until(lambda: rig.lane.runner.scale.shown_kg() is None)
    refused(await rig.lane.runner.zero("调度", "200"), Reason.SCALE_LOST)
    assert await bodies(rig) == []


async def test_an_indicator_that_cannot_be_told_says_so(rig: PlantRig) -> None:
    rig.lane.deck.commands = frozenset()
    await rig.lane.stand(0)
    refused(await rig.lane.runner.zero("调度", "0"), Reason.ZERO_NOT_OFFERED)


def test_an_end_without_its_command_is_found() -> None:
    now = datetime.now(UTC)
    begun = ScaleCommanded(
        lane="1", command="zero", indicator="toledo", weight_kg=0, person="调度", business_date="2026-11-23", at=now
    )
    ended = ScaleCommandEnded(commanded=2, lane="1", result="done", what="", weight_kg=0, at=now)
    findings = Findings(["commands"])
    replay = CommandReplay(findings)
    replay.told(1, begun, "")  # the power went
    replay.told(2, begun, "")
    replay.ended(3, ended)
    assert not findings.first["commands"]
    replay.ended(4, ended)
    assert "row 4 ends command 2" in findings.first["commands"]
