"""The first page, login, logout, and the files of the pages."""

from hashlib import sha256
from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from edge.domain.refusal import Words
from edge.web.forms import BadForm, read_form
from edge.web.site import COOKIE, Site, safe_next, wants_json
from edge.web.words import WORDS

_STATIC = Path(__file__).parent / "static"
_TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}


class PeoplePages:
    """Choosing a station and being somebody."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def routes(self) -> list[Route]:
        """Their addresses."""
        return [
            Route("/", self.home),
            Route("/login", self.login_page),
            Route("/login", self.log_in, methods=["POST"]),
            Route("/logout", self.log_out, methods=["POST"]),
        ]

    async def home(self, request: Request) -> Response:
        """Where to?"""
        lanes = {key: lane.view().name for key, lane in self._site.plant.lanes.items()}
        gates = {key: gate.view().name for key, gate in self._site.plant.gates.items()}
        return self._site.page(request, "home.html", lanes=lanes, gates=gates)

    async def login_page(self, request: Request) -> Response:
        """Choose the name, type the PIN."""
        return self._login(request, None, "", safe_next(request.query_params.get("next", "/")), 200)

    async def log_in(self, request: Request) -> Response:
        """Check the PIN; a new session under a new id, whatever cookie came."""
        form = await read_form(request, person=60, pin=60, next=200)
        if isinstance(form, BadForm):
            return self._site.bad_form(request, form)
        found = await self._site.pins.check(form["person"], form["pin"])
        if isinstance(found, Words):
            if wants_json(request):
                return self._site.problem(request, 401, found)
            return self._login(request, found, form["person"], safe_next(form["next"]), 401)
        self._site.sessions.end(request.cookies.get(COOKIE))
        response: Response = RedirectResponse(safe_next(form["next"]), status_code=303)
        if wants_json(request):
            response = JSONResponse({"ok": True, "words": WORDS["login_done"]._asdict(), "ticket": None})
        self._site.log_in(response, self._site.sessions.start(found))
        return response

    async def log_out(self, request: Request) -> Response:
        """Forget the session."""
        self._site.sessions.end(request.cookies.get(COOKIE))
        response = RedirectResponse("/", status_code=303)
        response.delete_cookie(COOKIE)
        return response

    def _login(self, request: Request, error: Words | None, chosen: str, back: str, status: int) -> Response:
        people = list(self._site.pins.people.values())
        return self._site.page(
            request, "login.html", status=status, people=people, error=error, chosen=chosen, back=back
        )  # fmt: skip


class Static:
    """The style sheet and the scripts, read once: a handful of small files, and no path to guess."""

    def __init__(self) -> None:
        self._files = {path.name: (path.read_bytes(), _TYPES[path.suffix]) for path in _STATIC.iterdir()}
        self._tags = {name: f'"{sha256(content).hexdigest()[:16]}"' for name, (content, _) in self._files.items()}

    async def file(self, request: Request) -> Response:
        """One of them, or 304 when the browser has it."""
        name = request.path_params["name"]
        if name not in self._files:
            return Response(status_code=404)
        headers = {"ETag": self._tags[name], "Cache-Control": "no-cache"}
        if request.headers.get("if-none-match") == self._tags[name]:
            return Response(status_code=304, headers=headers)
        content, kind = self._files[name]
        return Response(content, headers=headers, media_type=kind)
