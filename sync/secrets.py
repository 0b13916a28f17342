"""PINs and API tokens: kept as scrypt hashes (RFC 7914), compared in constant time."""

import base64
import hashlib
import hmac
import os
from typing import Annotated

from pydantic import AfterValidator

_COST, _BLOCK, _PARALLEL, _LENGTH = 2**14, 8, 1, 32


def hash_secret(secret: str) -> str:
    """`scrypt$salt$hash`, base64; a new salt each time."""
    salt = os.urandom(16)
    return f"scrypt${_text(salt)}${_text(_derive(secret, salt))}"


def matches(secret: str, stored: str) -> bool:
    """Whether the secret is the one that was hashed. About 50 ms, on purpose: call it away from the event loop."""
    salt, expected = parse_secret(stored)
    return hmac.compare_digest(_derive(secret, salt), expected)


def parse_secret(stored: str) -> tuple[bytes, bytes]:
    """Salt and hash of a stored secret; ValueError says how to make one."""
    try:
        name, salt, digest = stored.split("$")
        decoded = base64.b64decode(salt, validate=True), base64.b64decode(digest, validate=True)
    except ValueError as error:
        raise ValueError(_ALLOWED) from error
    if name != "scrypt" or len(decoded[0]) < 8 or len(decoded[1]) != _LENGTH:
        raise ValueError(_ALLOWED)
    return decoded


_ALLOWED = "allowed: scrypt$salt$hash as printed by `weighgate pin` or `weighgate-office token`"


def _check(stored: str) -> str:
    parse_secret(stored)
    return stored


SecretFormat = Annotated[str, AfterValidator(_check)]


def _derive(secret: str, salt: bytes) -> bytes:
    return hashlib.scrypt(secret.encode(), salt=salt, n=_COST, r=_BLOCK, p=_PARALLEL, dklen=_LENGTH)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
