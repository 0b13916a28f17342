"""The least that could carry rows to head office: paho, mosquitto, COPY, a plain answer. No signature, no chain,
nothing understood, nothing checked. The floor of `bench_sync`.

The same broker, TLS, quality of service, batches, window and compression as the real pipe; rows of the same columns, in
one COPY and one commit for at most as many messages as head office books together; the answer comes after the commit;
the clock starts before the plant connects. Looser, it would measure what no pipe that answers for its rows could do;
with a COPY or a commit for each message it would be slower than head office has a reason to be. `python -m
tests.bench.bare_pipe` is the receiving end.
"""

import json
import queue
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import zstandard
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from sync.certificates import TlsFiles, client_context
from sync.office.clock import now_text
from sync.office.link import TOGETHER
from sync.session import Tuning

TABLE = (
    "CREATE TABLE bare (instance text, seq bigint, kind text NOT NULL, body text NOT NULL, at text NOT NULL,"
    " hash text NOT NULL, received_at text NOT NULL, PRIMARY KEY (instance, seq))"
)
_INSTANCE = "HX01/1/0000000000000000"
_UP, _DOWN = "up/HX01/rec", "down/HX01/ack"
_ROW_BYTES = 150
_PATIENCE_S = 120
_READY = "ready"


def drain(plant_db: Path, broker: tuple[str, int], plant: TlsFiles, office: TlsFiles, database: str) -> float:
    """Seconds until every row of the plant's ledger was answered."""
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS bare")
        connection.execute(TABLE)
    files = [str(path) for path in (office.authority, office.certificate, office.key)]
    command = [sys.executable, "-m", "tests.bench.bare_pipe", broker[0], str(broker[1]), *files, database]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as receiver:
        assert receiver.stdout is not None
        assert receiver.stdout.readline().strip() == _READY
        try:
            begin = time.perf_counter()
            _Sender(plant_db, broker, plant).run()
            return time.perf_counter() - begin
        finally:
            receiver.kill()


class _Sender:
    def __init__(self, plant_db: Path, broker: tuple[str, int], tls: TlsFiles) -> None:
        self._rows = _batches(plant_db)
        self._last = sqlite3.connect(plant_db).execute("SELECT MAX(seq) FROM ledger").fetchone()[0]
        self._room = threading.Semaphore(Tuning().window_batches)
        self._done = threading.Event()
        self._client = _client("bare-plant", broker, tls, _DOWN, self._answered)

    def run(self) -> None:
        for batch in self._rows:
            assert self._room.acquire(timeout=_PATIENCE_S)
            self._client.publish(_UP, zstandard.ZstdCompressor(level=3).compress(json.dumps(batch).encode()), qos=1)
        assert self._done.wait(_PATIENCE_S)
        self._client.disconnect()
        self._client.loop_stop()

    def _answered(self, payload: bytes) -> None:
        answer = json.loads(payload)
        for _ in range(answer["batches"]):
            self._room.release()
        if answer["last_seq"] == self._last:
            self._done.set()


def _batches(plant_db: Path) -> Iterator[list[Any]]:
    tuning, size = Tuning(), 0
    batch: list[Any] = []
    for row in sqlite3.connect(plant_db).execute("SELECT seq, kind, body, at, hash FROM ledger ORDER BY seq"):
        size += len(row[2].encode()) + _ROW_BYTES
        if batch and (len(batch) >= tuning.batch_records or size > tuning.batch_bytes):
            yield batch
            batch, size = [], 0
        batch.append(row)
    yield batch


def _receive(broker: tuple[str, int], tls: TlsFiles, database: str) -> None:
    arrived: queue.Queue[bytes] = queue.Queue()
    client = _client("bare-office", broker, tls, _UP, arrived.put)
    connection = psycopg.connect(database)
    sys.stdout.write(f"{_READY}\n")
    sys.stdout.flush()
    while True:
        messages = [arrived.get()]
        while len(messages) < TOGETHER and not arrived.empty():
            messages.append(arrived.get_nowait())
        last_seq, received_at = 0, now_text()
        with connection.cursor() as cursor, cursor.copy("COPY bare FROM STDIN") as copy:
            for message in messages:
                for row in json.loads(zstandard.ZstdDecompressor().decompress(message)):
                    copy.write_row((_INSTANCE, *row, received_at))
                    last_seq = row[0]
        connection.commit()
        client.publish(_DOWN, json.dumps({"last_seq": last_seq, "batches": len(messages)}), qos=1)


def _client(name: str, broker: tuple[str, int], tls: TlsFiles, topic: str, heard: Callable[[bytes], object]) -> Client:
    client = Client(CallbackAPIVersion.VERSION2, client_id=name, protocol=MQTTProtocolVersion.MQTTv5)
    client.tls_set_context(client_context(tls))
    subscribed = threading.Event()

    def on_message(_client: Client, _userdata: Any, message: MQTTMessage) -> None:
        heard(bytes(message.payload))

    client.on_message = on_message
    client.on_subscribe = lambda *_: subscribed.set()
    client.connect(*broker)
    client.loop_start()
    client.subscribe(topic, 1)
    assert subscribed.wait(_PATIENCE_S)
    return client


if __name__ == "__main__":
    host, port, ca, certificate, key, dsn = sys.argv[1:]
    _receive((host, int(port)), TlsFiles(Path(ca), Path(certificate), Path(key)), dsn)
