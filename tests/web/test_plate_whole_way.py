"""From the press to the record, on a real plant through its pages: a clone at the entrance, the scale and the gate."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from edge.store.verify import verify
from edge.web.app import create_app
from sync.plate_records import PlateDecided, PlateQuestioned
from sync.records import Exited, Held, Weighed
from tests.edge.station.rig import PLATE, TARE_KG, notice, running
from tests.web.stage import StagePerson
from tests.web.talk import JSON, PINS

pytestmark = pytest.mark.anyio
CLONE = "浙A12346"


class Browser:
    """One person's session; presses answer with their JSON, yes or no."""

    def __init__(self, app: Any) -> None:
        transport = httpx.ASGITransport(app=app)
        self.web = httpx.AsyncClient(transport=transport, base_url="http://plant", headers=JSON)

    async def log_in(self, person: str) -> None:
        self.web.cookies.clear()
        assert (await self.web.post("/login", data={"person": person, "pin": PINS[person]})).status_code == 200

    async def press(self, path: str, **fields: str) -> dict[str, Any]:
        answer = await self.web.post(path, data=fields)
        assert answer.status_code in (200, 409), answer.text
        told: dict[str, Any] = answer.json()
        return told

    async def view(self, path: str) -> dict[str, Any]:
        told: dict[str, Any] = (await self.web.get(path)).json()
        return told


async def test_a_clone_is_compared_at_every_place(tmp_path: Path, crew: list[StagePerson]) -> None:
    async with running(tmp_path, entrance=True) as rig:
        await rig.grant(10_000_000)
        await rig.send(notice())
        pages, lane = Browser(create_app(rig.station, crew)), rig.lane
        for camera in (rig.entrance, lane.camera, rig.gate_camera):
            camera.seen = CLONE
        await pages.log_in("G02")
        arrival = await pages.press("/arrive/look")
        assert (arrival["plates"], arrival["sure"], arrival["look"]["free"]) == ([PLATE], False, CLONE)
        assert (await pages.web.get(f"/picture/{arrival['look']['crop']}")).content.startswith(b"crop of")
        assert (await pages.press("/arrive", plate=PLATE, shown=arrival["look"]["picture"]))["ok"]
        await pages.log_in("D01")
        await lane.drive_off()
        assert (await pages.press("/lane/1/call", visit="N1"))["ok"]
        await lane.stand(TARE_KG)
        assert (await pages.press("/lane/1/tare", visit="N1"))["why"]["reason"] == "plate_unsure"
        await answer(pages, "yes")
        assert (await pages.press("/lane/1/start_loading", visit="N1"))["ok"]
        await lane.drive_off()
        await lane.stand(TARE_KG + 18_000)
        assert (await pages.press("/lane/1/load_complete", visit="N1"))["why"]["reason"] == "plate_unsure"
        assert (await answer(pages, "no"))["why"]["reason"] == "plate_differs"
        assert (await pages.press("/lane/1/recheck", visit="N1"))["why"]["reason"] == "plate_unsure"
        ticket = (await answer(pages, "yes"))["ticket"]
        code = await rig.pass_code(ticket)
        await pages.log_in("G02")
        verdict = (await pages.press("/gate/south/scan", code=code))["verdict"]
        assert verdict["plate_asked"] and rig.barrier.model.pulses == 0
        opened = await pages.press("/gate/south/compare", same="yes", paper=ticket, shown=verdict["picture"])
        assert opened["ok"] and opened["verdict"]["plate_by"] == "门卫 赵强" and rig.barrier.model.pulses == 1
        told = await rig.told(PlateDecided)
        assert [(each.place, each.answer, each.operator) for each in told] == [
            ("arrival", "same", "G02"), ("tare", "same", "D01"), ("load", "other", "D01"), ("load", "same", "D01"),
            ("gate", "same", "G02"),
        ]  # fmt: skip
        assert [each.agreement for each in await rig.told(PlateQuestioned)] == ["ask", "ask", "ask"]
        assert [each.plate_by for each in await rig.told(Weighed)] == ["D01", "", "D01"]
        assert [each.reason for each in await rig.told(Held)] == ["plate_differs"]
        assert [each.plate_by for each in await rig.told(Exited)] == ["门卫 赵强"]
        page = (await pages.web.get(f"/tickets/{ticket}", headers={"Accept": "text/html"})).text
        assert "车牌核对" in page and "人工核对:不是" in page and "门卫 赵强" in page
    report = verify(tmp_path / "plant.db")
    assert report.ok, [check for check in report.checks if not check.ok]
    assert report.plate_decisions == 5


async def answer(pages: Browser, same: str) -> dict[str, Any]:
    """What the dispatcher says to the question that his page shows."""
    question = (await pages.view("/lane/1/view.json"))["plate_question"]
    assert question["claimed"] == PLATE and question["look"]["free"] == CLONE
    return await pages.press("/lane/1/compare", visit="N1", shown=question["look"]["picture"], same=same)
