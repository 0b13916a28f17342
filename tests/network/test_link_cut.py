"""F6: the line between a plant and its head office is cut, silently or loudly; both are real processes.

While it is cut the plant answers its pages and sells; afterwards head office has everything, equal to the fen. Stated:
how long until the plant's page says that the link is down, and how long after the line is whole until all is
acknowledged. The control connects without keep-alive and heartbeat: a silent cut is never noticed.
"""

import asyncio
import random
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sync.mqtt import MqttSettings, MqttTransport
from sync.office import requests
from tests.network.compare import differences
from tests.network.namespaces import OFFICE, Line, NotPermitted
from tests.network.plant_process import PlantProcess
from tests.reliability import Run
from tests.sync.headquarters import Box, Headquarters

pytestmark = pytest.mark.usefixtures("needs_mosquitto")
CUTS = 6
_NOTICED_S, _ACKED_S = 60.0, 60.0


@dataclass
class Cut:
    """A head office and a plant, and the line between them."""

    line: Line
    office: Headquarters
    box: Box
    plant: PlantProcess
    dice: random.Random
    trucks: int = 0
    notices: list[tuple[str, str]] = field(default_factory=list)

    def order(self, trucks: int) -> None:
        """Money and notices for so many trucks; they reach the plant while the line is whole."""
        expires = (datetime.now(UTC) + timedelta(days=2)).isoformat()
        with self.office.books() as store:
            for _ in range(trucks):
                self.trucks += 1
                name, plate, customer = f"FH-{self.trucks:04}", f"浙A{self.trucks:05}", f"C{self.trucks % 3}"
                payment = requests.PaymentIn(
                    reference=f"TT-{self.trucks}", customer_id=customer, customer_name="示例客户", amount_fen=10_000_000
                )
                requests.book_payment(store, payment, "test")
                notice = requests.NoticeIn(
                    plant="HX01", customer_id=customer, plate=plate, product="焦炭", price_fen_per_t=198_033,
                    notice=name, expires_at=expires,
                )  # fmt: skip
                requests.book_notice(store, notice, "test", 8)
                self.notices.append((name, plate))
        self.until(lambda: self.plant.read("SELECT COUNT(*) FROM visits") == (self.trucks,), _ACKED_S)

    def sell(self) -> None:
        """The next truck, whole visit."""
        name, plate = self.notices.pop(0)
        self.plant.visit(name, plate, self.dice.randrange(9_000, 30_000, 20))

    def settle(self) -> float:
        """Seconds until everything is acknowledged."""
        since = time.monotonic()
        self.until(lambda: self.plant.unacked() == 0, _ACKED_S)
        return time.monotonic() - since

    def differences(self) -> list[str]:
        """What head office has otherwise than the plant."""
        with self.office.books() as store:
            return differences(self.plant.books, store, self.box.instance.wire_id)

    @staticmethod
    def until(there: Callable[[], bool], seconds: float) -> None:
        """Wait for it."""
        deadline = time.monotonic() + seconds
        while not there():
            assert time.monotonic() < deadline, f"not in {seconds:g} s"
            time.sleep(0.05)


@contextmanager
def joined(folder: Path, seed: int, reconnect_max_s: int) -> Iterator[Cut]:
    """Both ends running, linked."""
    try:
        line = Line()
    except NotPermitted as error:
        pytest.skip(f"no network namespaces here: {error}")
    with line:
        office = Headquarters.make(folder, "sqlite:///office.sqlite3", host=OFFICE)
        box = office.enrol("HX01")
        plant = PlantProcess(folder / "plant", line.plant, box, folder / "HX01", office.broker.port, reconnect_max_s)
        try:
            line.office.call(office.broker.start)
            line.office.call(office.start)
            plant.start()
            yield Cut(line, office, box, plant, random.Random(seed))
        finally:
            assert plant.stop() == 0
            office.stop()
            office.broker.kill()


def test_a_short_loud_cut(fast_folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    run = Run("plant's port down for a moment, while it sells")
    with joined(fast_folder, run.seed, reconnect_max_s=2) as cut:
        cut.order(3)
        cut.sell()
        cut.settle()
        cut.line.cut_loudly()
        cut.sell()
        cut.sell()
        waiting = cut.plant.unacked()
        assert waiting > 10, "the line was not cut"
        assert any("acknowledged" in each for each in cut.differences())
        cut.line.heal_loud()
        healed_s = cut.settle()
        assert cut.differences() == []
        run.tell(capfd, 1, f"{waiting} records waited; all acknowledged {healed_s:.1f} s after the line was whole")


@pytest.mark.faults
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("how", ["silent", "loud"])
def test_cuts_until_they_are_noticed(how: str, fast_folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    run = Run(f"line cut, {how}, with the settings of a plant")
    noticed_s, healed_s, waited = [], [], 0
    with joined(fast_folder, run.seed, reconnect_max_s=30) as cut:
        for _ in range(CUTS):
            cut.order(12)
            cut.sell()
            cut.settle()
            (cut.line.cut_silently if how == "silent" else cut.line.cut_loudly)()
            since = time.monotonic()
            while cut.plant.link_is_up():
                assert time.monotonic() - since < _NOTICED_S, "a cut line is shown as a link that is up"
                if len(cut.notices) > 4:
                    cut.sell()
                time.sleep(0.05)
            noticed_s.append(time.monotonic() - since)
            while cut.notices:
                cut.sell()
            time.sleep(cut.dice.uniform(0, 20))
            waited += cut.plant.unacked()
            (cut.line.heal_silent if how == "silent" else cut.line.heal_loud)()
            healed_s.append(cut.settle())
            assert cut.differences() == []
        slowest_s = cut.plant.slowest_s
    assert slowest_s < 5.0, "the pages waited for the line"
    run.tell(
        capfd, CUTS,
        f"noticed after {_range(noticed_s)}; {waited} records waited, all acknowledged {_range(healed_s)} after the "
        f"line was whole; slowest page {slowest_s * 1000:.0f} ms; books equal to the fen",
    )  # fmt: skip


def _range(seconds: list[float]) -> str:
    return f"{min(seconds):.1f} to {max(seconds):.1f} s (median {statistics.median(seconds):.1f})"


class Ear:
    """Notes whether the link is up."""

    def __init__(self) -> None:
        self._up = False

    def is_up(self) -> bool:
        return self._up

    def connected(self) -> None:
        self._up = True

    def disconnected(self, why: str) -> None:
        self._up = False

    def message(self, topic: str, payload: bytes) -> None:
        """Nobody talks here."""


def seconds_until_noticed(folder: Path, within_s: float, *kinds: dict[str, int]) -> list[float | None]:
    """How long each kind of connection takes to notice one and the same silent cut; None for one that never does."""
    try:
        line = Line()
    except NotPermitted as error:
        pytest.skip(f"no network namespaces here: {error}")
    with line:
        office = Headquarters.make(folder, "sqlite:///office.sqlite3", host=OFFICE)
        box = office.enrol("HX01")
        line.office.call(office.broker.start)
        quick = MqttSettings(
            host=OFFICE, port=office.broker.port, client_id="HX01", subscriptions=("down/HX01/#",),
            presence_topic="up/HX01/link", tls=box.tls, connect_timeout_s=2, reconnect_min_s=0.1, reconnect_max_s=0.3,
            keepalive_s=2, heartbeat_s=1, silence_s=3,
        )  # fmt: skip

        async def watch() -> list[float | None]:
            ears = [Ear() for _ in kinds]
            settings = [replace(quick, client_id=f"HX01-{n}", **kind) for n, kind in enumerate(kinds)]  # type: ignore[arg-type]
            pairs = zip(settings, ears, strict=True)
            running = [asyncio.create_task(MqttTransport(each).run(ear)) for each, ear in pairs]
            try:
                async with asyncio.timeout(15):
                    while not all(ear.is_up() for ear in ears):
                        await asyncio.sleep(0.02)
                await asyncio.to_thread(line.cut_silently)
                since = time.monotonic()
                noticed: list[float | None] = [None for _ in kinds]
                while None in noticed and time.monotonic() - since < within_s:
                    await asyncio.sleep(0.02)
                    for number, ear in enumerate(ears):
                        if noticed[number] is None and not ear.is_up():
                            noticed[number] = time.monotonic() - since
                await asyncio.to_thread(line.heal_silent)
                return noticed
            finally:
                for task in running:
                    task.cancel()
                await asyncio.wait(running)

        try:
            return line.plant.call(lambda: asyncio.run(watch()))
        finally:
            office.broker.kill()


def test_a_silent_cut_is_noticed_by_keep_alive_and_by_heartbeat_and_never_without(fast_folder: Path) -> None:
    never = 1000
    by_keepalive, by_heartbeat, without = seconds_until_noticed(
        fast_folder, 9, {"heartbeat_s": never}, {"keepalive_s": never}, {"keepalive_s": never, "heartbeat_s": never}
    )
    assert by_keepalive is not None and by_keepalive < 7
    assert by_heartbeat is not None and by_heartbeat < 8
    assert without is None, "control: this cut is one that TCP alone does not notice"
