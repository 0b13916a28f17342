"""What both ends must agree on when all lines are whole, to the fen."""

from collections import Counter

from edge.store.verify import verify
from sync.allotment import PlantCounters
from tests.world.box import Box
from tests.world.ground import Ground


def read_again(world: Ground) -> None:
    """Both ends read their books again from the first row."""
    epochs = [world.office.state_of(box.instance.wire_id) for box in [*world.all_boxes, *world.retired]]
    forked = any(frozen for _, frozen in epochs)
    findings = world.office.verify()
    problems = [each for each in findings.problems if not (forked and ("frozen" in each or "no_forks" in each))]
    assert not problems, problems
    for box in world.all_boxes:
        report = verify(box.path)
        assert report.ok, [check for check in report.checks if not check.ok]


def agree(world: Ground, box: Box) -> None:
    """One box and head office hold the same rows and the same counters."""
    wire_id = box.instance.wire_id
    state, frozen = world.office.state_of(wire_id)
    if state == "settled":
        _settled(world, wire_id)
    if frozen or box.fenced:
        return
    head = box.read(lambda books: books.ledger.head())
    acked = box.read(lambda books: books.number("acked_seq"))
    there = world.office.rows(wire_id)
    assert there == (head.seq, head.hash), f"{wire_id}: {there} there, {head} here, {acked} acknowledged"
    assert acked == head.seq, f"{wire_id}: row {acked} of {head.seq} is acknowledged"
    mine = box.read(lambda books: books.accounts.all())
    for account, told in world.office.counters(wire_id).items():
        here = mine.get(account, PlantCounters())
        ours = (here.granted_fen, here.returned_fen, here.spent_fen, here.voided_fen, here.held_fen)
        if state == "open":
            assert told == ours, f"{wire_id} {account}: {told} at head office, {ours} at the plant"
        else:
            assert told[1:] == ours[1:], f"{wire_id} {account}: {told}, {ours}"
            # What is on its way to a closed box does not arrive any more. What restored books forgot of a box that was
            # settled by its disk nobody has to tell them: what it spent takes the place of what it was given.
            assert state == "settled" or told[0] >= ours[0], f"{wire_id} {account}: {told}, {ours}"


def _settled(world: Ground, wire_id: str) -> None:
    """Nobody settled with less than what was dispatched."""
    gone_fen: Counter[str] = Counter()
    for goods in world.truth.standing(wire_id):
        gone_fen[goods.account] += goods.amount_fen
    counted_fen = world.office.settled_fen(wire_id)
    for account, fen in gone_fen.items():
        assert fen <= counted_fen.get(account, 0), f"{wire_id} {account}: {fen} fen are gone"
