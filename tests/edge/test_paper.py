"""The ticket on paper: five copies with their roles, capitals a bank takes, nothing blank, the golden pages."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import zxingcpp
from hypothesis import given
from hypothesis import strategies as st

from drivers.printer.document import Document, Qr
from drivers.printer.escpos_reader import plain_text
from drivers.printer.escpos_writer import QrMode, encode
from drivers.printer.render import render
from edge.domain.ticket import COPIES, EmptySlip, OutboundTicket, SaleMode, SealKind, SealMark
from edge.paper import capitals, empty_exit_document, ticket_document

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
CHINA = timezone(timedelta(hours=8))
PASS = ("6BF+70D%E6N*:$/ " * 10)[:152]
TICKET = OutboundTicket(
    ticket="HX01-03-0001234",
    number=1234,
    visit="V20261123-018",
    notice="FH20261123-018",
    account="C0007",
    customer_id="C0007",
    customer_name="湖州示例铸造有限公司",
    product="冶金焦 25–60 mm",
    product_code=1,
    plate="浙E·K3269",
    mode=SaleMode.PREPAID,
    tare_kg=14520,
    gross_kg=42860,
    net_kg=28340,
    price_fen_per_t=200_000,
    amount_fen=5_668_000,
    hold_fen=6_000_000,
    tare_at=datetime(2026, 11, 23, 1, 12, 33, tzinfo=UTC),
    gross_at=datetime(2026, 11, 23, 2, 1, 10, tzinfo=UTC),
    business_date="2026-11-23",
    lane="一号磅",
    operator="李调度",
    pass_id="abcdef0123456789",
    pickup_person="王师傅",
)
SEALS = (
    SealMark(SealKind.ENTERPRISE, "赵核算", datetime(2026, 11, 23, 2, 1, 11, tzinfo=UTC)),
    SealMark(SealKind.FINANCE, "预付款规则", datetime(2026, 11, 23, 2, 1, 11, tzinfo=UTC)),
)
CONSIGNED = replace(TICKET, mode=SaleMode.CONSIGNED, carrier="安吉示例运输队", freight_fen=186_000)
CREDIT = replace(TICKET, mode=SaleMode.CREDIT, credit_due="2026-12-23", responsible="孙部长")


def page(ticket: OutboundTicket = TICKET, **changes: Any) -> Document:
    values: dict[str, Any] = {
        "pass_code": PASS,
        "plant_name": "示例焦化一厂",
        "copy_number": 0,
        "ledger_mark": "9f86d081884c7d659a2feaa0c55ad015",
        "seals": SEALS,
        "clock_ok": True,
        "software": "weighgate 0.1.0",
        "printed_at": datetime(2026, 11, 23, 10, 1, 13, tzinfo=CHINA),
    }
    return ticket_document(ticket, **(values | changes))


def copies(document: Document) -> list[str]:
    """The text of each copy, as the paper shows it."""
    return plain_text(encode(document, qr=QrMode.NATIVE).data).split("✂")[:-1]


def test_five_labelled_copies_each_cut_off() -> None:
    texts = copies(page())
    assert len(texts) == len(COPIES) == 5
    for ordinal, name, text in zip("一二三四五", COPIES, texts, strict=True):
        assert f"第{ordinal}联 {name}" in text.splitlines()
        for value in ("HX01-03-0001234", "FH20261123-018", "湖州示例铸造有限公司", "浙E·K3269", "预付款 自提"):
            assert value in text, (name, value)
        for value in (
            "14 520 kg",
            "42 860 kg",
            "净重 28 340 kg",
            "11-23 09:12:33",
            "11-23 10:01:10",
            "9f86d081",
            "0.1.0",
        ):
            assert value in text, (name, value)
        for value in ("一号磅 / 李调度", "〖企管部 电子章〗", "赵核算 11-23 10:01:11", "〖财务部 电子章〗"):
            assert value in text, (name, value)


def test_money_stands_on_four_copies_and_never_on_the_exit_pass() -> None:
    *priced, exit_pass = copies(page(CONSIGNED))
    for text in priced:
        for value in ("2,000.00 元/吨", "￥56,680.00", "伍万陆仟陆佰捌拾元整", "￥1,860.00"):
            assert value in text
        assert "[QR" not in text
    assert not re.search(r"￥|元|\.00|单价|金额|运费", exit_pass)
    assert f"[QR {PASS}]" in exit_pass
    assert "28 340 kg  HX01-03-0001234" in exit_pass
    assert len([item for item in page() if isinstance(item, Qr)]) == 1


def test_each_mode_prints_its_own_fields_and_strikes_the_others() -> None:
    def values(ticket: OutboundTicket) -> dict[str, str]:
        words = (line.split() for line in copies(page(ticket))[0].splitlines())
        return {parts[0]: parts[-1] for parts in words if len(parts) > 1}

    for ticket, expected in (
        (TICKET, ("—", "—", "—", "—")),
        (CONSIGNED, ("安吉示例运输队", "￥1,860.00", "—", "—")),
        (CREDIT, ("—", "—", "2026-12-23", "孙部长")),
        (replace(TICKET, carrier="不该印", freight_fen=1, credit_due="x", responsible="y"), ("—", "—", "—", "—")),
    ):
        seen = values(ticket)
        assert tuple(seen[label] for label in ("承运人", "代垫运费", "付款期限", "赊销责任人")) == expected


def test_nothing_is_left_blank() -> None:
    bare = replace(TICKET, pickup_person="", carrier="", credit_due="", responsible="", mode=SaleMode.CONSIGNED)
    for text in copies(page(bare, seals=(), ledger_mark="")):
        for line in text.strip().splitlines():
            heading = line.startswith(("示例", "出 ", "第", "=", "-", "净重", "浙E", "一次有效", "28 340", "[QR", " "))
            assert heading or len(line.split()) > 1, f"a label without a value: {line}"
        assert text.count("未盖章") == 2


@pytest.mark.parametrize("copy_number", [1, 2, 13])
def test_a_reprint_says_so_on_every_copy_in_big_letters(copy_number: int) -> None:
    document = page(copy_number=copy_number)
    assert all(f"★ 补打 {copy_number} ★" in text for text in copies(document))
    assert sum(getattr(item, "text", "") == f"★ 补打 {copy_number} ★" and item.scale == 2 for item in document) == 5  # type: ignore[union-attr]
    assert "补打" not in "".join(copies(page()))


def test_a_bad_clock_is_printed_on_every_copy() -> None:
    assert all("时间未校准" in text for text in copies(page(clock_ok=False)))
    assert "未校准" not in "".join(copies(page()))


def test_a_name_cannot_forge_a_line_or_steer_the_printer() -> None:
    text = copies(page(replace(TICKET, customer_name="甲\n净重 1 kg\x1b@<b>")))[0]
    assert "甲 净重 1 kg @<b>" in text
    assert sum(line.startswith("净重") for line in text.splitlines()) == 1


def test_the_empty_trucks_slip() -> None:
    at = datetime(2026, 11, 23, 10, 1, 13, tzinfo=CHINA)
    slip = EmptySlip("FH20261123-018", "ab" * 8, "浙E·K3269", 14520, 14540, "一号磅", "李调度", at)
    for copy_number in (0, 2):
        document = empty_exit_document(
            slip, pass_code=PASS, plant_name="示例焦化一厂", copy_number=copy_number, ledger_mark="ABCDEF0123",
            clock_ok=True, software="weighgate 0.1.0", printed_at=at,
        )  # fmt: skip
        (text,) = copies(document)
        for value in ("空车出门证", "浙E·K3269", "14 520 kg", "14 540 kg", " 20 kg", "FH20261123-018", "ABCDEF01"):
            assert value in text
        assert text.count("[QR") == 1 and Qr(PASS, module_dots=8) in document
        assert ("补打 2" in text) == bool(copy_number)


@pytest.mark.parametrize(
    ("amount_fen", "words"),
    [
        (0, "零元整"),
        (5, "伍分"),
        (50, "伍角整"),
        (55, "伍角伍分"),
        (100, "壹元整"),
        (101, "壹元零壹分"),
        (1_000, "壹拾元整"),
        (140_950, "壹仟肆佰零玖元伍角整"),
        (600_714, "陆仟零柒元壹角肆分"),
        (168_032, "壹仟陆佰捌拾元叁角贰分"),
        (10_700_053, "壹拾万柒仟元伍角叁分"),
        (1_640_902, "壹万陆仟肆佰零玖元零贰分"),
        (32_504, "叁佰贰拾伍元零肆分"),
        (1_000_000, "壹万元整"),
        (1_000_100, "壹万零壹元整"),
        (10_000_000_000, "壹亿元整"),
        (10_000_000_100, "壹亿零壹元整"),
        (10_001_000_000, "壹亿零壹万元整"),
        (12_345_678_901, "壹亿贰仟叁佰肆拾伍万陆仟柒佰捌拾玖元零壹分"),
        (100_000_000_000_000, "壹万亿元整"),
        (123_456_789_012_345, "壹万贰仟叁佰肆拾伍亿陆仟柒佰捌拾玖万零壹佰贰拾叁元肆角伍分"),
    ],
)
def test_capitals(amount_fen: int, words: str) -> None:
    assert capitals(amount_fen) == words


@pytest.mark.parametrize("amount_fen", [-1, 10**18])
def test_capitals_refuse_what_they_cannot_write(amount_fen: int) -> None:
    with pytest.raises(ValueError, match="is not between"):
        capitals(amount_fen)


@given(st.integers(0, 10**12 - 1))
def test_capitals_read_back_as_the_amount(amount_fen: int) -> None:
    assert _read(capitals(amount_fen)) == amount_fen


def _read(words: str) -> int:
    """Capitals back to fen, digit by digit: an independent reading below 10^12 fen."""
    digits, units = "零壹贰叁肆伍陆柒捌玖", {"拾": 10, "佰": 100, "仟": 1000}
    assert words.endswith(("整", "分"))
    assert "零零" not in words
    yuan = group = digit = fen = 0
    for word in words.removesuffix("整"):
        if word in digits:
            digit = digits.index(word)
        elif word in units:
            group, digit = group + digit * units[word], 0
        elif word in "万亿元":
            yuan += (group + digit) * {"万": 10**4, "亿": 10**8, "元": 1}[word]
            group = digit = 0
        else:
            fen, digit = fen + digit * {"角": 10, "分": 1}[word], 0
    return yuan * 100 + fen


@pytest.mark.parametrize(("name", "ticket"), [("prepaid", TICKET), ("consigned", CONSIGNED), ("credit", CREDIT)])
def test_the_pages_are_the_golden_ones(name: str, ticket: OutboundTicket, tmp_path: Path) -> None:
    """Text for people to review, and the exact bytes. What differs is written out, to be looked at and moved over."""
    data = encode(page(ticket), qr=QrMode.NATIVE).data
    by_line = "\n".join(line.hex(" ") for line in data.split(b"\n"))
    for suffix, seen in (("txt", plain_text(data)), ("hex", by_line)):
        golden = GOLDEN / f"ticket_{name}.{suffix}"
        beside = tmp_path / golden.name
        beside.write_text(seen, "utf-8")
        assert golden.is_file(), f"look at {beside}, then keep it as {golden}"
        assert seen == golden.read_text("utf-8"), f"differs: look at {beside}"


def test_the_printed_code_is_scanned_from_the_whole_ticket() -> None:
    image = render(encode(page(copy_number=2, clock_ok=False)).data)
    assert [code.text for code in zxingcpp.read_barcodes(image)] == [PASS]


def test_the_narrow_paper_holds_the_ticket_too() -> None:
    text = plain_text(encode(page(CONSIGNED), paper_mm=58, qr=QrMode.NATIVE).data, columns=32)
    assert "伍万陆仟陆佰捌拾元整" in text
