"""The outbound ticket 出库单: one record, five copies; and the empty truck's slip. Never edited."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

COPIES = ("存根", "提货人", "财务", "销售核算员(统计)", "出门证")
"""The five labelled copies of Art 16, in the order they are printed; the last one is the exit pass."""


class SaleMode(StrEnum):
    """How a sale is paid: 预付 prepaid, 赊销 credit, 代办托运 consigned transport."""

    PREPAID = "prepaid"
    CREDIT = "credit"
    CONSIGNED = "consigned"


@dataclass(frozen=True, slots=True)
class OutboundTicket:
    """What was sold and loaded. Masses kg, money fen, price fen per tonne, times aware (UTC).

    `number` is the plant epoch's own gapless count; `ticket` its printed form, HX01-03-0001234.
    """

    ticket: str
    number: int
    visit: str
    notice: str
    account: str
    customer_id: str
    customer_name: str
    product: str
    product_code: int
    plate: str
    mode: SaleMode
    tare_kg: int
    gross_kg: int
    net_kg: int
    price_fen_per_t: int
    amount_fen: int
    hold_fen: int
    tare_at: datetime
    gross_at: datetime
    business_date: str
    lane: str
    operator: str
    pass_id: str
    pickup_person: str = ""
    carrier: str = ""
    freight_fen: int = 0
    credit_due: str = ""
    responsible: str = ""


@dataclass(frozen=True, slots=True)
class EmptySlip:
    """空车出门证: a truck weighed again without goods may leave. Its name on paper and in the books is its visit's.

    Masses kg; `at` aware (UTC).
    """

    visit: str
    pass_id: str
    plate: str
    tare_kg: int
    exit_kg: int
    lane: str
    operator: str
    at: datetime


class SealKind(StrEnum):
    """The two electronic seals of Art 14.6–14.7."""

    ENTERPRISE = "enterprise"
    FINANCE = "finance"


@dataclass(frozen=True, slots=True)
class SealMark:
    """A seal on a ticket: whose, by whom, when."""

    kind: SealKind
    person: str
    at: datetime


def ticket_name(plant: str, epoch: int, number: int) -> str:
    """The printed number: plant code, epoch, seven digits.

    >>> ticket_name("HX01", 3, 1234)
    'HX01-03-0001234'
    """
    return f"{plant}-{epoch:02}-{number:07}"
