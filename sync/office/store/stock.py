"""产成品入库: what was taken into a plant's yard, told to the plant as one cumulative number a product."""

import json

from sqlalchemy import Connection, select

from sync.documents import Stock
from sync.office.notices import check_range, check_text
from sync.office.store.database import next_change
from sync.office.store.orders import number_document, open_instance
from sync.office.store.schema import documents

_MOST_KG = 10**9


def receive_stock(tx: Connection, plant: str, product: str, received_kg: int) -> Stock:
    """Book a receipt and number its document. From then on the plant tickets no more of it than there is.

    Raises NotAllowed with field, value and what is allowed; then nothing has changed.
    """
    check_text("product", product, required=True)
    check_range("received_kg", received_kg, 1, _MOST_KG, "kg")
    instance = open_instance(tx, plant)
    stock = Stock(product=product, received_kg=_received_kg(tx, instance, product) + received_kg)
    number_document(tx, instance, product, stock)
    next_change(tx)
    return stock


def _received_kg(tx: Connection, instance: str, product: str) -> int:
    body = tx.execute(
        select(documents.c.body)
        .where(documents.c.subject == product, documents.c.instance == instance, documents.c.kind == Stock.KIND)
        .order_by(documents.c.number.desc())
        .limit(1)
    ).scalar()
    return int(json.loads(body)["received_kg"]) if body is not None else 0
