"""After a run: the plant's ledger, head office's answers and the devices' own counts, compared with each other.

Everything about the plant is recomputed from the ledger's rows, not from the tables beside them.
"""

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.store.books import Books
from edge.store.clock import Clock
from edge.store.database import connect
from edge.store.verify import verify
from sync.units import amount_fen

Body = dict[str, Any]
_PAGE = 1000


@dataclass(frozen=True, slots=True)
class PlantBooks:
    """A plant's ledger by kind of record, its head, how far head office's receipt goes, and whether it verifies."""

    records: dict[str, list[Body]]
    head_seq: int
    head_hash: str
    acked_seq: int
    verified: bool

    def of(self, kind: str) -> list[Body]:
        """The records of a kind, oldest first."""
        return self.records.get(kind, [])

    @property
    def standing(self) -> list[Body]:
        """Tickets that were not made void."""
        voided = {each["ticket"] for each in self.of("void")}
        return [each for each in self.of("ticket") if each["ticket"] not in voided]

    @property
    def net_kg(self) -> int:
        """Dispatched, kg."""
        return sum(each["net_kg"] for each in self.standing)

    @property
    def amount_fen(self) -> int:
        """Dispatched, fen."""
        return sum(each["amount_fen"] for each in self.standing)

    @property
    def ticket_exits(self) -> list[Body]:
        """Exits of loaded trucks."""
        tickets = {each["ticket"] for each in self.of("ticket")}
        return [each for each in self.of("exit") if each["ticket"] in tickets]

    @property
    def papers(self) -> list[tuple[str, str]]:
        """Everything that was to be printed once: its name in the journal, and its notice."""
        tickets = [(each["ticket"], each["notice"]) for each in self.of("ticket")]
        return tickets + [(each["visit"], each["notice"]) for each in self.of("empty_slip")]

    def spent_by_account(self) -> Counter[str]:
        """Fen of standing tickets for each account."""
        spent: Counter[str] = Counter()
        for each in self.standing:
            spent[each["account"]] += each["amount_fen"]
        return spent


@dataclass(frozen=True, slots=True)
class OfficeBooks:
    """What head office answered at the end, and what was paid there, by account."""

    totals: Body
    balances: list[Body]
    plants: list[Body]
    verified: bool
    paid_fen: dict[str, int]


@dataclass(frozen=True, slots=True)
class Seen:
    """What the world outside the programs counted."""

    trucks: int
    surprises: list[str]
    papers: Counter[str]
    """Printed originals by notice."""
    barrier_pulses: int
    exit_statuses: dict[str, int | None]
    tickets_while_cut: int | None
    """None when the link was not cut."""


def read_plant(file: Path) -> PlantBooks:
    """Read a plant's books, or a copy of them, without changing anything."""
    connection = connect(file, writable=False)
    try:
        books = Books(connection, Clock())
        records: dict[str, list[Body]] = {}
        seq = 0
        while rows := books.ledger.rows_after(seq, _PAGE):
            for row in rows:
                records.setdefault(row.kind, []).append(json.loads(row.body))
            seq = rows[-1].seq
        head = books.ledger.head()
        acked = books.number("acked_seq")
    finally:
        connection.close()
    return PlantBooks(records, head.seq, head.hash, acked, verify(file).ok)


def invariants(plant: PlantBooks, office: OfficeBooks, seen: Seen) -> dict[str, bool]:
    """Each rule by its name, and whether it held."""
    return {**_plant_rules(plant), **_office_rules(plant, office), **_world_rules(plant, seen)}


def _plant_rules(plant: PlantBooks) -> dict[str, bool]:
    tickets = plant.of("ticket")
    numbers = [int(each["ticket"].rsplit("-", 1)[1]) for each in tickets]
    exits = Counter(each["pass_id"] for each in plant.of("exit"))
    originals = Counter(each["ticket"] for each in plant.of("print") if each["copy_number"] == 0)
    passes = {each["pass_id"] for each in (*plant.standing, *plant.of("empty_slip"))}
    return {
        "ledger_verifies": plant.verified,
        "numbers_gapless": numbers == list(range(1, len(tickets) + 1)),
        "no_ticket_over_hold": all(each["amount_fen"] <= each["hold_fen"] for each in tickets),
        "amounts_follow_weights": all(
            each["net_kg"] == each["gross_kg"] - each["tare_kg"] > 0
            and each["amount_fen"] == amount_fen(each["net_kg"], each["price_fen_per_t"])
            for each in tickets
        ),
        "one_exit_per_pass": all(count == 1 for count in exits.values()) and set(exits) <= passes,
        "one_original_per_ticket": originals == Counter(name for name, _ in plant.papers),
    }


def _office_rules(plant: PlantBooks, office: OfficeBooks) -> dict[str, bool]:
    spent, totals = plant.spent_by_account(), office.totals
    at_office = {each["account"]: each["dispatched_fen"] for each in office.balances}
    return {
        "outbox_drained": plant.acked_seq == plant.head_seq > 0,
        "office_has_the_same_chain": [(each["last_seq"], each["last_hash"]) for each in office.plants]
        == [(plant.head_seq, plant.head_hash)],
        "office_equals_plant_tickets": totals["shipments"] == len(plant.of("ticket"))
        and totals["released"] == len(plant.ticket_exits)
        and totals["voided"] == len(plant.of("void")),
        "office_equals_plant_kg": totals["net_kg"] == plant.net_kg,
        "office_equals_plant_fen": totals["amount_fen"] == plant.amount_fen
        and {name: fen for name, fen in at_office.items() if fen} == dict(spent),
        "never_beyond_paid": all(fen <= office.paid_fen.get(account, 0) for account, fen in spent.items()),
        "office_balances_agree": all(each["agrees"] for each in office.balances)
        and {each["account"]: each["fund_fen"] for each in office.balances} == office.paid_fen,
        "office_verifies": office.verified,
    }


def _world_rules(plant: PlantBooks, seen: Seen) -> dict[str, bool]:
    return {
        "every_truck_as_planned": not seen.surprises,
        "one_paper_per_ticket": seen.papers == Counter(notice for _, notice in plant.papers),
        "barrier_opened_once_per_exit": seen.barrier_pulses == len(plant.of("exit")),
        "sold_while_cut": seen.tickets_while_cut is None or seen.tickets_while_cut > 0,
        "programs_ended_cleanly": set(seen.exit_statuses.values()) == {0},
    }
