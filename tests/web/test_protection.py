"""What another site's page, a torn form or a curious name may do: nothing."""

import re
from pathlib import Path

import pytest
from httpx import Client

from edge.web.forms import MOST_BYTES
from edge.web.protection import CSP
from edge.web.words import WORDS
from tests.web.scenes import ticket
from tests.web.stage import Stage
from tests.web.talk import JSON, log_in

WEB = Path(__file__).parents[2] / "edge" / "web"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"Origin": "http://{own}"}, 200),
        ({}, 200),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "http://{own}.evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "http://{own}"}, 403),
    ],
)
def test_posts_come_from_our_own_pages(client: Client, stage: Stage, headers: dict[str, str], status: int) -> None:
    """A logged-in browser that another page drives changes nothing, and the refusal says why."""
    log_in(client, "D01")
    own = client.base_url.netloc.decode()
    filled = {name: value.replace("{own}", own) for name, value in headers.items()}
    answer = client.post("/lane/1/tare", headers={**JSON, **filled})
    assert answer.status_code == status
    assert stage.heard == ([("tare", "D01", "")] if status == 200 else [])
    assert status == 200 or ("403" in answer.text and "another site" in answer.text)


def test_every_answer_carries_the_headers(client: Client) -> None:
    """Pages, files, refusals and what does not exist."""
    for path in ("/", "/login", "/queue", "/static/app.css", "/nowhere", "/lane/1", "/queue.json"):
        headers = client.get(path).headers
        assert headers["content-security-policy"] == CSP, path
        assert headers["x-content-type-options"] == "nosniff" and headers["x-frame-options"] == "DENY"
        assert "cache-control" in headers


def test_pages_need_nothing_that_the_policy_forbids() -> None:
    """No inline script or style, no handler attribute, nothing from another host, in any template or script."""
    for path in [*(WEB / "templates").iterdir(), *(WEB / "static").iterdir()]:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"<style|\sstyle=|\son\w+=\"|https?://|innerHTML|eval\(", text), path.name
        inline = re.findall(r"<script(?![^>]*\bsrc=)(?![^>]*application/json)", text)
        assert not inline, path.name


def test_html_in_names_stays_text(client: Client, stage: Stage) -> None:
    """In tables, in facts, in the JSON that the scripts read, and in a person's own name."""
    stage.shown_tickets = [ticket(customer_name="</script><script>alert(1)</script>")]
    log_in(client, "S06")
    for path in ("/tickets", "/tickets/HX01-03-0001234", "/day", "/notices", "/login", "/lane/1"):
        text = client.get(path).text
        assert "<script>alert" not in text and "<i>客户" not in text and "<b>孙" not in text, path


BAD_FORMS = [
    (b"x" * (MOST_BYTES + 1), FORM, 413),
    (b"reason=" + b"a" * 201, FORM, 400),
    (b"reason=%00", FORM, 400),
    (b"reason=a%0Ab", FORM, 400),
    (b"reason=%ff%fe", FORM, 400),
    (b"reason=\xff", FORM, 400),
    (b"&".join(b"a%d=1" % number for number in range(60)), FORM, 400),
    (b'{"reason": "x"}', {"Content-Type": "application/json"}, 415),
    (b"--x\r\n\r\n", {"Content-Type": "multipart/form-data; boundary=x"}, 415),
]


@pytest.mark.parametrize(("body", "headers", "status"), BAD_FORMS)
def test_bad_forms_get_a_clear_answer(
    client: Client, stage: Stage, body: bytes, headers: dict[str, str], status: int
) -> None:
    """Too big, torn, strange: the reason in both languages, nothing done, never a 500."""
    log_in(client, "D01")
    answer = client.post("/lane/1/cancel", content=body, headers={**JSON, **headers})
    assert answer.status_code == status
    why = answer.json()["why"]
    assert why["zh"] and why["en"] and stage.heard == []
    page = client.post("/lane/1/cancel", content=body, headers=headers)
    assert page.status_code == status and why["zh"].split("“")[0] in page.text


@pytest.mark.parametrize(
    "path", ["/lane/9", "/gate/none", "/nowhere", "/static/../app.py", "/static/none.js", "/gate/south/picture/none"]
)
def test_what_does_not_exist_is_said(client: Client, path: str) -> None:
    """404, as a page or as JSON."""
    log_in(client, "S06")
    assert client.get(path).status_code == 404


def test_methods_and_commands_that_do_not_exist(client: Client) -> None:
    """A command by GET, an unknown command."""
    log_in(client, "D01")
    assert client.get("/lane/1/tare").status_code == 405
    assert client.post("/lane/1/explode", headers=JSON).status_code == 404
    assert client.post("/tickets/HX01-03-0001234/explode", headers=JSON).status_code == 404


def test_labels_exist_in_both_languages_and_are_used() -> None:
    """Every key named in a template or script is there, in both languages."""
    named = set()
    for path in [*(WEB / "templates").iterdir(), *(WEB / "static").glob("*.js")]:
        text = path.read_text(encoding="utf-8")
        named |= set(re.findall(r"""\b(?:t|s|both|word|second|inBoth)\(['"](\w+)['"]\)""", text))
    assert named and named <= set(WORDS)
    assert all(words.zh and words.en for key, words in WORDS.items() if key != "board_lane")
