"""Signatures at the plant: its own under exit passes, head office's under top-up codes.

The exit pass signed and believed: Ed25519 over `b"exitpass1" + payload` (`edge.domain.pass_code`), so that nothing
else signed with this key can be shown as a pass.
"""

import hashlib
import hmac
import os

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from edge.domain.exit_pass import ExitPass
from edge.domain.pass_code import base45_encode, payload_of, read_payload, split_code
from sync import carried
from sync.keys import Instance

_DOMAIN = b"exitpass1"


class PassForged(Exception):
    """It has a pass's shape, but not our signature."""


class PassKey:
    """Signs and reads the exit passes of one plant epoch."""

    def __init__(self, private_key: Ed25519PrivateKey) -> None:
        self._private = private_key
        public = private_key.public_key()
        self._public = public
        self.key_id = hashlib.sha256(public.public_bytes_raw()).digest()[0]
        self._plate_key = hashlib.sha256(b"weighgate-plate-hash" + private_key.private_bytes_raw()).digest()

    def instance(self, plant: str, epoch: int) -> Instance:
        """The plant epoch whose key this is."""
        return Instance.of(plant, epoch, self._public)

    def plate_hash(self, plate: str) -> bytes:
        """8 bytes that only this plant can make of a plate."""
        return hmac.digest(self._plate_key, plate.encode(), "sha256")[:8]

    def write(self, exit_pass: ExitPass) -> str:
        """The code printed on the exit pass."""
        payload = payload_of(exit_pass, self.key_id)
        return base45_encode(payload + self._private.sign(_DOMAIN + payload))

    def read(self, code: str) -> ExitPass:
        """The content of a scanned code; PassUnreadable or PassForged when it must not be believed."""
        payload, signature = split_code(code)
        try:
            self._public.verify(signature, _DOMAIN + payload)
        except InvalidSignature as error:
            raise PassForged("the signature does not hold") from error
        return read_payload(payload)


class OfficeKey:
    """Reads top-up codes 充值码 that head office signed."""

    def __init__(self, public_key: Ed25519PublicKey) -> None:
        self._public = public_key

    def read(self, code: str) -> carried.CarriedGrant:
        """What a code says; `sync.carried.CarriedGrantError` when it must not be believed."""
        return carried.read(code, self._public)


def new_pass_id() -> str:
    """8 random bytes, hex."""
    return os.urandom(8).hex()
