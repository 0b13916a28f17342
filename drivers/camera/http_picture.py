"""One picture over HTTP, fetched anew, with a deadline for the whole of it, and the camera's login where it wants one.

Digest and Basic authentication as in RFC 7616 and RFC 7617.
"""

import base64
import contextlib
import http.client
import socket
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from urllib.request import (
    AbstractDigestAuthHandler,
    HTTPPasswordMgrWithDefaultRealm,
    Request,
    parse_http_list,
    parse_keqv_list,
)

from drivers.camera.address import Address, Login, NoLogin
from drivers.ports import DeviceRefused, DeviceTimeout, DeviceUnavailable
from drivers.worker import monotonic_ms

LARGEST_PICTURE = 16 * 1024 * 1024
CHECK = "Check the camera's power, cable and address 检查摄像机电源、网线和地址"
_PART_BYTES = 65536


@dataclass(frozen=True, slots=True)
class Answer:
    """What the camera sent: bytes asked for at `asked_ms` (monotonic); None when it is a stream of pictures."""

    body: bytes | None
    asked_ms: int


def fetch(device: str, address: Address, timeout_ms: int) -> Answer:
    """Ask once. DeviceUnavailable, DeviceTimeout or DeviceRefused, with words without the login."""
    ends_ms = monotonic_ms() + timeout_ms
    try:
        login = address.credentials()
        return _ask(device, address, login, ends_ms)
    except NoLogin as error:
        raise DeviceRefused(device, str(error), "Write the camera's login into it") from None
    except TimeoutError as error:
        what = f"{address} sent no whole picture in {timeout_ms} ms"
        raise DeviceTimeout(device, what, CHECK) from error
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "strerror", None) or error
        raise DeviceUnavailable(device, f"{address} cannot be reached: {reason}", CHECK) from error


def _ask(device: str, address: Address, login: Login | None, ends_ms: int) -> Answer:
    authorization: dict[str, str] = {}
    while True:
        connection = http.client.HTTPConnection(*address.host, timeout=_left_s(ends_ms))
        with contextlib.closing(connection):
            connection.connect()
            connection.sock = _Line(connection.sock, ends_ms)
            asked_ms = monotonic_ms()
            connection.request("GET", _target(address), headers=authorization)
            with connection.getresponse() as response:
                challenge = response.getheader("WWW-Authenticate", "")
                if response.status == http.client.UNAUTHORIZED and login and challenge and not authorization:
                    authorization = {"Authorization": _authorization(challenge, address, login)}
                    continue
                if response.status != http.client.OK:
                    raise _refused(device, address, response)
                if response.getheader("Content-Type", "").startswith("multipart/"):
                    return Answer(None, asked_ms)
                return Answer(_body(device, address, response), asked_ms)


class _Line(socket.socket):
    """A connected socket with one deadline for all that comes: its own timeout starts anew with each of a trickle of
    bytes, be it in the headers or in the picture."""

    def __init__(self, connected: socket.socket, ends_ms: int) -> None:
        super().__init__(fileno=connected.detach())
        self._ends_ms = ends_ms
        self.settimeout(_left_s(ends_ms))

    def recv_into(self, *arguments: Any, **named: Any) -> int:
        """As of a socket; TimeoutError when it is too late."""
        self.settimeout(_left_s(self._ends_ms))
        return super().recv_into(*arguments, **named)


def _body(device: str, address: Address, response: http.client.HTTPResponse) -> bytes:
    data = bytearray()
    while part := response.read1(_PART_BYTES):
        data += part
        if len(data) > LARGEST_PICTURE:
            raise DeviceRefused(device, f"{address}: sent more than {LARGEST_PICTURE} bytes", _NOT_A_PICTURE)
    return bytes(data)


_NOT_A_PICTURE = "Check that the address is the camera's picture"


def _refused(device: str, address: Address, response: http.client.HTTPResponse) -> DeviceRefused:
    what = f"{address}: answered {response.status} {response.reason}"
    if response.status != http.client.UNAUTHORIZED:
        return DeviceRefused(device, what, _NOT_A_PICTURE)
    return DeviceRefused(device, what, "Check the user and password in the camera's login file")


def _target(address: Address) -> str:
    parts = urlsplit(address.text)
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _authorization(challenge: str, address: Address, login: Login) -> str:
    scheme, _, rest = challenge.partition(" ")
    if scheme.lower() != "digest":
        return "Basic " + base64.b64encode(f"{login.user}:{login.password}".encode()).decode("ascii")
    passwords = HTTPPasswordMgrWithDefaultRealm()
    passwords.add_password(None, address.text, login.user, login.password)
    try:
        answer = AbstractDigestAuthHandler(passwords).get_authorization(
            Request(address.text), parse_keqv_list(parse_http_list(rest))
        )
    except (ValueError, AttributeError, IndexError) as error:
        raise http.client.HTTPException(f"it asks for a login in a way that is not known: {error}") from None
    return f"Digest {answer}"


def _left_s(ends_ms: int) -> float:
    left_ms = ends_ms - monotonic_ms()
    if left_ms <= 0:
        raise TimeoutError("the picture took too long")
    return left_ms / 1000
