"""Signing keys in files, and instances named after them."""

import hashlib
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sync.certificates import make_request
from sync.keys import (  # fmt: skip
    Instance,
    KeyFileError,
    fingerprint,
    generate,
    load_private,
    load_public,
    parse_public,
    public_hex,
    save_public,
)


def test_a_key_is_written_for_its_owner_only_and_read_back(tmp_path: Path) -> None:
    path = tmp_path / "plant.key"
    key = generate(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert load_private(path).private_bytes_raw() == key.private_bytes_raw()
    save_public(tmp_path / "plant.pub", key)
    assert public_hex(load_public(tmp_path / "plant.pub")) == public_hex(key)


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    key = generate(tmp_path / "plant.key")
    with pytest.raises(KeyFileError, match="exists already"):
        generate(tmp_path / "plant.key")
    assert load_private(tmp_path / "plant.key").private_bytes_raw() == key.private_bytes_raw()


def test_bad_key_files_are_named_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "plant.key"
    with pytest.raises(KeyFileError, match=r"plant\.key: is missing\. Run: weighgate keygen"):
        load_private(path)
    with pytest.raises(KeyFileError, match="cannot be created"):
        generate(tmp_path / "nowhere" / "plant.key")
    generate(path)
    path.chmod(0o640)
    with pytest.raises(KeyFileError, match="chmod 600"):
        load_private(path)
    path.chmod(0o600)
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(KeyFileError, match="not a private key"):
        load_private(path)
    make_request(tmp_path / "tls.key", "HX01")
    with pytest.raises(KeyFileError, match="expected Ed25519"):
        load_private(tmp_path / "tls.key")
    with pytest.raises(KeyFileError, match="cannot be read"):
        load_private(tmp_path)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"ab" * 31, b"zz" * 32])
def test_a_bad_public_key_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "office.pub").write_bytes(content)
    with pytest.raises(KeyFileError, match="not a public key"):
        load_public(tmp_path / "office.pub")


def test_a_public_key_is_read_as_people_write_it() -> None:
    key = Ed25519PrivateKey.generate()
    digits = public_hex(key).upper()
    assert public_hex(parse_public(f" {digits[:32]} {digits[32:]}\n")) == public_hex(key)


def test_an_instance_is_its_plant_epoch_and_key() -> None:
    key = Ed25519PrivateKey.generate()
    instance = Instance.of("HX01", 3, key)
    assert (
        instance.fingerprint == hashlib.sha256(key.public_key().public_bytes_raw()).hexdigest()[:16] == fingerprint(key)
    )
    assert instance.wire_id == f"HX01/3/{instance.fingerprint}"
    assert Instance.parse(instance.wire_id) == instance
    assert instance.owns(key.public_key())
    assert not instance.owns(Ed25519PrivateKey.generate().public_key())


@pytest.mark.parametrize(
    "wire_id",
    ["", "HX01", "HX01/1", "hx01/1/9f86d081884c7d65", "HX01/0/9f86d081884c7d65", "HX01/01/9f86d081884c7d65",
     "HX01/1/9F86D081884C7D65", "HX01/1/9f86d081884c7d65\n", "HX+/1/9f86d081884c7d65", "HX01/1/9f86d081884c7d65/x"],
)  # fmt: skip
def test_a_bad_wire_id_is_refused_in_words(wire_id: str) -> None:
    with pytest.raises(ValueError, match="PLANT/EPOCH/FINGERPRINT"):
        Instance.parse(wire_id)
    with pytest.raises(ValueError, match="PLANT/EPOCH/FINGERPRINT"):
        Instance("hx", 1, "9f86d081884c7d65")
