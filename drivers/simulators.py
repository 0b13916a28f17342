"""What the simulators at the wire share."""

import asyncio
from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self

from pymodbus.server import ModbusSerialServer, ModbusTcpServer

_TURNS_TO_COME_IN = 10


class Simulator(ABC):
    """Something that runs on a thread of its own from its making until `close`, or until the end of a `with`."""

    @abstractmethod
    def switch_off(self) -> None:
        """Break every connection and stop listening; its thread and its port are free when this returns."""

    def close(self) -> None:
        """Switch it off for good."""
        self.switch_off()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


async def shut_down(server: ModbusTcpServer | ModbusSerialServer) -> None:
    """Close a simulated Modbus server and everybody it serves; on its own loop.

    First nobody more is let in, and who is at the door comes in: a connection accepted just before the listening socket
    closes is left open by asyncio.
    """
    if isinstance(server.transport, asyncio.Server):
        for door in server.transport.sockets:
            asyncio.get_running_loop().remove_reader(door.fileno())
    for _ in range(_TURNS_TO_COME_IN):
        await asyncio.sleep(0)
    await server.shutdown()  # type: ignore[no-untyped-call]
