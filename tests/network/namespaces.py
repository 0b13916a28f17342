"""A plant and a head office in network namespaces of their own, with a router between them that can be cut.

    plant 10.201.1.2 ── 10.201.1.1 wan 10.201.2.1 ── 10.201.2.2 office

Nothing of it is seen outside: no address, route or port of this machine changes. A cut on the router is silent, as when
a line dies far away: packets vanish and nobody is told. A cut at the plant's own port is loud: its network cannot be
reached.
"""

import ctypes
import os
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

T = TypeVar("T")
_CLONE_NEWNET = 0x40000000
PLANT, OFFICE = "10.201.1.2", "10.201.2.2"
_PLANT_ROUTER, _OFFICE_ROUTER = "10.201.1.1", "10.201.2.1"


class NotPermitted(Exception):
    """This machine lets us make no network namespaces; says which step failed."""


def ip(*words: str) -> None:
    """iproute2; NotPermitted with its words."""
    try:
        subprocess.run(["ip", *words], check=True, capture_output=True, text=True)
    except FileNotFoundError:
        raise NotPermitted("no program ip (Debian: apt-get install iproute2)") from None
    except subprocess.CalledProcessError as error:
        raise NotPermitted(f"ip {' '.join(words)}: {error.stderr.strip()}") from None


class Namespace:
    """One network namespace. What `call` runs opens its sockets there, and processes that it starts live there."""

    def __init__(self, name: str) -> None:
        self.name = f"wg{os.getpid()}{name}"
        ip("netns", "add", self.name)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=self.name, initializer=self._enter)
        try:
            self.ip("link", "set", "lo", "up")
            self.call(lambda: None)
        except BaseException:
            self.close()
            raise

    def ip(self, *words: str) -> None:
        """iproute2 inside."""
        ip("-n", self.name, *words)

    def call(self, work: Callable[[], T]) -> T:
        """Run it in the thread that lives here."""
        return self._thread.submit(work).result(timeout=60)

    def close(self) -> None:
        """Its links vanish with it."""
        self._thread.shutdown(wait=True)
        subprocess.run(["ip", "netns", "del", self.name], check=False, capture_output=True)

    def _enter(self) -> None:
        handle = os.open(f"/run/netns/{self.name}", os.O_RDONLY)
        try:
            libc = ctypes.CDLL(None, use_errno=True)
            if libc.setns(handle, _CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")
        finally:
            os.close(handle)


class Line:
    """Both ends and the router. Use as a context manager; NotPermitted where that cannot be made."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        try:
            self.plant, self._wan, self.office = (self._namespace(name) for name in ("plant", "wan", "office"))
            self._join(self.plant, "p", PLANT, _PLANT_ROUTER)
            self._join(self.office, "o", OFFICE, _OFFICE_ROUTER)
            self._wan.call(lambda: Path("/proc/sys/net/ipv4/ip_forward").write_text("1", encoding="ascii"))
        except OSError as error:
            self._stack.close()
            raise NotPermitted(str(error)) from None
        except BaseException:
            self._stack.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def cut_silently(self) -> None:
        """The router drops everything both ways, without a word."""
        for address in (PLANT, OFFICE):
            self._wan.ip("route", "add", "blackhole", f"{address}/32")

    def heal_silent(self) -> None:
        """The router forwards again."""
        for address in (PLANT, OFFICE):
            self._wan.ip("route", "del", "blackhole", f"{address}/32")

    def cut_loudly(self) -> None:
        """The plant's own network port goes down."""
        self.plant.ip("link", "set", "p0", "down")

    def heal_loud(self) -> None:
        """It comes up again, with its route."""
        self.plant.ip("link", "set", "p0", "up")
        self.plant.ip("route", "replace", "default", "via", _PLANT_ROUTER)

    def _namespace(self, name: str) -> Namespace:
        made = Namespace(name)
        self._stack.callback(made.close)
        return made

    def _join(self, end: Namespace, letter: str, address: str, router: str) -> None:
        wan, near, far = self._wan, f"{letter}0", f"{letter}1"
        ip("link", "add", near, "netns", end.name, "type", "veth", "peer", "name", far, "netns", wan.name)
        for place, device, own in ((end, near, address), (wan, far, router)):
            place.ip("addr", "add", f"{own}/24", "dev", device)
            place.ip("link", "set", device, "up")
        end.ip("route", "add", "default", "via", router)
