"""A whole head office for tests that kill it: PostgreSQL or SQLite, mosquitto, and the real program as a process."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from sqlalchemy import insert, update

from sync.broker import Broker, free_port
from sync.canonical import canonical
from sync.certificates import TlsFiles, make_request
from sync.documents import Notice
from sync.engine import PlantBooks, PlantEngine
from sync.keys import Instance, generate, load_public, save_public
from sync.mqtt import MqttSettings, MqttTransport
from sync.office.clock import time_text
from sync.office.setup import PUBLIC_KEY, create_office, enrol_plant
from sync.office.store.database import Store
from sync.office.store.money import Payment, grant_by_hand, post_payment
from sync.office.store.schema import documents, instances, notices
from sync.session import Tuning
from tests.sync.backlog import Backlog

_COMMAND = [sys.executable, "-c", "from sync.office.cli import main; main()"]
_STOP_S = 10
_LINKED, _LINKED_S = " as office (", 20
_AT_ONCE = 1000


class NotStarted(Exception):
    """Head office ended before its pages answered."""


@dataclass
class Box:
    """One plant's keys and certificates, enrolled."""

    key: Ed25519PrivateKey
    instance: Instance
    tls: TlsFiles
    office_key: Ed25519PublicKey

    def engine(self, books: PlantBooks, host: str, port: int, tuning: Tuning | None = None) -> PlantEngine:
        """The plant's pump over these books, to a broker or to a proxy before it."""
        pipe = self.transport(host, port)
        return PlantEngine(self.instance, self.key, self.office_key, books, pipe, tuning=tuning)

    def transport(self, host: str, port: int) -> MqttTransport:
        """The plant's end of the pipe."""
        code = self.instance.plant
        return MqttTransport(
            MqttSettings(
                host=host, port=port, client_id=f"plant-{code}", subscriptions=(f"down/{code}/#",),
                presence_topic=f"up/{code}/link", tls=self.tls, connect_timeout_s=3, reconnect_min_s=0.1,
                reconnect_max_s=1.0,
            )
        )  # fmt: skip


@dataclass
class Headquarters:
    """Made by `make`; `broker` and the office's process are started and killed by whoever uses it."""

    folder: Path
    config: Path
    broker: Broker
    database: str
    process: "subprocess.Popen[str] | None" = None
    address: str = ""
    token: str = ""

    @classmethod
    def make(cls, folder: Path, database: str, host: str = "127.0.0.1") -> "Headquarters":
        """`init`, and a broker with that authority's certificate, not yet started."""
        port = free_port()
        made = create_office(folder / "office", (host,), port, 0, database)
        place = made.config.parent
        broker_folder = folder / "broker"
        broker_folder.mkdir()
        tls = TlsFiles(authority=place / "ca.crt", certificate=place / "server.crt", key=place / "server.key")
        return cls(folder, made.config, Broker(broker_folder, tls, port, host=host), database, token=made.token)

    def enrol(self, code: str) -> Box:
        """A box let in, as the enrolment command does it."""
        out = self.folder / code
        out.mkdir()
        key = generate(out / "sign.key")
        save_public(out / "sign.pub", key)
        (out / "tls.csr").write_bytes(make_request(out / "tls.key", code))
        with self.books() as store:
            instance = enrol_plant(
                store, self.config.parent, code, f"{code} 厂", out / "sign.pub", out / "tls.csr", out, None
            )
        tls = TlsFiles(authority=out / "ca.crt", certificate=out / "tls.crt", key=out / "tls.key")
        return Box(key, instance, tls, load_public(out / PUBLIC_KEY))

    @contextmanager
    def books(self) -> Iterator[Store]:
        """The same books, opened by this process."""
        store = Store(self._url())
        try:
            yield store
        finally:
            store.close()

    def order(self, instance: Instance, backlog: Backlog) -> None:
        """Money paid and granted, and every notice issued, that the backlog's rows speak of."""
        wire_id = instance.wire_id
        with self.books() as store, store.write() as tx:
            for account, spent_fen in sorted(backlog.spent_fen.items()):
                customer, reference = account.split("/")[0], f"B-{backlog.plant}-{account}"
                post_payment(tx, Payment(reference, customer, f"示例客户{customer}", spent_fen * 3))
                grant_by_hand(tx, account, wire_id, spent_fen * 2)
            for start in range(0, backlog.trucks, _AT_ONCE):
                chosen = list(enumerate(backlog.notices))[start : start + _AT_ONCE]
                tx.execute(insert(notices), [notice_row(wire_id, notice) for _, notice in chosen])
                tx.execute(insert(documents), [document_row(wire_id, number + 1, notice) for number, notice in chosen])
            tx.execute(update(instances).where(instances.c.instance == wire_id).values(documents=backlog.trucks))

    def start(self) -> None:
        """Run head office; returns when its pages answer. NotStarted with its last words."""
        with (self.folder / "office.log").open("ab") as log:
            before = log.tell()
            self.process = subprocess.Popen(
                [*_COMMAND, "run", str(self.config), "--json"], stdout=subprocess.PIPE, stderr=log, text=True
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            self.kill()
            raise NotStarted((self.folder / "office.log").read_bytes()[before:].decode())
        self.address = json.loads(line)["address"]

    def wait_until_linked(self, times: int = 1) -> None:
        """Until the broker has seen head office connect so often since it was first started."""
        deadline = time.monotonic() + _LINKED_S
        while self.broker.log_file.read_text(encoding="utf-8", errors="replace").count(_LINKED) < times:
            assert time.monotonic() < deadline, "head office is not connected to the broker"
            time.sleep(0.02)

    def kill(self) -> None:
        """SIGKILL head office."""
        self._end(kill=True)

    def stop(self) -> None:
        """SIGTERM head office, and wait for its end."""
        self._end(kill=False)

    def _end(self, *, kill: bool) -> None:
        if self.process is None:
            return
        if kill:
            self.process.kill()
        else:
            self.process.terminate()
        self.process.wait(_STOP_S)
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.process = None

    def _url(self) -> str:
        if self.database.startswith("sqlite:///"):
            return f"sqlite:///{self.config.parent / self.database.removeprefix('sqlite:///')}"
        return self.database.replace("postgresql://", "postgresql+psycopg://")


def notice_row(instance: str, notice: Notice) -> dict[str, object]:
    """A notice as head office keeps it once it is issued."""
    return {
        "notice": notice.notice, "version": 1, "instance": instance, "account": notice.account, "plate": notice.plate,
        "state": "issued", "hold_fen": notice.hold_fen, "body": canonical(notice.model_dump(mode="json")),
        "issued_at": time_text(notice.issued_at), "expires_at": time_text(notice.expires_at),
    }  # fmt: skip


def document_row(instance: str, number: int, notice: Notice) -> dict[str, object]:
    """The same as the document that carries it down."""
    return {
        "instance": instance, "number": number, "kind": notice.KIND, "subject": notice.notice,
        "created_at": time_text(notice.issued_at),
        "body": json.dumps(notice.model_dump(mode="json"), ensure_ascii=False),
    }  # fmt: skip
