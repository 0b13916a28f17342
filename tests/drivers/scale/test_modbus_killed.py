"""A Modbus device is killed or hangs, over TCP, RTU over TCP and a serial line: no old weight, no zero, back in 5 s."""

import signal
from pathlib import Path

import pytest

from drivers.ports import Scale
from drivers.readings import Health
from drivers.registry import build_scale
from edge.domain.scale_monitor import ScaleState
from tests.drivers.scale.modbus_rig import config
from tests.drivers.scale.test_lost_lines import BEFORE_KG, far_side, killed_and_back, lane_of

pytestmark = pytest.mark.anyio
MAP = "hbm_wtx"
KINDS = ["modbus", pytest.param("modbus_rtu", marks=pytest.mark.faults), "modbus_pty"]


def scale(target: str) -> Scale:
    return build_scale("lane 1 scale", config(target))


@pytest.mark.parametrize("kind", KINDS)
async def test_a_modbus_device_is_killed_and_comes_back(kind: str, tmp_path: Path) -> None:
    where = str(tmp_path / "port") if kind == "modbus_pty" else "0"
    await killed_and_back(kind, where, MAP, scale, within_s=5.5)


@pytest.mark.faults
@pytest.mark.parametrize("kind", ["modbus", "modbus_rtu", "modbus_pty"])
async def test_a_modbus_device_hangs(kind: str, tmp_path: Path) -> None:
    """Stopped, not dead: the connection stands and nothing is answered."""
    where = str(tmp_path / "port") if kind == "modbus_pty" else "0"
    with far_side(kind, where, MAP, BEFORE_KG) as (process, target):
        async with lane_of(scale(target)) as lane:
            await lane.until(lambda: lane.state() is ScaleState.STABLE)
            process.send_signal(signal.SIGSTOP)
            assert await lane.until(lambda: lane.state() is ScaleState.LOST) < 2.5
            await lane.until(lambda: lane.statuses[-1].health is Health.DOWN)
            lost = len(lane.heard)
            process.send_signal(signal.SIGCONT)
            await lane.until(lambda: lane.state() is ScaleState.STABLE, 9.0)
            assert {reading.gross_kg for reading in lane.heard[lost:]} == {BEFORE_KG}
