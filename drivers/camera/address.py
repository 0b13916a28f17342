"""Where a camera is: its address without a password, and the password in a file of its own."""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

ALLOWED = "rtsp://host/path, http://host/path, or a device such as /dev/video0 or /dev/v4l/by-path/…"
_PORTS = {"rtsp": 554, "http": 80}


class NoLogin(ValueError):
    """The login file cannot be used; says why, never what is in it."""


@dataclass(frozen=True, slots=True)
class Login:
    """Who we are to the camera."""

    user: str
    password: str

    def __repr__(self) -> str:
        return "Login(…)"


@dataclass(frozen=True, slots=True)
class Address:
    """`text` as in the configuration; `login` is a file with one line, user:password."""

    text: str
    login: Path | None = None

    @property
    def scheme(self) -> str:
        """ "rtsp", "http", or "" for a device of this computer."""
        return "" if self.text.startswith("/") else urlsplit(self.text).scheme

    @property
    def host(self) -> tuple[str, int]:
        """Host and port of an address in the network."""
        parts = urlsplit(self.text)
        return str(parts.hostname), parts.port or _PORTS[parts.scheme]

    def __str__(self) -> str:
        """For people: without what stands behind a question mark, which some cameras take their password from."""
        if not self.scheme:
            return self.text
        parts = urlsplit(self.text)
        return urlunsplit((parts.scheme, parts.netloc, parts.path, "…" if parts.query else "", ""))

    def credentials(self) -> Login | None:
        """What is in the login file; None without one. NoLogin when there is no such line."""
        if self.login is None:
            return None
        try:
            line = self.login.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
            raise NoLogin(f"{self.login} cannot be read: {reason}") from None
        user, colon, password = line.partition(":")
        if not user or not colon or "\n" in line:
            raise NoLogin(f"{self.login} is not one line, user:password")
        return Login(user, password)

    def problems(self) -> tuple[str, ...]:
        """What can be told without opening the camera: a device that is not there, a login file that cannot be used."""
        found = []
        if not self.scheme and not Path(self.text).exists():
            found.append(f"url: there is no {self.text}")
        try:
            self.credentials()
        except NoLogin as error:
            found.append(f"login: {error}")
        return tuple(found)

    @property
    def login_is_open(self) -> bool:
        """Whether others than the file's owner may read the login."""
        return self.login is not None and self.login.exists() and bool(self.login.stat().st_mode & 0o077)

    def with_login(self) -> str:
        """For FFmpeg, which wants them in the address. NoLogin as above."""
        login = self.credentials()
        if login is None:
            return self.text
        parts = urlsplit(self.text)
        netloc = f"{quote(login.user, safe='')}:{quote(login.password, safe='')}@{parts.netloc}"
        return urlunsplit(parts._replace(netloc=netloc))


def check_address(text: str) -> str:
    """For a configuration: the address, or ValueError with what is allowed."""
    if text.startswith("/dev/"):
        return text
    if "@" in text.split("?")[0]:
        raise ValueError("no user and password in the address; allowed: login = a file with one line, user:password")
    parts = urlsplit(text)
    try:
        known = parts.scheme in _PORTS and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:
        known = False
    if not known or not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError(f"no address of a camera; allowed: {ALLOWED}")
    return text
