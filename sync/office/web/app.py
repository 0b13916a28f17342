"""Routes. Every answer carries the same security headers; every change must come from our own page or a token."""

import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.templating import Jinja2Templates
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sync.keys import KeyFileError, load_private
from sync.office.export import shipments_csv
from sync.office.link import OfficeLink
from sync.office.live import MOST_LISTENERS, LiveHub
from sync.office.refusal import NotAllowed
from sync.office.settings import Settings
from sync.office.store.database import Store, StoreUnavailable
from sync.office.store.views import each_shipment
from sync.office.topups import code_of
from sync.office.web.access import COOKIE, Access, User, client_address, same_origin
from sync.office.web.api import api_routes
from sync.office.web.api_money import money_api_routes
from sync.office.web.forms import form_routes
from sync.office.web.forms_money import money_form_routes
from sync.office.web.pages import page_facts
from sync.office.web.qr import qr_path
from sync.office.web.views import Words, link_badge

_HERE = Path(__file__).parent
PAGES = ("shipments", "balances", "notices", "payments", "topup", "plants", "exceptions")
TABS = {"balances": "balances", "day": "day_page", "figures": "figures"}
"""Pages under balances, with the word on their tab."""
_SECTIONS = {"day": "balances", "figures": "balances", "code": "topup"}
_MOST_BODY = 65_536
_HEADERS = {
    b"content-security-policy": b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    b"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"same-origin",
    b"cache-control": b"no-store",
}
Handler = Callable[[Request], Awaitable[Response]]


class Guard:
    """Headers on every answer, no large bodies, no change from another site's page."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                static = scope["path"].startswith("/static/")
                keep = {**_HEADERS, b"cache-control": b"no-cache"} if static else _HEADERS
                message["headers"] = [*message["headers"], *keep.items()]
            await send(message)

        if request.method not in ("GET", "HEAD"):
            length = request.headers.get("content-length", "")
            if not length.isdigit() or int(length) > _MOST_BODY:
                answer: Response = Response(f"a body of at most {_MOST_BODY} bytes is allowed", 413)
                await answer(scope, receive, with_headers)
                return
            if "authorization" not in request.headers and not same_origin(request):
                answer = Response("this request comes from another site", 403)
                await answer(scope, receive, with_headers)
                return
        await self._app(scope, receive, with_headers)


class Office:
    """What the handlers share."""

    def __init__(self, settings: Settings, store: Store, hub: LiveHub, link: OfficeLink | None) -> None:
        self.settings = settings
        self.store = store
        self.hub = hub
        self.link = link
        self.access = Access(settings)
        self.templates = Jinja2Templates(directory=_HERE / "templates")

    def signing_key(self) -> Ed25519PrivateKey:
        """What top-up codes are signed with, the key of the link's grants. NotAllowed when it cannot be read."""
        try:
            return load_private(self.settings.at(self.settings.link.signing_key))
        except KeyFileError as error:
            raise NotAllowed("link.signing_key", "", "签名密钥读不出", str(error)) from error

    def words(self, request: Request) -> Words:
        """The words in the language of the request's cookie or `?lang=`."""
        chosen = request.query_params.get("lang") or request.cookies.get("lang", "zh")
        return Words(chosen == "en", self.settings.office.utc_offset_hours)

    async def show(
        self, request: Request, user: User, page: str, extra: dict[str, Any] | None = None, status: int = 200
    ) -> Response:
        """One page, whole, or only its live part when `?part=1`."""
        words = self.words(request)
        query = dict(request.query_params)
        facts = await self.store.run(lambda store: page_facts(store, page, query, words, self.link, self.settings))
        context = {
            **facts, "t": words, "user": user, "page": page, "pages": PAGES, "tabs": TABS, "query": query,
            "link": self.link,
            "people": self.access.names(), "section": _SECTIONS.get(page, page),
            "link_badge": link_badge(self.settings, self.link, words), "office": self.settings.office.name,
            "values": {}, "refusal": None, "form": "", "once": secrets.token_urlsafe(12),
            "done": "" if query.get("part") else self.access.take_note(request), **(extra or {}),
        }  # fmt: skip
        template = f"{page}_part.html" if query.get("part") else f"{page}.html"
        answer = self.templates.TemplateResponse(request, template, context, status_code=status)
        if request.query_params.get("lang") in ("zh", "en"):
            lang = request.query_params["lang"]
            answer.set_cookie("lang", lang, max_age=31_536_000, httponly=True, samesite="strict")
        return answer


def create_app(settings: Settings, store: Store, hub: LiveHub, link: OfficeLink | None) -> Starlette:
    """The application, ready for a server."""
    office = Office(settings, store, hub, link)
    routes = [
        Route("/", _home),
        Route("/login", _login_page(office), methods=["GET"]),
        Route("/login", _login(office), methods=["POST"]),
        Route("/logout", _logout(office), methods=["POST"]),
        Route("/live", _live(office)),
        Route("/shipments.csv", _csv(office)),
        *(Route(f"/{page}", _page(office, page), methods=["GET"]) for page in (*PAGES, *list(TABS)[1:])),
        Route("/topup/code", _code(office), methods=["GET"]),
        *form_routes(office),
        *money_form_routes(office),
        *api_routes(office),
        *money_api_routes(office),
        Mount("/static", StaticFiles(directory=_HERE / "static")),
    ]
    return Starlette(
        routes=routes,
        middleware=[Middleware(Guard)],
        exception_handlers={StoreUnavailable: _unavailable, NotAllowed: _not_allowed},
    )


async def _home(_request: Request) -> Response:
    return RedirectResponse("/shipments", 303)


async def _unavailable(_request: Request, error: Exception) -> Response:
    return Response(f"数据库暂不可用 the database is not available: {error}", 503)


async def _not_allowed(_request: Request, error: Exception) -> Response:
    if not isinstance(error, NotAllowed):
        raise error
    return JSONResponse({"error": error.as_json()}, 422)


def _page(office: Office, page: str) -> Handler:
    async def handler(request: Request) -> Response:
        user = office.access.user(request)
        if user is None:
            return (
                RedirectResponse("/login", 303) if not request.query_params.get("part") else Response(status_code=401)
            )
        return await office.show(request, user, page)

    return handler


def _code(office: Office) -> Handler:
    """A grant as QR code and lines; refusals are shown on the page where the next one is made."""

    async def handler(request: Request) -> Response:
        user = office.access.user(request)
        if user is None:
            return RedirectResponse("/login", 303)
        instance, account = request.query_params.get("instance", ""), request.query_params.get("account", "")
        try:
            if not user.may("grant"):
                raise NotAllowed(
                    "role", office.words(request)(user.role), "您的岗位不能办理", "your role cannot do this"
                )
            key = office.signing_key()
            code = await office.store.run(lambda store: code_of(store, key, instance, account))
        except NotAllowed as refusal:
            return await office.show(request, user, "topup", {"refusal": refusal}, status=422)
        across, path = qr_path(code.text)
        return await office.show(request, user, "code", {"code": code, "across": across, "path": path})

    return handler


def _login_page(office: Office, failed: str = "", status: int = 200) -> Handler:
    async def handler(request: Request) -> Response:
        context = {"t": office.words(request), "names": office.access.names(), "failed": failed,
                   "office": office.settings.office.name}  # fmt: skip
        return office.templates.TemplateResponse(request, "login.html", context, status_code=status)

    return handler


def _login(office: Office) -> Handler:
    async def handler(request: Request) -> Response:
        async with request.form(max_fields=10, max_files=0) as form:
            name, pin = str(form.get("name", ""))[:80], str(form.get("pin", ""))[:80]
        outcome = await office.access.sign_in(name, pin, client_address(request))
        words = office.words(request)
        if isinstance(outcome, int):
            said = words("wait").format(outcome) if outcome else words("wrong_pin")
            return await _login_page(office, said, 429 if outcome else 403)(request)
        answer = RedirectResponse("/shipments", 303)
        secure = office.settings.web.secure_cookie
        answer.set_cookie(COOKIE, outcome, httponly=True, samesite="strict", secure=secure)
        return answer

    return handler


def _logout(office: Office) -> Handler:
    async def handler(request: Request) -> Response:
        office.access.sign_out(request)
        answer = RedirectResponse("/login", 303)
        answer.delete_cookie(COOKIE)
        return answer

    return handler


def _live(office: Office) -> Handler:
    async def handler(request: Request) -> Response:
        if office.access.user(request) is None:
            return Response(status_code=401)
        if office.hub.listeners >= MOST_LISTENERS:
            return Response("too many open pages", 503)
        return StreamingResponse(office.hub.stream(), media_type="text/event-stream")

    return handler


def _csv(office: Office) -> Handler:
    async def handler(request: Request) -> Response:
        if office.access.user(request) is None and await office.access.program(request) is None:
            return RedirectResponse("/login", 303)
        plant, day = request.query_params.get("plant", ""), request.query_params.get("date", "")
        offset = office.settings.office.utc_offset_hours

        def work(store: Store) -> str:
            with store.read() as tx:
                return "".join(shipments_csv(each_shipment(tx, plant, day), offset))

        text = await office.store.run(work)
        name = f"shipments-{office.words(request).today()}.csv"
        headers = {"content-disposition": f'attachment; filename="{name}"'}
        return Response(text.encode(), media_type="text/csv; charset=utf-8", headers=headers)

    return handler
