"""Head office as a program sees it: its JSON API with a token. The biller and finance of the demo work through it."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from edge.demo.plan import Order
from edge.demo.processes import DemoFailed
from edge.demo.stage import PLANT

_TIMEOUT_S = 10.0
_ROUNDING_FEN = 10_000_00


class HeadOffice:
    """Payments, credit, notices in; totals and balances out."""

    def __init__(self, url: str, token: str) -> None:
        self._client = httpx.AsyncClient(
            base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=_TIMEOUT_S, trust_env=False
        )
        self.paid_fen: dict[str, int] = {}
        """What we paid or had approved, by account: the bound that nothing may exceed."""

    async def order(self, order: Order) -> None:
        """Book the money of one visit and issue its dispatch notice."""
        if order.mode == "credit":
            await self._approve(order)
        else:
            await self._pay(order, f"TT-{order.notice}", order.funds_fen)
        fields: dict[str, Any] = {
            "plant": PLANT, "customer_id": order.customer_id, "plate": order.plate, "product": order.product,
            "product_code": order.product_code, "price_fen_per_t": order.price_fen_per_t, "axles": order.axles,
            "articulated": order.articulated, "notice": order.notice, "mode": order.mode, "limit_kg": order.limit_kg,
        }  # fmt: skip
        if order.mode == "credit":
            fields["credit_application"] = f"SX-{order.notice}"
        if order.mode == "consigned":
            fields |= {"carrier": "顺达运输队", "pickup_person": "王业务", "freight_fen": 60_000}
        await self._post("/api/notices", fields)

    async def top_up(self, order: Order, missing_fen: int) -> int:
        """The driver pays what is missing, rounded up to whole ten thousand yuan; returns what was paid, fen."""
        amount_fen = -(-missing_fen // _ROUNDING_FEN) * _ROUNDING_FEN
        await self._pay(order, f"BJ-{order.notice}", amount_fen)
        return amount_fen

    async def read(self, what: str) -> Any:
        """One of the API's answers: totals, balances, plants, verify, …"""
        return await self._send("GET", f"/api/{what}", None)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _pay(self, order: Order, reference: str, amount_fen: int) -> None:
        fields = {
            "reference": reference, "customer_id": order.customer_id, "customer_name": order.customer_name,
            "amount_fen": amount_fen, "payer": order.customer_name,
        }  # fmt: skip
        await self._post("/api/payments", fields)
        self._note(f"{order.customer_id}/prepaid", amount_fen)

    async def _approve(self, order: Order) -> None:
        due = datetime.now(UTC).date() + timedelta(days=30)
        fields = {
            "application": f"SX-{order.notice}", "customer_id": order.customer_id,
            "customer_name": order.customer_name, "product": order.product, "quantity_kg": order.funds_kg,
            "price_fen_per_t": order.price_fen_per_t, "due": due.isoformat(), "responsible": "王业务",
        }  # fmt: skip
        told = await self._post("/api/credits", fields)
        self._note(told["account"], told["amount_fen"])

    def _note(self, account: str, amount_fen: int) -> None:
        self.paid_fen[account] = self.paid_fen.get(account, 0) + amount_fen

    async def _post(self, path: str, fields: dict[str, Any]) -> Any:
        return await self._send("POST", path, {name: value for name, value in fields.items() if value is not None})

    async def _send(self, method: str, path: str, fields: dict[str, Any] | None) -> Any:
        """Every document has a number of its own, so a lost answer is simply asked for again."""
        for attempt in range(5):
            try:
                answer = await self._client.request(method, path, json=fields)
            except httpx.TransportError as error:
                if attempt == 4:
                    raise DemoFailed(f"head office does not answer {method} {path}: {error!r}") from None
                await asyncio.sleep(0.2)
                continue
            if answer.status_code >= 500 and attempt < 4:
                await asyncio.sleep(0.2)
                continue
            if answer.status_code >= 400:
                raise DemoFailed(f"head office refused {method} {path}: {answer.text.strip()[:300]}")
            return answer.json()
        raise DemoFailed(f"head office does not answer {method} {path}")
