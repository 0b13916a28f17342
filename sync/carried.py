"""充值码: head office's grant as a text that a person carries to a plant whose link is down. Pure: no IO, no clock.

Bytes (big endian): version 1 | plant code, length 1 first | epoch 2 | key fingerprint 8 | term number 4 | first 8 bytes
of the term's id | account in UTF-8, length 2 first | cumulative grant in fen 8 | made at, Unix seconds 4; then 64 bytes
of Ed25519 by head office over "weighgate-grant1" and those bytes.

Text: Crockford's base32 in capitals, so that it stands in a QR code's alphanumeric mode and can be read over a
telephone. Every 20 characters are one line and end with a check character: the line's number and its characters are the
coefficients of a polynomial over GF(32) that is zero at a primitive element. So any one wrong character, any two that
changed places, and a line typed in another line's place are found, with the number of the line.
"""

import struct
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from sync.keys import Instance
from sync.messages import Term

LINE_CHARACTERS = 21
"""20 characters of the code and their check character; the last line may be shorter."""
MOST_CHARACTERS = 1200
"""No code is longer, with the longest name that an account may have and a blank in every group."""

_VERSION = 1
_DOMAIN = b"weighgate-grant1"
_SIGNATURE_BYTES = 64
_NAME_CHARACTERS, _MOST_FEN = 120, 10**15
"""As in `sync.fields`: what a record could not tell is neither written nor believed."""
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_VALUES = {character: value for value, character in enumerate(_ALPHABET)} | {"O": 0, "I": 1, "L": 1}
_IGNORED = str.maketrans("", "", " -\t\r\n\u2009")
_BEGINNINGS = ("04", "05", "06", "07")
"""The version in the first eight bits."""
_GROUP = 5
_FIELD_POLYNOMIAL = 0b100101
_TAIL = struct.Struct(">QI")
_MIDDLE = struct.Struct(">H8sI8s")


class CarriedFault(StrEnum):
    """What is wrong with a text that should be a top-up code."""

    NOT_A_CODE = "not a top-up code"
    TYPO = "typo"
    TRUNCATED = "cut short"
    OTHER_VERSION = "made by another version"
    FORGED = "not signed by head office"


class CarriedGrantError(Exception):
    """The text is no grant of head office. `line` counts from 1: where to look again; 0 where no line is to blame."""

    def __init__(self, fault: CarriedFault, line: int = 0) -> None:
        super().__init__(f"{fault.value}, line {line}" if line else fault.value)
        self.fault = fault
        self.line = line


@dataclass(frozen=True, slots=True)
class TermMark:
    """A term of head office as a code names it: 16 hex digits of its id are enough to tell two apart."""

    number: int
    id_prefix: str

    @classmethod
    def of(cls, term: Term) -> "TermMark":
        """The mark of a whole term."""
        return cls(term.number, term.id[:16])


@dataclass(frozen=True, slots=True)
class CarriedGrant:
    """What a code says: the same cumulative grant that head office sends by link."""

    instance: Instance
    term: TermMark
    account: str
    granted_fen: int
    made_at: datetime
    """Aware, whole seconds; for people only, nothing is decided by it."""


def write(grant: CarriedGrant, private_key: Ed25519PrivateKey) -> str:
    """The signed code, capitals and digits without blanks. ValueError for a grant that does not fit the layout."""
    raw = _pack(grant)
    return _with_checks(_base32(raw + private_key.sign(_DOMAIN + raw)))


def lines(text: str) -> list[str]:
    """A code as it is shown to be typed: its lines in order, in groups of five characters."""
    return [
        " ".join(line[start : start + _GROUP] for start in range(0, len(line), _GROUP)) for line in _lines(_tidy(text))
    ]


def read(text: str, office_public_key: Ed25519PublicKey) -> CarriedGrant:
    """What a code says, if head office signed it. Blanks, hyphens, line breaks, small letters, O for 0 and I or L for 1
    are forgiven; so are the numbers that the lines are shown with, and the same code scanned twice. CarriedGrantError
    says what is wrong otherwise, and in which line.

    Whether the grant is for this plant, in its term and still of use is the plant's question.
    """
    raw = _checked(_once(_tidy(_without_numbers(text))))
    try:
        grant, size = _unpack(raw)
    except (struct.error, ValueError):
        raise CarriedGrantError(CarriedFault.FORGED) from None
    try:
        office_public_key.verify(raw[size:], _DOMAIN + raw[:size])
    except InvalidSignature:
        raise CarriedGrantError(CarriedFault.FORGED) from None
    return grant


def _pack(grant: CarriedGrant) -> bytes:
    plant, account = grant.instance.plant.encode("ascii"), grant.account.encode()
    if grant.made_at.tzinfo is None:
        raise ValueError(f"a time has a zone: {grant}")
    _check_limits(grant)
    try:
        middle = _MIDDLE.pack(
            grant.instance.epoch,
            bytes.fromhex(grant.instance.fingerprint),
            grant.term.number,
            bytes.fromhex(grant.term.id_prefix),
        )
        tail = _TAIL.pack(grant.granted_fen, int(grant.made_at.timestamp()))
    except struct.error as error:
        raise ValueError(f"{grant} does not fit a top-up code: {error}") from None
    return b"".join((bytes([_VERSION, len(plant)]), plant, middle, struct.pack(">H", len(account)), account, tail))


def _check_limits(grant: CarriedGrant) -> None:
    if not (1 <= len(grant.account) <= _NAME_CHARACTERS and 0 <= grant.granted_fen <= _MOST_FEN):
        raise ValueError(f"an account has 1 to {_NAME_CHARACTERS} characters, a grant 0 to {_MOST_FEN} fen: {grant}")


def _unpack(raw: bytes) -> tuple[CarriedGrant, int]:
    """The grant and how many bytes it took."""
    at = 2 + raw[1]
    plant = raw[2:at].decode("ascii")
    epoch, fingerprint, term_number, term_prefix = _MIDDLE.unpack_from(raw, at)
    at += _MIDDLE.size
    (account_bytes,) = struct.unpack_from(">H", raw, at)
    at += 2
    account = raw[at : at + account_bytes].decode()
    at += account_bytes
    granted_fen, made_at = _TAIL.unpack_from(raw, at)
    grant = CarriedGrant(
        Instance(plant, epoch, fingerprint.hex()),
        TermMark(term_number, term_prefix.hex()),
        account,
        granted_fen,
        datetime.fromtimestamp(made_at, UTC),
    )
    _check_limits(grant)
    return grant, at + _TAIL.size


def _without_numbers(text: str) -> str:
    """Without the line numbers that a code is shown with, when all lines have theirs: 1, 2, 3 … before their groups."""
    if len(text) > 4 * MOST_CHARACTERS:
        return text
    words = text.split()
    kept: list[str] = []
    number, size = 0, LINE_CHARACTERS
    for word in words:
        if size >= LINE_CHARACTERS and word.rstrip(".:)、") == str(number + 1):
            number, size = number + 1, 0
            continue
        size += len(word.replace("-", ""))
        kept.append(word)
    enough = number and number == -(-sum(len(word.replace("-", "")) for word in kept) // LINE_CHARACTERS)
    return " ".join(kept) if enough else text


def _once(tidy: str) -> str:
    """A code that was scanned twice into the same field, once."""
    half, odd = divmod(len(tidy), 2)
    return tidy[:half] if not odd and tidy[:half] == tidy[half:] else tidy


def _tidy(text: str) -> str:
    """Without what is forgiven. A text far too long is no code; it is not looked at."""
    if len(text) > 4 * MOST_CHARACTERS:
        raise CarriedGrantError(CarriedFault.NOT_A_CODE)
    return text.translate(_IGNORED).upper()


def _lines(tidy: str) -> list[str]:
    return [tidy[start : start + LINE_CHARACTERS] for start in range(0, len(tidy), LINE_CHARACTERS)]


def _with_checks(text: str) -> str:
    data = LINE_CHARACTERS - 1
    parts = [text[start : start + data] for start in range(0, len(text), data)]
    return "".join(part + _ALPHABET[_check(number, part)] for number, part in enumerate(parts, 1))


def _checked(tidy: str) -> bytes:
    """The bytes of a text whose lines all hold and that is as long as its beginning says.

    The first line that does not hold is to blame; a last line that is too short was cut, not mistyped.
    """
    parts = _lines(tidy)
    bad = [number for number, line in enumerate(parts, 1) if not _holds(number, line)]
    if not tidy or (bad and bad[0] == 1 and len(bad) * 2 > len(parts) and tidy[:2] not in _BEGINNINGS):
        raise CarriedGrantError(CarriedFault.NOT_A_CODE)
    sound = parts[: bad[0] - 1] if bad else parts
    raw = _bytes("".join(line[:-1] for line in sound))
    if raw and raw[0] != _VERSION:
        raise CarriedGrantError(CarriedFault.OTHER_VERSION)
    whole = _whole_characters(raw)
    if bad and (bad[0] < len(parts) or len(tidy) >= whole):
        raise CarriedGrantError(CarriedFault.TYPO, bad[0])
    if len(tidy) != whole:
        fault = CarriedFault.TRUNCATED if len(tidy) < whole else CarriedFault.TYPO
        raise CarriedGrantError(fault, len(parts))
    return raw


def _whole_characters(raw: bytes) -> int:
    """How long a code with this beginning is, checks included; where the beginning ends too early, at least."""
    account_at = 2 + (raw[1] if len(raw) > 1 else 1) + _MIDDLE.size
    account_bytes = int.from_bytes(raw[account_at : account_at + 2], "big") if len(raw) > account_at + 1 else 1
    size = account_at + 2 + account_bytes + _TAIL.size + _SIGNATURE_BYTES
    characters = -(-size * 8 // 5)
    return characters + -(-characters // (LINE_CHARACTERS - 1))


def _holds(number: int, line: str) -> bool:
    known = all(character in _VALUES for character in line)
    return known and len(line) > 1 and _check(number, line[:-1]) == _VALUES[line[-1]]


def _check(number: int, data: str) -> int:
    """Horner's rule at the primitive element 2 of GF(32)."""
    value = number % 32
    for character in data:
        value = _double(value) ^ _VALUES[character]
    return _double(value)


def _double(value: int) -> int:
    value <<= 1
    return value ^ _FIELD_POLYNOMIAL if value & 32 else value


def _base32(raw: bytes) -> str:
    bits = len(raw) * 8
    padding = -bits % 5
    number = int.from_bytes(raw, "big") << padding
    return "".join(_ALPHABET[(number >> shift) & 31] for shift in range(bits + padding - 5, -1, -5))


def _bytes(characters: str) -> bytes:
    """The inverse of `_base32`; bits left over are not looked at: the signature covers whole bytes."""
    number = 0
    for character in characters:
        number = number << 5 | _VALUES.get(character, 0)
    bits = len(characters) * 5
    return (number >> bits % 8).to_bytes(bits // 8, "big")
