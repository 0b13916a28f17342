"""What the protocol needs of a pipe: bytes to a topic, bytes from topics, and whether it is up. It may lose, double and
delay; it need not remember anything."""

from typing import Protocol


class NotConnected(Exception):
    """The link is down, so nothing was sent."""


class Listener(Protocol):
    """Who hears from a transport. Called on the asyncio loop, never concurrently; must not block and must not raise."""

    def connected(self) -> None:
        """The broker accepted us and our subscriptions."""

    def disconnected(self, why: str) -> None:
        """The link went down, or an attempt to connect failed: `why` in words, for people."""

    def message(self, topic: str, payload: bytes) -> None:
        """A payload arrived, not yet checked in any way."""


class Transport(Protocol):
    """One end of a pipe."""

    async def run(self, listener: Listener) -> None:
        """Connect, and connect again, until cancelled (then disconnect within about a second). Raises only for a bug,
        so it belongs in a task group with whoever uses it."""

    async def send(self, topic: str, payload: bytes) -> None:
        """Hand over one message; waits for room among the unconfirmed ones. NotConnected if the link is down."""
