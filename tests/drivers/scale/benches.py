"""Every scale that can be simulated, at the end of a real wire: the rows of the contract suite.

A new kind of device adds its rows to `BENCHES`; the tests know nothing of protocols.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from pydantic import TypeAdapter

from drivers.readings import Health
from drivers.registry import ScaleConfig
from drivers.scale.encoders import ENCODERS
from drivers.scale.profile import load_profile
from drivers.scale.registers import RegisterMap, load_register_map, register_map_names
from drivers.scale.simulated import SimulatedIndicator, SimulatedLoad
from drivers.scale.simulated_registers import SimulatedModbus, SimulatedRegisters

CONFIG: TypeAdapter[ScaleConfig] = TypeAdapter(ScaleConfig)
DIVISION_KG = 20
RATE_HZ = 100
MODBUS_TIMEOUT_MS = 200

NO_MOTION = {
    "yaohua_tf0", "yaohua_command", "yaohua_w", "eq_reversed", "eq_plain", "eq_kg", "gw_paren", "dingsong_c",
    "weightronix", "rinstrum_net",
}  # fmt: skip
"""Their frames say nothing of motion."""
NO_RANGE = NO_MOTION - {"yaohua_w", "weightronix", "rinstrum_net", "dingsong_c"}
"""Their frames say nothing of overload: the number goes on."""
NO_MINUS = {"bilanciai", "dingsong_c"}
"""Their frames have no place for a sign, or none that is known."""
NET_LEFT_OUT = {"ad_std"}
"""Some makes leave the word for net out; the simulator has it."""
NO_NET = {
    "yaohua_tf0", "eq_reversed", "eq_plain", "eq_kg", "dingsong_c", "mt_sics", "bilanciai", "prot_f",
    "sartorius_sbi",
}  # fmt: skip
"""When they are tared they send net and do not say so: a plant must not tare them."""


class Wire(Protocol):
    """A scale that can be moved and broken. `load` is what stands on it; `config` is what a plant's file would say."""

    @property
    def load(self) -> SimulatedLoad: ...
    @property
    def config(self) -> ScaleConfig: ...
    def unplug(self) -> None: ...
    def replug(self) -> None: ...
    def set_silent(self, silent: bool) -> None: ...
    def set_noisy(self, noisy: bool) -> None:
        """Junk between frames and frames that are cut off, where the wire can have them."""
        ...


@dataclass(frozen=True)
class Bench:
    """One row: how to start the device in a folder, and what its protocol can say."""

    name: str
    start: Callable[[Path], AbstractContextManager[Wire]]
    tells_motion: bool = True
    tells_range: bool = True
    tells_minus: bool = True
    tells_net: bool = True
    when_silent: frozenset[Health] = frozenset({Health.SILENT})

    def __str__(self) -> str:
        return self.name


class IndicatorWire:
    """An indicator on a pty or TCP port, asked if it is of those that are."""

    def __init__(self, simulated: SimulatedIndicator) -> None:
        self.load = simulated
        self._line = simulated
        asked = load_profile(simulated.indicator).mode == "poll"
        raw = {"type": "serial", "port": simulated.port, "indicator": simulated.indicator}
        fast = {"poll_every_ms": 20, "poll_answer_ms": 150} if asked else {}
        self.config = CONFIG.validate_python(raw | fast)

    def unplug(self) -> None:
        self._line.unplug()

    def replug(self) -> None:
        self._line.replug()

    def set_silent(self, silent: bool) -> None:
        self._line.set_silent(silent)

    def set_noisy(self, noisy: bool) -> None:
        self._line.set_junk(12 if noisy else 0)
        self._line.set_cut(3 if noisy else 0)


@contextmanager
def indicator_wire(indicator: str, on_pty: bool, folder: Path) -> Iterator[Wire]:
    """A simulated indicator, running."""
    link = folder / indicator if on_pty else None
    with SimulatedIndicator(indicator, link, rate_hz=RATE_HZ, division_kg=DIVISION_KG, seed=4) as simulated:
        yield IndicatorWire(simulated)


class ModbusWire:
    """A Modbus device on TCP, or RTU on a pty."""

    def __init__(self, device: SimulatedRegisters, server: SimulatedModbus, site: dict[str, str | int]) -> None:
        self.load = device
        self._server = server
        raw = {"type": "modbus", "target": server.target, "registers": device.map.name, "poll_ms": 20}
        self.config = CONFIG.validate_python(raw | {"timeout_ms": MODBUS_TIMEOUT_MS} | site)

    def unplug(self) -> None:
        self._server.switch_off()

    def replug(self) -> None:
        self._server.switch_on()

    def set_silent(self, silent: bool) -> None:
        self.load.hung = silent

    def set_noisy(self, noisy: bool) -> None:
        self._server.noisy = noisy
        if not noisy:
            time.sleep(MODBUS_TIMEOUT_MS / 1000)  # an answer was spoilt, and nothing is asked before it is given up


@contextmanager
def modbus_wire(found: RegisterMap, on_pty: bool, folder: Path) -> Iterator[Wire]:
    """A simulated Modbus device, answering."""
    complete = found.for_site(word_order=found.word_order or "little", decimals=_decimals_of_site(found))
    site: dict[str, str | int] = {"word_order": complete.word_order or "little"}
    if isinstance(complete.decimals, int):
        site["decimals"] = complete.decimals
    device = SimulatedRegisters(complete, division_kg=DIVISION_KG, seed=4)
    with SimulatedModbus(device, link=folder / found.name if on_pty else None) as server:
        yield ModbusWire(device, server, site)


def _decimals_of_site(found: RegisterMap) -> int | None:
    return 0 if found.decimals is None else None


def _register_bench(number: int, found: RegisterMap) -> Bench:
    says = found.meanings
    return Bench(
        found.name,
        partial(modbus_wire, found, number % 2 == 0),
        tells_motion="moving" in says,
        tells_range={"overload", "underload"} <= says,
        tells_net=found.weight.of == "gross" or "net" in says,
        when_silent=frozenset({Health.DOWN}),
    )


INDICATOR_BENCHES = [
    Bench(
        name,
        partial(indicator_wire, name, number % 2 == 0),
        tells_motion=name not in NO_MOTION,
        tells_range=name not in NO_RANGE,
        tells_minus=name not in NO_MINUS,
        tells_net=name not in NO_NET,
    )
    for number, name in enumerate(sorted(ENCODERS))
]
REGISTER_BENCHES = [
    _register_bench(number, load_register_map(name)) for number, name in enumerate(register_map_names())
]
BENCHES = INDICATOR_BENCHES + REGISTER_BENCHES
