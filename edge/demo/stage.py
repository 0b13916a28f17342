"""Builds the plant from nothing: keys and enrolment by the real commands, the broker, both programs, the devices."""

import asyncio
import contextlib
import json
import secrets
import socket
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from string import Template
from types import TracebackType
from typing import Any, Self

from edge.demo.devices import GATE, LANES, Devices
from edge.demo.plan import DIVISION_KG
from edge.demo.processes import DemoFailed, Program, ends_with_us, run_command
from sync.broker import Broker, BrokerError, free_port
from sync.certificates import TlsFiles
from sync.secrets import hash_secret

PLANT = "HX01"
_PLANT_PORT, _OFFICE_PORT = 8080, 8700
_HURRY_S = 1.2
_LIFE = 1.0
"""Faster than life trucks are no trucks to the scale watch."""
PEOPLE = {
    "D01": ("李调度", "dispatcher"),
    "G01": ("赵门卫", "guard"),
    "B01": ("周开票", "biller"),
    "F01": ("钱财务", "finance"),
    "E01": ("孙企管", "enterprise"),
    "S01": ("吴主管", "supervisor"),
}
"""Who works at the demo's plant: id → name and role."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast things go. `speed` 1 is for watching; `rate_hz` is the indicators'."""

    speed: float
    rate_hz: float
    noise_kg: int
    seed: int
    known_ports: bool
    """Take the ports people know, where they are free."""


class Stage:
    """Everything that runs. Use as an asynchronous context manager: entering starts it, leaving ends all of it."""

    def __init__(self, folder: Path, pace: Pace) -> None:
        self.folder = folder
        self.pace = pace
        self.pins = {person: "".join(secrets.choice("0123456789") for _ in range(6)) for person in PEOPLE}
        self.office_pins: dict[str, str] = {}
        self.office_token = ""
        self.plant_url = ""
        self.office_url = ""
        self.plant_config = folder / "plant" / "plant.toml"
        self.office_config = folder / "office" / "office.toml"
        self.office = Program(
            "head office", ("weighgate-office", "run", self.office_config, "--json"), folder / "office.log"
        )
        self.plant = Program("the plant", ("weighgate", "run", self.plant_config, "--json"), folder / "plant.log")
        self.exit_statuses: dict[str, int | None] = {}
        self._broker: Broker | None = None
        self._devices: Devices | None = None

    @property
    def devices(self) -> Devices:
        """The simulated devices; there once the stage is entered."""
        assert self._devices is not None
        return self._devices

    @property
    def broker(self) -> Broker:
        """The MQTT broker; there once the stage is entered."""
        assert self._broker is not None
        return self._broker

    @property
    def watches_scales(self) -> bool:
        """Whether the plant's scale watch is on."""
        return self.pace.speed <= _LIFE

    @property
    def books(self) -> Path:
        """The plant's ledger."""
        return self.folder / "plant" / "data" / "plant.db"

    async def __aenter__(self) -> Self:
        try:
            await self._build()
        except BaseException:
            await self._end()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._end()

    async def stop_programs(self, within_s: float) -> None:
        """End the plant and head office, by force when they take longer, and keep their exit statuses."""
        for program in (self.plant, self.office):
            if program.ended is not None:
                self.exit_statuses.setdefault(program.name, program.ended)
        plant, office = await asyncio.gather(self.plant.stop(within_s), self.office.stop(within_s))
        self.exit_statuses.setdefault(self.plant.name, plant)
        self.exit_statuses.setdefault(self.office.name, office)

    async def _build(self) -> None:
        pace = self.pace
        for name in ("plant", "office", "broker"):
            (self.folder / name).mkdir(mode=0o700)
        port = free_port()
        self._devices = Devices(
            self.folder, rate_hz=pace.rate_hz, speed=pace.speed, noise_kg=pace.noise_kg, seed=pace.seed
        )
        await self._make_keys(port)
        await asyncio.to_thread(self._write_plant, port)
        self._start_broker(port)
        office, plant = await asyncio.gather(
            _start(self.office, self.office_config, _OFFICE_PORT), _start(self.plant, self.plant_config, _PLANT_PORT)
        )
        self.office_url, self.plant_url = office["address"].rstrip("/"), plant["pages"].rstrip("/")

    async def _make_keys(self, broker_port: int) -> None:
        keys, office = self.plant_config.with_name("keys"), self.office_config.parent
        web_port = _port(_OFFICE_PORT) if self.pace.known_ports else 0
        made, _ = await asyncio.gather(
            run_command(
                "weighgate-office", "init", office, "--broker", "127.0.0.1", "--broker-port", str(broker_port),
                "--web-port", str(web_port), "--json",
            ),
            run_command("weighgate", "keygen", keys, "--plant", PLANT),
        )  # fmt: skip
        told: dict[str, Any] = json.loads(made)
        self.office_pins, self.office_token = told["pins"], told["token"]
        await run_command(
            "weighgate-office", "enrol", self.office_config, PLANT, "--name", "示例一厂", "--public-key",
            keys / "plant.pub", "--csr", keys / "tls.csr", "--out", keys,
        )  # fmt: skip

    def _start_broker(self, port: int) -> None:
        office = self.office_config.parent
        files = TlsFiles(office / "ca.crt", office / "server.crt", office / "server.key")
        try:
            self._broker = Broker(self.folder / "broker", files, port, launcher=ends_with_us())
            self._broker.start()
        except BrokerError as error:
            raise DemoFailed(str(error)) from None

    def _write_plant(self, broker_port: int) -> None:
        devices = self.devices
        values: dict[str, object] = {
            "code": PLANT,
            "broker_port": broker_port,
            "web_port": _port(_PLANT_PORT) if self.pace.known_ports else 0,
            "division_kg": DIVISION_KG,
            "gate": GATE,
            "barrier": devices.barrier.target,
            "camera_gate": devices.cameras[GATE].url,
            "still_ms": max(500, min(1000, round(1000 / self.pace.speed))),
            "pulse_ms": max(50, min(500, round(500 / self.pace.speed))),
            "watch": "true" if self.watches_scales else "false",
            "loops_1": devices.loops.target,
            "people": "\n".join(_person(person, self.pins[person]) for person in PEOPLE),
        }
        for lane, indicator in LANES.items():
            values |= {
                f"scale_{lane}": devices.scales[lane].port,
                f"indicator_{lane}": indicator,
                f"printer_{lane}": devices.printers[lane].target,
                f"camera_{lane}": devices.cameras[lane].url,
            }
        text = Template(_template().read_text(encoding="utf-8")).substitute(values)
        self.plant_config.write_text(text, encoding="utf-8")

    async def _end(self) -> None:
        broker, self._broker = self._broker, None
        devices, self._devices = self._devices, None
        # All at once: whoever pressed Ctrl-C wants the prompt back.
        await asyncio.gather(
            self.stop_programs(_HURRY_S),
            *([asyncio.to_thread(broker.stop)] if broker else []),
            *([asyncio.to_thread(devices.close)] if devices else []),
        )


def _person(person: str, pin: str) -> str:
    name, role = PEOPLE[person]
    return f'[[person]]\nid = "{person}"\nname = "{name}"\nroles = ["{role}"]\npin_hash = "{hash_secret(pin)}"\n'


async def _start(program: Program, config: Path, known_port: int) -> dict[str, Any]:
    """Start a program; on any port when somebody took the known one since we looked, as a second demo would."""
    try:
        return await program.start()
    except DemoFailed:
        if program.ended is None or not _let_go(config, known_port):
            raise
    return await program.start()


def _let_go(config: Path, known_port: int) -> bool:
    """Any port instead of the known one; False when it was not asked for."""
    text = config.read_text(encoding="utf-8")
    changed = text.replace(f"port = {known_port}\n", "port = 0\n")
    config.write_text(changed, encoding="utf-8")
    return changed != text


def _port(wanted: int) -> int:
    """The port people know when nobody has it, else 0 for any."""
    with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", wanted)):
        return wanted
    return 0


def _template() -> Path:
    """`config/demo.toml`, in a checkout or in an installation."""
    checkout = Path(__file__).resolve().parents[2] / "config" / "demo.toml"
    if checkout.exists():
        return checkout
    return Path(sysconfig.get_path("data")) / "share" / "weighgate" / "demo.toml"
