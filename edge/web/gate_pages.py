"""The guard's page: scan, verdict, override, arrivals."""

import time
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from edge.domain.refusal import Reason, Refusal, Words, refuse
from edge.station.views import VerdictView, as_json
from edge.web.forms import BadForm, read_form
from edge.web.live import Streams
from edge.web.plant import Gate
from edge.web.roles import allowed, not_allowed
from edge.web.sessions import Session
from edge.web.site import Site, wants_json
from edge.web.words import WORDS

MOST_CODE = 1_000


class GatePages:
    """Everything under /gate, and arrivals."""

    def __init__(self, site: Site, streams: Streams) -> None:
        self._site = site
        self._streams = streams
        self._answered: dict[str, tuple[str, float]] = {}
        """By gate: the last verdict given here and when (monotonic s). A reloaded page shows no old verdict as new."""

    def routes(self) -> list[Route]:
        """Their addresses."""
        return [
            Route("/gate/{gate}", self.page),
            Route("/gate/{gate}/view.json", self.view),
            Route("/gate/{gate}/picture/{key}", self.picture),
            Route("/events/gate/{gate}", self.events),
            Route("/gate/{gate}/scan", self.scan, methods=["POST"]),
            Route("/gate/{gate}/override", self.override, methods=["POST"]),
            Route("/gate/{gate}/compare", self.compare, methods=["POST"]),
            Route("/arrive", self.arrive, methods=["POST"]),
            Route("/arrive/look", self.look, methods=["POST"]),
            Route("/picture/{key}", self.any_picture),
            Route("/notices", self.notices),
            Route("/notices.json", self.notices_list),
        ]

    async def page(self, request: Request) -> Response:
        """The gate: one verdict."""
        found = self._find(request)
        if isinstance(found, Response):
            return found
        key, gate, _ = found
        view = gate.view()
        answered = self._answered.get(key)
        known = answered is not None and view.last is not None and answered[0] == view.last.at
        age_ms = int((time.monotonic() - answered[1]) * 1000) if known and answered else None
        return self._site.page(request, "gate.html", gate=key, view=as_json(view), verdict_age_ms=age_ms)

    async def view(self, request: Request) -> Response:
        """The gate as JSON."""
        found = self._find(request)
        return found if isinstance(found, Response) else JSONResponse(as_json(found[1].view()))

    async def events(self, request: Request) -> Response:
        """The gate as it changes."""
        if request.path_params["gate"] not in self._site.plant.gates:
            return Response(status_code=404)
        if self._site.session(request) is None:
            return Response(status_code=401)
        return self._streams.open(f"gate/{request.path_params['gate']}", self._site.alive(request))

    async def picture(self, request: Request) -> Response:
        """What the camera saw at a recent scan."""
        found = self._find(request)
        if isinstance(found, Response):
            return found
        jpeg = found[1].picture(request.path_params["key"])
        return Response(jpeg, media_type="image/jpeg") if jpeg else Response(status_code=404)

    async def scan(self, request: Request) -> Response:
        """A pass was scanned: the verdict."""
        found = self._find(request)
        if isinstance(found, Response):
            return found
        key, gate, session = found
        form = await read_form(request, code=MOST_CODE)
        if isinstance(form, BadForm):
            return self._site.answer(request, session, refuse(Reason.PASS_UNREADABLE), f"/gate/{key}")
        if not allowed(session.person, "scan"):
            return self._site.answer(request, session, not_allowed(), f"/gate/{key}")
        return self._verdict(request, session, await gate.scan(form["code"], session.person.id), key)

    async def override(self, request: Request) -> Response:
        """Let the last scan pass, under a name and for a reason."""
        found = self._find(request)
        if isinstance(found, Response):
            return found
        key, gate, session = found
        form = await read_form(request, name=40, reason=200, paper=120)
        if isinstance(form, BadForm):
            return self._site.bad_form(request, form)
        if not allowed(session.person, "override"):
            return self._site.answer(request, session, not_allowed(), f"/gate/{key}")
        outcome = await gate.override(session.person.id, form["name"], form["reason"], form["paper"])
        if isinstance(outcome, Refusal):
            return self._site.answer(request, session, outcome, f"/gate/{key}")
        return self._verdict(request, session, outcome, key)

    async def compare(self, request: Request) -> Response:
        """The guard has compared the truck with its paper: it is this one, or not."""
        found = self._find(request)
        if isinstance(found, Response):
            return found
        key, gate, session = found
        form = await read_form(request, same=3, name=40, reason=120, paper=120, shown=80)
        if isinstance(form, BadForm):
            return self._site.bad_form(request, form)
        if not allowed(session.person, "compare_gate"):
            return self._site.answer(request, session, not_allowed(), f"/gate/{key}")
        if form["same"] not in ("yes", "no"):
            return self._site.answer(request, session, WORDS["same_or_not"], f"/gate/{key}")
        name, same = form["name"] or session.person.name, form["same"] == "yes"
        outcome = await gate.compare(session.person.id, name, same, form["reason"], form["paper"], form["shown"])
        if isinstance(outcome, Refusal):
            return self._site.answer(request, session, outcome, f"/gate/{key}")
        return self._verdict(request, session, outcome, key)

    async def any_picture(self, request: Request) -> Response:
        """A picture that a camera took, or the plate cut out of one, by its hash."""
        if self._site.session(request) is None:
            return self._site.please_log_in(request, "/")
        jpeg = self._site.plant.picture(request.path_params["key"])
        return Response(jpeg, media_type="image/jpeg") if jpeg else Response(status_code=404)

    async def arrive(self, request: Request) -> Response:
        """A truck stands at the gate and wants in."""
        return await self._site.command(
            request,
            "arrive",
            "/notices",
            lambda by, form: self._site.plant.yard.arrive(
                form["plate"].upper().replace("·", "").replace(" ", ""), by, form["shown"]
            ),
            {"plate": 20, "shown": 80},
        )

    async def look(self, request: Request) -> Response:
        """Whose truck stands at the entrance, as its camera sees it."""
        session = self._site.session(request)
        if session is None:
            return self._site.please_log_in(request, "/notices")
        if not allowed(session.person, "arrive"):
            return self._site.answer(request, session, not_allowed(), "/notices")
        return JSONResponse(as_json(await self._site.plant.yard.look()))

    async def notices(self, request: Request) -> Response:
        """The open dispatch notices."""
        if self._site.session(request) is None:
            return self._site.please_log_in(request, "/notices")
        return self._site.page(request, "notices.html", notices=await self._site.plant.yard.notices())

    async def notices_list(self, request: Request) -> Response:
        """The open dispatch notices as JSON."""
        if self._site.session(request) is None:
            return self._site.please_log_in(request, "/notices")
        return JSONResponse(await self._site.plant.yard.notices())

    def _find(self, request: Request) -> tuple[str, Gate, Session] | Response:
        key = request.path_params["gate"]
        gate = self._site.plant.gates.get(key)
        if gate is None:
            return self._site.problem(request, 404, WORDS["no_gate"])
        session = self._site.session(request)
        return (key, gate, session) if session else self._site.please_log_in(request, f"/gate/{key}")

    def _verdict(self, request: Request, session: Session, verdict: VerdictView, key: str) -> Response:
        opened = verdict.verdict == "open"
        self._answered[key] = (verdict.at, time.monotonic())
        if not wants_json(request):
            return RedirectResponse(f"/gate/{key}", status_code=303)
        answer: dict[str, Any] = {"ok": opened, "verdict": as_json(verdict)}
        if opened:
            answer["words"] = WORDS["verdict_open"]._asdict()
        elif verdict.why:
            answer["why"] = answer["verdict"]["why"]
        else:
            answer["why"] = {"reason": "", "numbers": {}, **Words(*WORDS["verdict_refuse"])._asdict()}
        return JSONResponse(answer, status_code=200 if opened else 409)
