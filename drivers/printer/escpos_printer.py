"""type = "escpos": a ticket printer that speaks ESC/POS over TCP, a device file, a serial line or USB.

Connects for each document. Every wait has a limit, so a document ends with an answer: taken, or how far it got.
"""

import time
from collections.abc import Callable
from typing import Annotated, Literal

import structlog
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from drivers.ports import DeviceRefused, DeviceTimeout, DeviceUnavailable
from drivers.printer.document import Document
from drivers.printer.escpos_writer import QrMode, encode
from drivers.printer.status import Ask, Fault, fault, is_reply, request
from drivers.printer.transport import Line, open_line, parse_target

_log = structlog.get_logger()
_PART_BYTES = 512
_CHECK_CABLE = "Check that the printer is switched on and its cable 检查电源和连线"
_LOOK_AT_PAPER = "Look at the paper, then reprint 查看已出的纸,再补打"


def _printable_target(target: str) -> str:
    parse_target(target)
    return target


class EscposConfig(BaseModel):
    """`[printer] type = "escpos"`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Literal["escpos"]
    target: Annotated[str, AfterValidator(_printable_target)]
    """`tcp://host:port`, `file:///dev/usb/lp0`, `serial:///dev/ttyS1?baud=19200` or `usb://04b8:0e15`."""
    paper_mm: Literal[80, 58] = 80
    qr: QrMode = QrMode.RASTER
    timeout_ms: Annotated[int, Field(ge=100, le=60_000)] = 3000
    """Longest wait for a connection, and for the printer to take the next part of a document."""
    status_ms: Annotated[int, Field(ge=50, le=10_000)] = 500
    """Longest wait for the first status reply; a printer that stays silent is taken as unknown and may print."""
    finish_ms: Annotated[int, Field(ge=100, le=60_000)] = 10_000
    """Longest wait for the status after a document, by a printer that answered before it."""


class EscposPrinter:
    """Fulfils `drivers.ports.Printer`."""

    def __init__(self, name: str, config: EscposConfig) -> None:
        self._config = config
        self._name = name
        self._target = parse_target(config.target)

    def print(self, document: Document) -> None:
        """See `drivers.ports.Printer.print`. Every error tells how much of the document had been sent."""
        encoded = encode(document, paper_mm=self._config.paper_mm, qr=self._config.qr)
        for warning in encoded.warnings:
            _log.warning("character not printable", device=self._name, what=warning)
        line = self._open()
        try:
            answers = self._refuse_faults(line)
            self._send(line, encoded.data)
            self._confirm(line, answers, len(encoded.data))
        except BaseException:
            _end(line.abort)
            raise
        _end(line.close)

    def check(self) -> None:
        """See `drivers.ports.Printer.check`."""
        line = self._open()
        try:
            self._refuse_faults(line)
        finally:
            _end(line.close)

    def _open(self) -> Line:
        try:
            return open_line(self._target, self._config.timeout_ms / 1000)
        except OSError as error:
            raise self._unavailable(f"cannot be opened: {error}") from error

    def _refuse_faults(self, line: Line) -> bool:
        """Raise when the printer says that it cannot print; True when it answers status requests at all."""
        try:
            replies = _ask(line, self._config.status_ms / 1000, self._config.timeout_ms / 1000)
        except OSError as error:
            raise self._unavailable(f"connection lost before printing: {error}") from error
        if found := fault(replies):
            raise DeviceRefused(self._name, found.what, found.try_this)
        return bool(replies)

    def _send(self, line: Line, data: bytes) -> None:
        for start in range(0, len(data), _PART_BYTES):
            try:
                line.send(data[start : start + _PART_BYTES], self._config.timeout_ms / 1000)
            except OSError as error:
                stuck = isinstance(error, TimeoutError)
                how = f"takes no more bytes for {self._config.timeout_ms} ms" if stuck else f"connection lost: {error}"
                if not start:
                    raise self._unavailable(how) from error
                raise self._half(f"{how}, after {start} of {len(data)} bytes", line if stuck else None) from error
        try:
            line.drain(self._config.timeout_ms / 1000)
        except TimeoutError as error:
            how = f"takes no more bytes for {self._config.timeout_ms} ms: {error}, of {len(data)}"
            raise self._half(how, line) from error
        except OSError as error:
            raise self._half(f"connection lost: {error}, {len(data)} bytes sent", None) from error

    def _confirm(self, line: Line, answers: bool, sent_bytes: int) -> None:
        """Ask again: bytes accepted by a socket are not yet on paper."""
        wait_ms = self._config.finish_ms if answers else self._config.status_ms
        try:
            replies = _ask(line, wait_ms / 1000, self._config.timeout_ms / 1000)
        except OSError as error:
            raise self._half(f"connection lost while printing, {sent_bytes} bytes sent: {error}", None) from error
        if found := fault(replies):
            raise self._refused_half(found)
        if answers and not replies:
            raise self._half(f"no answer for {wait_ms} ms after {sent_bytes} bytes", None)

    def _half(self, what: str, line: Line | None) -> DeviceRefused | DeviceTimeout:
        """The error for a document that may be on paper in part; asks a stuck printer why."""
        if line is not None:
            try:
                found = fault(_ask(line, self._config.status_ms / 1000, self._config.status_ms / 1000))
            except OSError:
                found = None
            if found:
                return self._refused_half(found)
        return DeviceTimeout(self._name, f"{what}; part of the ticket may be on paper", _LOOK_AT_PAPER)

    def _refused_half(self, found: Fault) -> DeviceRefused:
        what = f"{found.what} while printing; part of the ticket may be on paper"
        return DeviceRefused(self._name, what, f"{found.try_this}. {_LOOK_AT_PAPER}")

    def _unavailable(self, what: str) -> DeviceUnavailable:
        return DeviceUnavailable(self._name, f"{self._config.target} {what}", _CHECK_CABLE)


def _ask(line: Line, first_wait_s: float, timeout_s: float) -> dict[Ask, int]:
    """Ask for every status; empty when the printer does not answer the first request. OSError when the line breaks."""
    while line.receive(0):
        pass  # replies to status bytes that stood inside a picture
    replies: dict[Ask, int] = {}
    for ask in Ask:
        line.send(request(ask), timeout_s)
        reply = _reply(line, first_wait_s if not replies else timeout_s)
        if reply is None:
            break
        replies[ask] = reply
    return replies


def _reply(line: Line, wait_s: float) -> int | None:
    ends_s = time.monotonic() + wait_s
    while (left_s := ends_s - time.monotonic()) > 0:
        for byte in line.receive(left_s):
            if is_reply(byte):
                return byte
    return None


def _end(close: Callable[[], None]) -> None:
    try:
        close()
    except OSError as error:
        _log.debug("closing the printer's line failed", error=str(error))
