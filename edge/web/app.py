"""The plant's web application, put together."""

import time
from collections.abc import Sequence

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from edge.domain.refusal import Words
from edge.web.gate_pages import GatePages
from edge.web.lane_pages import LanePages
from edge.web.live import Streams
from edge.web.people_pages import PeoplePages, Static
from edge.web.plant import Person, Plant
from edge.web.protection import Protection
from edge.web.render import Renderer
from edge.web.sessions import Pins, Sessions
from edge.web.site import Site
from edge.web.ticket_pages import TicketPages
from edge.web.words import WORDS
from sync.secrets import matches


def create_app(station: Plant, people: Sequence[Person], *, secret_cookie: bool = False) -> Starlette:
    """The pages over a station. `secret_cookie` marks the session cookie Secure: set it where TLS ends in front."""
    site = Site(
        station, Pins(people, matches, time.monotonic), Sessions(time.monotonic), Renderer(), secret_cookie
    )  # fmt: skip
    streams = Streams(station.live)

    async def http_problem(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        return site.problem(request, status, _problem_words(status))

    return Starlette(
        routes=[
            Route("/static/{name}", Static().file),
            *PeoplePages(site).routes(),
            *GatePages(site, streams).routes(),
            *LanePages(site, streams).routes(),
            *TicketPages(site).routes(),
        ],
        middleware=[Middleware(Protection)],
        exception_handlers={HTTPException: http_problem, 500: http_problem},
    )


def _problem_words(status: int) -> Words:
    if status == 404:
        return WORDS["no_page"]
    return WORDS["no_method"] if status == 405 else WORDS["failed"]
