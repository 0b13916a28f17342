"""发货通知单 as a biller asks for it, checked field by field before money is looked at. Pure."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from sync.fields import NOTICE_NUMBER, Mode
from sync.office.refusal import NotAllowed
from sync.units import parse_yuan

PLATE = re.compile(
    r"[京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼][A-HJ-NP-Z]"
    r"(?:[A-HJ-NP-Z0-9]{4}[A-HJ-NP-Z0-9挂学警港澳]|[A-HJ-NP-Z0-9]{6})"
)
"""GA 36-2018: province, authority letter, five characters (six on new-energy plates); I and O are never used."""
NUMBER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_/-]{0,39}")
"""Of a payment or a credit application, as banks and offices write them; a notice's own is narrower."""
CUSTOMER_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")
LONGEST_VALIDITY = timedelta(days=31)
_LONGEST_TEXT = 60
_UNITS_ZH = {"fen": "分", "fen/t": "分/吨", "axles": "轴"}


@dataclass(frozen=True, slots=True)
class NoticeRequest:
    """What the biller wants. An empty `notice` gets the day's next number; `limit_kg` None is what money allows."""

    plant: str
    customer_id: str
    plate: str
    product: str
    price_fen_per_t: int
    axles: int
    expires_at: datetime
    mode: Mode = Mode.PREPAID
    notice: str = ""
    product_code: int = 0
    limit_kg: int | None = None
    articulated: bool = True
    vehicle_max_kg: int | None = None
    credit_application: str = ""
    pickup_person: str = ""
    carrier: str = ""
    freight_fen: int = 0
    issued_by: str = ""

    def check(self, now: datetime) -> None:
        """NotAllowed at the first field that cannot be."""
        _number(self)
        check_plate(self.plate)
        _quantities(self)
        _expiry(self.expires_at, now)
        for name in ("product", "issued_by", "pickup_person", "carrier"):
            check_text(name, getattr(self, name), required=name == "product")
        if self.mode is Mode.CREDIT and not self.credit_application:
            raise NotAllowed(
                "credit_application", "", "赊销必须写已批准的申请单号", "a credit sale needs its application"
            )
        if self.mode is Mode.CONSIGNED and not (self.carrier and self.pickup_person):
            missing = "carrier" if not self.carrier else "pickup_person"
            raise NotAllowed(
                missing,
                "",
                "代办托运必须写承运人和提货人(对口业务员)",
                "consigned transport needs carrier and pickup person",
            )


def _number(request: NoticeRequest) -> None:
    if request.notice and NOTICE_NUMBER.fullmatch(request.notice) is None:
        raise NotAllowed(
            "notice",
            request.notice[:60],
            "通知单号只能用字母、数字、- 和 _,最多 40 位",
            "allowed: letters, digits, - and _, at most 40",
        )
    check_customer_id(request.customer_id)


def check_customer_id(customer_id: str) -> None:
    """A code of letters and digits: it stands in account names."""
    if CUSTOMER_ID.fullmatch(customer_id) is None:
        raise NotAllowed(
            "customer_id",
            customer_id,
            "客户编号只能用字母、数字和 -,最多 32 位",
            "allowed: letters, digits and -, at most 32",
        )


def check_plate(plate: str) -> None:
    """A Chinese number plate, capitals, nothing else."""
    if PLATE.fullmatch(plate) is None:
        raise NotAllowed(
            "plate", plate, "车牌如 浙A12345 或 浙AD12345(新能源)", "allowed: a plate like 浙A12345 or 浙AD12345"
        )


def check_text(name: str, value: str, required: bool = False) -> None:
    """Free text: short, one line, nothing that a printer or a terminal would obey."""
    if required and not value.strip():
        raise NotAllowed(name, value, "不能为空", "must not be empty")
    if len(value) > _LONGEST_TEXT or not value.isprintable():
        raise NotAllowed(
            name,
            value[:_LONGEST_TEXT],
            f"最多 {_LONGEST_TEXT} 个可打印字符",
            f"allowed: at most {_LONGEST_TEXT} printable characters",
        )


def check_range(name: str, value: int, lowest: int, highest: int, unit: str) -> None:
    """A whole number between two limits, both allowed."""
    if not lowest <= value <= highest:
        raise NotAllowed(
            name,
            str(value),
            f"允许 {lowest} 至 {highest} {_UNITS_ZH.get(unit, unit)}".rstrip(),
            f"allowed: {lowest} to {highest} {unit}".rstrip(),
        )


def _quantities(request: NoticeRequest) -> None:
    check_range("price_fen_per_t", request.price_fen_per_t, 1, 10**10, "fen/t")
    check_range("axles", request.axles, 2, 8, "axles")
    check_range("product_code", request.product_code, 0, 255, "")
    check_range("freight_fen", request.freight_fen, 0, 10**12, "fen")
    if request.limit_kg is not None:
        check_range("limit_kg", request.limit_kg, 1, 200_000, "kg")
    if request.vehicle_max_kg is not None:
        check_range("vehicle_max_kg", request.vehicle_max_kg, 1000, 200_000, "kg")


def _expiry(expires_at: datetime, now: datetime) -> None:
    if expires_at <= now:
        raise NotAllowed(
            "expires_at",
            expires_at.isoformat(),
            "有效期已过,请写将来的时间",
            f"is past; allowed: later than {now:%Y-%m-%d %H:%M} UTC",
        )
    if expires_at > now + LONGEST_VALIDITY:
        raise NotAllowed(
            "expires_at",
            expires_at.isoformat(),
            f"最长 {LONGEST_VALIDITY.days} 天",
            f"allowed: at most {LONGEST_VALIDITY.days} days ahead",
        )


def parse_price(field: str, text: str) -> int:
    """Yuan as typed, to fen; NotAllowed names the field."""
    try:
        return parse_yuan(text)
    except ValueError as error:
        raise NotAllowed(field, text, "金额写成 1980 或 1980.50", str(error)) from error


def parse_whole(field: str, text: str) -> int:
    """A whole number as typed; NotAllowed names the field."""
    if re.fullmatch(r"[0-9]{1,9}", text.strip()) is None:
        raise NotAllowed(field, text, "只能是整数", "allowed: a whole number")
    return int(text)


def parse_moment(field: str, text: str, utc_offset_hours: int = 0) -> datetime:
    """ISO 8601, with a zone or on the office's wall clock, to an aware UTC moment; NotAllowed names the field."""
    try:
        moment = datetime.fromisoformat(text.strip())
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC) - timedelta(hours=utc_offset_hours)
        return moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:  # the year 1 in a zone east of Greenwich has no UTC
        raise NotAllowed(
            field,
            text,
            "时间写成 2026-11-30T18:00",
            "allowed: ISO 8601 like 2026-11-30T18:00 or 2026-11-30T18:00+08:00",
        ) from error


def parse_date(field: str, text: str) -> date:
    """A day as YYYY-MM-DD; NotAllowed names the field."""
    try:
        return date.fromisoformat(text.strip())
    except ValueError as error:
        raise NotAllowed(field, text, "日期写成 2026-12-20", "allowed: a day like 2026-12-20") from error
