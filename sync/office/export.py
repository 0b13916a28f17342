"""Shipments as CSV that a spreadsheet opens right: UTF-8 with BOM, CRLF, and no cell that could run as a formula."""

import csv
import io
from collections.abc import Iterable, Iterator

from sync.office.clock import local_text
from sync.office.store.views import Row
from sync.units import format_fen

_COLUMNS = (
    "厂 plant", "出库单 ticket", "通知单 notice", "车牌 plate", "客户编号 customer", "客户 name", "产品 product",
    "方式 mode", "状态 state", "皮重 tare kg", "毛重 gross kg", "净重 net kg", "单价 price ¥/t", "金额 amount ¥",
    "业务日期 date", "皮重时间 tare at", "毛重时间 gross at", "出门时间 exit at", "承运 carrier", "代垫运费 freight ¥",
    "付款期限 due", "迟到未入账 late",
)  # fmt: skip
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def shipments_csv(rows: Iterable[Row], utc_offset_hours: int) -> Iterator[str]:
    """The file in pieces, a line each."""
    yield "\ufeff" + _line(_COLUMNS)
    for row in rows:
        yield _line(_cells(row, utc_offset_hours))


def _cells(row: Row, utc_offset_hours: int) -> list[str | int]:
    times = [local_text(row[name], utc_offset_hours) for name in ("tare_at", "gross_at", "exit_at")]
    return [
        *(safe(row[name]) for name in (
            "plant", "ticket", "notice", "plate", "customer_id", "customer_name", "product", "mode", "state",
        )),
        row["tare_kg"], row["gross_kg"], row["net_kg"], _money(row["price_fen_per_t"]), _money(row["amount_fen"]),
        safe(row["business_date"]), *times, safe(row["carrier"]), _money(row["freight_fen"]), safe(row["credit_due"]),
        "late" if row["late"] else "",
    ]  # fmt: skip


def _money(fen: int) -> str:
    return format_fen(fen).replace(",", "")


def safe(text: str) -> str:
    """A leading apostrophe keeps a spreadsheet from taking the text as a formula (OWASP: CSV injection)."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def _line(cells: Iterable[str | int]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerow(cells)
    return out.getvalue()
