"""What head office sends down as numbered documents, version 1: the one place that names their fields.

Amounts int fen, masses int kg, times ISO 8601 with zone. A reader ignores fields it does not know; a plant skips a
document of an unknown `kind`.
"""

from typing import Annotated, ClassVar

from pydantic import AwareDatetime, Field

from sync.fields import Fen, Kg, Mode, Name, Wire


class Document(Wire):
    """What head office sends down; `KIND` names it."""

    KIND: ClassVar[str]


class Notice(Document):
    """发货通知单: who may load what, at which price, until when. The same number with a higher version replaces it."""

    KIND = "notice"
    notice: Name
    version: int = 1
    mode: Mode
    account: Name
    customer_id: Name
    customer_name: Name
    product: Name
    product_code: Annotated[int, Field(ge=0, le=255)] = 0
    plate: Name
    axles: Annotated[int, Field(ge=2, le=8)]
    articulated: bool = True
    """True for a tractor with trailer (列车), False for a rigid truck (单车): their road limits differ."""
    vehicle_max_kg: Kg | None = None
    limit_kg: Kg | None = None
    """The order's quantity limit; None: as much as the money allows."""
    price_fen_per_t: Annotated[int, Field(gt=0, le=10**10)]
    hold_fen: Fen
    """The money reserved for this truck."""
    issued_at: AwareDatetime
    expires_at: AwareDatetime
    issued_by: str = ""
    pickup_person: str = ""
    carrier: str = ""
    freight_fen: Fen = 0
    credit_due: str = ""
    responsible: str = ""


class NoticeCancelled(Document):
    """Head office takes a notice back; a truck that is already ticketed is not affected."""

    KIND = "notice_cancelled"
    notice: Name
    reason: str = ""


class Stock(Document):
    """产成品入库: cumulative quantity of a product taken into this plant's yard. From the first on stock is kept."""

    KIND = "stock"
    product: Name
    received_kg: Annotated[int, Field(ge=0, le=10**12)]


class Recall(Document):
    """收回额度: give back what is available above `keep_fen`; holds stay. A wish of head office, never a claim."""

    KIND = "recall"
    account: Name
    keep_fen: Fen = 0
    reason: str = ""


class CloseEpoch(Document):
    """关账期: take no more notices, return what is not held, and close this epoch when no hold is open."""

    KIND = "close_epoch"
    reason: str = ""


DOCUMENTS: dict[str, type[Document]] = {
    document.KIND: document for document in (Notice, NoticeCancelled, Stock, Recall, CloseEpoch)
}
