"""One order known again: what the plant wrote down when it took a notice, and what head office had sent."""

import hashlib

from sync.canonical import canonical
from sync.documents import Notice


def digest(order: Notice) -> str:
    """SHA-256, hex, of all that a notice says.

    A field at its default does not count, so that a field added later changes no older digest. A plant too old to know
    a field that is set gets another digest than head office, and that is true: it did not take that order.
    """
    return hashlib.sha256(canonical(order.model_dump(mode="json", exclude_defaults=True)).encode()).hexdigest()
