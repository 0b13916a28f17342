"""The far end of a simulated line: a pseudo-terminal behind a fixed name, a TCP server, or an RFC 2217 server, that can
be pulled out.

Writing never waits: what the reader has no room for is lost, as on a real line. Nothing is kept for a reader that comes
later, because an old weight must never look fresh.
"""

import os
import pty
import re
import select
import socket
import termios
import tty
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from serial.rfc2217 import PortManager

from drivers.scale.profile import SerialDefaults

LONGEST_READ = 4096
_BAUDS = {getattr(termios, name): int(name[1:]) for name in dir(termios) if re.fullmatch("B[1-9][0-9]*", name)}


class FarEnd(Protocol):
    """`port` is what a plant's configuration names; it stays the same across `unplug` and `plug`."""

    @property
    def port(self) -> str: ...
    def plug(self) -> None: ...
    def unplug(self) -> None: ...
    def write(self, data: bytes) -> None: ...
    def read(self) -> bytes:
        """What came from the reader, without waiting."""
        ...

    def is_read(self) -> bool:
        """Somebody has the near end open."""
        ...

    @property
    def must_listen(self) -> bool:
        """The reader has something to say even when nobody asks it anything."""
        ...

    def line(self) -> SerialDefaults | None:
        """The line settings that the reader has set; None where this kind of line has none."""
        ...


class PtyFarEnd:
    """A pseudo-terminal behind a symbolic link, like a USB adapter behind its by-path name.

    Of the reader's line settings the kernel keeps the baud rate, two stop bits and odd, and the master can see them; 7
    bits and parity it drops (CS8 without PARENB, pty_set_termios), and where nothing else changes it refuses them with
    EINVAL. So a pty is always read as 8N1, at the reader's own baud rate; `Rfc2217FarEnd` has all four.
    """

    must_listen = False

    def __init__(self, link: Path) -> None:
        self._link = link
        self._master: int | None = None

    @property
    def port(self) -> str:
        return str(self._link)

    def plug(self) -> None:
        if self._master is not None:
            return
        master, slave = pty.openpty()
        tty.setraw(slave)
        os.set_blocking(master, False)
        name = os.ttyname(slave)
        os.close(slave)
        temporary = self._link.with_name(self._link.name + ".new")
        try:
            temporary.unlink(missing_ok=True)
            temporary.symlink_to(name)
            temporary.replace(self._link)
        except OSError:
            os.close(master)
            raise
        self._master = master

    def unplug(self) -> None:
        if self._master is None:
            return
        self._link.unlink(missing_ok=True)
        os.close(self._master)
        self._master = None

    def write(self, data: bytes) -> None:
        if self._master is None or not self.is_read():
            return
        with suppress(BlockingIOError):
            os.write(self._master, data)

    def read(self) -> bytes:
        if self._master is None:
            return b""
        try:
            return os.read(self._master, LONGEST_READ)
        except OSError:  # nothing there, or nobody has the other side open
            return b""

    def line(self) -> SerialDefaults | None:
        if self._master is None:
            return None
        baud = _BAUDS.get(termios.tcgetattr(self._master)[5])
        return SerialDefaults(baud=baud) if baud else None

    def is_read(self) -> bool:
        """Somebody holds the other side open; else the kernel would keep the bytes for whoever comes."""
        if self._master is None:
            return False
        poll = select.poll()
        poll.register(self._master, select.POLLOUT)
        return all(not events & select.POLLHUP for _, events in poll.poll(0))


class TcpFarEnd:
    """A serial-to-Ethernet converter on 127.0.0.1 that serves every client the same bytes."""

    must_listen = False
    _kind = "socket"

    def __init__(self, port: int = 0) -> None:
        self._number = port
        self._server: socket.socket | None = None
        self._clients: list[socket.socket] = []

    @property
    def port(self) -> str:
        return f"{self._kind}://127.0.0.1:{self._number}"

    def plug(self) -> None:
        if self._server is not None:
            return
        self._server = socket.create_server(("127.0.0.1", self._number))
        self._server.setblocking(False)
        self._number = self._server.getsockname()[1]

    def unplug(self) -> None:
        if self._server is None:
            return
        for each in (*self._clients, self._server):
            each.close()
        self._clients.clear()
        self._server = None

    def write(self, data: bytes) -> None:
        self._accept()
        for client in list(self._clients):
            try:
                client.send(data)
            except BlockingIOError:
                continue
            except OSError:
                self._drop(client)

    def read(self) -> bytes:
        self._accept()
        return b"".join(self._received(client) for client in list(self._clients))

    def is_read(self) -> bool:
        self._accept()
        return bool(self._clients)

    def line(self) -> SerialDefaults | None:
        return None

    def _accept(self) -> None:
        if self._server is None:
            return
        with suppress(BlockingIOError):
            client, _ = self._server.accept()
            client.setblocking(False)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._clients.append(client)
            self._came(client)

    def _came(self, client: socket.socket) -> None:
        """A client is there."""

    def _received(self, client: socket.socket) -> bytes:
        try:
            data = client.recv(LONGEST_READ)
        except BlockingIOError:
            return b""
        except OSError:
            data = b""
        if not data:
            self._drop(client)
        return data

    def _drop(self, client: socket.socket) -> None:
        client.close()
        self._clients.remove(client)


@dataclass
class _Port:
    """The settings of the converter's serial port, under the names that pyserial's server side uses."""

    baudrate: int = 9600
    bytesize: int = 8
    parity: str = "N"
    stopbits: int = 1
    xonxoff: bool = False
    rtscts: bool = False
    rts: bool = True
    dtr: bool = True
    cts: bool = True
    dsr: bool = True
    ri: bool = False
    cd: bool = False
    break_condition: bool = False

    def reset_input_buffer(self) -> None:
        """Nothing waits here."""

    def reset_output_buffer(self) -> None:
        """Nothing waits here."""


class _Connection:
    """What the protocol writes by itself."""

    def __init__(self, client: socket.socket) -> None:
        self._client = client

    def write(self, data: bytes) -> None:
        with suppress(OSError):
            self._client.send(data)


class Rfc2217FarEnd(TcpFarEnd):
    """A converter whose serial port the client sets up over Telnet (RFC 2217): baud rate, bits, parity and stop bits
    are all seen. One client at a time, as a serial port has one reader."""

    must_listen = True
    _kind = "rfc2217"

    def __init__(self, port: int = 0) -> None:
        super().__init__(port)
        self._settings = _Port()
        self._telnet: Any = None

    def write(self, data: bytes) -> None:
        super().write(data.replace(b"\xff", b"\xff\xff"))

    def line(self) -> SerialDefaults | None:
        port = self._settings
        return SerialDefaults.model_validate(
            {"baud": port.baudrate, "bytesize": port.bytesize, "parity": port.parity, "stopbits": int(port.stopbits)}
        )

    def _came(self, client: socket.socket) -> None:
        for older in self._clients[:-1]:
            self._drop(older)
        self._settings = _Port()
        manager: Any = PortManager
        self._telnet = manager(self._settings, _Connection(client))

    def _received(self, client: socket.socket) -> bytes:
        return b"".join(self._telnet.filter(super()._received(client)))
