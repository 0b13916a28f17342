"""Every command reaches the station with the right person and fields; every answer has its status and words."""

import csv
import io

import pytest
from httpx import Client

from edge.domain.refusal import Reason, refuse
from edge.domain.visit import VisitState
from edge.station.views import as_json
from tests.web.scenes import loading_view, slip, ticket, verdict
from tests.web.stage import Stage
from tests.web.talk import JSON, log_in

TICKET = "/tickets/HX01-03-0001234"
COMMANDS = [
    ("D01", "/lane/1/call", {"visit": "V20"}, ("call", "V20", "D01")),
    ("D01", "/lane/1/tare", {"visit": "V7"}, ("tare", "D01", "V7")),
    ("D01", "/lane/1/start_loading", {"visit": "V7"}, ("start_loading", "D01", "V7")),
    ("D01", "/lane/1/load_complete", {"visit": "V7"}, ("load_complete", "D01", "V7")),
    ("D01", "/lane/1/unload", {"visit": "V7"}, ("unload", "D01", "V7")),
    ("D01", "/lane/1/recheck", {"visit": "V7"}, ("recheck", "D01", "V7")),
    ("D01", "/lane/2/park", {}, ("park", "D01", "")),
    ("D01", "/lane/1/cancel", {"visit": "V7", "reason": "司机放弃"}, ("cancel", "D01", "司机放弃", "V7")),
    ("D01", "/lane/1/empty_exit", {"visit": "V7"}, ("empty_exit", "D01", "V7")),
    ("D01", "/lane/1/zero", {"kg": "-40"}, ("zero", "D01", "-40")),
    ("D01", "/lane/1/alarm_seen", {"alarm": "41", "note": "看过"}, ("see_alarm", "D01", "41", "看过")),
    ("G02", "/arrive", {"plate": "浙a·5k326 "}, ("arrive", "浙A5K326", "G02")),
    ("D01", f"{TICKET}/reprint", {}, ("reprint", "HX01-03-0001234", "D01")),
    ("D01", f"{TICKET}/confirm_print", {"paper_out": "yes"}, ("confirm_print", "HX01-03-0001234", "True", "D01")),
    ("D01", f"{TICKET}/confirm_print", {"paper_out": "no"}, ("confirm_print", "HX01-03-0001234", "False", "D01")),
    ("E05", f"{TICKET}/seal", {"seal": "enterprise"}, ("seal", "HX01-03-0001234", "enterprise", "E05")),
    ("F04", f"{TICKET}/seal", {"seal": "finance"}, ("seal", "HX01-03-0001234", "finance", "F04")),
]


@pytest.mark.parametrize(("person", "path", "fields", "heard"), COMMANDS)
def test_commands_reach_the_station(
    client: Client, stage: Stage, person: str, path: str, fields: dict[str, str], heard: tuple[str, ...]
) -> None:
    """As JSON: 200 and words. As a form: back to a page that says it."""
    log_in(client, person)
    answer = client.post(path, data=fields, headers=JSON)
    assert (answer.status_code, answer.json()) == (
        200, {"ok": True, "words": {"zh": "已完成", "en": "Done"}, "ticket": None},
    )  # fmt: skip
    page = client.post(path, data=fields)
    assert page.status_code == 303
    assert "已完成" in client.get(page.headers["location"]).text
    assert "已完成" not in client.get(page.headers["location"]).text
    assert stage.heard == [heard, heard]


@pytest.mark.parametrize("said", ["junk", "YES", ""])
def test_whether_the_paper_came_out_is_yes_or_no(client: Client, stage: Stage, said: str) -> None:
    log_in(client, "D01")
    answer = client.post(f"{TICKET}/confirm_print", data={"paper_out": said}, headers=JSON)
    assert answer.status_code == 409 and "yes" in answer.json()["why"]["zh"]
    assert stage.heard == []


def test_a_refusal_keeps_its_numbers(client: Client, stage: Stage) -> None:
    """409 with reason, numbers and words for programs; the sentence on the page for people."""
    stage.answer = refuse(Reason.OVER_BALANCE, over_fen=256_000, over_kg=1_280)
    log_in(client, "D01")
    answer = client.post("/lane/1/load_complete", data={"visit": "V7"}, headers=JSON)
    why = answer.json()["why"]
    assert answer.status_code == 409 and not answer.json()["ok"]
    assert why["reason"] == "over_balance" and why["numbers"] == {"over_fen": 256_000, "over_kg": 1_280}
    assert "2,560.00" in why["zh"] and "2,560.00" in why["en"]
    page = client.post("/lane/1/load_complete", data={"visit": "V7"})
    assert "2,560.00" in client.get(page.headers["location"]).text


NOT_YOURS = [
    ("G02", "/lane/1/load_complete", {"visit": "V7"}),
    ("G02", "/lane/1/tare", {}),
    ("G02", "/lane/1/alarm_seen", {"alarm": "41", "note": "x"}),
    ("D01", "/gate/south/scan", {"code": "X"}),
    ("D01", "/gate/south/override", {"name": "a", "reason": "b", "paper": "c"}),
    ("F04", "/arrive", {"plate": "浙A5K326"}),
    ("G02", f"{TICKET}/void", {"second": "S06", "pin": "6666", "reason": "x"}),
    ("E05", f"{TICKET}/seal", {"seal": "finance"}),
    ("F04", f"{TICKET}/seal", {"seal": "enterprise"}),
    ("D01", f"{TICKET}/seal", {"seal": "enterprise"}),
    ("S06", f"{TICKET}/seal", {"seal": "made-up"}),
]


@pytest.mark.parametrize(("person", "path", "fields"), NOT_YOURS)
def test_roles(client: Client, stage: Stage, person: str, path: str, fields: dict[str, str]) -> None:
    """403 in the words of the refusal, and nothing happened."""
    log_in(client, person)
    answer = client.post(path, data=fields, headers=JSON)
    assert answer.status_code == 403 and answer.json()["why"]["reason"] == "not_allowed"
    assert stage.heard == []


def test_void_takes_two_persons_and_a_reason(client: Client, stage: Stage) -> None:
    """The second types their own PIN; wrong, the same person, without right or without reason: nothing is voided."""
    log_in(client, "D01")
    good = {"second": "S06", "pin": "6666", "reason": "车号写错"}
    for wrong, words in [
        ({"second": "D01", "pin": "1111"}, "同一人"),
        ({"pin": "0000"}, "PIN 不对"),
        ({"reason": " "}, "理由"),
        ({"second": "G02", "pin": "2222"}, "不能做此操作"),
        ({"second": "nobody"}, "没有这个人"),
    ]:
        answer = client.post(f"{TICKET}/void", data={**good, **wrong}, headers=JSON)
        assert answer.status_code in (403, 409) and words in answer.json()["why"]["zh"]
    assert stage.heard == []
    assert client.post(f"{TICKET}/void", data=good, headers=JSON).status_code == 200
    assert stage.heard == [("void", "HX01-03-0001234", "D01", "S06", "车号写错")]


def test_scan_answers_one_verdict(client: Client, stage: Stage) -> None:
    """200 for open, 409 with the reason otherwise, the whole verdict in both; rubbish is an unreadable pass."""
    log_in(client, "G02")
    answer = client.post("/gate/south/scan", data={"code": "WG1:ABC"}, headers=JSON)
    assert answer.status_code == 200 and answer.json()["verdict"]["verdict"] == "open"
    stage.verdict = verdict("refuse")
    answer = client.post("/gate/south/scan", data={"code": "WG1:ABC"}, headers=JSON)
    assert answer.status_code == 409 and answer.json()["why"]["reason"] == "pass_used"
    for rubbish in ("x" * 1_001, "a\x00b"):
        answer = client.post("/gate/south/scan", data={"code": rubbish}, headers=JSON)
        assert answer.status_code == 409 and answer.json()["why"]["reason"] == "pass_unreadable"
    assert [heard[1] for heard in stage.heard] == ["WG1:ABC", "WG1:ABC"]
    assert client.post("/gate/south/scan", data={"code": "X"}).headers["location"] == "/gate/south"


def test_override_under_a_name(client: Client, stage: Stage) -> None:
    """Name and reason go to the station as typed."""
    log_in(client, "G02")
    fields = {"name": "赵强", "reason": "车牌脏污", "paper": "HX01-03-0001234"}
    answer = client.post("/gate/south/override", data=fields, headers=JSON)
    assert answer.json()["verdict"]["overridden_by"] == "赵强"
    assert stage.heard == [("override", "G02", "赵强", "车牌脏污", "HX01-03-0001234")]


def test_views_as_json(client: Client, stage: Stage) -> None:
    """The same views that the pages show."""
    assert client.get("/queue.json").json() == as_json(stage.queue_view())
    log_in(client, "B03")
    assert client.get("/lane/1/view.json").json() == as_json(loading_view())
    assert client.get("/gate/south/view.json").json()["released_today"] == 86
    assert client.get("/notices.json").json()[0]["plate"] == "鲁H7T880"


def test_day_and_its_csv(client: Client, stage: Stage) -> None:
    """Sums on the page; a spreadsheet gets numbers, Chinese, and no formula from a customer's name."""
    stage.shown_tickets = [ticket(customer_name='=HYPERLINK("x")'), ticket(state_words=VisitState.VOIDED.words)]
    log_in(client, "B03")
    page = client.get("/day?date=2026-11-22").text
    assert "113,360.00" in page and "2026-11-22" in page
    answer = client.get("/day.csv?date=2026-11-22")
    assert answer.content.startswith(b"\xef\xbb\xbf") and "tickets-2026-11-22" in answer.headers["content-disposition"]
    rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert rows[1][3] == '\'=HYPERLINK("x")' and rows[1][5:7] == ["28340", "56680.00"]
    assert client.get("/day?date=yesterday").status_code == 400
    log_in(client, "G02")
    assert client.get("/day").status_code == 403 and client.get("/day.csv").status_code == 403


def test_ticket_pages(client: Client, stage: Stage) -> None:
    """An unconfirmed print asks the question; a ticket that does not exist is said."""
    stage.shown_tickets = [ticket(print_state="unknown", finance_seal="")]
    log_in(client, "D01")
    assert "打印未确认" in client.get("/tickets").text
    page = client.get(TICKET).text
    assert "取到票了吗" in page and "未盖" in page and "您的岗位不能做此操作" in page
    assert client.get("/tickets/NONE").status_code == 404


def test_an_empty_trucks_pass_has_no_seals_and_no_void(client: Client, stage: Stage) -> None:
    """It stands among the tickets, to be asked for and reprinted; there is nothing to seal or to take back."""
    stage.shown_tickets = [slip(print_state="unknown")]
    log_in(client, "D01")
    page = client.get("/tickets").text
    assert "空车" in page and "/tickets/HX01-2611-0433" in page
    page = client.get("/tickets/HX01-2611-0433").text
    assert "取到票了吗" in page and "/reprint" in page and "空车" in page
    assert "/seal" not in page and "/void" not in page and "未盖" not in page


def test_language_is_one_click_away_and_stays(client: Client) -> None:
    """?lang= sets a cookie; what is not a language changes nothing."""
    assert '<html lang="zh-CN">' in client.get("/").text
    assert '<html lang="en">' in client.get("/?lang=en").text
    assert '<html lang="en">' in client.get("/login").text
    assert '<html lang="en">' in client.get("/?lang=xx").text
