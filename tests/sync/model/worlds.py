"""The worlds that are searched to the end: short ones in every run, long ones in `make faults`."""

from tests.sync.model.values import Bounds

SHORT = {
    "two plants, one fund": Bounds(
        paid=2, granted=2, sold=2, returned=1, voids=True, closing=True, deaths=True, paper=True
    ),
    "a box is replaced while it still sells": Bounds(
        boxes=("A", "A"), enrolled=1, paid=2, granted=2, sold=2, closing=True, deaths=True, paper=True, zombies=True
    ),
    "plants restored from copies": Bounds(
        paid=1, granted=2, sold=2, returned=1, copies=True, deaths=True, paper=True
    ),
    "head office restored twice": Bounds(paid=1, granted=1, sold=1, returned=1, backups=1, terms=3),
    "two head offices at once": Bounds(paid=1, granted=1, sold=1, backups=1, offices=2, terms=3),
    "cheques bounce, refunds, restored": Bounds(
        paid=1, granted=1, sold=1, returned=1, undone=1, refunded=1, backups=1, terms=2
    ),
}  # fmt: skip
LONG = {
    "two plants, one fund": Bounds(
        paid=3, granted=3, sold=3, returned=2, voids=True, closing=True, deaths=True, paper=True
    ),
    "a box is replaced while it still sells": Bounds(
        boxes=("A", "A"), enrolled=1, paid=3, granted=3, sold=3, returned=1, voids=True, closing=True, deaths=True,
        paper=True, zombies=True,
    ),
    "head office restored twice, boxes lost": Bounds(
        paid=1, granted=1, sold=1, returned=1, deaths=True, paper=True, backups=1, terms=3
    ),
    "head office restored twice, boxes replaced": Bounds(
        boxes=("A", "A"), enrolled=1, paid=1, granted=1, sold=1, returned=1, deaths=True, paper=True, backups=1, terms=3
    ),
    "head office restored three times, a plant added": Bounds(
        enrolled=1, paid=1, granted=1, sold=1, backups=1, terms=4
    ),
    "two head offices at once": Bounds(paid=1, granted=1, sold=1, backups=1, offices=2, terms=4),
    "plants and head office restored": Bounds(
        paid=1, granted=1, sold=1, copies=True, backups=1, terms=2
    ),
    "cheques bounce, refunds, restored": Bounds(
        paid=2, granted=1, sold=1, returned=1, undone=1, refunded=1, backups=1, terms=2
    ),
}  # fmt: skip
