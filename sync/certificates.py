"""TLS between plants and the broker: a private authority, one certificate for the broker, one for each plant.

The private key of a plant is made at the plant and stays there; what travels is a request (CSR), and head office writes
the plant's code into the certificate it signs, whatever the request says. The broker takes that name as the user name.
Keys are ECDSA P-256, for the older TLS libraries that brokers are built with.
"""

import ipaddress
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from sync.keys import PLANT_CODE, Instance, KeyFileError, write_secret

OFFICE_NAME = "office"
"""The certificate name of head office, which the broker's ACL knows."""
_AUTHORITY_YEARS = 30
_CERTIFICATE_YEARS = 10
# A plant's clock may be behind head office's: a certificate is valid from a day before it was made.
_BACKDATE = timedelta(days=1)
_CURVE = ec.SECP256R1()


class CertificateRequestError(ValueError):
    """A request that head office will not sign: says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """What one end shows (`certificate`, `key`) and whom it believes (`authority`); PEM files."""

    authority: Path
    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Authority:
    """The private certificate authority, held at head office: `ca.crt` and `ca.key` in one directory."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @classmethod
    def create(cls, directory: Path, now: datetime) -> "Authority":
        """Make a new authority in `directory`; KeyFileError if there is one."""
        key = ec.generate_private_key(_CURVE)
        name = _name("weighgate authority")
        certificate = (
            _builder(name, name, key.public_key(), now, _AUTHORITY_YEARS)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_key_usage(signs_certificates=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(key, hashes.SHA256())
        )
        write_secret(directory / "ca.key", _pem(key))
        (directory / "ca.crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        return cls(certificate, key)

    @classmethod
    def load(cls, directory: Path) -> "Authority":
        """Read the authority made by `create`."""
        certificate_file = directory / "ca.crt"
        try:
            certificate = x509.load_pem_x509_certificate(_read(certificate_file))
        except ValueError:
            raise KeyFileError(certificate_file, "is not a PEM certificate", "Restore it from the backup") from None
        return cls(certificate, _load_key(directory / "ca.key"))

    @property
    def pem(self) -> bytes:
        """The authority's certificate, which every end must have."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def issue_server(self, directory: Path, names: Iterable[str], now: datetime) -> TlsFiles:
        """Key and certificate for the broker, good for 127.0.0.1, localhost and `names` (host names or addresses)."""
        key = ec.generate_private_key(_CURVE)
        files = TlsFiles(directory / "ca.crt", directory / "server.crt", directory / "server.key")
        alternatives = [_alternative(name) for name in dict.fromkeys(["127.0.0.1", "localhost", *names])]
        certificate = (
            self._issue(_name("weighgate broker"), key.public_key(), now)
            .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .sign(self.key, hashes.SHA256())
        )
        return self._write(files, key, certificate)

    def issue_client(self, directory: Path, name: str, now: datetime) -> TlsFiles:
        """Key and certificate for a client on this machine (head office itself, the demo): CN = `name`."""
        key = ec.generate_private_key(_CURVE)
        files = TlsFiles(directory / "ca.crt", directory / f"{name}.crt", directory / f"{name}.key")
        return self._write(files, key, self._client(name, key.public_key(), now))

    def sign_request(self, request_pem: bytes, plant: str, now: datetime, enrolled: Instance | None = None) -> bytes:
        """The PEM certificate for a plant's request, with CN = `plant` and OU = the plant epoch that was `enrolled`.

        CertificateRequestError if the request is no good.
        """
        if PLANT_CODE.fullmatch(plant) is None:
            raise CertificateRequestError(f"plant {plant!r}: a code is 2 to 8 capitals and digits, like HX01")
        try:
            request = x509.load_pem_x509_csr(request_pem)
        except ValueError:
            raise CertificateRequestError("the request is not a PEM certificate request (CSR)") from None
        key = request.public_key()
        if not request.is_signature_valid:
            raise CertificateRequestError("the request is not signed by the key in it")
        if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != _CURVE.name:
            raise CertificateRequestError(f"the request holds another kind of key, expected ECDSA {_CURVE.name}")
        return self._client(plant, key, now, enrolled).public_bytes(serialization.Encoding.PEM)

    def _client(
        self, name: str, key: ec.EllipticCurvePublicKey, now: datetime, enrolled: Instance | None = None
    ) -> x509.Certificate:
        builder = self._issue(_name(name, enrolled), key, now)
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
        return builder.add_extension(usage, critical=False).sign(self.key, hashes.SHA256())

    def _issue(self, name: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime) -> x509.CertificateBuilder:
        return (
            _builder(name, self.certificate.subject, key, now, _CERTIFICATE_YEARS)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(signs_certificates=False), critical=True)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
        )

    def _write(self, files: TlsFiles, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> TlsFiles:
        write_secret(files.key, _pem(key))
        files.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        if not files.authority.exists():
            files.authority.write_bytes(self.pem)
        return files


def make_request(key_path: Path, plant: str) -> bytes:
    """At the plant: make a TLS key at `key_path` (0600, never overwritten) and the PEM request for head office."""
    key = ec.generate_private_key(_CURVE)
    write_secret(key_path, _pem(key))
    request = x509.CertificateSigningRequestBuilder().subject_name(_name(plant)).sign(key, hashes.SHA256())
    return request.public_bytes(serialization.Encoding.PEM)


class _TidySocket(ssl.SSLSocket):
    """Closes itself when the handshake fails; paho only forgets it."""

    def do_handshake(self, block: bool = False) -> None:
        try:
            super().do_handshake(block)
        except OSError:
            self.close()
            raise


def client_context(files: TlsFiles) -> ssl.SSLContext:
    """A context that shows our certificate and believes only our own authority. KeyFileError names the bad file."""
    _load_key(files.key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.sslsocket_class = _TidySocket
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_verify_locations(cadata=_read(files.authority).decode("ascii"))
    except (ssl.SSLError, ValueError):
        raise KeyFileError(files.authority, "is not a PEM certificate", "Copy ca.crt from head office") from None
    _read(files.certificate)
    try:
        context.load_cert_chain(files.certificate, files.key)
    except ssl.SSLError:
        raise KeyFileError(
            files.certificate, f"does not belong to the key {files.key}", "Ask head office to sign a new request"
        ) from None
    return context


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime, years: int
) -> x509.CertificateBuilder:
    start = now.astimezone(UTC) - _BACKDATE
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=365 * years))
    )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates, key_cert_sign=signs_certificates, crl_sign=signs_certificates,
        content_commitment=False, key_encipherment=False, data_encipherment=False, key_agreement=False,
        encipher_only=False, decipher_only=False,
    )  # fmt: skip


def check_enrolled(certificate: Path, instance: Instance) -> None:
    """KeyFileError when head office made this certificate for another plant epoch than the configured one: it would
    take none of our messages. A certificate that names no epoch, or none at all, says nothing."""
    try:
        subject = x509.load_pem_x509_certificate(certificate.read_bytes()).subject
    except (OSError, ValueError):
        return  # told by whoever needs it
    units = [str(each.value) for each in subject.get_attributes_for_oid(NameOID.ORGANIZATIONAL_UNIT_NAME)]
    if not units or instance.wire_id in units:
        return
    made_for = Instance.parse(units[0])
    if made_for.fingerprint == instance.fingerprint:
        try_this = f"Set plant.code = {made_for.plant!r} and plant.epoch = {made_for.epoch} in the configuration"
    else:
        try_this = "Take the tls.crt that came with this plant.key"
    raise KeyFileError(
        certificate, f"was made for {made_for.wire_id}, the configuration says {instance.wire_id}", try_this
    )


def _name(common_name: str, enrolled: Instance | None = None) -> x509.Name:
    names = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
    if enrolled is not None:
        names.append(x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, enrolled.wire_id))
    return x509.Name(names)


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )  # fmt: skip


def _load_key(path: Path) -> ec.EllipticCurvePrivateKey:
    try:
        key = serialization.load_pem_private_key(_read(path), password=None)
    except (ValueError, TypeError):
        raise KeyFileError(path, "is not a private key in PEM form", "Restore it, or make a new request") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise KeyFileError(path, f"holds a key of type {type(key).__name__}, expected ECDSA", "Name the TLS key")
    return key


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise KeyFileError(path, f"cannot be read: {error.strerror}", "Check the path, its owner and mode") from None
