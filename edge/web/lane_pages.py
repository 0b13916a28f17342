"""The dispatcher's page of a lane, its stream, its commands; and the drivers' board."""

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from edge.domain.refusal import Refusal, Words
from edge.station.views import Done, as_json
from edge.web.live import Streams
from edge.web.plant import Lane
from edge.web.site import Fields, Site
from edge.web.words import WORDS

Do = Callable[[str, Fields], Awaitable[Done | Refusal | Words]]

LIMITS: dict[str, dict[str, int]] = {
    "call": {"visit": 80},
    "tare": {"visit": 80},
    "start_loading": {"visit": 80},
    "load_complete": {"visit": 80},
    "unload": {"visit": 80},
    "recheck": {"visit": 80},
    "park": {"visit": 80},
    "cancel": {"visit": 80, "reason": 200},
    "empty_exit": {"visit": 80},
    "topup": {"visit": 80, "code": 1500},
    "alarm_seen": {"alarm": 20, "note": 200},
    "compare": {"visit": 80, "shown": 80, "same": 3, "note": 120},
    "zero": {"kg": 10},
}
"""The commands of a lane, each with its form fields and their most characters."""


class LanePages:
    """Everything under /lane, and /queue."""

    def __init__(self, site: Site, streams: Streams) -> None:
        self._site = site
        self._streams = streams

    def routes(self) -> list[Route]:
        """Their addresses."""
        return [
            Route("/lane/{lane}", self.page),
            Route("/lane/{lane}/view.json", self.view),
            Route("/events/lane/{lane}", self.events),
            Route("/lane/{lane}/{command}", self.command, methods=["POST"]),
            Route("/queue", self.queue),
            Route("/queue.json", self.queue_view),
            Route("/events/queue", self.queue_events),
        ]

    async def page(self, request: Request) -> Response:
        """The lane: one weight, one limit, one button."""
        key, lane = self._lane(request)
        if lane is None:
            return self._site.problem(request, 404, WORDS["no_lane"])
        if self._site.session(request) is None:
            return self._site.please_log_in(request, f"/lane/{key}")
        tabs = {name: other.view().name for name, other in self._site.plant.lanes.items()}
        return self._site.page(request, "lane.html", lane=key, tabs=tabs, view=as_json(lane.view()))

    async def view(self, request: Request) -> Response:
        """The lane as JSON."""
        key, lane = self._lane(request)
        if lane is None:
            return self._site.problem(request, 404, WORDS["no_lane"])
        if self._site.session(request) is None:
            return self._site.please_log_in(request, f"/lane/{key}")
        return JSONResponse(as_json(lane.view()))

    async def events(self, request: Request) -> Response:
        """The lane as it changes."""
        key, lane = self._lane(request)
        if lane is None:
            return Response(status_code=404)
        if self._site.session(request) is None:
            return Response(status_code=401)
        return self._streams.open(f"lane/{key}", self._site.alive(request))

    async def command(self, request: Request) -> Response:
        """One of the lane's buttons."""
        key, lane = self._lane(request)
        command = request.path_params["command"]
        if lane is None or command not in LIMITS:
            return self._site.problem(request, 404, WORDS["no_lane" if lane is None else "no_page"])
        return await self._site.command(request, command, f"/lane/{key}", _doing(lane, command), LIMITS[command])

    async def queue(self, request: Request) -> Response:
        """The board for drivers; anyone may read it."""
        return self._site.page(request, "queue.html", view=as_json(self._site.plant.queue_view()))

    async def queue_view(self, request: Request) -> Response:
        """The board as JSON."""
        return JSONResponse(as_json(self._site.plant.queue_view()))

    async def queue_events(self, request: Request) -> Response:
        """The board as it changes."""
        return self._streams.open("queue", lambda: True)

    def _lane(self, request: Request) -> tuple[str, Lane | None]:
        key = request.path_params["lane"]
        return key, self._site.plant.lanes.get(key)


def _doing(lane: Lane, command: str) -> Do:
    """The lane's method for a command, called with who and the form."""
    table: dict[str, Do] = {
        "call": lambda by, form: lane.call(form["visit"], by),
        "tare": lambda by, form: lane.tare(by, form["visit"]),
        "start_loading": lambda by, form: lane.start_loading(by, form["visit"]),
        "load_complete": lambda by, form: lane.load_complete(by, form["visit"]),
        "unload": lambda by, form: lane.unload(by, form["visit"]),
        "recheck": lambda by, form: lane.recheck(by, form["visit"]),
        "park": lambda by, form: lane.park(by, form["visit"]),
        "cancel": lambda by, form: lane.cancel(by, form["reason"], form["visit"]),
        "empty_exit": lambda by, form: lane.empty_exit(by, form["visit"]),
        "topup": lambda by, form: lane.topup(form["code"], by, form["visit"]),
        "zero": lambda by, form: lane.zero(by, form["kg"]),
        "alarm_seen": lambda by, form: lane.see_alarm(by, form["alarm"], form["note"]),
        "compare": lambda by, form: _compare(lane, by, form),
    }
    return table[command]


async def _compare(lane: Lane, by: str, form: Fields) -> Done | Refusal | Words:
    if form["same"] not in ("yes", "no"):
        return WORDS["same_or_not"]  # a wrong guess here lets another truck through
    return await lane.compare(by, form["visit"], form["same"] == "yes", form["shown"], form["note"])
