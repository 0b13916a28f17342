"""Printers without a machine: `VirtualPrinter` at the wire (ESC/POS over TCP), and type = "simulated" in the process.

Both keep every document and write it as bytes and as a picture of the paper. Faults are set by whoever plays the plant.
"""

import re
import socket
import struct
import threading
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from drivers.ports import DeviceRefused
from drivers.printer.document import Document
from drivers.printer.escpos_writer import COLUMNS_OF_PAPER_MM, encode
from drivers.simulators import Simulator
from drivers.worker import DeviceThread

_DOCUMENTS_KEPT = 500
_STATUS_REQUEST = re.compile(rb"\x10\x04([\x01-\x04])")
_STATUS_AROUND = re.compile(rb"\A(?:\x10\x04[\x01-\x04])+|(?:\x10\x04[\x01-\x04])+\Z")
_POLL_S = 0.05
_STOP_S = 5.0


def save(folder: Path, number: int, data: bytes, paper_mm: int) -> Path:
    """Write one document as `00001.bin`, `00001.png` and, as text with what a scanner reads last, `00001.txt`; returns
    the picture's path.
    """
    from drivers.printer.render import png

    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{number:05}.bin").write_bytes(data)
    (folder / f"{number:05}.txt").write_text(_text(data), encoding="utf-8")
    picture = folder / f"{number:05}.png"
    picture.write_bytes(png(data, columns=COLUMNS_OF_PAPER_MM[paper_mm]))
    return picture


def _text(data: bytes) -> str:
    from drivers.printer.escpos_reader import Line, NativeQr, read

    operations = read(data)
    lines = [each.text.rstrip() for each in operations if isinstance(each, Line)]
    codes = [each.data for each in operations if isinstance(each, NativeQr)]
    return "\n".join([*lines, *codes, ""])


class SimulatedPrinterConfig(BaseModel):
    """`[printer] type = "simulated"`: writes each document into `folder`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Literal["simulated"]
    folder: Path
    paper_mm: Literal[80, 58] = 80


class SimulatedPrinter:
    """Fulfils `drivers.ports.Printer` without a wire. Set `paper_out` to make it refuse."""

    def __init__(self, name: str, config: SimulatedPrinterConfig) -> None:
        self._config = config
        self._name = name
        self.paper_out = False

    def print(self, document: Document) -> None:
        """Write the document as bytes and picture; numbers go on after those already in the folder."""
        self.check()
        number = 1 + max((int(path.stem) for path in self._config.folder.glob("[0-9]*.bin")), default=0)
        save(self._config.folder, number, encode(document, paper_mm=self._config.paper_mm).data, self._config.paper_mm)

    def check(self) -> None:
        if self.paper_out:
            raise DeviceRefused(self._name, "paper out 缺纸", "Put in a new roll 换纸")


@dataclass(slots=True)
class PrinterFaults:
    """What is wrong with the virtual printer. Counts are bytes of the next document, status requests not counted."""

    paper_out: bool = False
    cover_open: bool = False
    silent: bool = False
    """Prints, but never answers a status request, as many clones do."""
    silent_after_bytes: int | None = None
    """Falls silent at this byte, as a printer does that hangs."""
    off_after_bytes: int | None = None
    """Somebody pulls the plug at this byte: the connection breaks and the printer is off until `switch_on`."""
    paper_out_after_bytes: int | None = None
    """The roll ends at this byte: the rest is swallowed, the status says so."""


class VirtualPrinter(Simulator):
    """A TCP printer on 127.0.0.1. Takes one connection at a time, as real ones do.

    `folder` None keeps the bytes only, which is what a fast run wants. Use as a context manager or call `close`.
    """

    def __init__(self, folder: Path | None = None, *, paper_mm: Literal[80, 58] = 80, port: int = 0) -> None:
        self.faults = PrinterFaults()
        self.paper_mm = paper_mm
        self._folder = folder
        self._documents: deque[bytes] = deque(maxlen=_DOCUMENTS_KEPT)
        self._torn: deque[bytes] = deque(maxlen=_DOCUMENTS_KEPT)
        self._count = 0
        self._news = threading.Condition()
        self._thread: DeviceThread | None = None
        self._port = port
        self.switch_on()

    @property
    def port(self) -> int:
        """The TCP port it listens on; the same after it was off."""
        return self._port

    @property
    def target(self) -> str:
        """For `EscposConfig.target`."""
        return f"tcp://127.0.0.1:{self._port}"

    @property
    def documents(self) -> tuple[bytes, ...]:
        """Whole documents, oldest first (the last 500)."""
        with self._news:
            return tuple(self._documents)

    @property
    def torn(self) -> tuple[bytes, ...]:
        """What had arrived of documents that were cut short by a fault."""
        with self._news:
            return tuple(self._torn)

    @property
    def numbered(self) -> tuple[tuple[int, bytes], ...]:
        """The same documents, each with the number of its files in `folder`."""
        with self._news:
            first = self._count - len(self._documents) + 1
            return tuple(enumerate(self._documents, first))

    def file(self, number: int) -> Path | None:
        """A document's text; None where no files are kept."""
        return None if self._folder is None else self._folder / f"{number:05}.txt"

    def wait_for(self, count: int, timeout_s: float = 5.0) -> tuple[bytes, ...]:
        """The documents once there are at least `count`; TimeoutError when they do not come."""
        with self._news:
            if not self._news.wait_for(lambda: len(self._documents) >= count, timeout_s):
                raise TimeoutError(f"{len(self._documents)} documents in {timeout_s} s, {count} expected")
            return tuple(self._documents)

    def switch_on(self) -> None:
        """Listen (again, on the same port)."""
        if self._thread is not None and self._thread.alive and not self._thread.stopping.is_set():
            return
        self.switch_off()  # a printer that went off by a fault may still be closing its socket
        listener = socket.create_server(("127.0.0.1", self._port), backlog=4)
        listener.settimeout(_POLL_S)
        self._port = listener.getsockname()[1]
        self._thread = DeviceThread("virtual printer", lambda off: self._serve(listener, off))
        self._thread.start()

    def switch_off(self) -> None:
        """Break the connection and stop listening."""
        if self._thread is not None:
            self._thread.stop(_STOP_S)

    def _serve(self, listener: socket.socket, off: threading.Event) -> None:
        with listener:
            while not off.is_set():
                try:
                    connection, _ = listener.accept()
                except TimeoutError:
                    continue
                with connection:
                    connection.settimeout(_POLL_S)
                    data, torn = self._receive(connection, off)
                self._keep(data, torn)

    def _receive(self, connection: socket.socket, off: threading.Event) -> tuple[bytes, bool]:
        """One connection's bytes without the status requests around them, and whether it was cut short."""
        data = bytearray()
        answered = 0
        torn = False
        while not off.is_set():
            try:
                part = connection.recv(4096)
            except TimeoutError:
                continue
            except OSError:
                return _without_status(data), True
            if not part:
                return _without_status(data), torn
            data += part
            torn = self._end_of_roll(data) or torn
            self.faults.silent |= self._reached(self.faults.silent_after_bytes, data)
            if self._reached(self.faults.off_after_bytes, data):
                del data[self.faults.off_after_bytes :]
                self.faults.off_after_bytes = None
                off.set()
                break
            answered = self._answer(connection, data, answered)
        # a reset instead of an orderly close, so that the other end sees a broken line
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return _without_status(data), True

    def _reached(self, limit: int | None, data: bytearray) -> bool:
        return limit is not None and len(_without_status(data)) >= limit > 0

    def _end_of_roll(self, data: bytearray) -> bool:
        if not self._reached(self.faults.paper_out_after_bytes, data):
            return False
        self.faults.paper_out_after_bytes = None
        self.faults.paper_out = True
        return True

    def _answer(self, connection: socket.socket, data: bytearray, answered: int) -> int:
        """Answer the status requests after byte `answered`; returns up to where all are answered."""
        for match in _STATUS_REQUEST.finditer(data, answered):
            answered = match.end()
            if not self.faults.silent:
                connection.sendall(bytes([self._status(match[1][0])]))
        return answered

    def _status(self, ask: int) -> int:
        stopped = self.faults.paper_out or self.faults.cover_open
        bits = {
            1: 0x08 if stopped else 0,
            2: (0x04 if self.faults.cover_open else 0) | (0x20 if self.faults.paper_out else 0),
            3: 0,
            4: 0x6C if self.faults.paper_out else 0,
        }
        return 0x12 | bits[ask]

    def _keep(self, data: bytes, torn: bool) -> None:
        if not data:
            return
        if self._folder is not None and not torn:
            save(self._folder, self._count + 1, data, self.paper_mm)
        with self._news:
            self._count += not torn
            (self._torn if torn else self._documents).append(data)
            self._news.notify_all()


def _without_status(data: bytes | bytearray) -> bytes:
    return _STATUS_AROUND.sub(b"", bytes(data))
