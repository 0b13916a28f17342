"""A bad line between a plant and its broker: understands MQTT frames, doubles and delays them, and tears in the middle.

It ends the plant's TLS with the broker's certificate and shows the broker the plant's own, so both ends are as shipped.
"""

import asyncio
import contextlib
import ssl
from collections import Counter
from dataclasses import dataclass
from random import Random

from sync.certificates import TlsFiles, client_context

_PUBLISH, _DUP, _QOS1 = 0x30, 0x08, 0x02
_LONGEST_FRAME = 2**20


@dataclass(frozen=True, slots=True)
class Line:
    """Chances for each frame, in 0…1."""

    double: float = 0.2
    """A PUBLISH goes twice, the second time with its DUP flag, as after a lost PUBACK."""
    delay: float = 0.1
    delay_ms: int = 30
    tear: float = 0.004
    """Half a frame goes through, then both connections are gone."""


class BadLine:
    """`async with` it; the plant connects to `port`."""

    def __init__(self, broker: tuple[str, int], server: TlsFiles, plant: TlsFiles, line: Line, seed: int) -> None:
        self.counts: Counter[str] = Counter()
        self.port = 0
        self._broker = broker
        self._line = line
        self._random = Random(seed)
        self._accepting = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._accepting.load_cert_chain(server.certificate, server.key)
        self._calling = client_context(plant)
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> "BadLine":
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=self._accepting)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.counts["connections"] += 1
        try:
            host, port = self._broker
            with contextlib.suppress(OSError):
                upstream, sink = await asyncio.open_connection(host, port, ssl=self._calling, server_hostname=host)
                try:
                    await self._carry(reader, writer, upstream, sink)
                finally:
                    sink.transport.abort()
        except asyncio.CancelledError:
            pass  # the line is taken away; the server's own callback would report it as an error
        finally:
            writer.transport.abort()
            self._tasks.discard(task)

    async def _carry(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        upstream: asyncio.StreamReader,
        sink: asyncio.StreamWriter,
    ) -> None:
        """Both directions, until one ends."""
        ways = [asyncio.create_task(self._frames(reader, sink)), asyncio.create_task(self._frames(upstream, writer))]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    async def _frames(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, OSError):
            while True:
                frame = await _read_frame(source)
                if self._happens("tear", self._line.tear):
                    sink.write(frame[: len(frame) // 2])
                    await sink.drain()
                    return
                if self._happens("delay", self._line.delay):
                    await asyncio.sleep(self._random.uniform(0, self._line.delay_ms) / 1000)
                sink.write(frame)
                published = frame[0] & 0xF0 == _PUBLISH and frame[0] & _QOS1
                self.counts["published"] += bool(published)
                if published and self._happens("double", self._line.double):
                    sink.write(bytes([frame[0] | _DUP]) + frame[1:])
                await sink.drain()

    def _happens(self, what: str, chance: float) -> bool:
        happened = self._random.random() < chance
        self.counts[what] += happened
        return happened


async def _read_frame(source: asyncio.StreamReader) -> bytes:
    """One MQTT control packet: a byte, a length in seven-bit groups, and as many bytes (MQTT 5, section 2.1)."""
    head = bytearray(await source.readexactly(1))
    length = shift = 0
    while True:
        (group,) = await source.readexactly(1)
        head.append(group)
        length |= (group & 0x7F) << shift
        shift += 7
        if not group & 0x80:
            break
    assert length <= _LONGEST_FRAME
    return bytes(head) + await source.readexactly(length)
