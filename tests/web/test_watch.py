"""An alarm of the scale watch on the lane page: seen at once, with its curve, and answered by a person."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from playwright.sync_api import Browser, Page, expect

from edge.domain.refusal import Reason, Words, refuse
from edge.station.views import LaneView
from tests.web.scenes import SCALE_ALARM, actions, hold_view, idle_view, loading_view, watched_view
from tests.web.stage import Served, Stage
from tests.web.talk import session_of

pytestmark = pytest.mark.browser
LONG = Words(
    "称皮后重量变了:皮重 13 300 kg,开始装车时 12 500 kg,差 800 kg。请停止装车,叫班长",
    "Tare 13 300 kg, but 12 500 kg as loading starts: 800 kg off. Stop loading, call the supervisor",
)


@pytest.fixture
def screen(browser: Browser) -> Iterator[Page]:
    """A 1024x768 touch panel."""
    context = browser.new_context(viewport={"width": 1024, "height": 768}, locale="zh-CN", has_touch=True)
    context.set_default_timeout(8_000)
    yield context.new_page()
    context.close()


def enter(page: Page, served: Served, view: LaneView, person: str = "D01", language: str = "zh") -> None:
    """Lane 1 with this view."""
    served.do(served.stage.show, view)
    page.context.add_cookies([{"name": "weighgate", "value": session_of(served.url, person), "url": served.url}])
    page.goto(served.url + f"/lane/1?lang={language}")


def test_the_dispatcher_looks_and_says_what_it_was(screen: Page, served: Served, stage: Stage) -> None:
    view = watched_view(3)
    odd = replace(view, scale_alarms=(replace(SCALE_ALARM, curve_step_ms=634),))
    enter(screen, served, odd)
    expect(screen.locator("#watch-about")).to_contain_text("12\u2009460 – 14\u2009520 kg · 31 s")
    served.do(stage.show, view)
    expect(screen.locator("#watch")).to_contain_text("重量 0.4 秒内减少 2 060 kg")
    expect(screen.locator("#watch")).to_contain_text("浙A·5K326")
    expect(screen.locator("#watch-more")).to_have_text("+2")
    levels = {
        point.split(",")[1] for point in (screen.locator("#watch polyline").get_attribute("points") or "").split()
    }
    assert {"3.0", "37.0"} <= levels, "the whole height shows the step"
    screen.tap("#watch-see")
    expect(screen.locator("#alarm-about")).to_contain_text("12\u2009460 – 14\u2009520 kg · 30 s")
    screen.tap("#ask-alarm button[value=yes]")
    expect(screen.locator("#ask-alarm")).to_be_visible()
    assert stage.heard == [], "without a word it is not acknowledged"
    stage.next_lane_view = loading_view()
    screen.tap("#ask-alarm [data-fill='已复称，重量一致']")
    screen.tap("#ask-alarm button[value=yes]")
    expect(screen.locator("#watch")).to_be_hidden()
    assert stage.heard == [("see_alarm", "D01", "41", "已复称，重量一致")]


def test_who_may_not_is_told_so(screen: Page, served: Served, stage: Stage) -> None:
    enter(screen, served, watched_view(), "B03")
    screen.locator("#watch-see").dispatch_event("click")
    expect(screen.locator("#said")).to_contain_text("岗位")
    expect(screen.locator("#ask-alarm")).to_be_hidden()
    assert stage.heard == []


@pytest.mark.parametrize("size", [(1024, 768), (390, 844), (1920, 1080)])
def test_an_alarm_pushes_no_button_off_the_screen(
    screen: Page, served: Served, stage: Stage, size: tuple[int, int]
) -> None:
    screen.set_viewport_size({"width": size[0], "height": size[1]})
    held = replace(hold_view(), scale_alarms=(SCALE_ALARM,), scale_alarm_count=1)
    enter(screen, served, watched_view())
    wide, high = screen.evaluate("[document.documentElement.scrollWidth, document.documentElement.scrollHeight]")
    assert wide <= size[0] and (high <= size[1] or size[0] < 800)
    for part in ("#watch-see", "#main", "#left-kg"):
        expect(screen.locator(part)).to_be_in_viewport(ratio=1)
    served.do(stage.show, held)
    button = screen.locator("[data-way=unload] button")
    expect(button).to_be_visible()
    inside = "e => { const b = e.getBoundingClientRect(), h = document.getElementById('hold').getBoundingClientRect();"
    assert button.evaluate(inside + " return b.bottom <= h.bottom && b.height >= 56; }")


CLIPPED = """() => [...document.querySelectorAll('#left-kg, #left-fen, #limited, #verdict, .more .why')]
.filter((part) => {
  const box = part.getBoundingClientRect(), card = part.closest('.card, .button').getBoundingClientRect();
  return box.height && (box.bottom > card.bottom || part.scrollHeight > part.clientHeight + 1 && part.matches('.why'));
}).map((part) => `${part.id || part.textContent} is cut`)"""


@pytest.mark.parametrize("language", ["en", "zh"])
def test_with_an_alarm_no_number_and_no_reason_is_cut(
    screen: Page, served: Served, stage: Stage, language: str
) -> None:
    busy = refuse(Reason.LANE_BUSY, plate="沪AK9118").words
    lost = refuse(
        Reason.SCALE_LOST, what="仪表断开", what_en="the indicator is disconnected: check plug and cable"
    ).words
    enter(screen, served, watched_view(), language=language)
    for why in (busy, lost):
        grey = replace(watched_view(), actions=actions("load_complete", why=why))
        for number in (replace(SCALE_ALARM, words=LONG), SCALE_ALARM):
            served.do(stage.show, replace(grey, scale_alarms=(number,)))
            expect(screen.locator("[data-action=zero] .why")).to_have_text(why.en if language == "en" else why.zh)
            assert screen.evaluate(CLIPPED) == []
    screen.evaluate("document.getElementById('weight').style.fontSize = '150px'")
    assert "left-kg is cut" in screen.evaluate(CLIPPED), "the check sees a number that is cut"


@pytest.mark.parametrize("size", [(1024, 768), (390, 844)])
def test_a_lost_weight_says_why_and_takes_the_good_news_away(
    screen: Page, served: Served, stage: Stage, size: tuple[int, int]
) -> None:
    screen.set_viewport_size({"width": size[0], "height": size[1]})
    enter(screen, served, replace(idle_view(), actions=actions("zero")), language="en")
    screen.click("[data-action=zero]")
    screen.click("#ask-zero button[value=yes]")
    expect(screen.locator("#said")).to_contain_text("Done")
    what = Words("仪表断开,请检查接口与电缆", "the indicator is disconnected: check plug and cable")
    lost = replace(idle_view().scale, state="lost", gross_kg=None, what=what)
    served.do(stage.show, replace(idle_view(), scale=lost, done=Words("已置零", "Zeroed (was 40 kg)")))
    expect(screen.locator("#said")).to_contain_text("✕" + what.en)
    served.do(stage.show, idle_view())
    expect(screen.locator("#said")).not_to_contain_text("Done")


def test_a_tickets_page_shows_what_was_found_about_its_truck(screen: Page, served: Served, stage: Stage) -> None:
    seen = replace(SCALE_ALARM, seen_by="D01", seen_at="2026-11-23 14:40:00", note="已复称")
    stage.alarms = [SCALE_ALARM, seen, replace(SCALE_ALARM, visit="V8")]
    enter(screen, served, watched_view())
    screen.goto(served.url + "/tickets/HX01-03-0001234")
    alarms = screen.locator(".job.alarm")
    expect(alarms).to_have_count(2)
    expect(alarms.nth(0)).to_contain_text("未确认")
    expect(alarms.nth(1)).to_contain_text("已确认 D01 11-23 14:40: 已复称")
    assert (alarms.nth(0).locator("polyline").get_attribute("points") or "").startswith("0,3 ")
