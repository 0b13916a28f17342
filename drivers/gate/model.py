"""How a barrier behaves, as a value of time, for the simulators. Times are monotonic milliseconds."""

from dataclasses import dataclass
from enum import StrEnum

from drivers.readings import GateInputs


class BarrierFault(StrEnum):
    """What the simulated barrier does wrong."""

    STUCK = "stuck"
    """The pulse arrives, the boom stays down."""
    SLOW = "slow"
    """The boom takes ten times as long."""


@dataclass(slots=True)
class BarrierModel:
    """A boom that rises on a pulse, waits for the vehicle, and closes by itself.

    With `vehicle_waits` a vehicle stands on the loop from the pulse on, passes once the boom is up, and the boom comes
    down behind it; without one the boom closes after `hold_open_ms`.
    """

    rise_ms: int = 800
    pass_ms: int = 1500
    hold_open_ms: int = 5000
    vehicle_waits: bool = True
    fault: BarrierFault | None = None
    pulses: int = 0
    green: bool = False
    _opened_ms: int | None = None
    _vehicle_since_ms: int | None = None

    def pulse(self, now_ms: int) -> None:
        """The open input closed: count it and begin to rise, or stay up longer."""
        self.pulses += 1
        if self.fault is BarrierFault.STUCK:
            return
        self._opened_ms = now_ms
        if self.vehicle_waits and self._vehicle_since_ms is None:
            self._vehicle_since_ms = now_ms

    def arrive(self, now_ms: int) -> None:
        """A vehicle drives onto the loop."""
        self._vehicle_since_ms = now_ms

    def leave(self) -> None:
        """The vehicle drives off the loop, wherever the boom is."""
        self._vehicle_since_ms = None

    def inputs(self, now_ms: int) -> GateInputs:
        """What the loop and the boom's limit switch say now."""
        up_at_ms = self._up_at_ms()
        if up_at_ms is None:
            return GateInputs(vehicle_on_loop=self._vehicle_since_ms is not None, boom_up=False)
        if self._vehicle_since_ms is not None and now_ms >= up_at_ms + self.pass_ms:
            self._vehicle_since_ms = None
            self._opened_ms = None
            return GateInputs(vehicle_on_loop=False, boom_up=False)
        if self._vehicle_since_ms is None and now_ms >= up_at_ms + self.hold_open_ms:
            self._opened_ms = None
            return GateInputs(vehicle_on_loop=False, boom_up=False)
        return GateInputs(vehicle_on_loop=self._vehicle_since_ms is not None, boom_up=now_ms >= up_at_ms)

    def _up_at_ms(self) -> int | None:
        if self._opened_ms is None:
            return None
        return self._opened_ms + self.rise_ms * (10 if self.fault is BarrierFault.SLOW else 1)
