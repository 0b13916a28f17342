"""Byte lines to a printer: python-escpos opens and closes them, nothing else of it is used.

Targets: `tcp://host:9100`, `file:///dev/usb/lp0`, `serial:///dev/ttyS1?baud=19200`, `usb://04b8:0e15`.
python-escpos is imported when the first document is printed: it takes 15 MB and a quarter of a second.
"""

import errno
import fcntl
import os
import select
import socket
import struct
import sys
import termios
import time
from typing import Any, Literal, NamedTuple, Protocol
from urllib.parse import parse_qs, urlsplit

_DRAIN_POLL_S = 0.002
_ALLOWED = "tcp://host:port, file:///dev/usb/lp0, serial:///dev/ttyS1?baud=19200 or usb://04b8:0e15"


class Target(NamedTuple):
    """A parsed target. `place` is the host, the device path or the USB id; `number` the port or the baud rate."""

    scheme: Literal["tcp", "file", "serial", "usb"]
    place: str
    number: int = 0


class Line(Protocol):
    """An open line. Every call ends within its timeout: OSError when the line is gone, TimeoutError when stuck."""

    def send(self, part: bytes, timeout_s: float) -> None: ...
    def receive(self, timeout_s: float) -> bytes:
        """What has arrived, b"" when nothing came in time; ConnectionError when the other end is gone."""
        ...

    def drain(self, timeout_s: float) -> None:
        """Return when the other end has taken every byte; TimeoutError when it takes none for `timeout_s`.

        A system's own buffer holds a whole ticket: without this, a ticket for a printer without paper would count as
        sent, and come out when somebody puts in a roll, beside its reprint.
        """
        ...

    def close(self) -> None: ...
    def abort(self) -> None:
        """Close and throw away what the other end has not taken."""
        ...


def parse_target(target: str) -> Target:
    """ValueError says what is allowed."""
    parts = urlsplit(target)
    try:
        match parts.scheme:
            case "tcp" if parts.hostname:
                return Target("tcp", parts.hostname, parts.port or 9100)
            case "file" if parts.path and not parts.netloc:
                return Target("file", parts.path)
            case "serial" if parts.path and not parts.netloc:
                return Target("serial", parts.path, int(parse_qs(parts.query).get("baud", ["9600"])[0]))
            case "usb":
                vendor, product = parts.netloc.split(":")
                return Target("usb", f"{int(vendor, 16):04x}:{int(product, 16):04x}")
    except ValueError as error:
        raise ValueError(f"{target!r}: {error}; allowed: {_ALLOWED}") from None
    raise ValueError(f"{target!r} is not a printer; allowed: {_ALLOWED}")


def open_line(target: Target, timeout_s: float) -> Line:
    """Open the line. OSError with its reason when it cannot be opened."""
    from escpos import printer
    from escpos.exceptions import Error

    try:
        match target.scheme:
            case "tcp":
                network = printer.Network(target.place, target.number, timeout=timeout_s)
                # its own open() loses the socket, unclosed, when nobody listens
                network.device = socket.create_connection((target.place, target.number), timeout_s)
                # a status request of three bytes must not wait for the printer's delayed acknowledgement
                network.device.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return _TcpLine(network)
            case "serial":
                return _open(_SerialLine, printer.Serial(target.place, baudrate=target.number, timeout=timeout_s))
            case "file":
                return _open(_FileLine, printer.File(target.place, auto_flush=False))
            case "usb":
                vendor, product = (int(part, 16) for part in target.place.split(":"))
                return _open(_UsbLine, printer.Usb(vendor, product, timeout=int(timeout_s * 1000)))
    except (Error, RuntimeError) as error:
        raise OSError(str(error).replace("\n", " ")) from error


def _open(line: type["_Escpos"], escpos: Any) -> "_Escpos":
    escpos.open()
    return line(escpos)


class _Escpos:
    """A python-escpos printer used as a byte line; its `device` is the open socket, port or file."""

    def __init__(self, escpos: Any) -> None:
        self._escpos = escpos

    def send(self, part: bytes, timeout_s: float) -> None:
        raise NotImplementedError

    def receive(self, timeout_s: float) -> bytes:
        """Nothing: this line has no way back."""
        del timeout_s
        return b""

    def waiting_bytes(self) -> int:
        """How many bytes the system still holds for the other end."""
        return 0

    def drain(self, timeout_s: float) -> None:
        waiting = self.waiting_bytes()
        ends_s = time.monotonic() + timeout_s
        while waiting:
            time.sleep(_DRAIN_POLL_S)
            left = self.waiting_bytes()
            if left < waiting:
                ends_s = time.monotonic() + timeout_s
            elif time.monotonic() > ends_s:
                raise TimeoutError(f"{left} bytes are not taken")
            waiting = left

    def close(self) -> None:
        self._escpos.close()

    def abort(self) -> None:
        self.close()


class _TcpLine(_Escpos):
    def send(self, part: bytes, timeout_s: float) -> None:
        self._escpos.device.settimeout(timeout_s)
        self._escpos.device.sendall(part)

    def receive(self, timeout_s: float) -> bytes:
        self._escpos.device.settimeout(max(timeout_s, 0.001))
        try:
            part: bytes = self._escpos.device.recv(64)
        except TimeoutError:
            return b""
        if not part:
            raise ConnectionResetError("the printer closed the connection")
        return part

    def waiting_bytes(self) -> int:
        # a broken connection keeps what it never delivered in its queue, so that the queue alone looks merely stuck
        if broken := self._escpos.device.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            raise OSError(broken, os.strerror(broken))
        return _output_queue(self._escpos.device.fileno())

    def abort(self) -> None:
        no_linger = struct.pack("ii", 1, 0)
        self._escpos.device.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, no_linger)
        self._escpos.device.close()
        self._escpos.device = False


class _SerialLine(_Escpos):
    def send(self, part: bytes, timeout_s: float) -> None:
        from serial import SerialTimeoutException

        self._escpos.device.write_timeout = timeout_s
        try:
            self._escpos.device.write(part)
        except SerialTimeoutException as error:
            raise TimeoutError(str(error)) from error

    def receive(self, timeout_s: float) -> bytes:
        port = self._escpos.device
        port.timeout = timeout_s
        part: bytes = port.read(max(1, port.in_waiting))
        return part

    def waiting_bytes(self) -> int:
        return _output_queue(self._escpos.device.fileno())

    def abort(self) -> None:
        self._escpos.device.reset_output_buffer()
        self.close()


class _FileLine(_Escpos):
    """A device file; written without blocking, because /dev/usb/lp0 blocks for ever when the paper is out."""

    def send(self, part: bytes, timeout_s: float) -> None:
        descriptor = self._escpos.device.fileno()
        os.set_blocking(descriptor, False)
        ends_s = time.monotonic() + timeout_s
        while part:
            if not select.select([], [descriptor], [], max(0.0, ends_s - time.monotonic()))[1]:
                raise TimeoutError(f"{self._escpos.devfile} takes no bytes")
            part = part[os.write(descriptor, part) :]


class _UsbLine(_Escpos):
    def send(self, part: bytes, timeout_s: float) -> None:
        self._escpos.device.write(self._escpos.out_ep, part, int(timeout_s * 1000))

    def receive(self, timeout_s: float) -> bytes:
        try:
            return bytes(self._escpos.device.read(self._escpos.in_ep, 64, max(1, int(timeout_s * 1000))))
        except OSError as error:
            if error.errno == errno.ETIMEDOUT:
                return b""
            raise


def _output_queue(descriptor: int) -> int:
    """TIOCOUTQ: bytes of a terminal not yet sent, or of a TCP socket not yet acknowledged (tcp(7))."""
    return int.from_bytes(fcntl.ioctl(descriptor, termios.TIOCOUTQ, bytes(4)), sys.byteorder)
