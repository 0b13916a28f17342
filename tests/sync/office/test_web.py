"""The pages in a real Chromium and the API over HTTP, against the real program."""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
from playwright.sync_api import Dialog, Page, expect

from sync.office.store.inbox import ingest
from tests.sync.office.program import Office

ACCOUNTANT, FINANCE, BILLER, VIEWER = "核算 A01", "财务 F01", "开票 B01", "查看 V01"
MEAN = "<b>丙</b><script>alert(1)</script>"


def anonymous(web_office: Office) -> httpx.Client:
    return httpx.Client(base_url=web_office.address, trust_env=False, timeout=30)


def pay(api: httpx.Client, customer: str, reference: str, fen: int, name: str = "") -> httpx.Response:
    body = {"reference": reference, "customer_id": customer, "customer_name": name, "amount_fen": fen}
    return api.post("/api/payments", json=body)


def test_the_api_books_once_and_words_its_refusals(api: httpx.Client) -> None:
    assert pay(api, "C001", "B1", 10_000_000, "示例客户甲").json()["new"] is True
    assert pay(api, "C001", "B1", 10_000_000, "示例客户甲").json()["new"] is False
    refused = pay(api, "C001", "B1", 1)
    assert refused.status_code == 422 and refused.json()["error"]["field"] == "reference"
    notice = {
        "plant": "HX01",
        "customer_id": "C001",
        "plate": "浙A12345",
        "product": "焦炭",
        "price_fen_per_t": 200_000,
    }
    issued = api.post("/api/notices", json={**notice, "notice": "N1", "limit_kg": 20_000})
    assert issued.status_code == 201 and issued.json()["hold_fen"] == 4_000_000
    again = api.post("/api/notices", json={**notice, "notice": "N1"})
    assert again.json()["error"] == {
        "field": "notice", "value": "N1", "allowed": "this number is used; allowed: a new one",
        "allowed_zh": "单号已用过,每个单号只用一次",
    }  # fmt: skip
    assert api.post("/api/notices", content=b"[1]").status_code == 422
    assert api.post("/api/notices", content=b"{" * 70_000).status_code == 413
    half = b'{"reference": "B2", "customer_id": "C001", "amount_fen": 1, "customer_name": "\\ud800"}'
    assert api.post("/api/payments", content=half).json()["error"]["field"] == "body"
    early = api.post("/api/notices", json={**notice, "notice": "N2", "expires_at": "0001-01-01T00:00"})
    assert early.json()["error"]["field"] == "expires_at"
    assert api.post("/api/notices/N1/cancel", json={"reason": {"why": 1}}).json()["error"]["field"] == "reason"
    (row,) = [row for row in api.get("/api/balances").json() if row["account"] == "C001/prepaid"]
    assert row["agrees"] and row["free_fen"] == 6_000_000
    assert api.get("/api/plants").json()[0]["plant"] == "HX01"
    assert api.get("/api/totals").json()["shipments"] == 0
    assert api.get("/api/verify").json()["ok"]
    for limit in ("x", "0", "²"):
        assert api.get("/api/shipments", params={"limit": limit}).status_code == 422


def test_the_api_refuses_in_chinese_too(api: httpx.Client) -> None:
    notice = {
        "plant": "HX01",
        "customer_id": "C001",
        "plate": "浙A12345",
        "product": "焦炭",
        "price_fen_per_t": 200_000,
    }
    wrong: list[tuple[str, object, str]] = [
        ("notice", "FH/1", "通知单号只能用字母、数字、- 和 _,最多 40 位"),
        ("notice", "F" * 41, "通知单号只能用字母、数字、- 和 _,最多 40 位"),
        ("axles", "six", "须为整数"),
        ("articulated", "yes", "须为 true 或 false"),
        ("plate", 7, "须为文字"),
        ("axles", 9, "允许 2 至 8 轴"),
        ("product_code", 900, "允许 0 至 255"),
        ("price_fen_per_t", 0, "允许 1 至 10000000000 分/吨"),
    ]
    for field, value, zh in wrong:
        answer = api.post("/api/notices", json={**notice, field: value})
        error = answer.json()["error"]
        assert (answer.status_code, error["field"], error["allowed_zh"]) == (422, field, zh)
    assert api.post("/api/notices", content=b"[1]").json()["error"]["allowed_zh"] == "须为一个 JSON 对象"


def test_nobody_gets_in_without_a_name(web_office: Office) -> None:
    with anonymous(web_office) as client:
        assert client.get("/api/balances").status_code == 401
        assert client.post("/api/payments", json={}).status_code == 401
        assert client.get("/api/balances", headers={"authorization": "Bearer wrong"}).status_code == 401
        assert client.get("/shipments").headers["location"] == "/login"
        assert client.get("/shipments?part=1").status_code == 401
        assert client.get("/live").status_code == 401
        assert client.get("/shipments.csv").status_code == 303
        assert client.post("/payments", data={"amount": "1"}).headers["location"] == "/login"


def test_every_answer_is_guarded(web_office: Office) -> None:
    with anonymous(web_office) as client:
        for path in ("/login", "/static/office.css", "/nothing", "/api/totals"):
            policy = client.get(path).headers["content-security-policy"]
            assert "default-src 'none'" in policy and "unsafe" not in policy
        evil = {"sec-fetch-site": "cross-site"}
        assert client.post("/login", data={"name": "x", "pin": "y"}, headers=evil).status_code == 403
        other = {"origin": "http://evil.example"}
        assert client.post("/login", data={"name": "x", "pin": "y"}, headers=other).status_code == 403


def test_wrong_pins_are_slowed_down(web_office: Office) -> None:
    with anonymous(web_office) as client:
        answers = [client.post("/login", data={"name": VIEWER, "pin": str(n)}).status_code for n in range(6)]
        assert answers == [403] * 5 + [429]
        right = client.post("/login", data={"name": VIEWER, "pin": web_office.pins[VIEWER]})
        assert right.status_code == 429, "the right PIN has to wait too"
        good = client.post("/login", data={"name": BILLER, "pin": web_office.pins[BILLER]})
        cookie = good.headers["set-cookie"].lower()
        assert good.status_code == 303 and "httponly" in cookie and "samesite=strict" in cookie


def test_pins_tried_all_at_once_are_no_more_tries(web_office: Office) -> None:
    def attempt(pin: int) -> int:
        with anonymous(web_office) as client:
            return client.post("/login", data={"name": "nobody", "pin": str(pin)}).status_code

    with ThreadPoolExecutor(12) as pool:
        answers = sorted(pool.map(attempt, range(12)))
    assert answers == [403] * 5 + [429] * 7


def test_rows_arrive_without_reload_and_html_stays_text(
    web_office: Office, api: httpx.Client, page: Page, sign_in: Callable[[Page, str], None]
) -> None:
    dialogs: list[str] = []

    def refuse(dialog: Dialog) -> None:
        dialogs.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", refuse)
    faults: list[str] = []
    page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    pay(api, "C003", "B3", 5_000_000, MEAN)
    sign_in(page, ACCOUNTANT)
    page.evaluate("window.stillThisPage = true")
    assert api.post("/api/topups", json={"plant": "HX01", "who": "C003", "grant_fen": 4_000_000}).status_code == 201
    visit = web_office.plant.taken("N1", "C003/prepaid", 0)
    web_office.plant.ticket(visit, "N1", "C003/prepaid", 20_000, 200_000, 0, customer_name=MEAN)
    books = web_office.books()
    with books.write() as tx:
        ingest(tx, web_office.plant.instance.wire_id, web_office.plant.rows)
    books.close()
    expect(page.locator("td.ticket").first).to_have_text("HX01-01-0000001")
    expect(page.locator("td.name").first).to_have_text(MEAN)
    assert page.evaluate("window.stillThisPage") is True
    for name in ("balances", "day", "figures", "notices", "payments", "topup", "plants", "exceptions"):
        page.goto(f"{web_office.address}/{name}")
    assert dialogs == [] and faults == []
    assert page.locator("main script").count() == 0


def test_a_person_posts_a_payment_and_issues_a_notice(
    web_office: Office, page: Page, sign_in: Callable[[Page, str], None]
) -> None:
    sign_in(page, ACCOUNTANT)
    page.goto(f"{web_office.address}/payments")
    for name, text in (("reference", "B9"), ("customer_id", "C009"), ("amount", "60000.5"), ("customer_name", "甲九")):
        page.fill(f"form[action='/payments'] input[name={name}]", text)
    page.click("form[action='/payments'] button")
    expect(page.get_by_role("status")).to_contain_text("B9 ¥60,000.50")
    page.reload()
    expect(page.get_by_role("status")).to_have_count(0)
    page.goto(f"{web_office.address}/notices")
    page.locator("details summary").first.click()
    for name, text in (("customer_id", "C009"), ("plate", "浙Q1"), ("product", "焦炭"), ("price", "2000")):
        page.fill(f"form[action='/notices'] input[name={name}]", text)
    page.click("form[action='/notices'] button")
    expect(page.get_by_role("alert")).to_contain_text("车牌 “浙Q1” — 车牌如 浙A12345")
    expect(page.locator("form[action='/notices'] input[name=product]")).to_have_value("焦炭")
    page.fill("form[action='/notices'] input[name=plate]", "浙QA1234")
    page.fill("form[action='/notices'] input[name=plate]", "浙Q12345")
    page.click("form[action='/notices'] button")
    expect(page.get_by_role("status")).to_contain_text("浙Q12345 ¥60,000.50")
    page.goto(f"{web_office.address}/balances?lang=en")
    row = page.locator(".money tbody tr", has_text="C009/prepaid")
    expect(row.locator("td").nth(1)).to_have_text(re.compile(r"60,000\.50\s*✓"))
    expect(page.locator(".sumline")).to_contain_text("✓ agrees")
    page.goto(f"{web_office.address}/balances")
    expect(page.locator("nav a").first).to_have_text("Shipments")


def test_a_role_that_may_not_sees_why(web_office: Office, page: Page, sign_in: Callable[[Page, str], None]) -> None:
    sign_in(page, BILLER)
    page.goto(f"{web_office.address}/payments")
    expect(page.locator("form[action='/payments'] button")).to_be_disabled()
    expect(page.locator(".why").first).to_have_text("您的岗位不能办理")
    cookies = {each["name"]: each["value"] for each in page.context.cookies()}
    fields = {"reference": "B8", "customer_id": "C001", "amount": "1"}
    refused = httpx.post(f"{web_office.address}/payments", data=fields, cookies=cookies, trust_env=False)
    assert refused.status_code == 422 and "您的岗位不能办理" in refused.text


def test_people_at_head_office_see_the_curve(
    web_office: Office, page: Page, sign_in: Callable[[Page, str], None], api: httpx.Client
) -> None:
    plant = web_office.plant
    assert pay(api, "C091", "B91", 10_000_000, "示例客户辛").status_code < 300
    visit = plant.taken("N91", "C091/prepaid", 0)
    plant.weigh(visit, "tare", 14_520)
    first = plant.alarmed(visit)
    plant.alarmed(plate="", kind="zero_drift")
    plant.weigh(visit, "gross", 34_520)
    ticket = plant.ticket(visit, "N91", "C091/prepaid", 20_000, 100, 0)
    books = web_office.books()
    with books.write() as tx:
        ingest(tx, plant.instance.wire_id, plant.rows)
    sign_in(page, BILLER)
    page.click("td.state a.badge")
    expect(page.locator(".alarm")).to_have_count(1)
    expect(page.locator(".alarm")).to_contain_text("重量突跳 800 kg")
    expect(page.locator(".alarm")).to_contain_text(ticket)
    expect(page.locator(".alarm")).to_contain_text("厂未确认")
    assert page.locator(".alarm polyline").get_attribute("points") == "0,3 150,3 300,57"
    expect(page.locator(".alarm")).to_contain_text("13\u2009720 – 14\u2009520 kg · 0 s")
    plant.alarm_seen(first)
    with books.write() as tx:
        ingest(tx, plant.instance.wire_id, plant.rows[-1:])
    books.close()
    expect(page.locator(".alarm")).to_contain_text("已确认 李敏")
    plant.command_ended(plant.commanded(), "refused", "重量未稳定 / its weight is not stable", 40)
    books = web_office.books()
    with books.write() as tx:
        ingest(tx, plant.instance.wire_id, plant.rows[-2:])
    books.close()
    page.goto(f"{web_office.address}/exceptions?lang=zh")
    expect(page.locator("main")).to_contain_text("磅 2 · 操作 李敏 · 置零前 40 kg · 置零后 40 kg · 重量未稳定")
    expect(page.locator("main")).not_to_contain_text("its weight")
    expect(page.locator("tr", has_text="置零前")).to_contain_text("置零未执行")
    page.goto(f"{web_office.address}/day?date=2026-11-23&lang=en")
    expect(page.locator("main")).to_contain_text("not acknowledged 1")
    page.goto(f"{web_office.address}/exceptions")
    expect(page.locator(".alarm")).to_have_count(2)


def test_nothing_overflows_on_a_phone_or_a_tablet(
    web_office: Office, page: Page, sign_in: Callable[[Page, str], None]
) -> None:
    sign_in(page, FINANCE)
    for width, height in ((390, 844), (1024, 768), (1440, 1000)):
        page.set_viewport_size({"width": width, "height": height})
        for name in ("shipments", "balances", "day", "figures", "notices", "payments", "topup", "plants", "exceptions"):
            page.goto(f"{web_office.address}/{name}")
            assert page.evaluate("document.documentElement.scrollWidth") <= width, (name, width)


def test_a_tablet_shows_a_notices_state_and_money_without_scrolling(
    web_office: Office, api: httpx.Client, page: Page, sign_in: Callable[[Page, str], None]
) -> None:
    pay(api, "C020", "B20", 90_000_000, "长兴示例钢铁有限公司")
    body = {"plant": "HX01", "customer_id": "C020", "plate": "浙A20020", "product": "冶金焦 25-60 mm",
            "mode": "consigned", "price_fen_per_t": 198_000, "carrier": "顺达", "pickup_person": "王"}  # fmt: skip
    assert api.post("/api/notices", json=body).status_code == 201
    sign_in(page, BILLER)
    page.set_viewport_size({"width": 1024, "height": 768})
    page.goto(f"{web_office.address}/notices?lang=en")
    assert page.locator(".scroll:has(.list)").first.evaluate("it => it.scrollWidth <= it.clientWidth")
    expect(page.locator("th", has_text="State")).to_be_in_viewport()


def test_the_csv_opens_in_a_spreadsheet_and_runs_nothing(web_office: Office, api: httpx.Client) -> None:
    mean = "=HYPERLINK(1)"
    visit = web_office.plant.taken("N7", "C001/prepaid", 0)
    web_office.plant.ticket(visit, "N7", "C001/prepaid", 1_000, 200_000, 0, customer_name=mean)
    books = web_office.books()
    with books.write() as tx:
        ingest(tx, web_office.plant.instance.wire_id, web_office.plant.rows)
    books.close()
    answer = api.get("/shipments.csv")
    assert answer.content.startswith(b"\xef\xbb\xbf") and answer.text.count("\r\n") >= 2
    assert f",'{mean}," in answer.text and f",{mean}," not in answer.text
    assert "attachment" in answer.headers["content-disposition"]
