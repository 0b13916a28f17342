"""The pages in a real Chromium: what a dispatcher, a guard and a driver do and see."""

from dataclasses import replace

import pytest
from playwright.sync_api import Page, expect

from edge.domain.refusal import Reason, Words, refuse
from edge.domain.visit import VisitState
from edge.station.views import Done, LaneView, PassageView
from tests.web.scenes import (
    ALARM,
    EMPTY,
    SCALE,
    actions,
    hold_view,
    idle_view,
    loading_view,
    queue,
    slip,
    verdict,
    visit,
)
from tests.web.stage import Served, Stage
from tests.web.talk import enter

pytestmark = pytest.mark.browser
SIZES = [(1024, 768), (390, 844), (1600, 1000)]


def put(served: Served, view: LaneView) -> None:
    """What lane 1 shows from now on."""
    served.do(served.stage.show, view)


def test_load_complete_by_touch_shows_the_ticket(screen: Page, served: Served, stage: Stage) -> None:
    """One touch, one command with the visit that was shown, and the page says which ticket came of it."""
    put(served, loading_view())
    stage.answer = Done(Words("出库单 HX01-03-0001234 已出", "Ticket HX01-03-0001234"), "HX01-03-0001234")
    stage.next_lane_view = loading_view(
        visit=visit(VisitState.SEALED, ticket="HX01-03-0001234", print_state="sent"), limit=None, money=None
    )
    enter(screen, served, "D01", "/lane/1")
    expect(screen.locator("#gross")).to_have_text("42\u2009860")
    expect(screen.locator("#left-kg")).to_have_text("4\u2009060")
    expect(screen.locator("#left-fen")).to_have_text("8,120.00")
    screen.tap("#main")
    expect(screen.locator("#ticketed")).to_contain_text("HX01-03-0001234")
    expect(screen.locator("#said")).to_contain_text("出库单 HX01-03-0001234 已出")
    assert stage.heard == [("load_complete", "D01", "V7")]


def test_zero_is_asked_first_and_sends_the_weight_that_was_confirmed(
    screen: Page, served: Served, stage: Stage
) -> None:
    """The dialog names the weight; going back sends nothing, and what came meanwhile is not what was confirmed."""
    put(served, idle_view(scale=replace(EMPTY, gross_kg=-40), actions=actions("zero")))
    stage.answer = Done(Words("已置零(原 -40 kg)", "Zeroed (was -40 kg)"))
    enter(screen, served, "D01", "/lane/1")
    screen.tap("[data-action=zero]")
    expect(screen.locator("#ask-zero")).to_contain_text("\u221240 kg")
    screen.tap("#ask-zero [value=no]")
    screen.tap("[data-action=zero]")
    put(served, idle_view(scale=replace(EMPTY, gross_kg=200), actions=actions("zero")))
    screen.wait_for_timeout(300)
    screen.tap("#ask-zero [value=yes]")
    expect(screen.locator("#said")).to_contain_text("已置零")
    assert stage.heard == [("zero", "D01", "-40")]


@pytest.mark.parametrize("key", ["Enter", "F9"])
def test_the_pedal_is_the_big_button(screen: Page, served: Served, stage: Stage, key: str) -> None:
    """Tare by pedal; the button then means something else, and a second press at once is not obeyed."""
    put(served, loading_view(visit=visit(VisitState.ADMITTED, tare_kg=None), limit=None, actions=actions("tare")))
    stage.next_lane_view = loading_view(visit=visit(VisitState.TARED), actions=actions("start_loading"))
    enter(screen, served, "D01", "/lane/1")
    expect(screen.locator("#main-label")).to_have_text("称皮重")
    expect(screen.locator("#main")).to_have_attribute("aria-disabled", "false")
    screen.keyboard.press(key)
    expect(screen.locator("#main-label")).to_have_text("开始装车")
    screen.keyboard.press(key)
    assert stage.heard == [("tare", "D01", "V7")]
    screen.wait_for_timeout(1300)
    screen.keyboard.press(key)
    expect(screen.locator("#said")).to_contain_text("已完成")
    assert stage.heard == [("tare", "D01", "V7"), ("start_loading", "D01", "V7")]


def test_the_hold_shows_its_numbers_and_two_ways_out(screen: Page, served: Served, stage: Stage) -> None:
    """How much to pay, how much to unload, each with its button; the sum agrees."""
    put(served, hold_view())
    enter(screen, served, "D01", "/lane/1")
    expect(screen.locator("#hold-title")).to_have_text("超预付款，未放行")
    expect(screen.locator("[data-way=topup] strong")).to_have_text("¥ 2,560.00")
    expect(screen.locator("[data-way=unload] strong")).to_have_text("≥ 1\u2009280 kg")
    expect(screen.locator("#spendable")).to_have_text("¥ 64,800.00")
    expect(screen.locator("#this-load")).to_have_text("\u2212 ¥ 67,360.00")
    expect(screen.locator("#remains")).to_have_text("✕ \u2212¥ 2,560.00")
    expect(screen.locator("#main")).to_be_hidden()
    screen.tap("[data-way=topup] [data-action=recheck]")
    screen.tap("[data-way=unload] button")
    expect(screen.locator("#said")).to_contain_text("已完成")
    assert ("recheck", "D01", "V7") in stage.heard
    put(served, hold_view("overload"))
    expect(screen.locator("#hold-title")).to_have_text("超限超载，必须卸货")
    expect(screen.locator("[data-way=topup]")).to_be_hidden()


def test_grey_buttons_say_why_and_do_nothing(screen: Page, served: Served, stage: Stage) -> None:
    """While moving the big button is grey with its reason; the pedal is refused with the same words."""
    moving = refuse(Reason.SCALE_MOVING).words
    put(served, loading_view(scale=replace(SCALE, state="moving"), actions=actions("park", why=moving)))
    enter(screen, served, "D01", "/lane/1")
    expect(screen.locator("#main")).to_have_attribute("aria-disabled", "true")
    expect(screen.locator("#main-sub")).to_contain_text(moving.zh)
    expect(screen.locator("[data-action=cancel] .why")).to_have_text(moving.zh)
    screen.keyboard.press("Enter")
    expect(screen.locator("#said")).to_contain_text(moving.zh)
    assert stage.heard == []


def test_a_role_without_right_sees_why(screen: Page, served: Served, stage: Stage) -> None:
    """A biller may look at the lane; its buttons are grey with the words of the refusal."""
    put(served, loading_view())
    enter(screen, served, "B03", "/lane/1")
    expect(screen.locator("#main-sub")).to_contain_text("您的岗位不能做此操作")


def test_a_stale_stream_shows_dashes(screen: Page, served: Served, stage: Stage) -> None:
    """Nothing for two seconds: no weight, no button; the first event brings all back."""
    put(served, loading_view())
    enter(screen, served, "D01", "/lane/1")
    expect(screen.locator("#gross")).to_have_text("42\u2009860")
    stage.beating = False
    expect(screen.locator("#gross")).to_have_text("——", timeout=4_000)
    expect(screen.locator("#left-kg")).to_have_text("—")
    expect(screen.locator("#main-sub")).to_contain_text("画面没有更新")
    screen.keyboard.press("Enter")
    assert stage.heard == []
    stage.beating = True
    expect(screen.locator("#gross")).to_have_text("42\u2009860")
    expect(screen.locator("#main")).to_have_attribute("aria-disabled", "false")


def test_no_data_is_dashes_never_a_number(screen: Page, served: Served, stage: Stage) -> None:
    """A lost scale: dashes, what is wrong and what to try, and the alarm."""
    lost = replace(SCALE, state="lost", gross_kg=None, what=Words("检查电缆", "check the cable"))
    put(served, loading_view(scale=lost, alarms=(ALARM,), actions=actions()))
    enter(screen, served, "D01", "/lane/1")
    expect(screen.locator("#gross")).to_have_text("——")
    expect(screen.locator("#said")).to_contain_text("检查电缆")
    screen.tap("#alarms")
    expect(screen.locator("#alarm-list")).to_contain_text("缺纸")


def test_call_from_the_queue_and_cancel_with_a_reason(screen: Page, served: Served, stage: Stage) -> None:
    """A row calls its own truck; cancel asks for the reason first."""
    put(served, idle_view())
    enter(screen, served, "D01", "/lane/1")
    screen.tap("#queue [data-visit=V21]")
    expect(screen.locator("#said")).to_contain_text("已完成")
    put(served, loading_view(actions=actions("cancel")))
    screen.tap("[data-action=cancel]:not([aria-disabled=true])")
    screen.tap("[data-fill='车辆故障']")
    screen.tap("#ask-cancel [value=yes]")
    expect(screen.locator("#ask-cancel")).to_be_hidden()
    screen.wait_for_timeout(200)
    assert stage.heard == [("call", "V21", "D01"), ("cancel", "D01", "车辆故障", "V7")]


def test_the_question_after_a_failed_print(screen: Page, served: Served, stage: Stage) -> None:
    """取到票了吗? The answer goes to the ticket."""
    put(served, loading_view(visit=visit(VisitState.SEALED, ticket="HX01-03-0001234", print_state="unknown")))
    enter(screen, served, "D01", "/lane/1")
    expect(screen.locator("#said")).to_contain_text("取到票了吗")
    screen.tap("[data-paper=no]")
    screen.wait_for_timeout(200)
    assert stage.heard == [("confirm_print", "HX01-03-0001234", "False", "D01")]


def test_html_in_a_name_is_shown_as_it_was_typed(screen: Page, served: Served, stage: Stage) -> None:
    """On the lane, in the queue, after an event: always text."""
    evil = "<img src=x onerror=alert(1)><b>甲</b>"
    rows = (replace(queue(1)[0], customer_name=evil),)
    put(served, loading_view(visit=visit(VisitState.LOADING, customer_name=evil), queue=rows))
    enter(screen, served, "D01", "/lane/1")
    expect(screen.locator("#customer")).to_have_text(evil)
    expect(screen.locator("#queue small").first).to_have_text(evil)
    assert screen.locator("main img, main dd b").count() == 0


def test_a_truck_at_another_lane_is_shown_by_that_lanes_name(screen: Page, served: Served) -> None:
    """As on its tab, and not by its number in the configuration."""
    put(served, loading_view(visit=visit(VisitState.LOADING), queue=(replace(queue(1)[0], lane="2"),)))
    enter(screen, served, "D01", "/lane/1")
    expect(screen.locator("#queue")).to_contain_text("二号磅")


def test_a_pass_is_scanned_and_the_verdict_read(screen: Page, served: Served, stage: Stage) -> None:
    """The scanner types wherever the focus was; the verdict stands with its reason; an override gives its own."""
    enter(screen, served, "G02", "/gate/south")
    expect(screen.locator("#verdict")).to_have_attribute("data-verdict", "wait")
    screen.evaluate("document.activeElement.blur()")
    screen.keyboard.type("WG1:ABC")
    screen.keyboard.press("Enter")
    expect(screen.locator("#verdict-main")).to_have_text("放行")
    expect(screen.locator("#verdict-net")).to_have_text("净重 28\u2009340 kg")
    assert stage.heard == [("scan", "WG1:ABC", "G02")]
    expect(screen.locator("#override")).to_have_attribute("aria-disabled", "true")
    stage.verdict = verdict("ask_guard")
    screen.keyboard.type("WG1:DEF")
    screen.keyboard.press("Enter")
    expect(screen.locator("#verdict-main")).to_have_text("请核对")
    expect(screen.locator("#reason")).to_contain_text("浙A5K328")
    screen.tap("#override")
    screen.tap("[data-fill='车牌脏污，人工核对一致']")
    screen.tap("#ask-override [value=yes]")
    expect(screen.locator("#reason")).to_contain_text("人工放行 门卫 赵强")
    expect(screen.locator("#verdict")).to_have_attribute("data-verdict", "open")
    stage.verdict = verdict("refuse")
    screen.keyboard.type("WG1:GHI")
    screen.keyboard.press("Enter")
    expect(screen.locator("#verdict-main")).to_have_text("不放行")
    expect(screen.locator("#reason")).to_contain_text("14:02:11")


def test_an_empty_trucks_pass_shows_no_goods_and_no_ticket(screen: Page, served: Served, stage: Stage) -> None:
    """空车 where the net stands otherwise, no ticket number, no seals that could be missing."""
    stage.verdict = verdict("open", ticket=slip())
    gate = stage.gates["south"]
    gate.shown = replace(gate.shown, today=(PassageView("14:29", "浙A5K326", 0, "open", Words("放行", "released")),))
    enter(screen, served, "G02", "/gate/south")
    screen.keyboard.type("WG1:ABC")
    screen.keyboard.press("Enter")
    expect(screen.locator("#verdict-main")).to_have_text("放行")
    expect(screen.locator("#verdict-net")).to_have_text("空车 EMPTY")
    expect(screen.locator("#verdict-goods")).to_have_text("")
    expect(screen.locator("#ticket")).to_have_text("空车出门证")
    expect(screen.locator("#customer")).to_have_text("—")
    expect(screen.locator("#seals")).to_have_text("—")
    expect(screen.locator("#today .num")).to_have_text(["空车"])


def test_a_truck_arrives(screen: Page, served: Served, stage: Stage) -> None:
    """The guard taps an expected plate; the scanner works again at once."""
    enter(screen, served, "G02", "/gate/south")
    screen.tap("#arrive")
    screen.tap("#expected button >> nth=0")
    screen.tap("#ask-arrive [value=yes]")
    expect(screen.locator(".note")).to_contain_text("已完成")
    screen.keyboard.type("WG1:ABC")
    screen.keyboard.press("Enter")
    expect(screen.locator("#verdict-main")).to_have_text("放行")
    assert stage.heard == [("arrive", "鲁H7T880", "G02"), ("scan", "WG1:ABC", "G02")]


def test_login_by_keypad(screen: Page, served: Served, stage: Stage) -> None:
    """Big keys for a finger, and on to the page that was wanted."""
    screen.goto(served.url + "/login?next=/lane/1")
    screen.tap("text=开票员 李静")
    for _ in range(4):
        screen.tap("[data-key='3']")
    screen.tap(".go")
    screen.wait_for_url("**/lane/1")
    expect(screen.locator("#main-sub")).to_contain_text("岗位")


@pytest.mark.parametrize("size", SIZES)
def test_pages_fit(screen: Page, served: Served, stage: Stage, size: tuple[int, int]) -> None:
    """The lane on one screen where it must be, no page wider than its screen, every touch target 56 px high."""
    screen.set_viewport_size({"width": size[0], "height": size[1]})
    put(served, loading_view())
    enter(screen, served, "D01", "/lane/1")
    for path in ("/lane/1", "/tickets", "/notices", "/day", "/", "/queue", "/login"):
        screen.goto(served.url + path)
        wide, high = screen.evaluate("[document.documentElement.scrollWidth, document.documentElement.scrollHeight]")
        assert wide <= size[0], path
        assert high <= size[1] or path != "/lane/1" or size[0] < 800
        small = screen.evaluate(
            "[...document.querySelectorAll('button, a, input:not([type=hidden],[type=radio])')]"
            ".filter(e => e.offsetParent && e.getBoundingClientRect().height < 55.5).map(e => e.outerHTML.slice(0, 80))"
        )
        assert small == [], path


def test_a_long_day_does_not_push_the_guards_scan_field_off_the_screen(
    screen: Page, served: Served, stage: Stage
) -> None:
    """Thirty trucks later the list scrolls in its own place; verdict, field and buttons stay where they were."""
    gate = stage.gates["south"]
    passed = PassageView("14:29", "浙A5K326", 31_220, "open", Words("放行", "released"))
    gate.shown = replace(gate.shown, today=(passed,) * 30)
    screen.set_viewport_size({"width": 1024, "height": 768})
    enter(screen, served, "G02", "/gate/south")
    expect(screen.locator("#today li")).to_have_count(30)
    assert screen.evaluate("document.documentElement.scrollHeight") <= 768
    for place in ("#code", "#override", "#arrive"):
        expect(screen.locator(place)).to_be_in_viewport(ratio=1)
    screen.goto(served.url + "/gate/south?lang=en")
    screen.keyboard.type("WG1:ABC")
    screen.keyboard.press("Enter")
    expect(screen.locator("#seals")).to_contain_text("Finance")
    assert screen.evaluate("(e => e.scrollWidth - e.clientWidth)(document.getElementById('seals'))") <= 0


def test_the_layout_does_not_jump_when_digits_change(screen: Page, served: Served, stage: Stage) -> None:
    """Unit, bar and button stand where they stood, from 0 to 100 000 kg."""
    put(served, loading_view())
    enter(screen, served, "D01", "/lane/1")
    places = set()
    for gross in (0, 860, 42_860, 100_000):
        put(served, loading_view(scale=replace(SCALE, gross_kg=gross)))
        expect(screen.locator("#gross")).to_have_text(f"{gross:,}".replace(",", "\u2009"))
        script = "s => JSON.stringify(document.querySelector(s).getBoundingClientRect())"
        places.add(str([screen.evaluate(script, one) for one in (".unit", ".limitbar", "#main", "#plate")]))
    assert len(places) == 1


def test_five_wrong_pins_are_said_on_the_screen(screen: Page, served: Served, stage: Stage) -> None:
    """How many tries are left, then for how long it is locked."""
    screen.goto(served.url + "/login")
    screen.tap("text=企管部 吴刚")
    for words in ("还可试 4 次", "还可试 3 次", "还可试 2 次", "还可试 1 次", "已锁定"):
        screen.fill("#pin", "0000")
        screen.keyboard.press("Enter")
        expect(screen.locator("#error")).to_contain_text(words)


def test_the_board_needs_no_login(screen: Page, served: Served, stage: Stage) -> None:
    """Drivers read it; nobody logs in there."""
    screen.goto(served.url + "/queue")
    expect(screen.locator("#serving")).to_contain_text("浙A·5K326")
    expect(screen.locator("#waiting li")).to_have_count(6)
