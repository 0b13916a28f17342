"""Mass against money on the scale's own grid. Amounts themselves come from `sync.units`, the same at both ends."""


def floor_to_division(mass_kg: int, division_kg: int) -> int:
    """The largest multiple of the scale's division that is not above `mass_kg` (never below 0)."""
    return max(0, mass_kg) // division_kg * division_kg


def affordable_kg(money_fen: int, price_fen_per_t: int, division_kg: int) -> int:
    """The largest multiple of the division whose amount does not exceed `money_fen`.

    `amount_fen(net) ≤ money` ⟺ `net·price + 500 < 1000·(money + 1)`, because amounts round half up.

    >>> affordable_kg(6_480_000, 200_000, 20)
    32400
    """
    if money_fen < 0:
        return 0
    largest_kg = (1000 * money_fen + 499) // price_fen_per_t
    return floor_to_division(largest_kg, division_kg)


def excess_kg(amount_over_fen: int, net_kg: int, money_fen: int, price_fen_per_t: int, division_kg: int) -> int:
    """What must be unloaded so that the money suffices: a multiple of the division, 0 when nothing is over."""
    if amount_over_fen <= 0:
        return 0
    return net_kg - affordable_kg(money_fen, price_fen_per_t, division_kg)
