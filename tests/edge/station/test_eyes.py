"""A camera that is gone is told before a truck needs it, in words people read."""

import asyncio
import re
import time

import pytest

from drivers.ports import DeviceRefused, DeviceTimeout, DeviceUnavailable, DriverError
from edge.domain.refusal import Words
from edge.station import eyes
from tests.edge.station.rig import PlantRig, until

pytestmark = pytest.mark.anyio
GONE = DeviceUnavailable("camera 1", "rtsp://c/1 cannot be reached: Connection refused", "look")


def _told(rig: PlantRig, source: str) -> list[Words]:
    return [alarm.words for alarm in rig.desk.alarms if alarm.source == source]


async def test_a_dead_camera_is_told_without_a_truck(rig: PlantRig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lane and gate, within 3 s; the alarm goes when the camera is back."""
    monkeypatch.setattr(eyes, "_CHECK_AGAIN_S", 0.05)
    begun_s = time.monotonic()
    cameras = {"camera 1": rig.lane.camera, "camera south": rig.gate_camera}
    for camera in cameras.values():
        camera.dead = GONE
    await until(lambda: len([each for each in rig.desk.alarms if each.source.startswith("camera ")]) == 2)
    assert time.monotonic() - begun_s < 3
    assert rig.lane.camera.pictures == rig.gate_camera.pictures == 0
    for camera in cameras.values():
        camera.dead = None
    await until(lambda: not [each for each in rig.desk.alarms if each.source.startswith("camera ")])


async def test_what_a_look_found_is_not_taken_back_by_a_check(rig: PlantRig, monkeypatch: pytest.MonkeyPatch) -> None:
    """A camera that shows the same picture again and again can be reached all the time."""
    monkeypatch.setattr(eyes, "_CHECK_EVERY_S", 0.01)
    seen = eyes.Eyes("camera x", rig.lane.camera, rig.desk, rig.pictures)
    rig.lane.camera.error = DeviceUnavailable("camera x", "sends the same picture", "look")
    seen.start()
    await seen.look()
    assert _told(rig, "camera x")
    watching, before = asyncio.create_task(seen.run()), rig.lane.camera.checks
    await until(lambda: rig.lane.camera.checks > before + 2)
    watching.cancel()
    assert _told(rig, "camera x")
    rig.lane.camera.error = None
    await seen.look()
    assert not _told(rig, "camera x")
    await seen.stop()


@pytest.mark.parametrize("kind", [DeviceUnavailable, DeviceTimeout, DeviceRefused])
def test_the_chinese_words_are_chinese(kind: type[DriverError]) -> None:
    words = eyes.trouble_words(kind("camera 1", "http://c/1 cannot be reached: Connection refused", "look"))
    assert not re.search("[A-Za-z]", words.zh) and words.zh.startswith("摄像机没有画面:")
    assert "Connection refused" in words.en
