"""The pipe over MQTT v5: QoS 1, TLS with a client certificate, one paho client and network thread for each connection.

PUBACK only makes room for more: whether a record arrived is head office's word (ACK), never the broker's. So paho's
queues stay empty while the link is down, and a new connection starts with nothing left over from the last one.
"""

import asyncio
import random
import ssl
import threading
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import structlog
from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from sync.backoff import Backoff
from sync.certificates import TlsFiles, client_context
from sync.envelope import MAX_PAYLOAD_BYTES
from sync.transport import Listener, NotConnected

_log = structlog.get_logger(__name__)
_NOT_AUTHORIZED = 135
_STABLE_S = 30.0
_CLOSE_S = 1.0


@dataclass(frozen=True, slots=True)
class MqttSettings:
    """One end's connection. Times in seconds. Without `tls` only for tests on the loopback."""

    host: str
    port: int
    client_id: str
    subscriptions: tuple[str, ...]
    presence_topic: str
    """Retained: "1" while connected, "0" (last will) when not; also the heartbeat. A hint, unsigned."""
    tls: TlsFiles | None = None
    connect_timeout_s: float = 10.0
    reconnect_min_s: float = 1.0
    reconnect_max_s: float = 30.0
    keepalive_s: int = 15
    heartbeat_s: float = 20.0
    silence_s: float = 30.0
    """A publish that the broker has not confirmed for so long ends the connection."""
    in_flight: int = 20


@dataclass(slots=True)
class MqttCounts:
    """What went wrong since the start, for pages and alarms."""

    connections: int = 0
    failures: int = 0
    oversize: int = 0
    not_authorized: int = 0
    refused: int = 0


class MqttTransport:
    """A `Transport` over a broker that connects again by itself, for a plant and for head office alike."""

    def __init__(self, settings: MqttSettings, jitter: Callable[[], float] = random.random) -> None:
        """KeyFileError if a TLS file is missing or wrong."""
        self.settings = settings
        self.counts = MqttCounts()
        self._jitter = jitter
        self._context = client_context(settings.tls) if settings.tls else None
        self._connection: _Connection | None = None

    async def run(self, listener: Listener) -> None:
        """Connect, and connect again, until cancelled."""
        backoff = Backoff(self.settings.reconnect_min_s, self.settings.reconnect_max_s, self._jitter)
        while True:
            connection = _Connection(self.settings, listener, self.counts)
            up_since: float | None = None
            try:
                await connection.open(self._context)
                up_since = time.monotonic()
                self._connection = connection
                self.counts.connections += 1
                listener.connected()
                await connection.watch()
            except NotConnected as failed:
                self.counts.failures += 1
                # A broker that accepts us and throws us out at once must not be asked every second.
                if up_since is not None and time.monotonic() - up_since >= min(
                    _STABLE_S, self.settings.reconnect_max_s
                ):
                    backoff.reset()
                self._connection = None
                delay_s = backoff.next()
                _log.warning("link down", why=str(failed), retry_s=round(delay_s, 1))
                listener.disconnected(str(failed))
            finally:
                self._connection = None
                await connection.close()
            await asyncio.sleep(delay_s)

    async def send(self, topic: str, payload: bytes) -> None:
        """Hand over one message; waits while `in_flight` are unconfirmed. NotConnected if the link is or goes down."""
        if self._connection is None:
            raise NotConnected("no connection to the broker")
        await self._connection.send(topic, payload)


class _Connection:
    """One TCP connection's life. paho's thread calls the `_on_…` methods, which only hand over to the loop."""

    def __init__(self, settings: MqttSettings, listener: Listener, counts: MqttCounts) -> None:
        self._settings = settings
        self._listener = listener
        self._counts = counts
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[str] = self._loop.create_future()
        self._ready = asyncio.Event()
        self._room = asyncio.Event()
        self._flights: dict[int, tuple[str, float]] = {}
        self._closing = False
        self._where = f"{settings.host}:{settings.port}"
        self._buried: asyncio.Future[None] = self._loop.create_future()
        self._dialer = threading.Thread(target=self._dial, name=f"mqtt-dial-{settings.client_id}", daemon=True)
        self._client = Client(
            CallbackAPIVersion.VERSION2, client_id=settings.client_id, protocol=MQTTProtocolVersion.MQTTv5,
            reconnect_on_failure=False, manual_ack=True,
        )  # fmt: skip

    async def open(self, context: ssl.SSLContext | None) -> None:
        """Connect and subscribe; NotConnected in words if that does not end well within `connect_timeout_s`."""
        client, settings = self._client, self._settings
        if context is not None:
            client.tls_set_context(context)
        client.connect_timeout = settings.connect_timeout_s
        client.max_inflight_messages_set(settings.in_flight + 2)
        client.will_set(settings.presence_topic, b"0", qos=1, retain=True)
        client.on_connect, client.on_subscribe = self._on_connect, self._on_subscribe
        client.on_message, client.on_publish = self._on_message, self._on_publish
        client.on_disconnect = self._on_disconnect
        self._dialer.start()
        if not await self._ended_while(self._ready.wait(), settings.connect_timeout_s):
            waited = f"no CONNACK in {settings.connect_timeout_s:g} s"
            raise NotConnected(f"{self._where}: {waited}. Check address, port, and that our certificate is accepted")
        self._publish(settings.presence_topic, b"1", retain=True)

    async def watch(self) -> None:
        """Beat until the connection ends, which is NotConnected."""
        while True:
            await self._ended_while(asyncio.sleep(self._settings.heartbeat_s), None)
            oldest = min((since for _, since in self._flights.values()), default=None)
            if oldest is not None and time.monotonic() - oldest > self._settings.silence_s:
                raise NotConnected(f"{self._where}: no PUBACK for {self._settings.silence_s:g} s")
            if len(self._flights) <= self._settings.in_flight:
                self._publish(self._settings.presence_topic, b"1", retain=True)

    async def send(self, topic: str, payload: bytes) -> None:
        while len(self._flights) >= self._settings.in_flight:
            self._room.clear()
            await self._ended_while(self._room.wait(), None)
        if self._ended.done():
            raise NotConnected(f"{self._where}: the connection has ended")
        self._publish(topic, payload, retain=False)

    async def close(self) -> None:
        """Say good-bye if the connection is up; the last will then tells the others. At most about a second."""
        self._closing = True
        self._end(f"{self._where}: closed")  # whoever waits in send() hears of it
        self._client.disconnect(reasoncode=ReasonCode(PacketTypes.DISCONNECT, "Disconnect with will message"))
        threading.Thread(target=self._bury, name=f"mqtt-end-{self._settings.client_id}", daemon=True).start()
        await asyncio.wait([self._buried], timeout=_CLOSE_S)

    async def _ended_while(self, waiting: Coroutine[Any, Any, object], timeout_s: float | None) -> bool:
        """Wait for `waiting`; False after `timeout_s`; NotConnected (or a callback's bug) if the link ends first."""
        task: asyncio.Future[Any] = asyncio.ensure_future(waiting)
        waiters: list[asyncio.Future[Any]] = [task, self._ended]
        try:
            await asyncio.wait(waiters, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
            if self._ended.done():
                raise NotConnected(self._ended.result())
            return task.done()
        finally:
            task.cancel()

    def _publish(self, topic: str, payload: bytes, *, retain: bool) -> None:
        info = self._client.publish(topic, payload, qos=1, retain=retain)
        if info.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            # paho keeps the message even so; with this client it dies, and it is sent again on our own terms.
            self._end(f"{self._where}: publish failed: {info.rc.name}")
            return
        # The confirmation is handed over through the loop, so it cannot come before this line.
        self._flights[info.mid] = (topic, time.monotonic())

    def _end(self, why: str) -> None:
        if not self._ended.done():
            self._ended.set_result(why)

    def _fail(self, error: Exception) -> None:
        if not self._ended.done():
            self._ended.set_exception(error)

    def _confirmed(self, mid: int, reason: int, words: str) -> None:
        flight = self._flights.pop(mid, None)
        self._room.set()
        if flight is None or reason < 128:
            return  # 16, no matching subscribers, is no failure here: head office may be down for a week
        self._counts.refused += 1
        self._counts.not_authorized += reason == _NOT_AUTHORIZED
        _log.error("broker refused a message", topic=flight[0], reason=reason, words=words)

    def _arrived(self, topic: str, payload: bytes, mid: int, qos: int) -> None:
        if self._closing:
            return
        if len(payload) > MAX_PAYLOAD_BYTES:
            self._counts.oversize += 1
            _log.warning("message too big, dropped", topic=topic, bytes=len(payload))
        else:
            self._listener.message(topic, payload)
        # Confirmed only now, so the broker sends no more than its receive maximum ahead of the loop.
        self._client.ack(mid, qos)

    # The rest runs on other threads. An exception there would end paho's thread in silence.

    def _dial(self) -> None:
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.ReceiveMaximum = self._settings.in_flight
        properties.MaximumPacketSize = 2 * MAX_PAYLOAD_BYTES
        try:
            self._client.connect(
                self._settings.host, self._settings.port, self._settings.keepalive_s, clean_start=True,
                properties=properties,
            )  # fmt: skip
            self._client.loop_start()
            if self._closing:
                self._client.disconnect()
        except OSError as error:
            self._hand_over(self._end, f"{self._where}: {error.strerror or error}")
        except Exception as error:
            self._hand_over(self._fail, error)

    def _bury(self) -> None:
        self._dialer.join()
        self._client.loop_stop()
        # The only public way to close the pair of sockets that wakes paho's thread.
        self._client.reinitialise()
        self._hand_over(self._buried.set_result, None)

    def _hand_over(self, call: Callable[..., None], *arguments: object) -> None:
        try:
            self._loop.call_soon_threadsafe(call, *arguments)
        except RuntimeError:
            return  # the loop is closed: nobody is left to hear it

    def _on_connect(
        self, client: Client, userdata: Any, flags: ConnectFlags, reason: ReasonCode, properties: Properties | None
    ) -> None:
        try:
            if reason.is_failure:
                self._hand_over(self._end, f"{self._where}: the broker refused the connection: {reason}")
            elif self._settings.subscriptions:
                client.subscribe([(topic, 1) for topic in self._settings.subscriptions])
            else:
                self._hand_over(self._ready.set)
        except Exception as error:
            self._hand_over(self._fail, error)

    def _on_subscribe(
        self, client: Client, userdata: Any, mid: int, reasons: list[ReasonCode], properties: Properties | None
    ) -> None:
        refused = [str(reason) for reason in reasons if reason.is_failure]
        if refused:
            self._hand_over(self._end, f"{self._where}: the broker refused a subscription: {refused[0]}")
        else:
            self._hand_over(self._ready.set)

    def _on_disconnect(
        self, client: Client, userdata: Any, flags: DisconnectFlags, reason: ReasonCode, properties: Properties | None
    ) -> None:
        self._hand_over(self._end, f"{self._where}: the connection ended: {reason}")

    def _on_message(self, client: Client, userdata: Any, message: MQTTMessage) -> None:
        try:
            self._hand_over(self._arrived, message.topic, message.payload, message.mid, message.qos)
        except UnicodeDecodeError as error:
            self._hand_over(self._end, f"{self._where}: a topic that is no UTF-8: {error.reason}")

    def _on_publish(
        self, client: Client, userdata: Any, mid: int, reason: ReasonCode, properties: Properties | None
    ) -> None:
        self._hand_over(self._confirmed, mid, reason.value, str(reason))
