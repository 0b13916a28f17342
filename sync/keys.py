"""Ed25519 signing keys in files, and the name of a plant epoch, which is bound to its key.

Private keys are PKCS#8 PEM, readable by the owner only; public keys are the 32 raw bytes as 64 hex digits, so that they
can be read out over a telephone. TLS keys and certificates are another matter: `sync.certificates`.
"""

import hashlib
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

PLANT_CODE = re.compile(r"[A-Z0-9]{2,8}")
"""A plant code stands in topics, certificates and ticket numbers: capitals and digits only."""
_WIRE_ID = re.compile(r"(?P<plant>[A-Z0-9]{2,12})/(?P<epoch>[1-9]\d{0,8})/(?P<fingerprint>[0-9a-f]{16})")
_PUBLIC_HEX = re.compile(r"[0-9a-f]{64}")


class KeyFileError(Exception):
    """A key file is missing, unreadable, too open, or not a key. Says which file and what to do."""

    def __init__(self, path: Path, what: str, try_this: str) -> None:
        super().__init__(f"{path}: {what}. {try_this}.")
        self.path = path
        self.what = what
        self.try_this = try_this


@dataclass(frozen=True, slots=True)
class Instance:
    """One plant epoch: one key pair, one enrolment of one box. Epoch numbers count from 1 and are never used again."""

    plant: str
    epoch: int
    fingerprint: str

    def __post_init__(self) -> None:
        if _WIRE_ID.fullmatch(self.wire_id) is None:
            raise ValueError(f"{self.wire_id!r} is not PLANT/EPOCH/FINGERPRINT, like HX01/1/9f86d081884c7d65")

    @property
    def wire_id(self) -> str:
        """As it stands in every envelope: `HX01/1/9f86d081884c7d65`."""
        return f"{self.plant}/{self.epoch}/{self.fingerprint}"

    @classmethod
    def parse(cls, wire_id: str) -> "Instance":
        """The inverse of `wire_id`; ValueError says what is allowed."""
        match = _WIRE_ID.fullmatch(wire_id)
        if match is None:
            raise ValueError(f"{wire_id!r} is not PLANT/EPOCH/FINGERPRINT, like HX01/1/9f86d081884c7d65")
        return cls(match["plant"], int(match["epoch"]), match["fingerprint"])

    @classmethod
    def of(cls, plant: str, epoch: int, key: Ed25519PrivateKey | Ed25519PublicKey) -> "Instance":
        """The instance whose key this is."""
        return cls(plant, epoch, fingerprint(key))

    def owns(self, key: Ed25519PublicKey) -> bool:
        """Whether `key` is this instance's key."""
        return fingerprint(key) == self.fingerprint


def _raw(key: Ed25519PrivateKey | Ed25519PublicKey) -> bytes:
    public = key.public_key() if isinstance(key, Ed25519PrivateKey) else key
    return public.public_bytes_raw()


def fingerprint(key: Ed25519PrivateKey | Ed25519PublicKey) -> str:
    """First 8 bytes of SHA-256 of the raw public key, 16 hex digits."""
    return hashlib.sha256(_raw(key)).digest()[:8].hex()


def public_hex(key: Ed25519PrivateKey | Ed25519PublicKey) -> str:
    """The raw public key as 64 hex digits, for files, databases and enrolment forms."""
    return _raw(key).hex()


def parse_public(text: str) -> Ed25519PublicKey:
    """The inverse of `public_hex`; blanks and capitals are forgiven. ValueError says what is allowed."""
    digits = "".join(text.split()).lower()
    if _PUBLIC_HEX.fullmatch(digits) is None:
        raise ValueError(f"{text.strip()!r} is not a public key: 64 hex digits")
    return Ed25519PublicKey.from_public_bytes(bytes.fromhex(digits))


def generate(path: Path) -> Ed25519PrivateKey:
    """Make a new private key at `path` (mode 0600). Never overwrites: a lost key is a lost epoch."""
    key = Ed25519PrivateKey.generate()
    write_secret(path, key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ))  # fmt: skip
    return key


def write_secret(path: Path, content: bytes) -> None:
    """Create `path` with mode 0600 and `content`, on disk when this returns. KeyFileError if it exists already."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise KeyFileError(path, "exists already", "Keys are never overwritten; move it away first") from None
    except OSError as error:
        raise KeyFileError(path, f"cannot be created: {error.strerror}", "Check the directory and its owner") from None
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def load_private(path: Path) -> Ed25519PrivateKey:
    """Read a private key; refuses a file that others can read."""
    content = _read(path)
    if stat.S_IMODE(path.stat().st_mode) & 0o077 and not _handed_over_by_systemd(path):
        raise KeyFileError(path, "can be read by other users", f"Run: chmod 600 {path}")
    try:
        key = serialization.load_pem_private_key(content, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise KeyFileError(path, "is not a private key in PEM form", "Restore it, or enrol a new epoch") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyFileError(
            path, f"holds a key of type {type(key).__name__}, expected Ed25519", "Name the signing key, not the TLS key"
        )
    return key


def _handed_over_by_systemd(path: Path) -> bool:
    """A file of `LoadCredential=` is readable for this service alone, by an ACL that shows as a group's right."""
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    return folder is not None and path.resolve().parent == Path(folder).resolve()


def save_public(path: Path, key: Ed25519PrivateKey | Ed25519PublicKey) -> None:
    """Write the public half as one line of hex."""
    path.write_text(public_hex(key) + "\n", encoding="ascii")


def load_public(path: Path) -> Ed25519PublicKey:
    """Read a public key file written by `save_public`."""
    content = _read(path)
    try:
        return parse_public(content.decode("ascii"))
    except ValueError:
        raise KeyFileError(
            path, "is not a public key: one line of 64 hex digits", "Copy it again from its owner"
        ) from None


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise KeyFileError(
            path, "is missing", "Run: weighgate keygen, or correct the path in the configuration"
        ) from None
    except OSError as error:
        raise KeyFileError(path, f"cannot be read: {error.strerror}", "Check its owner and mode") from None
