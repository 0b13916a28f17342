"""What a verification found: for each named check the first problem, in words."""

from collections.abc import Sequence


class Findings:
    """Collects the first problem of each check; later ones of the same check usually follow from it."""

    def __init__(self, checks: Sequence[str]) -> None:
        self.first = dict.fromkeys(checks, "")

    def say(self, check: str, problem: str) -> None:
        """A problem of this check."""
        if not self.first[check]:
            self.first[check] = problem

    def differ(self, check: str, what: str, table: object, ledger: object) -> None:
        """Say so when a table and the ledger do not agree on `what`."""
        if table != ledger:
            self.say(check, f"{what}: the table says {table!r}, the ledger says {ledger!r}")
