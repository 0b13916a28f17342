"""The private authority: who gets a certificate, under which name, and what is wrong with a bad file."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.oid import NameOID

from sync.certificates import (
    Authority,
    CertificateRequestError,
    TlsFiles,
    check_enrolled,
    client_context,
    make_request,
)
from sync.keys import Instance, KeyFileError

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def name_of(pem: bytes) -> object:
    return x509.load_pem_x509_certificate(pem).subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value


def test_a_plant_makes_a_request_and_head_office_signs_it_under_the_plants_name(tmp_path: Path) -> None:
    office, plant = tmp_path / "office", tmp_path / "plant"
    office.mkdir()
    plant.mkdir()
    authority = Authority.create(office, NOW)
    request = make_request(plant / "tls.key", "HX99")
    assert (plant / "tls.key").stat().st_mode & 0o777 == 0o600
    certificate = authority.sign_request(request, "HX01", NOW)
    assert name_of(certificate) == "HX01", "whatever the request says"
    (plant / "tls.crt").write_bytes(certificate)
    (plant / "ca.crt").write_bytes(authority.pem)
    assert client_context(TlsFiles(plant / "ca.crt", plant / "tls.crt", plant / "tls.key")).get_ca_certs()
    loaded = x509.load_pem_x509_certificate(certificate)
    loaded.verify_directly_issued_by(authority.certificate)
    assert loaded.not_valid_before_utc <= NOW - timedelta(hours=23), "plants' clocks may be behind"
    assert not loaded.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_an_authority_is_loaded_and_never_overwritten(tmp_path: Path) -> None:
    authority = Authority.create(tmp_path, NOW)
    assert (tmp_path / "ca.key").stat().st_mode & 0o777 == 0o600
    assert Authority.load(tmp_path).pem == authority.pem
    with pytest.raises(KeyFileError, match="exists already"):
        Authority.create(tmp_path, NOW)
    assert Authority.load(tmp_path).pem == authority.pem


def test_the_broker_is_known_by_address_and_by_name(tmp_path: Path) -> None:
    files = Authority.create(tmp_path, NOW).issue_server(tmp_path, ["broker.example", "10.1.2.3", "localhost"], NOW)
    certificate = x509.load_pem_x509_certificate(files.certificate.read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost", "broker.example"]
    assert [str(address) for address in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1", "10.1.2.3"]


@pytest.mark.parametrize("plant", ["office", "HX+", "#", "", "hx01", "HX01/x", "A"])
def test_only_plant_codes_are_signed(tmp_path: Path, plant: str) -> None:
    authority = Authority.create(tmp_path, NOW)
    with pytest.raises(CertificateRequestError, match="a code is"):
        authority.sign_request(make_request(tmp_path / "tls.key", "HX01"), plant, NOW)


def test_a_request_that_is_none_or_not_its_owners_is_refused(tmp_path: Path) -> None:
    authority = Authority.create(tmp_path, NOW)
    with pytest.raises(CertificateRequestError, match="not a PEM certificate request"):
        authority.sign_request(b"hello", "HX01", NOW)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "HX01")])
    builder = x509.CertificateSigningRequestBuilder().subject_name(name)
    for key in (rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP384R1())):
        pem = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        with pytest.raises(CertificateRequestError, match="another kind of key"):
            authority.sign_request(pem, "HX01", NOW)
    der = bytearray(
        x509.load_pem_x509_csr(make_request(tmp_path / "a.key", "HX01")).public_bytes(serialization.Encoding.DER)
    )
    der[der.index(b"HX01")] = ord("Y")
    forged = x509.load_der_x509_csr(bytes(der)).public_bytes(serialization.Encoding.PEM)
    with pytest.raises(CertificateRequestError, match="not signed by the key in it"):
        authority.sign_request(forged, "HX01", NOW)


def test_bad_tls_files_are_named(tmp_path: Path) -> None:
    authority = Authority.create(tmp_path, NOW)
    first, second = authority.issue_client(tmp_path, "HX01", NOW), authority.issue_client(tmp_path, "HX02", NOW)
    with pytest.raises(KeyFileError, match=r"HX01\.crt: does not belong to the key"):
        client_context(TlsFiles(first.authority, first.certificate, second.key))
    with pytest.raises(KeyFileError, match=r"absent\.key: cannot be read"):
        client_context(TlsFiles(first.authority, first.certificate, tmp_path / "absent.key"))
    with pytest.raises(KeyFileError, match=r"absent\.crt: cannot be read"):
        client_context(TlsFiles(first.authority, tmp_path / "absent.crt", first.key))
    (tmp_path / "empty.crt").write_text("nothing")
    with pytest.raises(KeyFileError, match=r"empty\.crt: is not a PEM certificate"):
        client_context(TlsFiles(tmp_path / "empty.crt", first.certificate, first.key))
    with pytest.raises(KeyFileError, match=r"empty\.crt: is not a private key"):
        client_context(TlsFiles(first.authority, first.certificate, tmp_path / "empty.crt"))


def test_a_certificate_made_for_another_epoch_is_told_with_the_right_one(tmp_path: Path) -> None:
    authority = Authority.create(tmp_path, NOW)
    key = Ed25519PrivateKey.generate()
    second = Instance.of("HX01", 2, key)
    file = tmp_path / "plant.crt"
    check_enrolled(file, second)
    file.write_bytes(authority.sign_request(make_request(tmp_path / "plant.tls.key", "HX01"), "HX01", NOW, second))
    assert name_of(file.read_bytes()) == "HX01", "the broker takes the common name"
    check_enrolled(file, second)
    with pytest.raises(KeyFileError, match=r"made for HX01/2/.*configuration says HX01/1/.*Set .* plant.epoch = 2"):
        check_enrolled(file, Instance.of("HX01", 1, key))
    with pytest.raises(KeyFileError, match="that came with this plant.key"):
        check_enrolled(file, Instance.of("HX01", 2, Ed25519PrivateKey.generate()))
