"""The dispatch notice 发货通知单: head office's order for one truck. No loading before it (Art 21)."""

from dataclasses import dataclass
from datetime import datetime

from edge.domain.load_limit import LimitFacts
from edge.domain.ticket import SaleMode

_SEPARATORS = str.maketrans("", "", " ·•.-_\t")


def tidy_plate(text: str) -> str:
    """A plate as people and readers write it, in one form: `浙a·12345` → `浙A12345`."""
    return text.translate(_SEPARATORS).upper()[:12]


@dataclass(frozen=True, slots=True)
class DispatchNotice:
    """Who may load what, at which price, until when. Masses kg, money fen, price fen per tonne, times aware (UTC).

    One notice is one truck visit: the visit carries the notice's number as its name.
    """

    notice: str
    version: int
    mode: SaleMode
    account: str
    customer_id: str
    customer_name: str
    product: str
    product_code: int
    plate: str
    axles: int
    articulated: bool
    vehicle_max_kg: int | None
    limit_kg: int | None
    price_fen_per_t: int
    hold_fen: int
    expires_at: datetime
    pickup_person: str = ""
    carrier: str = ""
    freight_fen: int = 0
    credit_due: str = ""
    responsible: str = ""

    @property
    def on_credit(self) -> bool:
        """赊销: an approved application takes the place of cash."""
        return self.mode is SaleMode.CREDIT

    def limits(self, tare_kg: int, scale_max_kg: int, division_kg: int, spendable_fen: int) -> LimitFacts:
        """What bounds this truck on this scale with this much money."""
        return LimitFacts(
            tare_kg=tare_kg,
            axles=self.axles,
            articulated=self.articulated,
            vehicle_max_kg=self.vehicle_max_kg,
            scale_max_kg=scale_max_kg,
            division_kg=division_kg,
            notice_limit_kg=self.limit_kg,
            spendable_fen=spendable_fen,
            price_fen_per_t=self.price_fen_per_t,
            on_credit=self.on_credit,
        )
