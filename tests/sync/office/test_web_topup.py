"""Finance on a phone: from a payment to a code that a plant without a link takes, read off a real screen."""

import re
from collections.abc import Callable
from pathlib import Path

import cv2
import httpx
import numpy as np
import pytest
import zxingcpp
from playwright.sync_api import Locator, Page, expect
from sqlalchemy import update

from sync import carried
from sync.keys import load_private
from sync.office.store.plants import enrol
from sync.office.store.schema import instances
from sync.office.web.qr import QUIET_MODULES, qr_path
from sync.office.web.words import FIELDS, WORDS, full_width
from tests.sync.office.plant import FakePlant
from tests.sync.office.program import Office

FINANCE, BILLER = "财务 F01", "开票 B01"
PHONE = {"width": 390, "height": 844}
SignIn = Callable[[Page, str], None]


@pytest.fixture
def phone(page: Page, sign_in: SignIn) -> Page:
    """Finance, signed in on a phone."""
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    sign_in(page, FINANCE)
    return page


def post(api: httpx.Client, customer: str, fen: int, name: str) -> None:
    body = {"reference": f"B-{customer}-{fen}", "customer_id": customer, "customer_name": name, "amount_fen": fen}
    assert api.post("/api/payments", json=body).status_code == 201


def scan(picture: Locator, tmp_path: Path) -> set[str]:
    """What two scanners read off the screen, also from further away.

    OpenCV's older detector loses one in two codes of this size on perfectly clean images; its other one does not.
    """
    file = tmp_path / "code.png"
    picture.screenshot(path=file)
    image = cv2.imdecode(np.frombuffer(file.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    smaller = cv2.resize(image, None, fx=0.8, fy=0.8, interpolation=cv2.INTER_AREA)
    read = {cv2.QRCodeDetectorAruco().detectAndDecode(each)[0] for each in (image, smaller)}
    return read | {found.text for each in (image, smaller) for found in zxingcpp.read_barcodes(each)}


def make_code(page: Page, office: Office, **typed: str) -> None:
    page.goto(f"{office.address}/topup")
    page.locator("details summary").first.click()
    for name, text in typed.items():
        if name == "plant":
            page.select_option("select[name=plant]", text)
        else:
            page.fill(f"form[action='/topup'] input[name={name}]", text)
    page.click(".wide-button")


def test_a_payment_becomes_a_code_in_one_go(web_office: Office, api: httpx.Client, phone: Page, tmp_path: Path) -> None:
    post(api, "C100", 10_000_000, "示例客户甲")
    make_code(phone, web_office, plant="HX01", who="C100", reference="ICBC-77", payment="3000.50", payer="甲")
    expect(phone.locator(".big")).to_contain_text("3,000.50")
    shown = phone.locator("textarea").input_value()
    typed = "".join(phone.locator(".lines code").all_inner_texts())
    assert re.sub(r"\s", "", typed) == shown
    assert scan(phone.locator("svg.qr"), tmp_path) == {shown}
    expect(phone.locator("svg.qr")).to_be_in_viewport(ratio=1)
    office_key = load_private(web_office.config.parent / "office-signing.key").public_key()
    told = carried.read(typed, office_key)
    assert told.instance == web_office.plant.instance and told.account == "C100/prepaid"
    assert told.granted_fen == 300_050
    (row,) = [row for row in api.get("/api/balances").json() if row["account"] == "C100/prepaid"]
    assert (row["fund_fen"], row["free_fen"], row["agrees"]) == (10_300_050, 10_000_000, True)
    expect(phone.locator(".note.amber")).to_contain_text("须先连上总部一次")  # nothing was ever heard of this plant
    assert phone.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_the_same_form_sent_twice_books_and_grants_once(web_office: Office, phone: Page, api: httpx.Client) -> None:
    post(api, "C101", 100, "示例客户乙")
    for _ in range(2):
        make_code(phone, web_office, plant="HX01", who="C101", reference="ICBC-78", payment="500")
        expect(phone.locator(".big")).to_contain_text("500.00")
    expect(phone.get_by_role("status")).to_contain_text("到款已登记过")


def test_a_form_without_a_payment_grants_once_too(web_office: Office, api: httpx.Client) -> None:
    """Pressed twice, or sent again by the browser: the page's number makes it one."""
    post(api, "C106", 100_000, "示例客户庚")
    with httpx.Client(base_url=web_office.address, trust_env=False) as client:
        client.post("/login", data={"name": FINANCE, "pin": web_office.pins[FINANCE]})
        once = re.search(r'name="once" value="([^"]+)"', client.get("/topup").text)
        assert once is not None
        body = {"plant": "HX01", "who": "C106", "grant": "2000", "once": once[1]}
        assert client.post("/topup", data=body).status_code == 422, "more than is free: nothing was done"
        body["grant"] = "300"
        made = [client.post("/topup", data=body) for _ in range(2)]
        assert [each.status_code for each in made] == [303, 303]
        assert made[0].headers["location"] == made[1].headers["location"]
        assert "没有再办一次" in client.get(made[1].headers["location"]).text
        body["once"] = "another"
        assert client.post("/topup", data=body).status_code == 303
    (row,) = [row for row in api.get("/api/balances").json() if row["account"] == "C106/prepaid"]
    assert row["allotted_fen"] == 60_000, "two forms, three presses"


def test_the_dispatcher_may_read_a_plate_and_a_code_is_shown_again(
    web_office: Office, phone: Page, api: httpx.Client
) -> None:
    post(api, "C102", 10_000_000, "示例客户丙")
    order = {"plant": "HX01", "customer_id": "C102", "plate": "浙C10202", "product": "焦炭", "price_fen_per_t": 200_000,
             "limit_kg": 10_000}  # fmt: skip
    assert api.post("/api/notices", json=order).status_code == 201
    make_code(phone, web_office, plant="HX01", who="浙c10202", grant="1,000".replace(",", ""))
    asked = phone.get_by_role("alert").filter(has_text="示例客户丙 C102/prepaid")
    expect(asked).to_contain_text("客户、账户、车牌或通知单号 “浙c10202”")
    expect(asked).to_contain_text("；核对后再按一次")
    expect(phone.locator("input[name=who]")).to_have_value("C102/prepaid")
    phone.click(".wide-button")
    expect(phone.locator(".big")).to_contain_text("21,000.00")
    expect(phone.get_by_role("status")).to_contain_text("的 ¥1,000.00")
    assert "/1/" not in phone.get_by_role("status").inner_text(), "no internal name"
    first = phone.locator("textarea").input_value()
    phone.goto(f"{phone.url}&lang=en")
    expect(phone.locator("html")).to_have_attribute("lang", "en")
    assert phone.locator("textarea").input_value() == first, "read out half, then opened in the other language"
    phone.goto(f"{web_office.address}/topup?lang=zh")
    phone.goto(f"{web_office.address}/topup")
    row = phone.locator(".rows li", has_text="C102/prepaid")
    expect(row).to_contain_text("厂未收到")
    row.locator("a.button").click()
    again = phone.locator("textarea").input_value()
    assert again == first
    office_key = load_private(web_office.config.parent / "office-signing.key").public_key()
    assert carried.read(again, office_key).granted_fen == 2_100_000


def test_what_cannot_be_granted_is_said_and_the_form_keeps_what_was_typed(
    web_office: Office, phone: Page, api: httpx.Client
) -> None:
    post(api, "C103", 100_000, "示例客户丁")
    wrong = [
        ({"plant": "HX01", "who": "C103", "grant": "1000.01"}, "可分配 ¥1,000.00"),
        ({"plant": "HX01", "who": "C999", "grant": "1"}, "没有这个客户"),
        ({"plant": "HX01", "who": "C103"}, "请写金额"),
        ({"plant": "HX01", "who": "C103", "reference": "ICBC-9"}, "须同时写流水号和金额"),
        ({"plant": "HX01", "who": "C103", "grant": "x"}, "金额写成"),
    ]
    labels = dict.fromkeys((said for _, said in wrong), "给这个厂的额度 ¥") | {
        "没有这个客户": "客户、账户、车牌或通知单号", "须同时写流水号和金额": "到款金额 ¥",
    }  # fmt: skip
    for typed, said in wrong:
        make_code(phone, web_office, **typed)
        expect(phone.get_by_role("alert")).to_contain_text(said)
        expect(phone.get_by_role("alert").locator("b")).to_have_text(labels[said])
        expect(phone.locator("input[name=who]")).to_have_value(typed["who"])
        expect(phone.locator("select[name=plant]")).to_have_value("HX01")


def test_a_plant_that_is_closing_or_frozen_gets_no_code(web_office: Office, api: httpx.Client) -> None:
    post(api, "C104", 100_000, "示例客户戊")
    made = {code: FakePlant(code=code) for code in ("HX08", "HX09")}
    books = web_office.books()
    with books.write() as tx:
        for code, plant in made.items():
            enrol(tx, code, "厂", plant.key.public_key())
    for code in made:
        body = {"plant": code, "who": "C104", "grant_fen": 100}
        told = api.post("/api/topups", json=body).json()
        assert carried.lines(told["code"]) == told["lines"] and told["granted_fen"] == 100
    with books.write() as tx:
        tx.execute(update(instances).where(instances.c.plant == "HX08").values(state="closing"))
        tx.execute(update(instances).where(instances.c.plant == "HX09").values(frozen="fork"))
    books.close()
    for code, zh in (("HX08", "账期正在关闭"), ("HX09", "已冻结")):
        refused = api.post("/api/topups", json={"plant": code, "who": "C104", "grant_fen": 1})
        assert refused.status_code == 422 and zh in refused.json()["error"]["allowed_zh"]
        again = {"instance": made[code].instance.wire_id, "account": "C104/prepaid"}
        with httpx.Client(base_url=web_office.address, trust_env=False) as client:
            client.post("/login", data={"name": FINANCE, "pin": web_office.pins[FINANCE]})
            page = client.get("/topup/code", params=again)
            assert page.status_code == 422 and "该期不再收额度" in page.text


def test_only_finance_and_accounting_make_codes(web_office: Office, api: httpx.Client) -> None:
    post(api, "C105", 100_000, "示例客户己")
    with httpx.Client(base_url=web_office.address, trust_env=False) as client:
        where = {"instance": web_office.plant.instance.wire_id, "account": "C105/prepaid"}
        assert client.get("/topup/code", params=where).headers["location"] == "/login"
        client.post("/login", data={"name": BILLER, "pin": web_office.pins[BILLER]})
        assert client.get("/topup/code", params=where).status_code == 422
        body = {"plant": "HX01", "who": "C105", "grant": "1"}
        refused = client.post("/topup", data=body)
        assert refused.status_code == 422 and "您的岗位不能办理" in refused.text
        assert client.get("/topup").text.count("disabled") == 1


def test_a_code_is_drawn_with_its_quiet_zone() -> None:
    across, path = qr_path("A" * 210)
    corners = [tuple(map(int, found)) for found in re.findall(r"M(\d+) (\d+)h(\d+)", path)]
    assert min(x for x, _, _ in corners) == min(y for _, y, _ in corners) == QUIET_MODULES
    assert max(x + run for x, _, run in corners) == across - QUIET_MODULES


def test_chinese_pages_have_full_width_marks_and_every_refused_field_its_label() -> None:
    for word in [zh for zh, _ in WORDS.values()]:
        assert full_width(word) == word, "the words themselves are written so"
    assert set(FIELDS.values()) <= set(WORDS)
    said = "可退 ¥1,000.00;另有 ¥2.50(各厂),12:30 收回 (recall):HX01, HX02"
    assert full_width(said) == "可退 ¥1,000.00；另有 ¥2.50（各厂），12:30 收回 (recall):HX01, HX02"
