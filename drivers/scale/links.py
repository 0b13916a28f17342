"""Where a scale's bytes come from: a serial port through pyserial, or a serial-to-Ethernet converter by TCP.

Both raise OSError-like errors as they come; `serial_indicator.py` puts them into words. TCP does not go through
pyserial's own `socket://`, which reads byte by byte and waits 5 s for a connection.
"""

import errno
import os
import socket
import termios
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol
from urllib.parse import urlsplit

import serial

from drivers.scale.profile import SerialDefaults

READ_WAIT_S = 0.2
WRITE_WAIT_S = 1.0
CONNECT_WAIT_S = 3.0
LONGEST_READ = 4096
MOST_DISCARDED = 16 * 1024 * 1024

LINK_ERRORS = (serial.SerialException, OSError, termios.error)
"""All that a lost port raises: pyserial turns only some of them into its own (OSError from `in_waiting`, termios.error
from a pty)."""


class Link(Protocol):
    """An open line. `read` waits at most 0.2 s and returns what there is; one of LINK_ERRORS when it is gone."""

    def read(self, wait_s: float = READ_WAIT_S) -> bytes:
        """What arrives within the wait, at most 0.2 s."""
        ...

    def discard(self) -> None:
        """Throw away what arrived and was not read."""
        ...

    def write(self, data: bytes) -> None: ...
    def close(self) -> None: ...


class SerialLink:
    """A serial port, or any URL pyserial knows (`rfc2217://host:port`, `loop://`).

    A path is followed anew by every open: a by-path name leads to the same socket whatever number its port has now.
    """

    def __init__(self, port: str, line: SerialDefaults) -> None:
        self._is_url = "://" in port
        self._is_pty = _is_pseudo_terminal(port)
        options: dict[str, Any] = {} if self._is_url else {"exclusive": True, "write_timeout": WRITE_WAIT_S}
        line = self._possible(line)
        self._port = serial.serial_for_url(
            port,
            baudrate=line.baud,
            bytesize=line.bytesize,
            parity=line.parity,
            stopbits=line.stopbits,
            timeout=READ_WAIT_S,
            **options,
        )
        self._wait_s = READ_WAIT_S

    def tune(self, line: SerialDefaults) -> None:
        """Other settings on the open port: opening it anew would pulse DTR. What came with the old ones is dropped.

        Raises ValueError or one of LINK_ERRORS where the port cannot do them.
        """
        line = self._possible(line)
        self._port.apply_settings(
            {"baudrate": line.baud, "bytesize": line.bytesize, "parity": line.parity, "stopbits": line.stopbits}
        )
        self.discard()

    def _possible(self, line: SerialDefaults) -> SerialDefaults:
        """A pty has no line: the kernel drops 7 bits and parity, and refuses them at the second open."""
        return line.model_copy(update={"bytesize": 8, "parity": "N"}) if self._is_pty else line

    def read(self, wait_s: float = READ_WAIT_S) -> bytes:
        if wait_s != self._wait_s:
            self._port.timeout = self._wait_s = wait_s
        # Asking for more than is there would wait the whole time-out for it.
        return bytes(self._port.read(min(LONGEST_READ, max(1, self._port.in_waiting))))

    def discard(self) -> None:
        if not self._is_url:
            self._port.reset_input_buffer()
            return
        # RFC 2217 has an order for this, which costs a round trip and which some converters never answer.
        for _ in range(MOST_DISCARDED // LONGEST_READ):
            if not (waiting := self._port.in_waiting):
                return
            self._port.read(min(LONGEST_READ, waiting))

    def write(self, data: bytes) -> None:
        self._port.write(data)

    def close(self) -> None:
        connection = getattr(self._port, "_socket", None)
        self._port.close()
        if connection is not None:
            connection.close()  # pyserial leaves it open where the other side has gone


def _is_pseudo_terminal(port: str) -> bool:
    return os.path.realpath(port).startswith("/dev/pts/")


class TcpLink:
    """`socket://host:port`: a converter that serves the indicator's bytes as they are."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._socket = socket.create_connection((parts.hostname, parts.port), timeout=CONNECT_WAIT_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)

    def read(self, wait_s: float = READ_WAIT_S) -> bytes:
        self._socket.settimeout(wait_s)
        try:
            data = self._socket.recv(LONGEST_READ)
        except TimeoutError:
            return b""
        if not data:
            raise OSError("the other side closed the connection")
        return data

    def discard(self) -> None:
        self._socket.setblocking(False)
        with suppress(BlockingIOError):
            for _ in range(MOST_DISCARDED // LONGEST_READ):
                if not self._socket.recv(LONGEST_READ):
                    break  # closed: the next read says so

    def write(self, data: bytes) -> None:
        self._socket.settimeout(WRITE_WAIT_S)
        self._socket.sendall(data)

    def close(self) -> None:
        self._socket.close()


class Tap:
    """A link with somebody who listens in: `heard` gets what came, `said` what was sent, each as it happens."""

    def __init__(self, link: Link, heard: Callable[[bytes], None], said: Callable[[bytes], None]) -> None:
        self._link = link
        self._heard = heard
        self._said = said

    def read(self, wait_s: float = READ_WAIT_S) -> bytes:
        data = self._link.read(wait_s)
        if data:
            self._heard(data)
        return data

    def discard(self) -> None:
        self._link.discard()

    def write(self, data: bytes) -> None:
        self._link.write(data)
        self._said(data)

    def close(self) -> None:
        self._link.close()


def over_network(port: str) -> bool:
    """Whether bytes go through a network, which can keep them back and give them out later; a wire cannot."""
    return port.startswith(("socket://", "rfc2217://"))


Dial = Callable[[str, SerialDefaults], Link]
"""Opens a path or URL with these settings; `open_link` is the usual one."""


def open_link(port: str, line: SerialDefaults) -> Link:
    """Open a path or URL. Raises one of LINK_ERRORS."""
    return TcpLink(port) if port.startswith("socket://") else SerialLink(port, line)


def reason_of(error: BaseException) -> str:
    """The fault in the system's own words, without pyserial's repetition of the port."""
    number = getattr(error, "errno", None) or next((each for each in error.args if isinstance(each, int)), None)
    if number == errno.EAGAIN:
        return "another program has it open"
    if number == errno.EINVAL:
        return "it does not take these line settings (baud, bytesize, parity, stopbits)"
    if number and number < 0:
        return str(error.args[-1])  # of the look-up of a name (gaierror), whose numbers are its own
    if number:
        return os.strerror(number)
    # pyserial's words for these are about polling and its own thread
    if "returned no data" in str(error):
        return "it was unplugged"
    return "the other side closed the connection" if "reader thread died" in str(error) else str(error)
