"""`weighgate run` as a process in a namespace, with an indicator on a pty; people work at its pages over HTTP."""

import json
import shutil
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx

from drivers.scale.simulated import SimulatedIndicator
from sync.secrets import hash_secret
from tests.network.namespaces import OFFICE, Namespace
from tests.sync.headquarters import Box

_COMMAND = [sys.executable, "-c", "from edge.cli import main; main()"]
_PIN, _ROLES = "0000", ("dispatcher", "guard")
_TARE_KG = 14_520
_STOP_S, _ANSWER_S = 10, 10.0
_NOT_NOW = ("scale_moving", "scale_lost")
_CONFIG = """
[plant]
code = "{code}"
number = 1
epoch = {epoch}
name = "示例一厂"
data = "data"
[keys]
directory = "{keys}"
[head_office]
host = "{office}"
port = {port}
reconnect_max_s = {reconnect_max_s}
[web]
port = 0
[[lane]]
id = "1"
name = "一号磅"
name_en = "lane 1"
[lane.scale]
division_kg = 20
maximum_kg = 100000
frames_in_a_row = 5
[lane.watch]
on = false
[lane.indicator]
type = "serial"
port = "{scale}"
indicator = "toledo"
[lane.printer]
type = "simulated"
folder = "papers"
[[gate]]
id = "south"
name = "南门岗"
name_en = "south gate"
[gate.barrier]
type = "simulated"
rise_ms = 1
pass_ms = 1
[[person]]
id = "D01"
name = "李调度"
roles = ["dispatcher", "guard"]
pin_hash = "{pin}"
"""


class PlantProcess:
    """The plant of an enrolled box. `start` and `stop`; then people may work."""

    def __init__(self, folder: Path, home: Namespace, box: Box, keys: Path, port: int, reconnect_max_s: int) -> None:
        self._home, self._folder = home, folder
        folder.mkdir()
        shutil.copyfile(keys / "sign.key", keys / "plant.key")
        (keys / "plant.key").chmod(0o600)
        self.books = folder / "data" / "plant.db"
        self._scale = SimulatedIndicator("toledo", folder / "scale", rate_hz=100, division_kg=20)
        self._config = folder / "plant.toml"
        self._config.write_text(
            _CONFIG.format(
                code=box.instance.plant, epoch=box.instance.epoch, keys=keys, office=OFFICE, port=port,
                reconnect_max_s=reconnect_max_s, scale=self._scale.port, pin=hash_secret(_PIN),
            ),
            encoding="utf-8",
        )  # fmt: skip
        self._process: subprocess.Popen[str] | None = None
        self._client: httpx.Client | None = None
        self._slowest_s = 0.0

    def start(self) -> None:
        """Run it; returns when somebody is logged in at its pages."""
        self._scale.start()
        self._home.call(self._start)

    def stop(self) -> int:
        """SIGTERM; its exit status."""
        status = 0
        if self._client is not None:
            self._home.call(self._client.close)
        if self._process is not None:
            self._process.terminate()
            status = self._process.wait(_STOP_S)
            assert self._process.stdout is not None
            self._process.stdout.close()
        self._scale.stop()
        return status

    @property
    def pid(self) -> int:
        """Its process number."""
        assert self._process is not None
        return self._process.pid

    @property
    def slowest_s(self) -> float:
        """The slowest answer of a page so far."""
        return self._slowest_s

    def visit(self, notice: str, plate: str, net_kg: int) -> str:
        """One truck from the entrance through the gate, every button pressed on the pages; its ticket."""
        self.press("/arrive", plate=plate)
        self._stand(0, lambda view: view["scale"]["zero_seen"])
        self.press("/lane/1/call", visit=notice)
        self._stand(_TARE_KG, lambda view: _shows(view, _TARE_KG))
        self.press("/lane/1/tare", visit=notice)
        self.press("/lane/1/start_loading", visit=notice)
        gross_kg = _TARE_KG + net_kg
        self._stand(gross_kg, lambda view: _shows(view, gross_kg))
        ticket: str = self.press("/lane/1/load_complete", visit=notice)["ticket"]
        self._scale.set_weight_kg(0)
        (code,) = self.read("SELECT pass_code FROM tickets WHERE ticket = ?", ticket)
        verdict = self.press("/gate/south/scan", code=str(code), may_ask=True)["verdict"]
        assert verdict["verdict"] == "ask_guard", verdict
        opened = self.press("/gate/south/override", name="赵门卫", reason="核对车牌", paper=ticket)["verdict"]
        assert opened["verdict"] == "open", opened
        return ticket

    def press(self, path: str, *, may_ask: bool = False, **fields: str) -> dict[str, Any]:
        """POST a form; it must be done. Where the machine is busy and frames come late, it is pressed again."""
        deadline = time.monotonic() + _ANSWER_S
        while True:
            answer: dict[str, Any] = self._asked(lambda client: client.post(path, data=fields)).json()
            why = (answer.get("why") or {}).get("reason")
            if why not in _NOT_NOW or time.monotonic() > deadline:
                break
            time.sleep(0.05)
        assert answer["ok"] or may_ask, (path, answer)
        return answer

    def link_is_up(self) -> bool:
        """What the lane's page says of the link."""
        return bool(self._view()["link"]["connected"])

    def read(self, query: str, *values: object) -> tuple[Any, ...]:
        """One row of the books, beside the running plant."""
        connection = sqlite3.connect(f"file:{self.books}?mode=ro", uri=True)
        try:
            found = connection.execute(query, values).fetchone()
        finally:
            connection.close()
        return tuple(found)

    def unacked(self) -> int:
        """Ledger rows that head office has not acknowledged."""
        (head,) = self.read("SELECT COALESCE(MAX(seq), 0) FROM ledger")
        (acked,) = self.read("SELECT COALESCE((SELECT value FROM meta WHERE key = 'acked_seq'), '0')")
        return int(head) - int(acked)

    def _start(self) -> None:
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*_COMMAND, "run", str(self._config), "--json"], stdout=subprocess.PIPE, stderr=log, text=True
            )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, (self._folder / "log").read_text(encoding="utf-8")
        headers = {"Accept": "application/json"}
        self._client = httpx.Client(
            base_url=json.loads(line)["pages"], headers=headers, timeout=_ANSWER_S, trust_env=False
        )
        self._client.post("/login", data={"person": "D01", "pin": _PIN}).raise_for_status()

    def _asked(self, ask: Any) -> httpx.Response:
        client = self._client
        assert client is not None
        since = time.monotonic()
        answer: httpx.Response = self._home.call(lambda: ask(client))
        self._slowest_s = max(self._slowest_s, time.monotonic() - since)
        return answer

    def _view(self) -> dict[str, Any]:
        view: dict[str, Any] = self._asked(lambda client: client.get("/lane/1/view.json")).raise_for_status().json()
        return view

    def _stand(self, weight_kg: int, there: Any) -> None:
        self._scale.set_weight_kg(weight_kg)
        deadline = time.monotonic() + _ANSWER_S
        while not there(self._view()):
            assert time.monotonic() < deadline, f"the scale never showed {weight_kg} kg: {self._view()}"
            time.sleep(0.02)


def _shows(view: dict[str, Any], weight_kg: int) -> bool:
    return bool(view["scale"]["gross_kg"] == weight_kg and view["scale"]["state"] == "stable")
