"""What every page handler shares: the plant, who asks, in which language, and how a command is answered."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from edge.domain.refusal import Reason, Refusal, Words
from edge.station.views import Done, Why
from edge.web.forms import BadForm, read_form
from edge.web.plant import Plant
from edge.web.render import Renderer
from edge.web.roles import MAY, allowed, not_allowed
from edge.web.sessions import Pins, Session, Sessions
from edge.web.words import WORDS

COOKIE = "weighgate"
LANGUAGES = ("zh", "en")
_YEAR_S = 365 * 24 * 3600

Fields = dict[str, str]


@dataclass(frozen=True, slots=True)
class Site:
    """The parts a request needs."""

    plant: Plant
    pins: Pins
    sessions: Sessions
    renderer: Renderer
    secure_cookie: bool

    def session(self, request: Request) -> Session | None:
        """Who asks; None when nobody is logged in."""
        return self.sessions.find(request.cookies.get(COOKIE))

    def alive(self, request: Request) -> Callable[[], bool]:
        """Whether the asker's session still lives, for streams."""
        key = request.cookies.get(COOKIE)
        return lambda: self.sessions.alive(key)

    def page(self, request: Request, template: str, status: int = 200, **values: Any) -> Response:
        """A page in the asker's language, with what the last form did."""
        session = self.session(request)
        asked = request.query_params.get("lang")
        language = asked if asked in LANGUAGES else _language(request)
        note = session.note if session else None
        if session:
            session.note = None
        other = _other(language)
        boot = {
            "lang": language,
            "words": {key: [getattr(words, language), getattr(words, other)] for key, words in WORDS.items()},
            "may": {command: allowed(session.person if session else None, command) for command in MAY},
            "not_allowed": not_allowed().words._asdict(),
            "now": self.plant.local_now,
            "view": values.pop("view", None),
        }
        html = self.renderer.render(
            template,
            language,
            {**values, "boot": boot, "person": session.person if session else None, "note": note, "plant": self.plant},
        )
        response = HTMLResponse(html, status_code=status)
        if asked in LANGUAGES:
            response.set_cookie("lang", language, max_age=_YEAR_S, samesite="lax", secure=self.secure_cookie)
        return response

    def please_log_in(self, request: Request, back: str) -> Response:
        """401 for programs, the login page for people."""
        if wants_json(request):
            return _no(WORDS["login_first"], 401)
        return RedirectResponse(f"/login?next={quote(back, safe='/')}", status_code=303)

    def problem(self, request: Request, status: int, words: Words) -> Response:
        """An answer that is not the page asked for: JSON for programs, a page for people."""
        if wants_json(request):
            return _no(words, status)
        return self.page(request, "message.html", status=status, words=words, status_code=status)

    def bad_form(self, request: Request, bad: BadForm) -> Response:
        """What was wrong with the form."""
        return self.problem(request, bad.status, Words(bad.zh, bad.en))

    async def command(
        self,
        request: Request,
        name: str,
        back: str,
        do: Callable[[str, Fields], Awaitable[Done | Refusal | Words]],
        limits: Mapping[str, int] | None = None,
    ) -> Response:
        """One POST: logged in, well formed, allowed, done or refused."""
        session = self.session(request)
        if session is None:
            return self.please_log_in(request, back)
        form = await read_form(request, **(limits or {}))
        if isinstance(form, BadForm):
            return self.bad_form(request, form)
        outcome = await do(session.person.id, form) if allowed(session.person, name) else not_allowed()
        return self.answer(request, session, outcome, back)

    def answer(self, request: Request, session: Session, outcome: Done | Refusal | Words, back: str) -> Response:
        """What a command led to: JSON for programs, back to the page with a note for people. Words alone are a no."""
        if not wants_json(request):
            words = outcome if isinstance(outcome, Words) else outcome.words
            session.note = (not isinstance(outcome, Refusal | Words), words)
            return RedirectResponse(back, status_code=303)
        if isinstance(outcome, Words):
            return _no(outcome, 409)
        if isinstance(outcome, Refusal):
            status = 403 if outcome.reason is Reason.NOT_ALLOWED else 409
            return JSONResponse({"ok": False, "why": asdict(Why.of(outcome))}, status_code=status)
        return JSONResponse({"ok": True, "words": outcome.words._asdict(), "ticket": outcome.ticket})

    def log_in(self, response: Response, key: str) -> None:
        """Give the browser its session."""
        response.set_cookie(COOKIE, key, httponly=True, samesite="strict", secure=self.secure_cookie, path="/")


def wants_json(request: Request) -> bool:
    """Whether a program asks."""
    return "application/json" in request.headers.get("accept", "")


def safe_next(value: str) -> str:
    """Where to go after login: a path of this site, else the first page."""
    plain = value.startswith("/") and not value.startswith("//") and "\\" not in value and value.isprintable()
    return value if plain and len(value) <= 200 else "/"


def _no(words: Words, status: int) -> Response:
    why = {"reason": "", "numbers": {}, "zh": words.zh, "en": words.en}
    return JSONResponse({"ok": False, "why": why}, status_code=status)


def _language(request: Request) -> str:
    kept = request.cookies.get("lang", "")
    return kept if kept in LANGUAGES else "zh"


def _other(language: str) -> str:
    return "en" if language == "zh" else "zh"
