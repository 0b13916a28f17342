"""Plants' rows as head office reads them. Pure. No row can raise here: one bad row must not stop those behind it."""

from collections.abc import Iterable
from datetime import MAXYEAR, MINYEAR

from pydantic import ValidationError

from sync import records as wire
from sync.office.clock import time_text

_NUL = "\\u0000"


def read_row(kind: str, body: str) -> wire.Record | str | None:
    """The record in a row; None for a kind that is not known here, and why, in words, if it cannot be read."""
    known = _READ_AS.get(kind)
    if known is None:
        return None
    if _NUL in body:
        # PostgreSQL keeps no NUL in a text, so a name that holds one must not get further than the inbox.
        return "holds a NUL character"
    try:
        record = known.model_validate_json(body)
        _check_times(record)
    except ValidationError as error:
        problem = error.errors()[0]
        return f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}"
    except OverflowError:
        return "a time outside the years 1 to 9999"
    return record


def _check_times(record: wire.Record) -> None:
    """OverflowError for a moment that has no UTC: year 1 east of Greenwich, year 9999 west of it."""
    for name in _TIMES[type(record)]:
        moment = getattr(record, name)
        if moment.year in (MINYEAR, MAXYEAR):
            time_text(moment)


def visits_named(read: Iterable[wire.Record | str | None]) -> set[str]:
    """The visits that rows speak of, so that the store can read them in one go."""
    return {visit for record in read if (visit := getattr(record, "visit", None)) is not None}


def orders_named(read: Iterable[wire.Record | str | None]) -> set[str]:
    """The notices whose versions are needed to compare rows with them."""
    return {record.notice for record in read if isinstance(record, wire.NoticeTaken | wire.Ticketed)}


_READ_AS: dict[str, type[wire.Record]] = {**wire.RECORDS, wire.Weighing.KIND: wire.Weighing}
"""A capture's frames and curve are kept in the inbox; nothing here is made of them."""
_TIMES = {
    record: [name for name in ("at", "tare_at", "gross_at") if name in record.model_fields]
    for record in _READ_AS.values()
}
