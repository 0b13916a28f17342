"""A plant's end for these tests: writes a real ledger chain in memory and keeps the counters as a plant would."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sync import records as wire
from sync.canonical import canonical
from sync.chain import GENESIS_HASH, row_hash
from sync.fields import Mode
from sync.keys import Instance
from sync.messages import AccountState, State, WireRecord
from sync.units import amount_fen

START = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)


@dataclass
class FakePlant:
    """Rows with their chain; `truck` writes what one visit writes."""

    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    code: str = "HX01"
    epoch: int = 1
    rows: list[WireRecord] = field(default_factory=list)
    tickets: int = 0

    @property
    def instance(self) -> Instance:
        return Instance.of(self.code, self.epoch, self.key)

    def write(self, record: wire.Record) -> WireRecord:
        """Append one row."""
        return self.write_raw(record.KIND, record.body())

    def write_raw(self, kind: str, body: str) -> WireRecord:
        seq = len(self.rows) + 1
        prev = self.rows[-1].hash if self.rows else GENESIS_HASH
        at = (START + timedelta(seconds=seq)).isoformat()
        self.rows.append(WireRecord(seq=seq, kind=kind, body=body, at=at, hash=row_hash(prev, seq, kind, body)))
        return self.rows[-1]

    def taken(self, notice: str, account: str, hold_fen: int, plate: str = "浙A12345") -> str:
        """A notice accepted; the visit's name."""
        visit = f"v-{notice}"
        self.write(
            wire.NoticeTaken(
                notice=notice,
                version=1,
                visit=visit,
                account=account,
                plate=plate,
                hold_fen=hold_fen,
                wanted_fen=hold_fen,
            )
        )
        return visit

    def weigh(self, visit: str, role: Literal["tare", "gross", "empty"], gross_kg: int) -> None:
        self.write(
            wire.Weighed(
                weighment=f"{visit}-{role}", visit=visit, role=role, gross_kg=gross_kg, lane="lane1",
                indicator="yaohua_tf0", division_kg=20, operator="D01", at=self.now(),
            )
        )  # fmt: skip

    def held(self, visit: str, notice: str, account: str, net_kg: int, over_fen: int) -> None:
        self.write(
            wire.Held(
                visit=visit, notice=notice, plate="浙A12345", account=account, reason="over_balance", net_kg=net_kg,
                amount_fen=over_fen * 2, available_fen=0, over_kg=1000, over_fen=over_fen, at=self.now(),
                operator="D01",
            )
        )  # fmt: skip

    def ticket(self, visit: str, notice: str, account: str, net_kg: int, price: int, hold_fen: int, **more: str) -> str:
        """A ticket; its number as printed."""
        self.tickets += 1
        name = f"{self.code}-{self.epoch:02}-{self.tickets:07}"
        fields = {"plate": "浙A12345", "customer_name": "示例客户甲", "mode": "prepaid", **more}
        self.write(
            wire.Ticketed(
                ticket=name, number=self.tickets, visit=visit, notice=notice, account=account,
                customer_id=account.split("/")[0], customer_name=fields["customer_name"], product="焦炭",
                plate=fields["plate"], mode=Mode(fields["mode"]), tare_kg=14_520, gross_kg=14_520 + net_kg,
                net_kg=net_kg, price_fen_per_t=price, amount_fen=amount_fen(net_kg, price), hold_fen=hold_fen,
                tare_at=START, gross_at=self.now(), business_date="2026-11-23", lane="lane1", operator="D01",
                pass_id=f"pass-{self.tickets}", credit_due=more.get("credit_due", ""),
            )
        )  # fmt: skip
        return name

    def exit(self, visit: str, ticket: str, override: str = "") -> None:
        self.write(
            wire.Exited(
                ticket=ticket, visit=visit, pass_id="p", gate="gate1", plate_seen="浙A12345", operator="G01",
                at=self.now(), override_name=override, override_reason="坏牌" if override else "",
                override_of="plate_differs" if override else "",
            )
        )  # fmt: skip

    def alarmed(self, visit: str = "", plate: str = "浙A12345", kind: str = "step") -> int:
        """The scale watch found something; its row."""
        return self.write(
            wire.ScaleAlarmed(
                lane="1", kind=kind, zh="重量突跳 800 kg", en="the weight jumped by 800 kg", numbers={"change_kg": 800},
                visit=visit, plate=plate, curve_kg=(14_520, 14_520, 13_720), curve_step_ms=200, indicator="yaohua_tf0",
                business_date="2026-11-23", at=self.now(),
            )
        ).seq  # fmt: skip

    def alarm_seen(self, alarm: int, note: str = "已复称") -> None:
        """A person at the plant looked at it."""
        self.write(
            wire.ScaleAlarmSeen(alarm=alarm, lane="1", person="D01", person_name="李敏", note=note, at=self.now())
        )

    def commanded(self, weight_kg: int = 40, lane: str = "2") -> int:
        """A person is about to zero the indicator; the row."""
        return self.write(
            wire.ScaleCommanded(
                lane=lane, command="zero", indicator="toledo", weight_kg=weight_kg, person="D01", person_name="李敏",
                business_date="2026-11-23", at=self.now(),
            )
        ).seq  # fmt: skip

    def command_ended(self, commanded: int, result: str, what: str, weight_kg: int | None) -> int:
        """What became of it; the row."""
        return self.write(
            wire.ScaleCommandEnded(
                commanded=commanded, lane="2", result=result, what=what, weight_kg=weight_kg, at=self.now()
            )
        ).seq

    def empty(self, notice: str, account: str, hold_fen: int) -> str:
        """A truck that is tared and goes without goods, up to its slip; the visit's name."""
        visit = self.taken(notice, account, hold_fen)
        self.weigh(visit, "tare", 14_520)
        self.weigh(visit, "empty", 14_540)
        self.write(
            wire.SlipIssued(
                visit=visit, notice=notice, plate="浙A12345", tare_kg=14_520, exit_kg=14_540, lane="lane1",
                operator="D01", pass_id=f"slip-{notice}", at=self.now(),
            )
        )  # fmt: skip
        self.write(
            wire.VisitMoved(
                visit=visit, notice=notice, plate="浙A12345", event="leave_empty", state="empty_exit", at=self.now(),
                operator="D01", reason="空车出门", account=account, released_fen=hold_fen,
            )
        )  # fmt: skip
        return visit

    def void(self, visit: str, ticket: str, account: str, amount: int) -> None:
        self.write(
            wire.Voided(
                ticket=ticket, visit=visit, account=account, amount_fen=amount, pass_id="p", first_person="A",
                second_person="B", reason="错车", at=self.now(),
            )
        )  # fmt: skip

    def truck(self, notice: str, account: str, hold_fen: int, net_kg: int, price: int) -> str:
        """A whole visit from notice to exit; the ticket."""
        visit = self.taken(notice, account, hold_fen)
        self.weigh(visit, "tare", 14_520)
        self.weigh(visit, "gross", 14_520 + net_kg)
        ticket = self.ticket(visit, notice, account, net_kg, price, hold_fen)
        self.exit(visit, ticket)
        return ticket

    def now(self) -> datetime:
        return START + timedelta(seconds=len(self.rows))

    def state(self, accounts: dict[str, AccountState] | None = None, documents: int = 0) -> State:
        last = self.rows[-1] if self.rows else None
        return State(
            accounts=accounts or {}, last_seq=last.seq if last else 0, last_hash=last.hash if last else GENESIS_HASH,
            documents_applied=documents, at=self.now(),
        )  # fmt: skip


def tampered(row: WireRecord, **changes: object) -> WireRecord:
    """The same row number with another body and a hash that fits nothing before it."""
    body = json.loads(row.body) | changes
    text = canonical(body)
    return row.model_copy(update={"body": text, "hash": row_hash("f" * 64, row.seq, row.kind, text)})
