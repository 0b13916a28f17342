"""The other side of a line as a program of its own, to be killed.

python -m tests.drivers.scale.far_side KIND WHERE INDICATOR WEIGHT: KIND is pty (WHERE: the link to make), tcp or
rfc2217 (WHERE: the port number, 0 for a free one). It prints the port when it is there.
"""

import sys
import threading
from pathlib import Path

from drivers.scale.simulated import SimulatedIndicator
from drivers.scale.simulated_links import FarEnd, PtyFarEnd, Rfc2217FarEnd, TcpFarEnd


def far_end(kind: str, where: str) -> FarEnd:
    """The kind of line that was asked for."""
    match kind:
        case "pty":
            return PtyFarEnd(Path(where))
        case "tcp":
            return TcpFarEnd(int(where))
        case _:
            return Rfc2217FarEnd(int(where))


def main(kind: str, where: str, indicator: str, weight_kg: str) -> None:
    """Serve until killed."""
    with SimulatedIndicator(indicator, far_end(kind, where), rate_hz=50, weight_kg=int(weight_kg)) as far:
        sys.stdout.write(f"{far.port}\n")
        sys.stdout.flush()
        threading.Event().wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
