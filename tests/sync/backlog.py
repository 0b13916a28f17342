"""What a plant writes while nobody hears it: the ledger rows of many trucks, true in content, size and order.

Six rows a truck (notice taken, tare, gross, ticket, original printed, exit), twelve trucks in the yard at once, so that
the rows of one truck lie among those of others as they do in a real ledger.
"""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sync import records as wire
from sync.chain import GENESIS_HASH, row_hash
from sync.documents import Notice
from sync.fields import Mode
from sync.messages import WireRecord
from sync.orders import digest
from sync.units import amount_fen

START = datetime(2026, 10, 24, 0, 0, tzinfo=UTC)
PRICE_FEN_PER_T = 198_000
ROWS_A_TRUCK = 6
_BETWEEN_TRUCKS = timedelta(seconds=216)  # 400 a day
_TARE_KG = 15_220
_CURVE_POINTS, _FRAMES = 300, 5
_MINUTES = (0, 4, 40, 41, 41.1, 47)
"""After a truck's notice: tare, gross, ticket, print, exit."""


@dataclass
class Backlog:
    """The orders a plant had, and the rows it wrote for them."""

    plant: str
    trucks: int
    customers: int = 60
    notices: list[Notice] = field(default_factory=list)
    rows: list[WireRecord] = field(default_factory=list)
    spent_fen: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.notices = [self._notice(number) for number in range(self.trucks)]
        before = GENESIS_HASH
        visits = (self._visit(number, notice) for number, notice in enumerate(self.notices))
        for seq, (at, _, _, record) in enumerate(heapq.merge(*visits), start=1):
            body = record.body()
            before = row_hash(before, seq, record.KIND, body)
            self.rows.append(WireRecord(seq=seq, kind=record.KIND, body=body, at=at.isoformat(), hash=before))

    def _notice(self, number: int) -> Notice:
        customer, at = f"C{number % self.customers:03}", START + number * _BETWEEN_TRUCKS
        return Notice(
            notice=f"FH{at:%y%m%d}-{self.plant}-{number:05}", mode=Mode.PREPAID, account=f"{customer}/prepaid",
            customer_id=customer, customer_name=f"示例客户{customer}贸易有限公司", product="冶金焦 25-60 mm",
            product_code=1, plate=f"浙A{number % 100_000:05}", axles=6, limit_kg=31_000,
            price_fen_per_t=PRICE_FEN_PER_T, hold_fen=amount_fen(31_000, PRICE_FEN_PER_T), issued_at=at,
            expires_at=at + timedelta(hours=8), issued_by="B01", pickup_person="王师傅",
        )  # fmt: skip

    def _visit(self, number: int, notice: Notice) -> Iterator[tuple[datetime, int, int, wire.Record]]:
        times = [notice.issued_at + timedelta(minutes=minutes) for minutes in _MINUTES]
        net_kg = 28_000 + 20 * (number % 100)
        records = (
            wire.NoticeTaken(
                notice=notice.notice, version=1, visit=notice.notice, account=notice.account, plate=notice.plate,
                hold_fen=notice.hold_fen, wanted_fen=notice.hold_fen, order_sha256=digest(notice),
            ),
            _weighed(notice, "tare", _TARE_KG, times[1]),
            _weighed(notice, "gross", _TARE_KG + net_kg, times[2]),
            self._ticket(number, notice, net_kg, times),
            wire.Printed(
                job=number + 1, ticket=self._ticket_name(number), copy_number=0, result="sent", at=times[4]
            ),
            wire.Exited(
                ticket=self._ticket_name(number), visit=notice.notice, pass_id=f"pass-{self.plant}-{number:07}",
                gate="gate1", plate_seen=notice.plate, operator="G01", at=times[5], picture_sha256="5a" * 32,
            ),
        )  # fmt: skip
        return ((at, number, part, record) for part, (at, record) in enumerate(zip(times, records, strict=True)))

    def _ticket(self, number: int, notice: Notice, net_kg: int, times: list[datetime]) -> wire.Ticketed:
        spent_fen = amount_fen(net_kg, PRICE_FEN_PER_T)
        self.spent_fen[notice.account] = self.spent_fen.get(notice.account, 0) + spent_fen
        return wire.Ticketed(
            ticket=self._ticket_name(number), number=number + 1, visit=notice.notice, notice=notice.notice,
            account=notice.account, customer_id=notice.customer_id, customer_name=notice.customer_name,
            product=notice.product, plate=notice.plate, mode=notice.mode, tare_kg=_TARE_KG,
            gross_kg=_TARE_KG + net_kg, net_kg=net_kg, price_fen_per_t=PRICE_FEN_PER_T, amount_fen=spent_fen,
            hold_fen=notice.hold_fen, tare_at=times[1], gross_at=times[2], business_date=f"{times[3]:%Y-%m-%d}",
            lane="lane1", operator="D01", pass_id=f"pass-{self.plant}-{number:07}",
        )  # fmt: skip

    def _ticket_name(self, number: int) -> str:
        return f"{self.plant}-01-{number + 1:07}"


def _weighed(notice: Notice, role: str, kg: int, at: datetime) -> wire.Weighed:
    """A minute of weights: an empty scale, a truck that drives on, and its stable weight."""
    rising = [kg * step // 40 // 20 * 20 for step in range(40)]
    curve_kg = [0] * 180 + rising + [kg] * (_CURVE_POINTS - 180 - len(rising))
    return wire.Weighed.model_validate(
        {
            "weighment": f"{notice.notice}-{role}", "visit": notice.notice, "role": role, "gross_kg": kg,
            "lane": "lane1", "indicator": "yaohua_tf0", "division_kg": 20, "operator": "D01", "at": at,
            "frames": [f"022b{kg:06}301b03".encode().hex()[:24]] * _FRAMES, "curve_kg": curve_kg,
            "curve_step_ms": 200, "plate_seen": notice.plate, "picture_sha256": "5a" * 32,
            "software": "weighgate 0.2.0 3f2a9c",
        }
    )  # fmt: skip
