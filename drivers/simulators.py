"""What the simulators at the wire share."""

import asyncio
import threading
from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self

from pymodbus.server import ModbusSerialServer, ModbusTcpServer

from drivers.worker import DeviceThread

ModbusServer = ModbusTcpServer | ModbusSerialServer

_TURNS_TO_COME_IN = 10
_START_S = 5.0


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


class ModbusSimulator(Simulator):
    """A Modbus server on a thread with a loop of its own, at the same TCP port each time it is switched on."""

    def __init__(self, name: str, port: int) -> None:
        """A subclass calls `switch_on` when it is complete. `port` 0: a free one."""
        self._name = name
        self._port = port
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        self._thread: DeviceThread | None = None
        self._failed: OSError | None = None

    def switch_on(self) -> None:
        """Listen (again, at the same place). OSError when it cannot be had."""
        if self._thread is not None:
            return
        started = threading.Event()
        self._thread = DeviceThread(self._name, lambda _: self._run(started))
        self._thread.start()
        if not started.wait(_START_S) or self._loop is None:
            self._thread = None
            raise self._failed or OSError(f"{self._name} did not start")

    def switch_off(self) -> None:
        loop, thread, self._loop, self._thread = self._loop, self._thread, None, None
        if loop is not None and thread is not None and self._stopping is not None:
            loop.call_soon_threadsafe(self._stopping.set)
            thread.stop(_START_S)

    @abstractmethod
    def _server(self) -> ModbusServer:
        """The server to run, made on its loop."""

    def _hang_up(self) -> None:
        """Let go of what `_server` opened beside it; on its loop, before the server ends."""

    def _run(self, started: threading.Event) -> None:
        self._failed = None
        try:
            asyncio.run(self._serve(started))
        except OSError as error:
            self._failed = error
        finally:
            started.set()

    async def _serve(self, started: threading.Event) -> None:
        self._stopping = asyncio.Event()
        server = self._server()
        try:
            await server.serve_forever(background=True)
            if isinstance(server.transport, asyncio.Server):
                self._port = server.transport.sockets[0].getsockname()[1]
            self._loop = asyncio.get_running_loop()
            started.set()
            await self._stopping.wait()
        finally:
            self._hang_up()
            await _shut_down(server)


async def _shut_down(server: ModbusServer) -> None:
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
