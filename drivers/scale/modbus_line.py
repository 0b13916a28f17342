"""One connection to a Modbus target, shared by all devices behind it (RS-485, a gateway): one request at a time.

pymodbus does the protocol. What is added: several devices in several threads, the silence between two RTU frames, and
that an answer which came too late is never taken for the next one.
"""

import termios
import threading
import time
import weakref
from collections.abc import Callable
from functools import partial

from pymodbus.exceptions import ConnectionException, ModbusException
from pymodbus.pdu import ModbusPDU

from drivers.modbus import ModbusTarget, exception_text, modbus_client
from drivers.worker import monotonic_ms

LONGEST_TURN_S = 2.0
CHARACTERS_OF_SILENCE = 3.5
BITS_OF_A_CHARACTER = 11
LEAST_SILENCE_S = 0.00175
"""Source: Modbus over Serial Line V1.02, 2.5.1.1: 3.5 characters, and 1.75 ms above 19200 baud."""


class LineLostError(Exception):
    """No connection, or it broke."""


class NoAnswerError(Exception):
    """Nothing usable came in time. `heard`: bytes came, but no answer."""

    def __init__(self, heard: bool) -> None:
        super().__init__("bytes without an answer" if heard else "no answer")
        self.heard = heard


class ExceptionAnswerError(Exception):
    """The device answered with a Modbus exception."""

    def __init__(self, code: int) -> None:
        super().__init__(exception_text(code))
        self.code = code


class TooLateError(Exception):
    """Nothing was sent: the line's turn came too late."""


class ModbusLine:
    """Open while somebody has joined. Every call may raise LineLostError, NoAnswerError or ExceptionAnswerError."""

    def __init__(self, target: ModbusTarget, timeout_s: float) -> None:
        self.timeout_s = timeout_s
        self.is_rtu = target.scheme != "tcp"
        self._keeps_late_answers = target.scheme == "serial"
        self._client = modbus_client(target, timeout_s, self._on_bytes)
        self._lock = threading.Lock()
        self._users: weakref.WeakSet[object] = weakref.WeakSet()
        self._silence_s = _silence_s(target)
        self._free_s = 0.0
        self._heard = False

    def join(self, user: object) -> None:
        """Connect, if nobody has yet. Raises LineLostError."""
        with _Turn(self._lock):
            if not self._client.connect():
                raise LineLostError
            self._users.add(user)

    def leave(self, user: object) -> None:
        """The last one closes the connection."""
        with _Turn(self._lock):
            self._users.discard(user)
            if not self._users:
                self._close()

    def read(self, function: int, address: int, count: int, device_id: int) -> list[int]:
        """`count` registers from `address` on, all from one answer."""
        ask = self._client.read_holding_registers if function == 3 else self._client.read_input_registers
        registers = self._request(function, lambda: ask(address, count=count, device_id=device_id)).registers
        if len(registers) != count:
            raise NoAnswerError(heard=True)
        return list(registers)

    def write(
        self, function: int, address: int, values: list[int], device_id: int, not_after_ms: int | None = None
    ) -> None:
        """One register with function 6, or some with 16. Raises TooLateError after `not_after_ms` (monotonic)."""
        if function == 6:
            write = partial(self._client.write_register, address, values[0], device_id=device_id)
        else:
            write = partial(self._client.write_registers, address, values, device_id=device_id)
        self._request(function, write, not_after_ms)

    def _request(self, function: int, send: Callable[[], ModbusPDU], not_after_ms: int | None = None) -> ModbusPDU:
        with _Turn(self._lock):
            time.sleep(max(0.0, self._free_s - time.monotonic()))
            if not_after_ms is not None and monotonic_ms() > not_after_ms:
                raise TooLateError
            answer = self._ask(send)
        if answer.isError():
            raise ExceptionAnswerError(answer.exception_code)
        if answer.function_code != function:
            raise NoAnswerError(heard=True)  # pymodbus takes the answer to another function for ours
        return answer

    def _ask(self, send: Callable[[], ModbusPDU]) -> ModbusPDU:
        self._heard = False
        try:
            if not self._client.connect():
                raise LineLostError
            return send()
        except (ConnectionException, OSError, termios.error) as error:
            self._close()
            raise LineLostError from error
        except ModbusException as error:
            if not self._keeps_late_answers:
                self._close()  # a late answer dies with its connection; a serial port is emptied before each request
            raise NoAnswerError(self._heard) from error
        finally:
            self._free_s = time.monotonic() + self._silence_s

    def _close(self) -> None:
        try:
            self._client.close()  # type: ignore[no-untyped-call]
        except (OSError, termios.error):
            self._client.socket = None  # it is gone already

    def _on_bytes(self, sending: bool, data: bytes) -> bytes:
        self._heard = self._heard or (not sending and bool(data))
        return data


class _Turn:
    """The lock, for as long as any request may take and no longer."""

    def __init__(self, lock: threading.Lock) -> None:
        self._lock = lock

    def __enter__(self) -> None:
        if not self._lock.acquire(timeout=LONGEST_TURN_S):
            raise NoAnswerError(heard=False)

    def __exit__(self, *_: object) -> None:
        self._lock.release()


def _silence_s(target: ModbusTarget) -> float:
    if target.scheme != "serial":
        return 0.0
    return max(LEAST_SILENCE_S, CHARACTERS_OF_SILENCE * BITS_OF_A_CHARACTER / target.number)


_lines: weakref.WeakValueDictionary[ModbusTarget, ModbusLine] = weakref.WeakValueDictionary()
_lines_lock = threading.Lock()


def modbus_line(target: ModbusTarget, timeout_s: float) -> ModbusLine:
    """The line to a target: the same one for all who name the same target; the first one's time limit holds."""
    with _lines_lock:
        line = _lines.get(target)
        if line is None:
            line = _lines[target] = ModbusLine(target, timeout_s)
        return line
