"""Readings in, the scale's state out: *stable equilibrium* as we judge it, not as an indicator's flag claims.

A weight counts only when frames are fresh (age ≤ `fresh_ms`, below the 1 s of R 76), `frames_in_a_row` of them are
equal, none for at least `still_ms` differs from another by more than one division or says "moving", and the scale has
been at zero since the last truck. A dead cable, a stale value, a frame that could not be decoded are *no weight*.
Source: OIML R 76-1, 4.4.1 and 4.4.2; the zero rule: one capture per zero-to-zero cycle.

Frames alone are no time: an indicator converts 2 to 50 times a second and sends up to 80 frames, so a rolling truck
makes rows of equal frames too, and a bouncing one at each turn.

Equal, and with no damaged one between them, because noise makes wrong frames that a checksum does not see (an XOR or a
sum is the same when two digits change places), and some of them are within a division of the right one:
docs/drivers.md has the figures.
"""

from collections import deque
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice

from drivers.readings import WeightFault, WeightReading
from edge.domain.refusal import Reason, Refusal, refuse

DIVISIONS_KG = (1, 2, 5, 10, 20, 50, 100, 200)
"""Those of truck scales; OIML R 76-1, 2.2 and 3.2."""
CALM_ROWS = 4
MOST_CALM = 2000
"""Calm frames kept; at more than so many within `still_ms` there is no weight."""
CURVE_STEP_MS = 200
CURVE_POINTS = 300


class ScaleState(StrEnum):
    """What the scale is doing."""

    LOST = "lost"
    EMPTY = "empty"
    MOVING = "moving"
    STABLE = "stable"
    OVERLOAD = "overload"
    NEGATIVE = "negative"


@dataclass(frozen=True, slots=True)
class ScaleRules:
    """One scale's numbers: division d and maximum in kg, the least weight that is a truck, what stable means, and how
    far from zero it may be zeroed (of the maximum; 40 per mille in OIML R 76-1, 4.5.1).

    `still_ms` is longer than a truck's slowest bounce (1.5 Hz) and than what lies between a slow indicator's values.
    """

    division_kg: int
    maximum_kg: int
    truck_kg: int = 1000
    frames_in_a_row: int = 5
    still_ms: int = 1000
    fresh_ms: int = 900
    zero_range_permille: int = 40

    @property
    def zero_range_kg(self) -> int:
        """The zero-setting range either way."""
        return self.maximum_kg * self.zero_range_permille // 1000


@dataclass(frozen=True, slots=True)
class Capture:
    """A stable weight with its evidence: the raw frames that made it and the weight curve up to it."""

    gross_kg: int
    frames: tuple[bytes, ...]
    curve_kg: tuple[int, ...]
    curve_step_ms: int = CURVE_STEP_MS


class ScaleMonitor:
    """Follows one scale. Mutable, single owner, no clock: the caller passes monotonic milliseconds."""

    def __init__(self, rules: ScaleRules) -> None:
        self.rules = rules
        self._calm: deque[WeightReading] = deque(maxlen=MOST_CALM)
        """The frames since the weight last changed by more than a division, of the last `still_ms` or more."""
        self._agreed_kg: int | None = None
        """The weight on which enough of them agree, once they last `still_ms`."""
        self._curve: deque[int] = deque(maxlen=CURVE_POINTS)
        self._curve_next_ms = 0
        self._latest: WeightReading | None = None
        self.zero_seen = False
        """The scale has stood at zero since the last truck was captured (or since start)."""

    def feed(self, reading: WeightReading) -> None:
        """Take one frame. A gap longer than `fresh_ms` before it, or a fault, starts the row anew."""
        gap_ms = reading.received_ms - self._latest.received_ms if self._latest else 0
        if gap_ms > self.rules.fresh_ms:
            self.lose()
        self._latest = reading
        if reading.gross_kg is None:
            self._unsettle()
            return
        if reading.after_damage:
            self._unsettle()
        self._keep(reading.gross_kg, reading)
        if reading.received_ms >= self._curve_next_ms:
            self._curve.append(reading.gross_kg)
            self._curve_next_ms = reading.received_ms + CURVE_STEP_MS
        if self._agreed_kg is not None and abs(reading.gross_kg) <= self.rules.division_kg:
            self.zero_seen = True
            self._curve.clear()

    def lose(self) -> None:
        """The device is gone: no weight, and what happens meanwhile is unknown."""
        self._unsettle()
        self._latest = None
        self.zero_seen = False

    def captured(self) -> None:
        """A truck was weighed: the next one needs a zero first."""
        self.zero_seen = False

    def state(self, now_ms: int) -> ScaleState:
        """The state at this moment; LOST as soon as the last frame is older than `fresh_ms`."""
        latest = self._latest
        if latest is None or now_ms - latest.received_ms > self.rules.fresh_ms:
            return ScaleState.LOST
        if latest.fault is WeightFault.OVERLOAD:
            return ScaleState.OVERLOAD
        if latest.fault is WeightFault.UNDERLOAD:
            return ScaleState.NEGATIVE
        if latest.gross_kg is None:
            return ScaleState.LOST
        agreed_kg = self._agreed_kg
        if max(latest.gross_kg, agreed_kg or 0) > self.rules.maximum_kg:
            return ScaleState.OVERLOAD
        if latest.gross_kg < -self.rules.division_kg:
            return ScaleState.NEGATIVE
        if agreed_kg is None:
            return ScaleState.MOVING
        return ScaleState.EMPTY if agreed_kg < self.rules.truck_kg else ScaleState.STABLE

    def shown_kg(self, now_ms: int) -> int | None:
        """The weight for the screen: what would be booked, or while that is open the last
        frame's. None (dashes) unless it is fresh and a number."""
        if self._latest is None or self.state(now_ms) in (ScaleState.LOST, ScaleState.OVERLOAD):
            return None
        return self._latest.gross_kg if self._agreed_kg is None else self._agreed_kg

    def fault(self) -> WeightFault | None:
        """Why the last frame carried no weight, if it did not."""
        return self._latest.fault if self._latest else None

    def curve_kg(self) -> tuple[int, ...]:
        """The weight since the scale was last at zero, one point each `CURVE_STEP_MS`."""
        return tuple(self._curve)

    def capture(self, now_ms: int, *, same_truck: bool) -> Capture | Refusal:
        """The stable weight to book, or why there is none. `same_truck`: the last capture was this visit's own."""
        state = self.state(now_ms)
        match state:
            case ScaleState.LOST:
                return refuse(Reason.SCALE_LOST, what="仪表无数据", what_en="no fresh frame from the indicator")
            case ScaleState.OVERLOAD:
                return refuse(Reason.SCALE_OVERLOAD, maximum_kg=self.rules.maximum_kg)
            case ScaleState.NEGATIVE:
                return refuse(Reason.SCALE_NEGATIVE)
            case ScaleState.MOVING:
                return refuse(Reason.SCALE_MOVING)
            case ScaleState.EMPTY:
                return refuse(Reason.SCALE_EMPTY, minimum_kg=self.rules.truck_kg)
        if not (self.zero_seen or same_truck):
            return refuse(Reason.NOT_ZEROED)
        gross_kg = self._agreed_kg
        assert gross_kg is not None  # or it would not be STABLE
        frames = [reading.raw for reading in self._calm if reading.gross_kg == gross_kg]
        return Capture(gross_kg, tuple(frames[-self.rules.frames_in_a_row :]), self.curve_kg())

    def resting_kg(self, now_ms: int) -> int | Refusal:
        """The stable weight near zero that may be set to zero, or why there is none. A negative one may."""
        state, latest = self.state(now_ms), self._latest
        if latest is None or latest.gross_kg is None or state in (ScaleState.LOST, ScaleState.OVERLOAD):
            found = self.capture(now_ms, same_truck=True)
            return found if isinstance(found, Refusal) else refuse(Reason.SCALE_MOVING)
        gross_kg, range_kg = self._agreed_kg, self.rules.zero_range_kg
        if gross_kg is None:
            return refuse(Reason.SCALE_MOVING)
        if abs(gross_kg) > range_kg:
            return refuse(Reason.ZERO_RANGE, gross_kg=gross_kg, range_kg=range_kg)
        if gross_kg >= self.rules.truck_kg:
            return refuse(Reason.ZERO_OCCUPIED, gross_kg=gross_kg)
        return gross_kg

    def _unsettle(self) -> None:
        self._calm.clear()
        self._agreed_kg = None

    def _keep(self, gross_kg: int, reading: WeightReading) -> None:
        """Add a frame to the calm ones, and drop all up to the last that is further from it than a division."""
        if reading.stable is False:
            self._unsettle()
            return
        if self._calm and self._calm[-1].gross_kg != gross_kg:
            far = [number for number, before in enumerate(self._calm, 1) if self._differ(before, gross_kg)]
            for _ in range(far[-1] if far else 0):
                self._calm.popleft()
        self._calm.append(reading)
        since_ms = reading.received_ms - self.rules.still_ms
        while len(self._calm) > CALM_ROWS * self.rules.frames_in_a_row and self._calm[1].received_ms <= since_ms:
            self._calm.popleft()
        self._agreed_kg = self._agree() if self._calm[0].received_ms <= since_ms else None

    def _differ(self, before: WeightReading, gross_kg: int) -> bool:
        return before.gross_kg is None or abs(before.gross_kg - gross_kg) > self.rules.division_kg

    def _agree(self) -> int | None:
        """The weight that `frames_in_a_row` equal frames showed last, as long as it is among the calm ones.

        A load at the edge of a division shows two weights by turns, and a display with finer steps than `division_kg`
        shows several: where no row of equal ones comes, the most frequent of `CALM_ROWS` times as many counts, if
        `frames_in_a_row` of them showed it. A weight that fewer showed may be a damaged frame, or one of a creep.
        """
        most = CALM_ROWS * self.rules.frames_in_a_row
        shown = [reading.gross_kg for reading in islice(self._calm, max(0, len(self._calm) - most), None)]
        row = shown[-self.rules.frames_in_a_row :]
        if len(row) == self.rules.frames_in_a_row == row.count(row[-1]):
            return row[-1]
        if self._agreed_kg in shown:
            return self._agreed_kg
        if len(shown) < most:
            return None
        often = max(shown, key=shown.count)
        return often if shown.count(often) >= self.rules.frames_in_a_row else None
