"""Does a plant sell what it was told to? Its records against every version of the notice that was sent to it. Pure."""

from collections.abc import Sequence

from sync.documents import Notice
from sync.orders import digest
from sync.records import NoticeTaken, Ticketed
from sync.units import format_fen

_COMPARED = {
    "price_fen_per_t": "单价 price", "account": "账户 account", "customer_id": "客户 customer", "plate": "车牌 plate",
    "product": "产品 product",
}  # fmt: skip
_NEVER_ISSUED = "总部没有给该厂开过此通知单 no such notice was issued to this plant"


def odd_ticket(record: Ticketed, issued: Sequence[Notice]) -> str:
    """What the ticket has otherwise than every version issued, told against the nearest one; '' when one fits.

    An amendment may come after the truck was loaded, so any version counts.
    """
    if not issued:
        return f"{record.ticket} ({record.notice}): {_NEVER_ISSUED}"
    odd = min((_differing(record, order) for order in issued), key=len)
    return f"{record.ticket} ({record.notice}): {'; '.join(odd)}" if odd else ""


def odd_order(record: NoticeTaken, issued: Sequence[Notice]) -> str:
    """The order that the plant wrote down, when it is none of those issued; an older plant does not say: then ''."""
    if not record.order_sha256 or any(digest(order) == record.order_sha256 for order in issued):
        return ""
    what = "厂内记录与通知单不同 the plant took another order than was issued" if issued else _NEVER_ISSUED
    return f"{record.notice} v{record.version}: {what}"


def _differing(record: Ticketed, order: Notice) -> list[str]:
    return [
        f"{label} {_shown(name, getattr(record, name))}, 通知单 ordered {_shown(name, getattr(order, name))}"
        for name, label in _COMPARED.items()
        if getattr(record, name) != getattr(order, name)
    ]


def _shown(name: str, value: object) -> str:
    return f"¥{format_fen(value)}/t" if name == "price_fen_per_t" and isinstance(value, int) else str(value)
