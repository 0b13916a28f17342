"""One message on the wire: canonical JSON, signed with Ed25519, compressed with zstd. The broker is not trusted.

    text     canonical JSON of {"v": 1, "kind": …, "instance": "HX01/1/9f86d081884c7d65", "body": …}
    payload  zstd( the 64 bytes of the Ed25519 signature over b"weighgate-envelope1" + text, then text, as UTF-8 )

`instance` is the plant epoch a message comes from (up) or is meant for (down). Nothing here refuses a replay: counters
and records are cumulative and numbered, so an old message changes nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import zstandard
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import ValidationError

from sync.canonical import canonical, is_canonical, parse
from sync.keys import Instance
from sync.messages import Ack, Docs, Grant, Rec, State

VERSION = 1
MAX_PAYLOAD_BYTES = 255 * 1024
"""Largest payload: with its MQTT header it stays within the broker's `max_packet_size` of 256 KiB."""
MAX_TEXT_BYTES = 1024 * 1024
"""Largest message unpacked: bounds what a hostile payload can make us allocate."""
_DOMAIN = b"weighgate-envelope1"
_SIGNATURE_BYTES = 64
_LEVEL = 3
_UNUSED_HEADER_BITS = 0x18

Message = Rec | State | Grant | Ack | Docs


class Kind(StrEnum):
    """What an envelope carries. REC and STATE go up, the others down."""

    REC = "REC"
    STATE = "STATE"
    GRANT = "GRANT"
    ACK = "ACK"
    DOCS = "DOCS"

    @property
    def goes_up(self) -> bool:
        """Up messages are signed by the plant's epoch key, down messages by head office's."""
        return self in (Kind.REC, Kind.STATE)


_BODIES: dict[Kind, type[Message]] = {
    Kind.REC: Rec, Kind.STATE: State, Kind.GRANT: Grant, Kind.ACK: Ack, Kind.DOCS: Docs,
}  # fmt: skip
_KINDS = {body: kind for kind, body in _BODIES.items()}


class Fault(StrEnum):
    """Why a payload was not opened."""

    TOO_BIG = "too big"
    NOT_ZSTD = "not zstd"
    NOT_JSON = "not JSON"
    WRONG_SHAPE = "wrong shape"
    UNKNOWN_VERSION = "unknown version"
    UNKNOWN_KIND = "unknown kind"
    WRONG_INSTANCE = "wrong instance"
    UNKNOWN_KEY = "no key for this sender"
    BAD_SIGNATURE = "bad signature"
    BAD_BODY = "bad body"


class EnvelopeError(Exception):
    """A payload that is not a message for us. Count it, log it, drop it: nothing in it can be believed."""

    def __init__(self, fault: Fault, detail: str) -> None:
        super().__init__(f"{fault}: {detail}")
        self.fault = fault
        self.detail = detail


class MessageTooBig(ValueError):
    """A message of our own that does not fit the wire: a bug of whoever built it."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """An opened message: its signature was good, its body has the shape of its kind."""

    kind: Kind
    instance: Instance
    body: Message


KeyOf = Callable[[Kind, Instance], Ed25519PublicKey | None]
"""Whose signature must stand under this kind for this instance; None if nobody's is accepted."""


def kind_of(body: Message) -> Kind:
    """The kind that carries this body."""
    return _KINDS[type(body)]


def seal(kind: Kind, instance: Instance, body: Message, private_key: Ed25519PrivateKey) -> bytes:
    """The payload for the wire. MessageTooBig if it does not fit; ValueError if `body` is not of this kind."""
    if _BODIES[kind] is not type(body):
        raise ValueError(f"a {type(body).__name__} cannot travel as {kind}")
    text = canonical(
        {"v": VERSION, "kind": kind.value, "instance": instance.wire_id, "body": body.model_dump(mode="json")}
    ).encode()
    packed = private_key.sign(_DOMAIN + text) + text
    payload = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True).compress(packed)
    if len(packed) > MAX_TEXT_BYTES or len(payload) > MAX_PAYLOAD_BYTES:
        allowed = f"allowed are {MAX_TEXT_BYTES} and {MAX_PAYLOAD_BYTES}"
        raise MessageTooBig(f"{kind} of {len(packed)} bytes, {len(payload)} packed; {allowed}")
    return payload


def open_(payload: bytes, key_of: KeyOf, expected: Instance | None = None) -> Envelope:
    """Check and unpack one payload; EnvelopeError says why not. With `expected`, any other instance is refused."""
    packed = _unpack(payload)
    signature, text = packed[:_SIGNATURE_BYTES], packed[_SIGNATURE_BYTES:]
    fields = _json_object(text)
    if fields.get("v") != VERSION or isinstance(fields["v"], bool):
        raise EnvelopeError(Fault.UNKNOWN_VERSION, f"{_short(fields.get('v'))}, expected {VERSION}")
    kind, instance = _kind(fields.get("kind")), _instance(fields.get("instance"))
    if expected is not None and instance != expected:
        raise EnvelopeError(Fault.WRONG_INSTANCE, f"{instance.wire_id}, expected {expected.wire_id}")
    key = key_of(kind, instance)
    if key is None:
        raise EnvelopeError(Fault.UNKNOWN_KEY, f"{kind} for {instance.wire_id}")
    try:
        key.verify(signature, _DOMAIN + text)
    except InvalidSignature:
        raise EnvelopeError(Fault.BAD_SIGNATURE, f"{kind} for {instance.wire_id}") from None
    _require_canonical(fields, text)
    try:
        body = _BODIES[kind].model_validate(fields.get("body"))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise EnvelopeError(
            Fault.BAD_BODY, f"{kind} for {instance.wire_id}: {where or 'body'}: {first['msg']}"
        ) from None
    return Envelope(kind, instance, body)


def _unpack(payload: bytes) -> bytes:
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise EnvelopeError(Fault.TOO_BIG, f"{len(payload)} bytes, allowed are {MAX_PAYLOAD_BYTES}")
    try:
        frame = zstandard.get_frame_parameters(payload)
        # The size stands in the frame's header, and is checked there: a decompressor told a maximum still allocates
        # what the header says.
        if frame.content_size > MAX_TEXT_BYTES:
            raise EnvelopeError(Fault.TOO_BIG, "unpacks to more than is allowed, or hides how much")
        if not frame.has_checksum or payload[4] & _UNUSED_HEADER_BITS:
            raise EnvelopeError(Fault.NOT_ZSTD, "a frame header that we never write")
        return zstandard.ZstdDecompressor().decompress(payload, max_output_size=MAX_TEXT_BYTES, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise EnvelopeError(Fault.NOT_ZSTD, str(error)) from None


def _json_object(text: bytes) -> dict[str, Any]:
    try:
        value = parse(text)
    except ValueError as error:
        raise EnvelopeError(Fault.NOT_JSON, str(error)) from None
    if not isinstance(value, dict):
        raise EnvelopeError(Fault.WRONG_SHAPE, "expected a JSON object")
    return value


def _require_canonical(fields: dict[str, Any], text: bytes) -> None:
    """One message has one text: no doubled keys, no half characters that could not be hashed or stored."""
    if not is_canonical(fields, text):
        raise EnvelopeError(Fault.NOT_JSON, "signed, but not canonical JSON")


def _kind(value: object) -> Kind:
    try:
        return Kind(value)  # type: ignore[arg-type]
    except ValueError:
        raise EnvelopeError(Fault.UNKNOWN_KIND, _short(value)) from None


def _instance(value: object) -> Instance:
    try:
        return Instance.parse(value if isinstance(value, str) else "")
    except ValueError:
        raise EnvelopeError(Fault.WRONG_INSTANCE, _short(value)) from None


def _short(value: object) -> str:
    return repr(value)[:80]
