"""Requests to one Modbus relay module. Each has one time limit and no hidden repeats: a module that hangs is noticed,
its connection dropped and opened afresh by the next request.
"""

from collections.abc import Callable, Sequence

from pymodbus.exceptions import ConnectionException, ModbusException
from pymodbus.pdu import ModbusPDU

from drivers.gate.relay_module import RelayModule
from drivers.modbus import exception_text, modbus_client, parse_modbus_target
from drivers.ports import DeviceRefused, DeviceTimeout, DeviceUnavailable

_CHECK_MODULE = "Check the relay module's power and cable 检查继电器模块电源和网线"


class NeverSentError(DeviceUnavailable):
    """No connection, so nothing can have reached the module."""


class RelayLink:
    """Raises DeviceUnavailable, DeviceTimeout when no answer came, DeviceRefused when the module said no."""

    def __init__(self, name: str, target: str, device_id: int, module: RelayModule, timeout_ms: int) -> None:
        self._name = name
        self._target = target
        self._device_id = device_id
        self._module = module
        self._timeout_ms = timeout_ms
        self._client = modbus_client(parse_modbus_target(target), timeout_ms / 1000)

    def inputs(self, count: int) -> Sequence[bool]:
        """The module's first inputs now."""
        base, device_id = self._module.input_base, self._device_id
        if self._module.input_function == 1:
            return self._request(lambda: self._client.read_coils(base, count=count, device_id=device_id)).bits
        return self._request(lambda: self._client.read_discrete_inputs(base, count=count, device_id=device_id)).bits

    def write_coil(self, coil: int, on: bool) -> None:
        """Set one relay."""
        self._request(lambda: self._client.write_coil(coil, on, device_id=self._device_id))

    def write_registers(self, address: int, values: list[int]) -> None:
        """What the module calls a flash."""
        self._request(lambda: self._client.write_registers(address, values, device_id=self._device_id))

    def close(self) -> None:
        """Close the line to the module; the next request opens it again."""
        self._client.close()  # type: ignore[no-untyped-call]

    def _request(self, send: Callable[[], ModbusPDU]) -> ModbusPDU:
        """One request. Repeated once when the connection turns out to be dead, as modules drop idle ones: the same
        coil set or the same timed pulse started again within it is still one press."""
        try:
            answer = self._once(send)
        except (ConnectionException, OSError):
            self.close()
            try:
                answer = self._once(send)
            except (ConnectionException, OSError, NeverSentError) as error:
                self.close()
                what = f"{self._target} cannot be reached"
                raise DeviceUnavailable(self._name, what, _CHECK_MODULE) from error
        if answer.isError():
            what = f"the relay module refused ({exception_text(answer.exception_code)})"
            raise DeviceRefused(self._name, what, "Check device_id, module and the coil and input numbers")
        return answer

    def _once(self, send: Callable[[], ModbusPDU]) -> ModbusPDU:
        try:
            if not self._client.connect():
                what = f"{self._target} cannot be reached"
                raise NeverSentError(self._name, what, _CHECK_MODULE)
            return send()
        except ConnectionException:
            raise
        except ModbusException as error:
            # an answer that comes too late must not be taken for the next one
            self.close()
            what = f"{self._target} did not answer for {self._timeout_ms} ms"
            raise DeviceTimeout(self._name, what, _CHECK_MODULE) from error
