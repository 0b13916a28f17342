"""Around every page: security headers, and no POST that another site's page made.

Plain ASGI, so that an event stream passes through unbuffered.
"""

from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
_HEADERS = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
_REFUSED = (
    "403 请求来自别的网站,未执行。请在本系统页面内操作。\n"
    "403 This request was made by another site ({who}); nothing was done. Use the pages of this system.\n"
)
_CHANGES_NOTHING = frozenset({"GET", "HEAD", "OPTIONS"})


class Protection:
    """Middleware: headers on every answer, 403 for a POST from elsewhere."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_protected(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        who = foreign(Headers(scope=scope)) if scope["method"] not in _CHANGES_NOTHING else None
        app = self._app if who is None else PlainTextResponse(_REFUSED.format(who=who), status_code=403)
        await app(scope, receive, send_protected)


def foreign(headers: Headers) -> str | None:
    """Who made the request when it was not one of our own pages, else None.

    Browsers say so in Sec-Fetch-Site on secure addresses and in Origin everywhere; a script without either is
    no browser and carries nobody's cookie.
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        return None if site in ("same-origin", "none") else site
    origin = headers.get("origin")
    if origin is None:
        return None
    return None if urlsplit(origin).netloc.lower() == headers.get("host", "").lower() else origin[:100]
