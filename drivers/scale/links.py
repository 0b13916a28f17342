"""Where a scale's bytes come from: a serial port through pyserial, or a serial-to-Ethernet converter by TCP.

Both raise OSError-like errors as they come; `serial_indicator.py` puts them into words. TCP does not go through
pyserial's own `socket://`, which reads byte by byte and waits 5 s for a connection.
"""

import errno
import os
import socket
import termios
from contextlib import suppress
from typing import Protocol
from urllib.parse import urlsplit

import serial

from drivers.scale.profile import SerialDefaults

READ_WAIT_S = 0.2
CONNECT_WAIT_S = 3.0
LONGEST_READ = 4096
MOST_DISCARDED = 16 * 1024 * 1024

LINK_ERRORS = (serial.SerialException, OSError, termios.error)
"""All that a lost port raises: pyserial turns only some of them into its own (OSError from `in_waiting`, termios.error
from a pty)."""


class Link(Protocol):
    """An open line. `read` waits at most 0.2 s and returns what there is; one of LINK_ERRORS when it is gone."""

    def read(self) -> bytes: ...
    def discard(self) -> None:
        """Throw away what arrived and was not read."""
        ...

    def close(self) -> None: ...


class SerialLink:
    """A serial port, or any URL pyserial knows (`rfc2217://host:port`, `loop://`)."""

    def __init__(self, port: str, line: SerialDefaults) -> None:
        options = {"exclusive": True} if "://" not in port else {}
        self._port = serial.serial_for_url(
            port,
            baudrate=line.baud,
            bytesize=line.bytesize,
            parity=line.parity,
            stopbits=line.stopbits,
            timeout=READ_WAIT_S,
            **options,
        )

    def read(self) -> bytes:
        # Asking for more than is there would wait the whole time-out for it.
        return bytes(self._port.read(min(LONGEST_READ, max(1, self._port.in_waiting))))

    def discard(self) -> None:
        self._port.reset_input_buffer()

    def write(self, data: bytes) -> None:
        self._port.write(data)

    def close(self) -> None:
        self._port.close()


class TcpLink:
    """`socket://host:port`: a converter that serves the indicator's bytes as they are."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._socket = socket.create_connection((parts.hostname, parts.port), timeout=CONNECT_WAIT_S)
        self._socket.settimeout(READ_WAIT_S)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)

    def read(self) -> bytes:
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
        self._socket.settimeout(READ_WAIT_S)

    def close(self) -> None:
        self._socket.close()


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
    if number:
        return os.strerror(number)
    # pyserial's words for this are about polling; it is what an unplugged adapter looks like
    return "it was unplugged" if "returned no data" in str(error) else str(error)
