"""Making a head office from nothing, and letting a plant's box in."""

import secrets
import string
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sync.certificates import OFFICE_NAME, Authority, CertificateRequestError
from sync.keys import PLANT_CODE, Instance, KeyFileError, generate, load_public, save_public
from sync.office.refusal import NotAllowed
from sync.office.settings import Role
from sync.office.store.database import Store
from sync.office.store.plants import enrol
from sync.secrets import hash_secret

SIGNING_KEY = "office-signing.key"
PUBLIC_KEY = "office.pub"
CONFIG = "office.toml"
_FIRST_PEOPLE = (
    ("核算 A01", Role.ACCOUNTANT),
    ("财务 F01", Role.FINANCE),
    ("开票 B01", Role.BILLER),
    ("查看 V01", Role.VIEWER),
)


@dataclass(frozen=True, slots=True)
class NewOffice:
    """What `init` made. PINs and token are shown once and kept nowhere but as hashes."""

    config: Path
    pins: dict[str, str]
    token: str


def create_office(directory: Path, broker_names: tuple[str, ...], port: int, web_port: int, database: str) -> NewOffice:
    """Authority, broker and office certificates, signing key, and a configuration with new PINs. KeyFileError: used."""
    if (directory / CONFIG).exists():
        raise KeyFileError(directory / CONFIG, "exists already", "A head office is made once; name a new directory")
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    now = datetime.now(UTC)
    authority = Authority.create(directory, now)
    authority.issue_server(directory, broker_names, now)
    authority.issue_client(directory, OFFICE_NAME, now)
    save_public(directory / PUBLIC_KEY, generate(directory / SIGNING_KEY))
    pins = {name: "".join(secrets.choice(string.digits) for _ in range(6)) for name, _ in _FIRST_PEOPLE}
    token = secrets.token_urlsafe(24)
    host = broker_names[0] if broker_names else "127.0.0.1"
    text = _config_text(pins, token, host, port, web_port, database)
    (directory / CONFIG).write_text(text, encoding="utf-8")
    return NewOffice(directory / CONFIG, pins, token)


def _config_text(pins: dict[str, str], token: str, host: str, port: int, web_port: int, database: str) -> str:
    lines = [
        "# Made by `weighgate-office init`. Every key is explained in config/office.example.toml.",
        "[office]", 'name = "总部"', f'database = "{database}"', "",
        "[link]", f'host = "{host}"', f"port = {port}", 'ca = "ca.crt"', f'certificate = "{OFFICE_NAME}.crt"',
        f'key = "{OFFICE_NAME}.key"', f'signing_key = "{SIGNING_KEY}"', "",
        "[web]", 'host = "127.0.0.1"', f"port = {web_port}", "",
    ]  # fmt: skip
    for name, role in _FIRST_PEOPLE:
        lines += ["[[people]]", f'name = "{name}"', f'role = "{role}"', f'pin_hash = "{hash_secret(pins[name])}"', ""]
    lines += [
        "[[tokens]]",
        'name = "scripts"',
        f'role = "{Role.ACCOUNTANT}"',
        f'token_hash = "{hash_secret(token)}"',
        "",
    ]
    return "\n".join(lines)


def enrol_plant(
    store: Store, directory: Path, plant: str, name: str, public_key: Path, request: Path, out: Path, epoch: int | None
) -> Instance:
    """Register the box's key, sign its TLS request, write tls.crt, ca.crt, office.pub into `out`."""
    if PLANT_CODE.fullmatch(plant) is None:
        raise NotAllowed(
            "plant", plant, "厂代码为 2 至 8 位大写字母和数字", "allowed: 2 to 8 capitals and digits, like HX01"
        )
    authority = Authority.load(directory)
    office_public = load_public(directory / PUBLIC_KEY)
    key = load_public(public_key)
    try:
        request_pem = request.read_bytes()
        with store.write() as tx:
            instance = enrol(tx, plant, name, key, epoch)
            certificate = authority.sign_request(request_pem, plant, datetime.now(UTC), instance)
    except OSError as error:
        raise NotAllowed("csr", str(request), "读不到文件", f"cannot be read: {error.strerror}") from error
    except CertificateRequestError as error:
        raise NotAllowed("csr", str(request), "不是有效的证书申请", str(error)) from error
    out.mkdir(parents=True, exist_ok=True)
    (out / "tls.crt").write_bytes(certificate)
    (out / "ca.crt").write_bytes(authority.pem)
    save_public(out / PUBLIC_KEY, office_public)
    return instance
