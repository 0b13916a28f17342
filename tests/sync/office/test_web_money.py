"""Money that goes back, late tickets, closing and reconciling, by hand on the pages; the day and the figures."""

from collections.abc import Callable
from typing import Any

import httpx
from playwright.sync_api import Page, expect

from sync.office.store.epochs import settle_by_paper
from sync.office.store.inbox import ingest
from sync.office.store.plants import enrol, hear_state
from sync.office.store.reconcile import begin_reconcile
from sync.office.store.terms import current_term
from sync.office.web.pages import balance_rows
from tests.sync.office.plant import FakePlant
from tests.sync.office.program import Office

ACCOUNTANT, FINANCE, BILLER = "核算 A01", "财务 F01", "开票 B01"
SignIn = Callable[[Page, str], None]


def post(api: httpx.Client, customer: str, fen: int, reference: str, name: str = "示例客户") -> None:
    body = {"reference": reference, "customer_id": customer, "customer_name": name, "amount_fen": fen}
    assert api.post("/api/payments", json=body).status_code == 201


def send(page: Page, action: str, **typed: str) -> None:
    """Fill a form, wherever it is folded away, and press its button."""
    form = page.locator(f"form[action='{action}']")
    page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true })")
    for name, text in typed.items():
        field = form.locator(f"[name={name}]")
        if field.evaluate("it => it.tagName") == "SELECT":
            field.select_option(text)
        else:
            field.fill(text)
    form.locator("button").first.click()


def balance(api: httpx.Client, account: str) -> dict[str, Any]:
    found: dict[str, Any] = next(row for row in api.get("/api/balances").json() if row["account"] == account)
    assert found["agrees"]
    return found


def test_a_refund_an_undone_payment_and_a_recall(
    web_office: Office, api: httpx.Client, page: Page, sign_in: SignIn
) -> None:
    post(api, "C200", 1_000_000, "B200")
    post(api, "C200", 500_000, "B201")
    assert api.post("/api/topups", json={"plant": "HX01", "who": "C200", "grant_fen": 900_000}).status_code == 201
    sign_in(page, FINANCE)
    page.goto(f"{web_office.address}/payments")
    send(page, "/payments/refund", reference="R200", customer_id="C200", amount="6000.01", reason="多付")
    expect(page.get_by_role("alert")).to_contain_text("可退 ¥6,000.00；另有 ¥9,000.00 在各厂额度中")
    send(page, "/payments/refund", reference="R200", customer_id="C200", amount="1000", reason="多付")
    expect(page.get_by_role("status")).to_contain_text("R200 ¥1,000.00")
    send(page, "/payments/undo", reference="B200", reason="支票退票")
    expect(page.get_by_role("status")).to_contain_text("敞口 ¥5,000.00 · 已通知 HX01 退回未用额度")
    expect(page.locator("tr.void", has_text="B200")).to_contain_text("未补足 ¥5,000.00")
    row = balance(api, "C200/prepaid")
    assert (row["fund_fen"], row["free_fen"], row["exposure_fen"]) == (900_000, 0, 500_000)
    page.goto(f"{web_office.address}/balances")
    expect(page.locator(".money tbody tr", has_text="C200/prepaid").locator("td").last).to_have_text("5,000.00")
    send(page, "/balances/recall", account="C200/prepaid", keep="100.50")
    expect(page.get_by_role("status")).to_contain_text("C200/prepaid：已通知 HX01 退回未用额度")
    send(page, "/balances/recall", account="C200/prepaid", keep="9000")
    expect(page.get_by_role("status")).to_contain_text("没有多余的额度")


def test_an_accountant_changes_a_price_but_pays_nothing_back(
    web_office: Office, api: httpx.Client, page: Page, sign_in: SignIn
) -> None:
    post(api, "C210", 20_000_000, "B210")
    order = {"plant": "HX01", "customer_id": "C210", "plate": "浙C21012", "product": "调价焦", "notice": "N210",
             "price_fen_per_t": 200_000, "limit_kg": 10_000}  # fmt: skip
    assert api.post("/api/notices", json=order).status_code == 201
    sign_in(page, ACCOUNTANT)
    page.goto(f"{web_office.address}/notices")
    send(page, "/notices/reprice", product="调价焦", price="1900")
    expect(page.get_by_role("status")).to_contain_text("1 / 1 张已改价")
    (changed,) = [row for row in api.get("/api/notices").json() if row["notice"] == "N210"]
    assert (changed["price_fen_per_t"], changed["version"]) == (190_000, 2)
    page.goto(f"{web_office.address}/payments")
    expect(page.locator("form[action='/payments/refund'] button")).to_be_disabled()
    body = {"reference": "R210", "customer_id": "C210", "amount_fen": 1, "reason": "x"}
    assert api.post("/api/refunds", json=body).status_code == 403


def test_a_late_ticket_waits_for_finance(web_office: Office, api: httpx.Client, page: Page, sign_in: SignIn) -> None:
    post(api, "C220", 10_000_000, "B220")
    old, new = FakePlant(code="HX22"), FakePlant(code="HX22", epoch=2)
    books = web_office.books()
    for number in (1, 2):
        visit = old.taken(f"N22{number}", "C220/prepaid", 0)
        ticket = old.ticket(visit, f"N22{number}", "C220/prepaid", 1_000 * number, 200_000, 0)
        if number == 1:
            old.void(visit, ticket, "C220/prepaid", 200_000)
    with books.write() as tx:
        enrol(tx, "HX22", "旧机", old.key.public_key())
        enrol(tx, "HX22", "新机", new.key.public_key())
        settle_by_paper(tx, old.instance.wire_id, [], ("财务 F01", "核算 A01"))
        ingest(tx, old.instance.wire_id, old.rows)
    books.close()
    assert balance(api, "C220/prepaid")["suspense_fen"] == 400_000
    sign_in(page, FINANCE)
    page.goto(f"{web_office.address}/exceptions")
    first = page.locator(".late li", has_text="HX22-01-0000001")
    first.first.locator("input[name=reason]").fill("确实出厂")
    first.get_by_role("button", name="入账").click()
    expect(page.get_by_role("status")).to_contain_text("HX22-01-0000001 已记入 C220/prepaid ¥2,000.00")
    void = first.filter(has=page.get_by_role("button", name="退回客户"))
    void.locator("input[name=reason]").fill("已作废")
    void.get_by_role("button", name="退回客户").click()
    expect(page.get_by_role("alert").last).to_contain_text("须两人办理")
    void.locator("input[name=reason]").fill("已作废")
    for place, who in (("first", FINANCE), ("second", ACCOUNTANT)):
        void.locator(f"select[name={place}]").select_option(who)
        void.locator(f"input[name={place}_pin]").fill(web_office.pins[who])
    void.get_by_role("button", name="退回客户").click()
    expect(page.get_by_role("status")).to_contain_text("HX22-01-0000001 已给 C220/prepaid 退回 ¥2,000.00")
    expect(page.locator(".late")).to_contain_text(f"{FINANCE}, {ACCOUNTANT}: 已作废")
    second = page.locator(".late li", has_text="HX22-01-0000002")
    second.locator("input[name=reason]").fill("重复")
    second.get_by_role("button", name="注销").click()
    expect(page.locator(".late li", has_text="HX22-01-0000002")).to_contain_text("已注销")
    row = balance(api, "C220/prepaid")
    assert (row["suspense_fen"], row["dispatched_fen"], row["free_fen"]) == (0, 0, 10_000_000)
    page.goto(f"{web_office.address}/plants")
    expect(page.locator("section.card", has_text="旧机")).to_contain_text("按纸质存根 · 财务 F01, 核算 A01")


def test_a_day_and_the_figures_stand_on_their_pages(
    web_office: Office, api: httpx.Client, page: Page, sign_in: SignIn
) -> None:
    post(api, "C230", 10_000_000, "B230", "日清客户")
    plant = FakePlant(code="HX23")
    plant.truck("N231", "C230/prepaid", 0, 29_980, 200_000)
    books = web_office.books()
    with books.write() as tx:
        enrol(tx, "HX23", "日清厂", plant.key.public_key())
        ingest(tx, plant.instance.wire_id, plant.rows)
    books.close()
    sign_in(page, BILLER)
    page.goto(f"{web_office.address}/day?date=2026-11-23")
    expect(page.locator("tbody tr", has_text="HX23")).to_contain_text("29.980")
    expect(page.locator(".sumline .yes")).to_contain_text("相符")
    told = api.get("/api/day", params={"date": "2026-11-23"}).json()
    counted = api.get("/api/totals", params={"date": "2026-11-23"}).json()
    assert told["agrees"] and told["total"]["tickets"] == counted["shipments"] - counted["voided"]
    assert api.get("/api/day", params={"date": "23.11.2026"}).status_code == 422
    page.get_by_role("link", name="当日出库清单").click()
    expect(page.locator(".stack tbody tr", has_text="HX23")).to_have_count(1)
    page.goto(f"{web_office.address}/day?date=0001-01-01")
    expect(page.locator(".none").first).to_be_visible()
    page.goto(f"{web_office.address}/figures?lang=en")
    expect(page.locator("section.card", has_text="Stranded money").first).to_contain_text("goal ≤ 20.0 %")
    assert set(api.get("/api/figures").json()) == {"stranded", "refusals", "latency"}


def test_money_of_a_lost_box_stands_under_its_own_epoch() -> None:
    """Its successor cannot spend it, so the two are not one sum."""
    both = [
        {"plant": "HX01", "epoch": 1, "state": "closing", "unused_fen": 30_000},
        {"plant": "HX01", "epoch": 2, "state": "open", "unused_fen": 900},
        {"plant": "HX02", "epoch": 1, "state": "settled", "unused_fen": 0},
    ]
    fens = {"fund_fen": 30_900, "dispatched_fen": 0, "held_fen": 0, "free_fen": 0}
    (row,) = balance_rows([{**fens, "allotted": both}])
    assert row["at"] == {"HX01/1": 30_000, "HX01": 900}
    assert [part["plant"] for part in row["parts"] if part["label"] == "allotted"] == ["HX01/1", "HX01"]


def test_a_day_that_is_none_and_one_that_has_not_come_say_so(web_office: Office, page: Page, sign_in: SignIn) -> None:
    sign_in(page, FINANCE)
    page.goto(f"{web_office.address}/day?date=2026-13-45")
    expect(page.get_by_role("alert")).to_have_text("日期 “2026-13-45” — 没有这一天，显示的是今天")
    page.goto(f"{web_office.address}/day?date=2099-01-01")
    expect(page.locator(".sumline")).to_contain_text("还没到这一天")
    expect(page.locator(".sumline .yes")).to_have_count(0)


def test_an_epoch_is_closed_from_the_page(web_office: Office, page: Page, sign_in: SignIn) -> None:
    plant = FakePlant(code="HX25")
    books = web_office.books()
    with books.write() as tx:
        enrol(tx, "HX25", "关账厂", plant.key.public_key())
    books.close()
    sign_in(page, ACCOUNTANT)
    page.goto(f"{web_office.address}/plants")
    send(page, "/plants/close", plant="HX25", reason="换机")
    expect(page.get_by_role("status")).to_contain_text("已通知关账期")
    expect(page.locator("section.card", has_text="关账厂")).to_contain_text("关账期中")


def test_reconciling_is_told_everywhere_and_ended_by_two_persons(
    web_office: Office, api: httpx.Client, page: Page, sign_in: SignIn
) -> None:
    post(api, "C240", 1_000_000, "B240")
    books = web_office.books()
    with books.write() as tx:
        begin_reconcile(tx, "restored from a backup")
        term = current_term(tx)
    sign_in(page, FINANCE)
    for name in ("shipments", "topup", "balances"):
        page.goto(f"{web_office.address}/{name}")
        expect(page.locator(".reconcile")).to_contain_text("已报到 0 /")
    refused = api.post("/api/topups", json={"plant": "HX01", "who": "C240", "grant_fen": 1})
    assert refused.status_code == 422 and "对账" in refused.json()["error"]["allowed_zh"]
    page.goto(f"{web_office.address}/plants")
    expect(page.locator("form[action='/plants/reconcile'] button")).to_be_disabled()
    plants = {"HX01": web_office.plant}
    with books.write() as tx:
        waiting = [row for row in api.get("/api/plants").json() if row["state"] != "settled"]
        for row in waiting:  # each tells the ledger that head office has of it: a shorter one would be a copy's
            same = {"term": term, "last_seq": row["last_seq"], "last_hash": row["last_hash"]}
            told = plants.get(row["plant"], FakePlant()).state().model_copy(update=same)
            hear_state(tx, row["instance"], told)
    books.close()
    page.reload()
    pins = web_office.pins
    send(page, "/plants/reconcile", first=FINANCE, first_pin=pins[FINANCE], second=FINANCE, second_pin=pins[FINANCE])
    expect(page.get_by_role("alert").last).to_contain_text("须为另一个人")
    send(page, "/plants/reconcile", first=FINANCE, first_pin=pins[FINANCE], second=ACCOUNTANT, second_pin="000")
    expect(page.get_by_role("alert").last).to_contain_text("PIN 不对")
    send(page, "/plants/reconcile", first=FINANCE, first_pin=pins[FINANCE], second=BILLER, second_pin=pins[BILLER])
    expect(page.get_by_role("alert").last).to_contain_text("岗位不能办理")
    good = {"first": FINANCE, "first_pin": pins[FINANCE], "second": ACCOUNTANT, "second_pin": pins[ACCOUNTANT]}
    send(page, "/plants/reconcile", **good)
    expect(page.get_by_role("status")).to_contain_text("对账完成")
    expect(page.locator(".reconcile")).to_have_count(0)
