"""The other side of a line as a program of its own, to be killed.

python -m tests.drivers.scale.far_side KIND WHERE INDICATOR WEIGHT: KIND is pty (WHERE: the link to make), tcp or
rfc2217 (WHERE: the port number, 0 for a free one); or modbus, modbus_rtu (the same over TCP) and modbus_pty, where
INDICATOR is a register map. It prints the port when it is there.
"""

import sys
import threading
from pathlib import Path

from drivers.scale.registers import load_register_map
from drivers.scale.simulated import SimulatedIndicator
from drivers.scale.simulated_links import FarEnd, PtyFarEnd, Rfc2217FarEnd, TcpFarEnd
from drivers.scale.simulated_registers import SimulatedModbus, SimulatedRegisters


def far_end(kind: str, where: str) -> FarEnd:
    """The kind of line that was asked for."""
    match kind:
        case "pty":
            return PtyFarEnd(Path(where))
        case "tcp":
            return TcpFarEnd(int(where))
        case _:
            return Rfc2217FarEnd(int(where))


def serve_modbus(kind: str, where: str, registers: str, weight_kg: int) -> None:
    """Answer until killed."""
    device = SimulatedRegisters(load_register_map(registers).for_site(), weight_kg)
    link, port = (Path(where), 0) if kind == "modbus_pty" else (None, int(where))
    server = SimulatedModbus(device, link=link, rtu=kind == "modbus_rtu", port=port)
    sys.stdout.write(f"{server.target}\n")
    sys.stdout.flush()
    threading.Event().wait()


def main(kind: str, where: str, indicator: str, weight_kg: str) -> None:
    """Serve until killed."""
    if kind.startswith("modbus"):
        serve_modbus(kind, where, indicator, int(weight_kg))
    with SimulatedIndicator(indicator, far_end(kind, where), rate_hz=50, weight_kg=int(weight_kg)) as far:
        sys.stdout.write(f"{far.port}\n")
        sys.stdout.flush()
        threading.Event().wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
