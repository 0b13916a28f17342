"""A plant made of views alone: pages read views, so this is all a page test needs. Commands are noted and answered."""

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import uvicorn
from starlette.applications import Starlette

from edge.domain.refusal import Reason, Refusal, Words, refuse
from edge.domain.visit import VisitState
from edge.station.live import LiveHub
from edge.station.views import (
    ArrivalView,
    Done,
    GateView,
    LaneView,
    PlateSaidView,
    QueueEntry,
    QueueView,
    ScaleAlarmView,
    TicketView,
    VerdictView,
    Why,
    as_json,
)
from sync.secrets import hash_secret
from tests.web.scenes import CROP, GATE, crop_picture, idle_view, loading_view, now, photo, queue, ticket, verdict


@dataclass(frozen=True, slots=True)
class StagePerson:
    """Somebody with the PIN that `people` gave them."""

    id: str
    name: str
    roles: tuple[str, ...]
    pin_hash: str


def people() -> list[StagePerson]:
    """One person a role; the PIN is the number in the id four times."""
    rows = [
        ("D01", "调度 王芳", ("dispatcher",), "1111"),
        ("G02", "门卫 赵强", ("guard",), "2222"),
        ("B03", "开票员 李静", ("biller",), "3333"),
        ("F04", "财务 周敏", ("finance",), "4444"),
        ("E05", "企管部 吴刚", ("enterprise",), "5555"),
        ("S06", "班长 <b>孙</b>", ("supervisor",), "6666"),
    ]
    return [StagePerson(key, name, roles, hash_secret(pin)) for key, name, roles, pin in rows]


@dataclass
class Stage:
    """The plant. `heard` holds every command with its arguments, in order; `answer` is given to the next ones."""

    name: str = "示例一厂 HX01"
    live: LiveHub = field(default_factory=LiveHub)
    heard: list[tuple[str, ...]] = field(default_factory=list)
    answer: Done | Refusal = field(init=False)
    next_lane_view: LaneView | None = field(init=False)
    verdict: VerdictView = field(init=False)
    shown_tickets: list[TicketView] = field(init=False)
    alarms: list[ScaleAlarmView] = field(init=False)
    photo: bytes | None = field(init=False)
    beating: bool = field(init=False)
    arrival: ArrivalView = field(init=False)
    plates: list[PlateSaidView] = field(init=False)

    def __post_init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """As it was at first, for the next test on the same server."""
        self.heard.clear()
        self.answer, self.next_lane_view, self.verdict = Done(Words("已完成", "Done")), None, verdict("open")
        self.shown_tickets, self.photo, self.beating = [ticket()], None, True
        self.alarms, self.plates = [], []
        self.arrival = ArrivalView(None, (), False)
        self.lanes = {
            "1": StageLane(self, loading_view()),
            "2": StageLane(self, idle_view(lane="2", name=Words("二号磅", "Lane 2"))),
        }  # fmt: skip
        self.gates = {"south": StageGate(self, GATE)}
        self.yard = StageYard(self)
        self.tickets = StageDesk(self)

    def show(self, view: LaneView) -> None:
        """Put a view on lane 1 and tell the pages."""
        self.lanes["1"].shown = view
        self.live.publish("lane/1", as_json(view))

    @property
    def local_now(self) -> str:
        """The time here."""
        return now()

    @property
    def business_date(self) -> str:
        """The day that is being booked."""
        return "2026-11-23"

    def queue_view(self) -> QueueView:
        """The board."""
        called = VisitState.ADMITTED
        first = QueueEntry(
            "V7", 11, "浙A5K326", "示例客户甲", "冶金焦", called.value, called.words, "1", 0, Words("", "")
        )
        return QueueView(self.name, queue(6), (first,))

    def picture(self, key: str) -> bytes | None:
        """A whole picture, or a plate cut out."""
        return crop_picture() if key == CROP else photo() if key == "p1" else None

    def hear(self, *command: str) -> Done | Refusal:
        """Note a command, answer it."""
        self.heard.append(command)
        if self.next_lane_view is not None:
            self.show(self.next_lane_view)
        return self.answer


@dataclass
class StageLane:
    """One lane that shows what it is given."""

    stage: Stage
    shown: LaneView

    def view(self) -> LaneView:
        return self.shown

    async def call(self, visit: str, by: str) -> Done | Refusal:
        return self.stage.hear("call", visit, by)

    async def tare(self, by: str, visit: str = "") -> Done | Refusal:
        return self.stage.hear("tare", by, visit)

    async def start_loading(self, by: str, visit: str = "") -> Done | Refusal:
        return self.stage.hear("start_loading", by, visit)

    async def load_complete(self, by: str, visit: str) -> Done | Refusal:
        return self.stage.hear("load_complete", by, visit)

    async def unload(self, by: str, visit: str = "") -> Done | Refusal:
        return self.stage.hear("unload", by, visit)

    async def recheck(self, by: str, visit: str = "") -> Done | Refusal:
        return self.stage.hear("recheck", by, visit)

    async def park(self, by: str, visit: str = "") -> Done | Refusal:
        return self.stage.hear("park", by, visit)

    async def cancel(self, by: str, reason: str, visit: str = "") -> Done | Refusal:
        return self.stage.hear("cancel", by, reason, visit)

    async def empty_exit(self, by: str, visit: str = "") -> Done | Refusal:
        return self.stage.hear("empty_exit", by, visit)

    async def topup(self, code: str, by: str, visit: str = "") -> Done | Refusal:
        return self.stage.hear("topup", code, by, visit)

    async def zero(self, by: str, confirmed_kg: str) -> Done | Refusal:
        return self.stage.hear("zero", by, confirmed_kg)

    async def see_alarm(self, by: str, alarm: str, note: str) -> Done | Refusal:
        return self.stage.hear("see_alarm", by, alarm, note)

    async def compare(self, by: str, visit: str, same: bool, shown: str, note: str = "") -> Done | Refusal:
        return self.stage.hear("compare", by, visit, str(same), shown, note)


@dataclass
class StageGate:
    """The gate."""

    stage: Stage
    shown: GateView

    def view(self) -> GateView:
        return self.shown

    async def scan(self, code: str, by: str) -> VerdictView:
        self.stage.hear("scan", code, by)
        return replace(self.stage.verdict, at=now())

    async def override(self, by: str, name: str, reason: str, paper: str) -> VerdictView | Refusal:
        self.stage.hear("override", by, name, reason, paper)
        return replace(self.stage.verdict, at=now(), overridden_by=name, barrier="opened")

    async def compare(
        self, by: str, name: str, same: bool, reason: str, paper: str, shown: str
    ) -> VerdictView | Refusal:
        self.stage.hear("compare", by, name, str(same), reason, paper, shown)
        if not same:
            no = refuse(Reason.PLATE_DIFFERS, seen="浙A5K328", plate="浙A5K326", before="")
            return replace(
                self.stage.verdict, at=now(), verdict="refuse", why=Why.of(no), plate_asked=False, overridable=True
            )
        return replace(verdict("open"), at=now(), plate_by=name)

    def picture(self, key: str) -> bytes | None:
        return self.stage.photo if key == "p1" else None


@dataclass
class StageYard:
    """Arrivals."""

    stage: Stage

    async def look(self) -> ArrivalView:
        return self.stage.arrival

    async def arrive(self, plate: str, by: str, shown: str = "") -> Done | Refusal:
        return self.stage.hear("arrive", plate, by, *([shown] if shown else []))

    async def notices(self) -> list[dict[str, Any]]:
        row = {
            "notice": "HX01-2611-0433", "plate": "鲁H7T880", "customer_name": "示例客户己", "product": "冶金焦 25–60",
            "limit_kg": 32_000, "expires_at": "2026-11-25 23:59:59", "state": "noticed", "state_zh": "已通知",
            "state_en": "noticed",
        }  # fmt: skip
        return [
            row,
            {**row, "limit_kg": None, "notice": "HX01-2611-0434", "plate": "苏A0P551", "customer_name": "<i>客户</i>"},
        ]


@dataclass
class StageDesk:
    """Tickets."""

    stage: Stage

    async def recent(self, limit: int = 50) -> list[TicketView]:
        return self.stage.shown_tickets[:limit]

    async def find(self, ticket: str) -> TicketView | None:
        return next((row for row in self.stage.shown_tickets if row.ticket == ticket), None)

    async def alarms(self, visit: str) -> list[ScaleAlarmView]:
        return [alarm for alarm in self.stage.alarms if alarm.visit == visit]

    async def plates(self, visit: str) -> list[PlateSaidView]:
        return self.stage.plates

    async def reprint(self, ticket: str, by: str) -> Done | Refusal:
        return self.stage.hear("reprint", ticket, by)

    async def void(self, ticket: str, first: str, second: str, reason: str) -> Done | Refusal:
        return self.stage.hear("void", ticket, first, second, reason)

    async def seal(self, ticket: str, seal: str, by: str) -> Done | Refusal:
        return self.stage.hear("seal", ticket, seal, by)

    async def confirm_print(self, ticket: str, paper_out: bool, by: str) -> Done | Refusal:
        return self.stage.hear("confirm_print", ticket, str(paper_out), by)

    async def day(self, business_date: str) -> dict[str, Any]:
        rows = self.stage.shown_tickets
        kilograms, money = sum(row.net_kg for row in rows), sum(row.amount_fen for row in rows)
        by_customer = [{"customer_name": "示例客户甲", "tickets": len(rows), "net_kg": kilograms, "amount_fen": money}]
        return {"date": business_date, "tickets": len(rows), "released": 0, "voided": 0, "net_kg": kilograms,
                "amount_fen": money, "by_customer": by_customer, "rows": rows}  # fmt: skip


@dataclass
class Served:
    """A stage served on 127.0.0.1. `do` runs something on the server's loop, where all of its state lives."""

    url: str
    stage: Stage
    do: Callable[..., object]


@contextmanager
def serve(app: Starlette, stage: Stage) -> Iterator[Served]:
    """The app on a free port, in a thread. Lane 1 is published as its runner would, while `stage.beating`."""
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=2))
    loops: list[asyncio.AbstractEventLoop] = []

    async def run(listener: socket.socket) -> None:
        loops.append(asyncio.get_running_loop())
        beat = asyncio.create_task(_beat(stage))
        await server.serve(sockets=[listener])
        beat.cancel()

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        thread = threading.Thread(target=lambda: asyncio.run(run(listener)), daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield Served(f"http://127.0.0.1:{listener.getsockname()[1]}", stage, loops[0].call_soon_threadsafe)
        loops[0].call_soon_threadsafe(stage.live.close)
        server.should_exit = True
        thread.join(5)
        assert not thread.is_alive(), "open streams kept the server from ending"


async def _beat(stage: Stage) -> None:
    while True:
        if stage.beating:
            stage.show(stage.lanes["1"].shown)
        await asyncio.sleep(0.5)
