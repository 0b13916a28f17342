"""What all Modbus devices share: how a target is written, the client for it, and what an exception code means."""

import logging
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Literal, NamedTuple
from urllib.parse import parse_qs, urlsplit

import serial
from pymodbus import FramerType
from pymodbus.client import ModbusSerialClient, ModbusTcpClient
from pymodbus.constants import ExcCodes

from drivers.device_files import device_folder

Client = ModbusTcpClient | ModbusSerialClient

TARGETS = (
    "tcp://host:502, rtu+tcp://host:port, serial:///dev/ttyS1?baud=9600&parity=N or "
    "rtu+rfc2217://host:port?baud=9600&parity=N"
)
LEAST_BAUD, MOST_BAUD = 300, 921_600

# What pymodbus prints (with dumps of the last frames) is told once, and better, by our DriverError.
logging.getLogger("pymodbus.logging").setLevel(logging.CRITICAL)


class ModbusTarget(NamedTuple):
    """Where a device is. `place` is the host, or what pyserial opens; `number` the port or the baud rate."""

    scheme: Literal["tcp", "rtu+tcp", "serial"]
    place: str
    number: int
    parity: str = "N"
    stopbits: int = 1


def parse_modbus_target(target: str, *, baud: int = 9600, parity: str = "N") -> ModbusTarget:
    """`baud` and `parity` are those of a serial target that names none. ValueError says what is allowed."""
    parts = urlsplit(target)
    try:
        if parts.scheme in ("tcp", "rtu+tcp") and parts.hostname:
            return ModbusTarget("tcp" if parts.scheme == "tcp" else "rtu+tcp", parts.hostname, parts.port or 502)
        if parts.scheme == "serial" and parts.path and not parts.netloc:
            return _serial(parts.path, parts.query, baud, parity)
        if parts.scheme == "rtu+rfc2217" and parts.hostname and parts.port:
            return _serial(f"rfc2217://{parts.hostname}:{parts.port}", parts.query, baud, parity)
    except ValueError as error:
        raise ValueError(f"{target!r}: {error}; allowed: {TARGETS}") from None
    raise ValueError(f"{target!r} is no Modbus target; allowed: {TARGETS}")


def _serial(place: str, query: str, baud: int, parity: str) -> ModbusTarget:
    settings = parse_qs(query)
    parity = settings.get("parity", [parity])[0]
    if parity not in ("N", "E", "O"):
        raise ValueError(f"parity {parity!r} is not N, E or O")
    baud = int(settings.get("baud", [str(baud)])[0])
    if not LEAST_BAUD <= baud <= MOST_BAUD:
        raise ValueError(f"baud {baud} is not {LEAST_BAUD} to {MOST_BAUD}")
    stopbits = int(settings.get("stopbits", ["1"])[0])
    if stopbits not in (1, 2):
        raise ValueError(f"stopbits {stopbits} is not 1 or 2")
    return ModbusTarget("serial", place, baud, parity, stopbits)


class _RemoteSerialClient(ModbusSerialClient):
    """A serial port behind a pyserial URL: RFC 2217 has neither a write time-out nor an exclusive lock, which pymodbus
    asks for, and fails to open with them."""

    def connect(self) -> bool:
        if self.socket is None:
            line = self.comm_params
            with suppress(serial.SerialException, OSError, ValueError):
                self.socket = serial.serial_for_url(
                    line.host, baudrate=line.baudrate, parity=line.parity, stopbits=line.stopbits,
                    timeout=line.timeout_connect,
                )  # fmt: skip
        return self.socket is not None


def modbus_client(
    target: ModbusTarget, timeout_s: float, on_bytes: Callable[[bool, bytes], bytes] | None = None
) -> Client:
    """A client that asks once and waits `timeout_s`; it connects with its first `connect()`.

    `on_bytes(sending, data)` sees all that goes and comes, and returns it.
    """
    if target.scheme == "serial":
        kind = _RemoteSerialClient if "://" in target.place else ModbusSerialClient
        return kind(
            target.place, baudrate=target.number, parity=target.parity, stopbits=target.stopbits, timeout=timeout_s,
            retries=0, trace_packet=on_bytes,
        )  # fmt: skip
    framer = FramerType.SOCKET if target.scheme == "tcp" else FramerType.RTU
    return ModbusTcpClient(
        target.place, port=target.number, framer=framer, timeout=timeout_s, retries=0, trace_packet=on_bytes
    )


def exception_text(code: int) -> str:
    """ "Modbus exception 2 illegal address"."""
    meaning = ExcCodes(code).name.lower().replace("_", " ") if code in {item.value for item in ExcCodes} else ""
    return f"Modbus exception {code} {meaning}".rstrip()


def registers_folder() -> Path:
    """`config/registers` of the checkout, or of the installed package's data."""
    return device_folder("registers")
