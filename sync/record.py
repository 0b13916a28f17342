"""What every ledger row's body is."""

from typing import ClassVar

from sync.canonical import canonical
from sync.fields import Wire


class Record(Wire):
    """A ledger row's body. `KIND` is its name in the ledger and on the wire."""

    KIND: ClassVar[str]

    def body(self) -> str:
        """Canonical JSON, as hashed into the chain."""
        return canonical(self.model_dump(mode="json"))
