"""The printer over a real TCP socket, a pty and a file: no paper, plug pulled half way, silence, a stuck line."""

import os
import pty
import socket
import threading
import time
import tty
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from drivers.ports import DeviceRefused, DeviceTimeout, DeviceUnavailable
from drivers.printer.document import Cut, Document, Qr, Row, Text
from drivers.printer.escpos_printer import EscposConfig, EscposPrinter
from drivers.printer.escpos_reader import plain_text
from drivers.printer.escpos_writer import encode
from drivers.printer.simulated import VirtualPrinter
from drivers.printer.status import Ask, fault, is_reply
from drivers.printer.transport import Target, parse_target
from sync.broker import free_port

PAGE: Document = (Text("出库单", scale=2), Row("净重", "28 340 kg"), Qr("PASS" * 38, 8), Cut())


def _printer(target: str, **settings: Any) -> EscposPrinter:
    quick = {"timeout_ms": 500, "status_ms": 200, "finish_ms": 500} | settings
    return EscposPrinter("ticket printer", EscposConfig(type="escpos", target=target, **quick))


@pytest.fixture
def virtual() -> Iterator[VirtualPrinter]:
    with VirtualPrinter() as printer:
        yield printer


def test_every_byte_arrives(virtual: VirtualPrinter) -> None:
    _printer(virtual.target).print(PAGE)
    assert virtual.wait_for(1) == (encode(PAGE).data,)
    assert virtual.torn == ()


def test_documents_in_a_row_are_kept_apart(virtual: VirtualPrinter) -> None:
    printer = _printer(virtual.target)
    for number in range(3):
        printer.print((Text(f"no. {number}"), Cut()))
    assert [plain_text(data) for data in virtual.wait_for(3)] == [f"no. {n}\n✂" for n in range(3)]


def test_no_paper_is_refused_before_a_byte_is_sent(virtual: VirtualPrinter) -> None:
    printer = _printer(virtual.target)
    virtual.faults.paper_out = True
    for act in (printer.check, lambda: printer.print(PAGE)):
        with pytest.raises(DeviceRefused, match="paper out"):
            act()
    virtual.faults.paper_out = False
    virtual.faults.cover_open = True
    with pytest.raises(DeviceRefused, match="cover open"):
        printer.print(PAGE)
    virtual.faults.cover_open = False
    printer.print(PAGE)
    assert (len(virtual.wait_for(1)), virtual.torn) == (1, ())


def test_the_roll_ends_half_way(virtual: VirtualPrinter) -> None:
    virtual.faults.paper_out_after_bytes = 2000
    with pytest.raises(DeviceRefused, match="paper out .* while printing; part of the ticket may be on paper"):
        _printer(virtual.target).print(PAGE)
    assert virtual.documents == ()


@pytest.mark.parametrize("after_bytes", [1, 1800, 5000])
def test_the_plug_is_pulled_half_way(virtual: VirtualPrinter, after_bytes: int) -> None:
    virtual.faults.off_after_bytes = after_bytes
    printer = _printer(virtual.target)
    with pytest.raises(DeviceTimeout, match="connection lost.* bytes.*part of the ticket may be on paper"):
        printer.print(PAGE)
    with pytest.raises(DeviceUnavailable, match="cannot be opened"):
        printer.print(PAGE)
    assert (virtual.documents, len(virtual.torn)) == ((), 1)
    virtual.switch_on()
    printer.print(PAGE)
    assert virtual.wait_for(1) == (encode(PAGE).data,), "the same address, and a whole ticket"


def test_a_silent_clone_prints(virtual: VirtualPrinter) -> None:
    virtual.faults.silent = True
    printer = _printer(virtual.target)
    printer.check()
    printer.print(PAGE)
    assert virtual.wait_for(1) == (encode(PAGE).data,)


def test_a_printer_that_answered_before_and_not_after_is_no_success(virtual: VirtualPrinter) -> None:
    virtual.faults.silent_after_bytes = 1
    with pytest.raises(DeviceTimeout, match="no answer for 500 ms after"):
        _printer(virtual.target).print(PAGE)


@pytest.mark.parametrize("lines", [400, 120_000])
def test_a_printer_that_takes_no_more_bytes_is_noticed(lines: int) -> None:
    """A server that accepts and never reads: it does not matter that the system's buffers hold a whole ticket."""
    page: Document = tuple(Text("冶金焦" * 8) for _ in range(lines))
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        server.bind(("127.0.0.1", 0))
        server.listen()
        started_s = time.monotonic()
        with pytest.raises(DeviceTimeout, match=r"takes no more bytes for 500 ms.* of \d+"):
            _printer(f"tcp://127.0.0.1:{server.getsockname()[1]}").print(page)
        assert time.monotonic() - started_s < 8
        connection, _ = server.accept()
        with connection, pytest.raises(ConnectionResetError):
            while connection.recv(1 << 20):
                pass  # what had not been taken is gone: it cannot come out later beside its reprint


def test_nobody_listens() -> None:
    with pytest.raises(DeviceUnavailable, match="cannot be opened: .*refused"):
        _printer(f"tcp://127.0.0.1:{free_port()}").check()


def test_over_a_serial_line_with_status() -> None:
    ours, theirs = pty.openpty()
    tty.setraw(theirs)
    got = bytearray()
    done = threading.Event()

    def be_a_printer() -> None:
        while not done.is_set():
            part = os.read(ours, 4096)
            got.extend(part)
            os.write(ours, b"\x12" * sum(part.count(bytes([0x10, 4, ask])) for ask in Ask))

    helper = threading.Thread(target=be_a_printer, daemon=True)
    helper.start()
    _printer(f"serial://{os.ttyname(theirs)}?baud=115200").print((Text("出库单"), Cut()))
    done.set()
    os.write(theirs, b"\n")
    helper.join(2)
    os.close(theirs)
    os.close(ours)
    assert bytes(got).rstrip(b"\n").count(b"\x10\x04\x01") == 2
    assert encode((Text("出库单"), Cut())).data in bytes(got)


def test_into_a_device_file(tmp_path: Path) -> None:
    place = tmp_path / "lp0"
    place.touch()
    _printer(f"file://{place}").print(PAGE)
    assert encode(PAGE).data in place.read_bytes()
    with pytest.raises(DeviceUnavailable, match="cannot be opened"):
        _printer(f"file://{tmp_path / 'missing' / 'lp0'}").print(PAGE)


def test_a_device_file_that_blocks_is_noticed(tmp_path: Path) -> None:
    """As /dev/usb/lp0 does without paper: a named pipe nobody reads from."""
    pipe = tmp_path / "lp0"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    page: Document = tuple(Text("冶金焦" * 8) for _ in range(3000))
    with pytest.raises(DeviceTimeout, match="takes no more bytes"):
        _printer(f"file://{pipe}", timeout_ms=200).print(page)
    os.close(reader)


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("tcp://192.168.1.9:9100", Target("tcp", "192.168.1.9", 9100)),
        ("tcp://printer", Target("tcp", "printer", 9100)),
        ("file:///dev/usb/lp0", Target("file", "/dev/usb/lp0")),
        ("serial:///dev/ttyS1?baud=19200", Target("serial", "/dev/ttyS1", 19200)),
        ("usb://04B8:0e15", Target("usb", "04b8:0e15")),
    ],
)
def test_targets(text: str, target: Target) -> None:
    assert parse_target(text) == target


@pytest.mark.parametrize(
    "text", ["", "lpt1", "tcp://", "tcp://h:x", "usb://04b8", "usb://x:y", "serial:///dev/ttyS1?baud=fast"]
)
def test_wrong_targets_say_what_is_allowed(text: str) -> None:
    with pytest.raises(ValueError, match="allowed: tcp://host:port"):
        parse_target(text)


def test_only_real_replies_count() -> None:
    assert is_reply(0x12)
    assert is_reply(0x16)
    assert is_reply(0x7E)
    assert not any(is_reply(byte) for byte in (0x00, 0x06, 0x10, 0x13, 0x92, 0xFF, ord("?")))


def test_near_end_of_paper_is_no_fault() -> None:
    assert fault({Ask.PRINTER: 0x12, Ask.OFFLINE_CAUSE: 0x12, Ask.PAPER: 0x1E}) is None
    found = fault({Ask.PRINTER: 0x1A, Ask.OFFLINE_CAUSE: 0x32, Ask.PAPER: 0x72})
    assert found is not None
    assert found.what.startswith("paper out")
    offline = fault({Ask.PRINTER: 0x1A})
    assert offline is not None
    assert offline.what.startswith("offline")
