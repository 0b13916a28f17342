"""Exit passes as a forger would change them: bits, bytes, fields, characters, parts of two passes, a known trick."""

import random
import struct
from collections.abc import Callable, Sequence

from edge.domain.pass_code import base45_decode, base45_encode

PAYLOAD_BYTES = 37
_ORDER = 2**252 + 27742317777372353535851937790883648493
"""Of Ed25519's group: S + order passes a check that does not look at S's range (RFC 8032, 5.1.7)."""
_FIELDS = {"number": (6, ">I"), "net_kg": (18, ">I"), "issued": (30, ">I"), "ttl": (34, ">H"), "product": (36, ">B")}


class Forger:
    """Knows some genuine passes."""

    def __init__(self, genuine: Sequence[str], dice: random.Random) -> None:
        self._raws = [base45_decode(code) for code in genuine]
        self._issued = set(self._raws)
        self._dice = dice

    def forge(self) -> str:
        """One of the passes, changed in one random way into another or into none."""
        while True:
            way = self._dice.choices(_WAYS, _WEIGHTS)[0]
            code = way(self._dice.choice(self._raws), self._raws, self._dice)
            if isinstance(code, str):
                return code
            if code not in self._issued:
                return base45_encode(code)


def _flip_bits(raw: bytes, genuine: Sequence[bytes], dice: random.Random) -> bytes:
    changed = bytearray(raw)
    for _ in range(dice.choice((1, 1, 1, 2, 3, 8))):
        bit = dice.randrange(len(raw) * 8)
        changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def _other_bytes(raw: bytes, genuine: Sequence[bytes], dice: random.Random) -> bytes:
    changed = bytearray(raw)
    start, size = dice.randrange(len(raw)), dice.choice((1, 2, 4, 8, 32))
    part = len(raw[start : start + size])
    changed[start : start + size] = dice.choice((dice.randbytes(part), bytes(part), b"\xff" * part))
    return bytes(changed)


def _other_field(raw: bytes, genuine: Sequence[bytes], dice: random.Random) -> bytes:
    """What a forger wants: another ticket, another weight, another time, a longer life."""
    changed = bytearray(raw)
    offset, layout = dice.choice(list(_FIELDS.values()))
    size = struct.calcsize(layout)
    (value,) = struct.unpack_from(layout, raw, offset)
    struct.pack_into(layout, changed, offset, (value + dice.choice((-20, -1, 1, 20, 600, 86_400))) % 256**size)
    return bytes(changed)


def _splice(raw: bytes, genuine: Sequence[bytes], dice: random.Random) -> bytes:
    """The content of one pass with the signature of another, or both cut at any place."""
    cut = dice.choice((PAYLOAD_BYTES, PAYLOAD_BYTES + 32, dice.randrange(1, 101)))
    return raw[:cut] + dice.choice(genuine)[cut:]


def _other_characters(raw: bytes, genuine: Sequence[bytes], dice: random.Random) -> str:
    """As a bad scanner or a person would; never the same pass in other characters."""
    code = base45_encode(raw)
    at = dice.randrange(1, len(code))
    way = dice.randrange(4)
    if way == 0:
        others = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:浙é\0".replace(code[at], "")
        return code[:at] + dice.choice(others) + code[at + 1 :]
    if way == 1:
        return code[:at] + code[at + 1 :]
    if way == 2:
        return code[:at] + dice.choice("09AZ:") + code[at:]
    return code[:at]


def _shifted_signature(raw: bytes, genuine: Sequence[bytes], dice: random.Random) -> bytes:
    shifted = int.from_bytes(raw[-32:], "little") + dice.randrange(1, 8) * _ORDER
    return raw[:-32] + (shifted % 2**256).to_bytes(32, "little")


def _weak_point(raw: bytes, genuine: Sequence[bytes], dice: random.Random) -> bytes:
    """R of small order and S = 0: valid for any text under a weak key."""
    point = dice.choice((bytes(32), b"\x01" + bytes(31), b"\xec" + b"\xff" * 30 + b"\x7f"))
    return raw[:PAYLOAD_BYTES] + point + bytes(32)


_Way = Callable[[bytes, Sequence[bytes], random.Random], bytes | str]
_WAYS: tuple[_Way, ...] = (
    _flip_bits, _other_bytes, _other_field, _splice, _other_characters, _shifted_signature, _weak_point,
)  # fmt: skip
_WEIGHTS = (50, 15, 10, 10, 10, 4, 1)
