"""The top-up code at the lane's page in a real Chromium: scanned, typed, refused with its line; and over plain HTTP."""

from collections.abc import Iterator

import pytest
from httpx import Client
from playwright.sync_api import Browser, Page, expect

from edge.domain.refusal import Reason, Words, refuse
from edge.station.views import Done
from tests.web.scenes import hold_view, loading_view, queue
from tests.web.stage import Served, Stage
from tests.web.talk import JSON, log_in, session_of

CODE = "".join(f"{line:02}" + "ABCDEFGHJKMNPQRSTVW" for line in range(9)) + "0123456789"
"""Nine lines of 21 characters and a shorter one; the stage believes anything."""


@pytest.fixture
def screen(browser: Browser, served: Served, stage: Stage) -> Iterator[Page]:
    """The dispatcher's touch panel with a truck held for money."""
    context = browser.new_context(viewport={"width": 1024, "height": 768}, locale="zh-CN", has_touch=True)
    context.set_default_timeout(8_000)
    context.add_cookies([{"name": "weighgate", "value": session_of(served.url, "D01"), "url": served.url}])
    served.do(stage.show, hold_view())
    page, broken = context.new_page(), []
    page.on("pageerror", lambda error: broken.append(str(error)))
    page.goto(served.url + "/lane/1")
    yield page
    context.close()
    assert broken == []


@pytest.mark.browser
def test_a_scanner_types_it_and_enter_takes_it(screen: Page, stage: Stage) -> None:
    stage.answer = Done(Words("已收充值码", "Top-up code taken"))
    screen.tap("[data-action=topup]")
    dialog = screen.locator("#ask-topup")
    expect(dialog).to_be_visible()
    for known in ("HX01", "C0042/预付", "2,560.00"):
        expect(dialog.locator(".tell")).to_contain_text(known)
    expect(screen.locator("#topup-code")).to_be_focused()
    screen.keyboard.type(CODE)  # as fast as a scanner
    screen.keyboard.press("Enter")
    expect(dialog).to_be_hidden()
    expect(screen.locator("#said")).to_contain_text("已收充值码")
    assert stage.heard == [("topup", CODE, "D01", "V7")]


@pytest.mark.browser
def test_a_person_types_lines_and_is_told_the_wrong_one(screen: Page, stage: Stage) -> None:
    """Enter ends a line and sends nothing; the wrong line is marked; the pedal does nothing meanwhile."""
    stage.answer = refuse(Reason.TOPUP_TYPO, line=2)
    screen.tap("[data-action=topup]")
    field = screen.locator("#topup-code")
    for start in (0, 21):
        field.press_sequentially(CODE[start : start + 5], delay=5)
        screen.keyboard.press("Space")
        field.press_sequentially(CODE[start + 5 : start + 21], delay=80)
        screen.keyboard.press("Enter")
    expect(screen.locator("#topup-count")).to_have_text("行 3 · 0/21 字")
    assert stage.heard == []
    screen.tap("#topup-take")
    expect(screen.locator("#topup-said")).to_contain_text("第 2 行有错字")
    assert [command[0] for command in stage.heard] == ["topup"]
    selected = "(f => f.value.slice(f.selectionStart, f.selectionEnd))(document.getElementById('topup-code'))"
    assert screen.evaluate(selected).replace(" ", "").strip() == CODE[21:42]
    screen.keyboard.press("F9")
    screen.tap("#ask-topup button[value=no]")
    expect(screen.locator("#ask-topup")).to_be_hidden()
    assert [command[0] for command in stage.heard] == ["topup"]


@pytest.mark.browser
def test_lines_typed_with_their_numbers_and_the_wrong_one_is_seen_whole(screen: Page, stage: Stage) -> None:
    lines = [CODE[start : start + 21] for start in range(0, len(CODE), 21)]
    stage.answer = refuse(Reason.TOPUP_TYPO, line=4)
    screen.tap("[data-action=topup]")
    screen.tap("#topup-take")
    expect(screen.locator("#topup-said")).to_contain_text("请先扫码或输入")
    assert stage.heard == []
    screen.fill("#topup-code", "\n".join(f"{number} {line[:5]} {line[5:]}" for number, line in enumerate(lines, 1)))
    expect(screen.locator("#topup-count")).to_have_text("行 10 · 10/21 字")
    screen.tap("#topup-take")
    expect(screen.locator("#topup-said")).to_contain_text("第 4 行有错字")
    assert stage.heard == [("topup", CODE, "D01", "V7")]
    field = "const f = document.getElementById('topup-code');"
    selected = screen.evaluate(f"() => {{ {field} return f.value.slice(f.selectionStart, f.selectionEnd); }}")
    assert selected.replace(" ", "") == lines[3]
    line = "parseFloat(getComputedStyle(f).lineHeight)"
    for number in (10, 4):  # another one than is shown: then its words are the new answer's
        stage.answer = refuse(Reason.TOPUP_TYPO, line=number)
        screen.evaluate(
            f"() => {{ {field} f.scrollTop = 9999; }}" if number == 4 else f"() => {{ {field} f.scrollTop = 0; }}"
        )
        screen.tap("#topup-take")
        expect(screen.locator("#topup-said")).to_contain_text(f"第 {number} 行")
        top = screen.evaluate(f"() => {{ {field} return 8 + ({number} - 1) * {line} - f.scrollTop; }}")
        height, shown = screen.evaluate(f"() => {{ {field} return [{line}, f.clientHeight]; }}")
        assert top >= 0 and top + height <= shown + 1


@pytest.mark.browser
@pytest.mark.parametrize("size", [(1024, 768), (390, 844), (1600, 1000)])
@pytest.mark.parametrize("language", ["zh", "en"])
def test_hold_and_dialog_fit_every_screen(screen: Page, served: Served, size: tuple[int, int], language: str) -> None:
    """Nothing is cut off, every target is 56 px high, a line of the code stays one line."""
    screen.set_viewport_size({"width": size[0], "height": size[1]})
    screen.goto(f"{served.url}/lane/1?lang={language}")
    expect(screen.locator("[data-action=topup]")).to_be_visible()
    cut = "[...document.querySelectorAll('.way, .hold')].filter(e => e.scrollHeight > e.clientHeight + 1).length"
    assert screen.evaluate(cut) == 0
    screen.tap("[data-action=topup]")
    screen.fill("#topup-code", "88888 88888 88888 88888 8")
    box = screen.locator("#ask-topup").bounding_box()
    assert box is not None and box["x"] >= 0 and box["y"] >= 0
    assert box["x"] + box["width"] <= size[0] and box["y"] + box["height"] <= size[1]
    assert screen.evaluate("(f => f.scrollHeight <= f.clientHeight)(document.getElementById('topup-code'))")
    clear = "(f => f.getBoundingClientRect().top - f.labels[0].getBoundingClientRect().top)"
    em = "document.getElementById('topup-count').getBoundingClientRect()"
    above = screen.evaluate(f"{clear}(document.getElementById('topup-code')) - {em}.height")
    assert above >= 5, "the ring of the focused field is beside its label, not over it"
    small = "[...document.querySelectorAll('dialog button')].filter(e => e.offsetParent && e.offsetHeight < 56).length"
    assert screen.evaluate(small) == 0


@pytest.mark.browser
def test_fenced_books_are_said_on_the_lane(screen: Page, served: Served, stage: Stage) -> None:
    served.do(stage.show, loading_view(barred=refuse(Reason.FENCED).words))
    for language, words in zip(("zh", "en"), refuse(Reason.FENCED).words, strict=True):
        screen.goto(f"{served.url}/lane/1?lang={language}")
        expect(screen.locator("#said")).to_contain_text(words)


@pytest.mark.browser
def test_one_truck_waits_in_the_singular(screen: Page, served: Served, stage: Stage) -> None:
    for count, words in ((1, "1 truck"), (2, "2 trucks")):
        served.do(stage.show, loading_view(queue=queue(count)))
        screen.goto(f"{served.url}/lane/1?lang=en")
        expect(screen.locator("#queue-count")).to_have_text(words)


@pytest.mark.parametrize(
    ("person", "may"), [("D01", True), ("B03", True), ("S06", True), ("G02", False), ("F04", False)]
)
def test_who_may_take_a_code(client: Client, stage: Stage, person: str, may: bool) -> None:
    log_in(client, person)
    answer = client.post("/lane/1/topup", data={"visit": "V7", "code": CODE}, headers=JSON)
    assert (answer.status_code, bool(stage.heard)) == ((200, True) if may else (403, False))


def test_a_code_far_too_long_is_refused(client: Client, stage: Stage) -> None:
    log_in(client, "D01")
    answer = client.post("/lane/1/topup", data={"visit": "V7", "code": "0" * 1501}, headers=JSON)
    assert (answer.status_code, stage.heard) == (400, [])
