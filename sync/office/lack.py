"""Where a truck lacked money: counted, so that head office sees how often the money was merely in another place."""

from dataclasses import dataclass

from sync.office.refusal import NotAllowed


@dataclass(frozen=True, slots=True)
class Lack:
    """One truck that got no notice, a short one, or waits on the scale for money."""

    subject: str
    """What is counted once: the notice's number, or the truck and its day."""
    account: str
    what: str
    """short, held or refused."""
    missing_fen: int


class LacksMoney(NotAllowed):
    """The refusal of a notice for want of money, with what lies elsewhere."""

    def __init__(self, account: str, zh: str, en: str, missing_fen: int, elsewhere_fen: int) -> None:
        super().__init__("account", account, zh, en)
        self.account = account
        self.missing_fen = missing_fen
        self.elsewhere_fen = elsewhere_fen
