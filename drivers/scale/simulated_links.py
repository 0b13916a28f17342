"""The far end of a simulated line: a pseudo-terminal behind a fixed name, or a TCP server, that can be pulled out.

Writing never waits: what the reader has no room for is lost, as on a real line. Nothing is kept for a reader that comes
later, because an old weight must never look fresh.
"""

import os
import pty
import select
import socket
import tty
from contextlib import suppress
from pathlib import Path
from typing import Protocol


class FarEnd(Protocol):
    """`port` is what a plant's configuration names; it stays the same across `unplug` and `plug`."""

    @property
    def port(self) -> str: ...
    def plug(self) -> None: ...
    def unplug(self) -> None: ...
    def write(self, data: bytes) -> None: ...


class PtyFarEnd:
    """A pseudo-terminal behind a symbolic link, like a USB adapter behind its by-path name.

    A pty keeps no parity and no baud rate: use 8N1 on it (a second open with 7E1 fails in the kernel).
    """

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
        self._master = master
        temporary = self._link.with_name(self._link.name + ".new")
        temporary.unlink(missing_ok=True)
        temporary.symlink_to(name)
        temporary.replace(self._link)

    def unplug(self) -> None:
        if self._master is None:
            return
        self._link.unlink(missing_ok=True)
        os.close(self._master)
        self._master = None

    def write(self, data: bytes) -> None:
        if self._master is None or not self._is_read():
            return
        with suppress(BlockingIOError):
            os.write(self._master, data)

    def _is_read(self) -> bool:
        """Somebody holds the other side open; else the kernel would keep the bytes for whoever comes."""
        poll = select.poll()
        poll.register(self._master or 0, select.POLLOUT)
        return all(not events & select.POLLHUP for _, events in poll.poll(0))


class TcpFarEnd:
    """A serial-to-Ethernet converter on 127.0.0.1 that serves every client the same bytes."""

    def __init__(self, port: int = 0) -> None:
        self._number = port
        self._server: socket.socket | None = None
        self._clients: list[socket.socket] = []

    @property
    def port(self) -> str:
        return f"socket://127.0.0.1:{self._number}"

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
        if self._server is None:
            return
        with suppress(BlockingIOError):
            client, _ = self._server.accept()
            client.setblocking(False)
            self._clients.append(client)
        for client in list(self._clients):
            try:
                client.send(data)
            except BlockingIOError:
                continue
            except OSError:
                client.close()
                self._clients.remove(client)
