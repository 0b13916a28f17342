"""Puts head office together: store, link, pages; owns the signals. Ctrl-C or SIGTERM ends it within two seconds."""

import asyncio
import contextlib
import gc
import itertools
import signal
import socket
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from functools import partial
from pathlib import Path

import structlog
import uvicorn

from sync.certificates import TlsFiles
from sync.keys import KeyFileError, load_private
from sync.mqtt import MqttSettings, MqttTransport
from sync.office.link import PRESENCE_TOPIC, SUBSCRIPTIONS, OfficeLink
from sync.office.live import LiveHub
from sync.office.recovery import open_books, witness_books
from sync.office.settings import Settings, SettingsError
from sync.office.store.database import Store, StoreUnavailable
from sync.office.store.policy_inputs import Demand
from sync.office.store.policy_run import Turn, policy_steps
from sync.office.web.app import create_app
from sync.office.witness import Witness

_log = structlog.get_logger(__name__)
_STOP_S = 1.2
_WITNESS_SYNC_S = 60
_POLICY_S = 60.0


class _Server(uvicorn.Server):
    """uvicorn with its signals left to us: it would wait for open event streams, which never end by themselves."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def make_link(settings: Settings, store: Store, hub: LiveHub) -> OfficeLink | None:
    """The link as configured; None when it is switched off. SettingsError names a key file that is no good."""
    if not settings.link.enabled:
        return None
    files = TlsFiles(
        authority=settings.at(settings.link.ca),
        certificate=settings.at(settings.link.certificate),
        key=settings.at(settings.link.key),
    )
    try:
        key = load_private(settings.at(settings.link.signing_key))
        transport = MqttTransport(
            MqttSettings(
                host=settings.link.host, port=settings.link.port, client_id="office", subscriptions=SUBSCRIPTIONS,
                presence_topic=PRESENCE_TOPIC, tls=files, reconnect_max_s=5.0,
            )
        )  # fmt: skip
    except KeyFileError as error:
        raise SettingsError(f"link: {error}") from error
    return OfficeLink(store, transport, key, hub.changed)


def listen(settings: Settings) -> socket.socket:
    """The pages' socket, bound before anything starts. SettingsError when the address is taken."""
    try:
        return socket.create_server((settings.web.host, settings.web.port), backlog=128)
    except OSError as error:
        where = f"{settings.web.host}:{settings.web.port}"
        raise SettingsError(f"web.port: {where} — {error.strerror}; allowed: a free port, or 0") from error


async def keep_policy(settings: Settings, store: Store, hub: LiveHub) -> None:
    """A turn of the grant policy each minute. It is a convenience: whatever fails in it stops nothing else."""
    demand, zone = Demand(), timezone(timedelta(hours=settings.office.utc_offset_hours))
    while True:
        try:
            turn = Turn()
            look = partial(policy_steps, way=settings.policy.way, demand=demand, now=datetime.now(zone))
            for step in await store.run(look):
                turn += await store.run(step)  # each on its own: the plants' records are booked between them
            if turn != Turn():
                _log.info("grant policy", grants=turn.grants, recalls=turn.recalls)
                hub.changed()
        except StoreUnavailable as error:
            _log.error("grant policy: database unavailable", why=str(error))
        except Exception:
            _log.exception("grant policy failed; the next turn is in a minute")
        await asyncio.sleep(_POLICY_S)


async def run_office(settings: Settings, store: Store, ready: Callable[[str], None]) -> None:
    """Serve until a signal; `ready` gets the pages' address once they answer."""
    hub = LiveHub()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    link = make_link(settings, store, hub)
    with listen(settings) as page_socket:
        app = create_app(settings, store, hub, link)
        server = _Server(uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", server_header=False))
        serving = asyncio.create_task(server.serve(sockets=[page_socket]))
        linking = asyncio.create_task(link.run()) if link else asyncio.create_task(stop.wait())
        deciding = asyncio.create_task(keep_policy(settings, store, hub))
        host, port = page_socket.getsockname()[:2]
        ready(f"http://{host}:{port}")
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait([stopping, linking, serving], return_when=asyncio.FIRST_COMPLETED)
        _log.info("stopping")
        hub.close()
        server.should_exit = True
        for task in (linking, stopping, deciding):
            task.cancel()
        await asyncio.wait([serving, linking, deciding], timeout=_STOP_S)
        server.force_exit = True
        for task in (serving, linking):
            if task.done() and not task.cancelled() and (error := task.exception()):
                raise error


def main_loop(settings: Settings, file: Path, ready: Callable[[str], None]) -> None:
    """Open the books and serve; meanwhile their witness follows."""
    with Witness(file.absolute().parent).held(alone=False) as free:
        if not free:
            raise SettingsError(f"{file}: a restore is under way; allowed: when it is finished")
        store = open_books(settings, file, starting=True)
        try:
            _log.info("books open", database=settings.office.database.split("@")[-1], config=str(file))
            gc.freeze()  # what is loaded now stays: the collector need not go through it again for each month of rows
            asyncio.run(_run_witnessed(settings, store, file, ready))
            with contextlib.suppress(OSError, StoreUnavailable):
                witness_books(store, file, safe=True, renew=True)
        finally:
            store.close()


async def _run_witnessed(settings: Settings, store: Store, file: Path, ready: Callable[[str], None]) -> None:
    witnessing = asyncio.create_task(_keep_witness(store, file))
    try:
        await run_office(settings, store, ready)
    finally:
        witnessing.cancel()


async def _keep_witness(store: Store, file: Path) -> None:
    """Let the witness see what was committed: each second, and for good each minute. A failure costs only its help."""
    for turn in itertools.count(1):
        await asyncio.sleep(1)
        safe = turn % _WITNESS_SYNC_S == 0
        try:
            await store.run(partial(witness_books, config=file, safe=safe))
        except (OSError, StoreUnavailable) as error:
            _log.error("the witness was not written", why=str(error))
