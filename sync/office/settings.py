"""Head office's configuration file as a checked, frozen value. Paths in it are relative to the file itself."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, field_validator, model_validator

from sync.office.policy import Way
from sync.secrets import SecretFormat, parse_secret
from sync.settings_errors import SettingsError, load_model

Port = Annotated[int, Field(ge=0, le=65535)]
Code = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,20}$")]


class Role(StrEnum):
    """销售核算员 accountant, 财务 finance, 开票员 biller, and somebody who only looks."""

    ACCOUNTANT = "accountant"
    FINANCE = "finance"
    BILLER = "biller"
    VIEWER = "viewer"


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class OfficeTable(_Table):
    """`[office]`: what this head office is called and where its books are."""

    name: Annotated[str, Field(min_length=1, max_length=40)]
    database: str = "sqlite:///office.sqlite3"
    """`sqlite:///FILE` or `postgresql://user:password@host:port/database`."""
    utc_offset_hours: Annotated[int, Field(ge=-12, le=14)] = 8
    """The wall clock shown on pages and in reports. Nothing is decided by it."""

    @field_validator("database")
    @classmethod
    def _known_database(cls, value: str) -> str:
        if not value.startswith(("sqlite:///", "postgresql://", "postgresql+psycopg://")):
            raise ValueError("allowed: sqlite:///FILE or postgresql://user:password@host:port/database")
        return value


class LinkTable(_Table):
    """`[link]`: the broker, and the keys made by `weighgate-office init`."""

    enabled: bool = True
    host: Annotated[str, Field(min_length=1)] = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535)] = 8883
    ca: Path = Path("ca.crt")
    certificate: Path = Path("office.crt")
    key: Path = Path("office.key")
    signing_key: Path = Path("office-signing.key")


class WebTable(_Table):
    """`[web]`: where the pages are served. Port 0 takes a free one and prints it."""

    host: str = "127.0.0.1"
    port: Port = 8700
    secure_cookie: bool = False
    """True when a TLS proxy stands in front: the session cookie then never travels in the clear."""


class PolicyTable(_Table):
    """`[policy]`: whether money is left at a plant before a notice asks for it (`sync.office.policy`)."""

    mode: Way = Way.AUTO
    plants: dict[Code, Way] = {}
    """Plants that are treated otherwise."""

    def way(self, plant: str) -> Way:
        """For one plant."""
        return self.plants.get(plant, self.mode)


class Person(_Table):
    """`[[people]]`: who may sign in, made with `weighgate-office pin`."""

    name: Annotated[str, Field(min_length=1, max_length=40)]
    role: Role
    pin_hash: SecretFormat


class ApiToken(_Table):
    """`[[tokens]]`: a program that may call the API, made with `weighgate-office token`."""

    name: Annotated[str, Field(min_length=1, max_length=40)]
    role: Role
    token_hash: SecretFormat


class Settings(_Table):
    """The whole file."""

    office: OfficeTable
    link: LinkTable = LinkTable()
    web: WebTable = WebTable()
    policy: PolicyTable = PolicyTable()
    people: tuple[Person, ...] = ()
    tokens: tuple[ApiToken, ...] = ()
    _folder: Path = PrivateAttr(default=Path())

    @model_validator(mode="after")
    def _names_are_single(self) -> Self:
        for table, names in (("people", [p.name for p in self.people]), ("tokens", [t.name for t in self.tokens])):
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise ValueError(f"{table}: {', '.join(twice)} stands there twice; each name only once")
        for secret in [p.pin_hash for p in self.people] + [t.token_hash for t in self.tokens]:
            parse_secret(secret)
        return self

    def at(self, path: Path) -> Path:
        """A path of the file, taken from the file's own folder."""
        return path if path.is_absolute() else self._folder / path

    @property
    def database_url(self) -> str:
        """SQLAlchemy's URL: a relative SQLite file is in the configuration's folder, PostgreSQL through psycopg 3."""
        url = self.office.database
        if url.startswith("sqlite:///"):
            return f"sqlite:///{self.at(Path(url.removeprefix('sqlite:///'))).absolute()}"
        return url.replace("postgresql://", "postgresql+psycopg://", 1)


def load_settings(file: Path) -> Settings:
    """Read and check the file; SettingsError has one line for each problem."""
    settings = load_model(Settings, file)
    settings._folder = file.parent  # noqa: SLF001 - set once, where the file's place is known
    return settings


def missing_files(settings: Settings, file: Path) -> list[str]:
    """The key files the link needs and that are not there, one line each; empty when the link is off."""
    if not settings.link.enabled:
        return []
    named = {key: getattr(settings.link, key) for key in ("ca", "certificate", "key", "signing_key")}
    return [
        f"{file}: link.{key}: '{path}' — no such file; `weighgate-office init {file.parent}` makes it"
        for key, path in named.items()
        if not settings.at(path).is_file()
    ]


__all__ = ["ApiToken", "Person", "Role", "Settings", "SettingsError", "load_settings", "missing_files"]
