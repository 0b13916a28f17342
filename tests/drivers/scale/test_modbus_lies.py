"""Answers that are none: whatever a peer sends, no weight comes of it but of a true answer."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from drivers.ports import DeviceTimeout
from drivers.scale.modbus_indicator import ModbusIndicator
from drivers.worker import DeviceThread
from tests.drivers.scale.modbus_rig import config, fails, impatient, shows

__all__ = ["impatient"]


@contextmanager
def answering(answer: Callable[[bytes], bytes]) -> Iterator[str]:
    """A TCP peer that answers each request with whatever `answer` makes of it."""

    def serve(stopping: threading.Event) -> None:
        while not stopping.is_set():
            try:
                client, _ = server.accept()
            except TimeoutError:
                continue
            with client:
                client.settimeout(0.05)
                while not stopping.is_set():
                    try:
                        asked = client.recv(512)
                    except TimeoutError:
                        continue
                    except OSError:
                        break
                    if not asked:
                        break
                    client.sendall(answer(asked))

    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.05)
        thread = DeviceThread("a peer that lies", serve)
        thread.start()
        try:
            yield f"tcp://127.0.0.1:{server.getsockname()[1]}"
        finally:
            thread.stop()


def tcp_answer(asked: bytes, pdu: bytes, *, transaction: bytes | None = None, unit: int | None = None) -> bytes:
    head = (transaction or asked[:2]) + b"\0\0" + (len(pdu) + 1).to_bytes(2, "big")
    return head + bytes([asked[6] if unit is None else unit]) + pdu


GOOD = b"\x03\x08" + bytes.fromhex("0000 38E0 0000 0000")
LIES: dict[str, Callable[[bytes], bytes]] = {
    "half the registers": lambda asked: tcp_answer(asked, b"\x03\x04" + GOOD[2:6]),
    "too many registers": lambda asked: tcp_answer(asked, b"\x03\x0a" + GOOD[2:] + b"\0\0"),
    "an odd number of bytes": lambda asked: tcp_answer(asked, b"\x03\x07" + GOOD[2:-1]),
    "no registers": lambda asked: tcp_answer(asked, b"\x03\x00"),
    "a function byte and no more": lambda asked: tcp_answer(asked, b"\x03"),
    "a count and no registers": lambda asked: tcp_answer(asked, b"\x03\x08"),
    "an unknown function": lambda asked: tcp_answer(asked, b"\x63\x08" + GOOD[2:]),
    "the answer of another function": lambda asked: tcp_answer(asked, b"\x04" + GOOD[1:]),
    "the answer to a write": lambda asked: tcp_answer(asked, b"\x06\x00\x00\x00\x05"),
    "the answer to an older question": lambda asked: tcp_answer(asked, GOOD, transaction=b"\xee\xee"),
    "the answer of another device": lambda asked: tcp_answer(asked, GOOD, unit=7),
    "half an answer": lambda asked: tcp_answer(asked, GOOD)[:11],
    "junk": lambda _: bytes(range(40)),
    "silence of zeros": lambda _: bytes(12),
    "a web page": lambda _: b"HTTP/1.1 400 Bad Request\r\n\r\n",
}


@pytest.mark.parametrize("lie", LIES)
@pytest.mark.usefixtures("impatient")
def test_an_answer_that_is_none_is_no_weight(lie: str) -> None:
    with answering(LIES[lie]) as target:
        scale = ModbusIndicator("lane 1 scale", config(target, timeout_ms=50))
        scale.open()
        fails(scale, DeviceTimeout, "sends bytes but no answer of device_id 1|has not answered")
        scale.close()


def test_the_peer_that_tells_the_truth_is_believed() -> None:
    """The control of the lies: the same peer with a true answer."""
    with answering(lambda asked: tcp_answer(asked, GOOD)) as target:
        scale = ModbusIndicator("lane 1 scale", config(target))
        scale.open()
        assert shows(scale, 14_560).stable
        scale.close()
