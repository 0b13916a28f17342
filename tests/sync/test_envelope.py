"""Signed envelopes: what was sealed is opened, everything else is refused with its reason."""

from collections.abc import Callable
from typing import Any

import pytest
import zstandard
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from sync.canonical import canonical
from sync.envelope import (
    MAX_PAYLOAD_BYTES,
    MAX_TEXT_BYTES,
    EnvelopeError,
    Fault,
    Kind,
    Message,
    MessageTooBig,
    kind_of,
    open_,
    seal,
)
from sync.keys import Instance
from sync.messages import Ack, Docs, Grant, Rec, State, WireDocument, WireRecord
from tests.sync.support import HX01, NOON, OFFICE_KEY, PLANT_KEY, TERM, make_rows

MESSAGES: list[Message] = [
    Rec(records=tuple(make_rows(3))),
    State(accounts={}, last_seq=3, last_hash="a" * 64, documents_applied=0, at=NOON),
    Grant(account="K1/焦炭", granted_fen=12_345, term=TERM),
    Ack(last_seq=3, last_hash="b" * 64, term=TERM),
    Docs(documents=(WireDocument(number=1, kind="notice_cancelled", body={"notice": "FH-1"}),), term=TERM),
]


def key_of(kind: Kind, instance: Instance) -> Ed25519PublicKey | None:
    if instance != HX01:
        return None
    return (PLANT_KEY if kind.goes_up else OFFICE_KEY).public_key()


def signer(kind: Kind) -> Ed25519PrivateKey:
    return PLANT_KEY if kind.goes_up else OFFICE_KEY


def sealed(message: Message) -> bytes:
    return seal(kind_of(message), HX01, message, signer(kind_of(message)))


def pack(packed: bytes) -> bytes:
    return zstandard.ZstdCompressor(write_checksum=True).compress(packed)


def signed(text: str, key: Ed25519PrivateKey = OFFICE_KEY) -> bytes:
    """A properly signed envelope of any text."""
    return pack(key.sign(b"weighgate-envelope1" + text.encode()) + text.encode())


def fault_of(payload: bytes) -> Fault:
    with pytest.raises(EnvelopeError) as caught:
        open_(payload, key_of, HX01)
    return caught.value.fault


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_what_is_sealed_is_opened(message: Message) -> None:
    envelope = open_(sealed(message), key_of, expected=HX01)
    assert (envelope.kind, envelope.instance, envelope.body) == (kind_of(message), HX01, message)


def test_the_payload_is_as_published() -> None:
    packed = zstandard.ZstdDecompressor().decompress(sealed(MESSAGES[3]))
    signature, text = packed[:64], packed[64:]
    body = {"last_hash": "b" * 64, "last_seq": 3, "term": {"id": "1" * 32, "number": 1}}
    assert text.decode() == canonical({"v": 1, "kind": "ACK", "instance": HX01.wire_id, "body": body})
    OFFICE_KEY.public_key().verify(signature, b"weighgate-envelope1" + text)


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_one_flipped_bit_of_the_signed_text_or_signature_is_refused(message: Message) -> None:
    packed = zstandard.ZstdDecompressor().decompress(sealed(message))
    for position in range(len(packed) * 8):
        flipped = bytearray(packed)
        flipped[position // 8] ^= 1 << position % 8
        payload = zstandard.ZstdCompressor(level=1, write_checksum=True).compress(bytes(flipped))
        with pytest.raises(EnvelopeError):
            open_(payload, key_of)


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_one_flipped_bit_on_the_wire_never_gives_another_message(message: Message) -> None:
    """A few bits of a zstd frame carry no content; flipped, they unpack to the very text that was signed."""
    payload, refused = sealed(message), 0
    for position in range(len(payload) * 8):
        flipped = bytearray(payload)
        flipped[position // 8] ^= 1 << position % 8
        try:
            assert open_(bytes(flipped), key_of).body == message
        except EnvelopeError:
            refused += 1
    assert refused >= len(payload) * 8 - 64


def test_a_signature_of_the_wrong_side_or_plant_is_refused() -> None:
    assert fault_of(seal(Kind.GRANT, HX01, MESSAGES[2], PLANT_KEY)) is Fault.BAD_SIGNATURE
    assert fault_of(seal(Kind.STATE, HX01, MESSAGES[1], OFFICE_KEY)) is Fault.BAD_SIGNATURE
    other = Instance.of("HX02", 1, PLANT_KEY)
    assert fault_of(seal(Kind.ACK, other, MESSAGES[3], OFFICE_KEY)) is Fault.WRONG_INSTANCE
    with pytest.raises(EnvelopeError) as caught:
        open_(seal(Kind.ACK, other, MESSAGES[3], OFFICE_KEY), key_of)
    assert caught.value.fault is Fault.UNKNOWN_KEY


def test_a_signature_for_another_purpose_is_refused() -> None:
    text = canonical({"v": 1, "kind": "ACK", "instance": HX01.wire_id, "body": {"last_seq": 1, "last_hash": ""}})
    assert fault_of(pack(OFFICE_KEY.sign(text.encode()) + text.encode())) is Fault.BAD_SIGNATURE


def changed(**fields: Any) -> bytes:
    whole = {"v": 1, "kind": "ACK", "instance": HX01.wire_id, "body": {"last_seq": 1, "last_hash": "a"}, **fields}
    return signed(canonical(whole))


CANONICAL_ACK = canonical({"v": 1, "kind": "ACK", "instance": HX01.wire_id, "body": {"last_seq": 1, "last_hash": "a"}})


@pytest.mark.parametrize(
    ("payload", "fault"),
    [
        (b"", Fault.NOT_ZSTD),
        (b"hello", Fault.NOT_ZSTD),
        (b"\x28\xb5\x2f\xfd", Fault.NOT_ZSTD),
        (b"x" * (MAX_PAYLOAD_BYTES + 1), Fault.TOO_BIG),
        (pack(b"\xff\xfe"), Fault.NOT_JSON),
        (pack(b""), Fault.NOT_JSON),
        (pack(bytes(63)), Fault.NOT_JSON),
        (pack(bytes(64)), Fault.NOT_JSON),
        (pack(bytes(64) + b"[]"), Fault.WRONG_SHAPE),
        (pack(bytes(64) + b"\xff\xfe"), Fault.NOT_JSON),
        (pack(bytes(64) + b"[" * 100_000), Fault.NOT_JSON),
        (pack(bytes(64) + CANONICAL_ACK.encode()), Fault.BAD_SIGNATURE),
        (signed("{}"), Fault.UNKNOWN_VERSION),
        (signed("[]"), Fault.WRONG_SHAPE),
        (changed(v=2), Fault.UNKNOWN_VERSION),
        (changed(v=True), Fault.UNKNOWN_VERSION),
        (signed('{"v":1.0}'), Fault.NOT_JSON),
        (changed(kind="EXIT"), Fault.UNKNOWN_KIND),
        (changed(kind=["ACK"]), Fault.UNKNOWN_KIND),
        (changed(instance=5), Fault.WRONG_INSTANCE),
        (changed(instance="../.."), Fault.WRONG_INSTANCE),
        (changed(body=None), Fault.BAD_BODY),
        (changed(body={"last_seq": "many", "last_hash": ""}), Fault.BAD_BODY),
        (signed('{"v":' + "1" * 5_000 + "}"), Fault.NOT_JSON),
        (signed(CANONICAL_ACK.replace(":", ": ")), Fault.NOT_JSON),
        (signed(CANONICAL_ACK[:-1] + ',"v":1}'), Fault.NOT_JSON),
        (signed(CANONICAL_ACK.replace('"a"', '"\\ud800"')), Fault.NOT_JSON),
    ],
    ids=lambda value: value.name if isinstance(value, Fault) else "",
)  # fmt: skip
def test_everything_else_is_refused_with_its_reason(payload: bytes, fault: Fault) -> None:
    assert fault_of(payload) is fault


def test_a_bomb_is_refused_before_it_is_unpacked(measure_peak: Callable[[Callable[[], None]], int]) -> None:
    bomb = zstandard.ZstdCompressor(write_checksum=True).compress(b" " * 500_000_000)
    hidden = zstandard.ZstdCompressor(write_checksum=True, write_content_size=False).compress(b" " * 5_000_000)
    assert len(bomb) < MAX_PAYLOAD_BYTES

    def open_both() -> None:
        assert fault_of(bomb) is Fault.TOO_BIG
        assert fault_of(hidden) is Fault.TOO_BIG

    assert measure_peak(open_both) < 4 * MAX_TEXT_BYTES


def test_trailing_bytes_and_a_second_frame_are_refused() -> None:
    payload = sealed(MESSAGES[3])
    assert fault_of(payload + b"x") is Fault.NOT_ZSTD
    assert fault_of(payload + payload) is Fault.NOT_ZSTD


def test_our_own_message_that_does_not_fit_is_a_bug() -> None:
    row = WireRecord(seq=1, kind="test", body="x" * (MAX_TEXT_BYTES + 1), at="", hash="")
    with pytest.raises(MessageTooBig, match="allowed are"):
        seal(Kind.REC, HX01, Rec(records=(row,)), PLANT_KEY)
    with pytest.raises(ValueError, match="cannot travel as ACK"):
        seal(Kind.ACK, HX01, MESSAGES[2], OFFICE_KEY)
