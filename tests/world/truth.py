"""What really happened, kept outside all books: money that was paid, goods that are gone. No crash takes it back."""

from collections import Counter
from dataclasses import dataclass

from sync.records import Exited, Record, Ticketed, Voided


@dataclass(slots=True)
class Goods:
    """One ticket of one box in one life; another life of the same box may write another under the same number."""

    instance: str
    ticket: str
    account: str
    plate: str
    net_kg: int
    amount_fen: int
    left: bool = False


class Truth:
    """Every fen paid, every load that was ticketed, by account."""

    def __init__(self) -> None:
        self.paid_fen: Counter[str] = Counter()
        self.gone_fen: Counter[str] = Counter()
        self.tickets = 0
        self._covered_fen: dict[str, int] = {}
        self._goods: dict[str, Goods] = {}

    def saw(self, instance: str, record: Record) -> None:
        """A committed ledger row of any box, zombies and copies too.

        A void brings goods back while they are inside the fence. Books that were rolled back may say void of a truck
        that has left: its goods stay gone.
        """
        if isinstance(record, Ticketed):
            if record.pass_id not in self._goods:
                self.tickets += 1
                self._goods[record.pass_id] = Goods(
                    instance, record.ticket, record.account, record.plate, record.net_kg, record.amount_fen
                )
                self.gone_fen[record.account] += record.amount_fen
        elif isinstance(record, Voided | Exited) and (goods := self._goods.get(record.pass_id)) is not None:
            if isinstance(record, Exited):
                goods.left = True
            elif not goods.left:
                del self._goods[record.pass_id]
                self.gone_fen[goods.account] -= goods.amount_fen

    def standing(self, instance: str) -> list[Goods]:
        """What went out in one plant epoch, as the paper stubs tell."""
        return [goods for goods in self._goods.values() if goods.instance == instance]

    def forget(self, instance: str) -> None:
        """The plant epoch is over and settled; its sums stay."""
        self._goods = {name: goods for name, goods in self._goods.items() if goods.instance != instance}

    def paid(self, account: str, amount_fen: int) -> None:
        """Money came in, or went out again (negative)."""
        self.paid_fen[account] += amount_fen

    def covered(self, reference: str, account: str, covered_fen: int) -> None:
        """Of a payment that bounced, head office took so much out of the fund; the rest is a loss that is shown."""
        before_fen = self._covered_fen.get(reference, 0)
        if covered_fen > before_fen:
            self._covered_fen[reference] = covered_fen
            self.paid_fen[account] -= covered_fen - before_fen

    @property
    def full(self) -> set[str]:
        """Accounts of which everything that was paid has been dispatched."""
        return {account for account, paid in self.paid_fen.items() if 0 < paid <= self.gone_fen[account]}

    def check(self) -> None:
        """The promise: not one fen beyond what was paid."""
        for account, gone_fen in self.gone_fen.items():
            over_fen = gone_fen - self.paid_fen[account]
            assert over_fen <= 0, f"{account}: dispatched {gone_fen} fen, {over_fen} fen more than was paid"
