"""Mass and money as integers, computed and written alike at both ends. No float comes near either.

Kilograms `_kg`, fen `_fen` (1/100 yuan), prices in fen per tonne.
"""

import re

_THIN_SPACE = "\u2009"
_YUAN = re.compile(r"\s*(?P<yuan>\d{1,3}(?:,\d{3}){1,3}|\d{1,12})(?:\.(?P<fen>\d{1,2}))?\s*")


def amount_fen(net_kg: int, price_fen_per_t: int) -> int:
    """Price of a net weight, rounded half up once: the one place money is made from mass (docs/rules.md).

    >>> amount_fen(28_340, 200_000)
    5668000
    """
    if net_kg < 0 or price_fen_per_t < 0:
        raise ValueError(f"net_kg {net_kg} and price_fen_per_t {price_fen_per_t} must not be negative")
    return (net_kg * price_fen_per_t + 500) // 1000


def format_kg(mass_kg: int) -> str:
    """Kilograms in groups of three with thin spaces: `14 520`; a real minus sign below zero."""
    digits = f"{abs(mass_kg):,}".replace(",", _THIN_SPACE)
    return digits if mass_kg >= 0 else f"\u2212{digits}"


def format_fen(money_fen: int) -> str:
    """Fen as yuan: `56,680.00`; a real minus sign below zero.

    >>> format_fen(5668000)
    '56,680.00'
    """
    yuan, fen = divmod(abs(money_fen), 100)
    return f"{'' if money_fen >= 0 else chr(0x2212)}{yuan:,}.{fen:02}"


def parse_yuan(text: str) -> int:
    """Yuan as people type it (`56,680.5`, `￥ 100`) to fen; ValueError says what is allowed.

    A comma groups three digits and nothing else: `56,5` meant as a decimal would be ten times the money.
    """
    match = _YUAN.fullmatch(text.replace("￥", "").replace("¥", ""))
    if match is None:
        raise ValueError(f"{text!r} is not an amount: digits with at most two decimals, like 56680.50")
    return int(match["yuan"].replace(",", "")) * 100 + int((match["fen"] or "").ljust(2, "0"))
