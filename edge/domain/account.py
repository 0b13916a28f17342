"""The prepayment account at this plant, and the hold that reserves part of it for one truck.

A hold is placed with the notice, posted by the ticket (the rest is released), or released by cancel or expiry; it
resolves once. The counters themselves, and the law they obey, are `sync.allotment.PlantCounters`.
"""

from sync.allotment import PlantCounters


def place_hold(counters: PlantCounters, wanted_fen: int) -> tuple[PlantCounters, int]:
    """Reserve as much of `wanted_fen` as is available here; returns the new counters and the hold."""
    hold_fen = min(wanted_fen, counters.available_fen)
    return counters.hold(hold_fen), hold_fen


def raise_hold(counters: PlantCounters, hold_fen: int, to_fen: int) -> tuple[PlantCounters, int]:
    """Raise an open hold towards `to_fen` from what is available; never lowers it."""
    more_fen = max(0, min(to_fen - hold_fen, counters.available_fen))
    return counters.hold(more_fen), hold_fen + more_fen


def lower_hold(counters: PlantCounters, hold_fen: int, to_fen: int) -> tuple[PlantCounters, int]:
    """Give back the part of an open hold above `to_fen`."""
    less_fen = max(0, hold_fen - to_fen)
    return counters.release(less_fen), hold_fen - less_fen


def post_hold(counters: PlantCounters, hold_fen: int, amount_fen: int) -> PlantCounters:
    """The ticket's debit: the hold is first raised to the amount where needed, then ends with it.

    So no ticket ever exceeds its hold. The caller has decided that `amount_fen ≤ hold_fen + available_fen`.
    """
    counters, hold_fen = raise_hold(counters, hold_fen, amount_fen)
    return counters.post(hold_fen, amount_fen)


def spendable_fen(counters: PlantCounters, hold_fen: int) -> int:
    """What one truck may cost at most: its own hold and whatever is free at this plant."""
    return hold_fen + counters.available_fen
