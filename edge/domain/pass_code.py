"""The exit pass as text: 101 bytes in 152 base45 characters. Whether the signature holds is not asked here.

Payload (big endian, 37 bytes): version 1 | key id 1 | plant 2 | epoch 2 | ticket 4 | pass id 8 | net kg 4 | plate
hash 8 | issued, Unix seconds 4 | time to live, minutes 2 | product 1. Then 64 bytes of signature. Base45: RFC 9285, the
characters of a QR code's alphanumeric mode.
"""

import struct
from datetime import UTC, datetime

from edge.domain.exit_pass import ExitPass

_LAYOUT = struct.Struct(">BBHHI8sI8sIHB")
_VERSION = 1
_SIGNATURE_BYTES = 64
_BASE45 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
_BASE45_VALUE = {char: value for value, char in enumerate(_BASE45)}

CODE_CHARACTERS = 152
"""Length of every pass code."""


class PassUnreadable(Exception):
    """The text is not an exit pass at all: wrong length, alphabet or version."""


def payload_of(exit_pass: ExitPass, key_id: int) -> bytes:
    """The bytes that are signed."""
    return _LAYOUT.pack(
        _VERSION,
        key_id,
        exit_pass.plant_number,
        exit_pass.epoch,
        exit_pass.number,
        bytes.fromhex(exit_pass.pass_id),
        exit_pass.net_kg,
        exit_pass.plate_hash,
        # A clock that stands beyond 2106 must not stop the weighing; what it stamps is marked as doubtful anyway.
        min(max(0, int(exit_pass.issued_at.timestamp())), 2**32 - 1),
        exit_pass.ttl_minutes,
        exit_pass.product_code,
    )


def split_code(code: str) -> tuple[bytes, bytes]:
    """Payload and signature of a code; PassUnreadable when it has no pass's shape."""
    # Base45 knows the space, and scanners, forms and people drop one that leads. Only the first character can be
    # one at an end: the second and the last encode values that are too small. A scanner behind Caps Lock types
    # small letters, which base45 does not have.
    try:
        raw = base45_decode(code.strip().upper().rjust(CODE_CHARACTERS))
    except ValueError as error:
        raise PassUnreadable(str(error)) from error
    if len(raw) != _LAYOUT.size + _SIGNATURE_BYTES or raw[0] != _VERSION:
        raise PassUnreadable(f"{len(raw)} bytes are not a pass of version {_VERSION}")
    return raw[: _LAYOUT.size], raw[_LAYOUT.size :]


def read_payload(payload: bytes) -> ExitPass:
    """What a payload says."""
    _, _, plant, epoch, number, pass_id, net_kg, plate_hash, issued, ttl, product = _LAYOUT.unpack(payload)
    return ExitPass(
        plant, epoch, number, pass_id.hex(), net_kg, plate_hash, datetime.fromtimestamp(issued, UTC), ttl, product
    )


def base45_encode(raw: bytes) -> str:
    """RFC 9285.

    >>> base45_encode(b"AB")
    'BB8'
    """
    out: list[str] = []
    for start in range(0, len(raw) - 1, 2):
        rest, low = divmod(raw[start] << 8 | raw[start + 1], 45)
        out += _BASE45[low], _BASE45[rest % 45], _BASE45[rest // 45]
    if len(raw) % 2:
        out += _BASE45[raw[-1] % 45], _BASE45[raw[-1] // 45]
    return "".join(out)


def base45_decode(text: str) -> bytes:
    """RFC 9285; ValueError for a foreign character, a wrong length or a value that does not fit.

    >>> base45_decode("BB8")
    b'AB'
    """
    if len(text) % 3 == 1:
        raise ValueError(f"{len(text)} characters cannot be base45")
    out = bytearray()
    for start in range(0, len(text), 3):
        group = text[start : start + 3]
        try:
            value = sum(_BASE45_VALUE[char] * 45**power for power, char in enumerate(group))
        except KeyError as error:
            raise ValueError(f"{error.args[0]!r} is not a base45 character") from error
        size = 2 if len(group) == 3 else 1
        if value >= 256**size:
            raise ValueError(f"{group!r} is not base45")
        out += value.to_bytes(size, "big")
    return bytes(out)
