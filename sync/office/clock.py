"""Moments as head office stores and shows them."""

from datetime import UTC, datetime, timedelta, timezone


def now_text() -> str:
    """This moment as it is stored: ISO 8601, UTC, milliseconds."""
    return time_text(datetime.now(UTC))


def time_text(moment: datetime) -> str:
    """An aware moment as it is stored, so that text order is time order."""
    if moment.utcoffset():
        moment = moment.astimezone(UTC)
    return moment.isoformat(timespec="milliseconds")


def local_text(stored: str, utc_offset_hours: int, form: str = "%Y-%m-%d %H:%M:%S") -> str:
    """A stored moment on the office's wall clock; empty stays empty."""
    if not stored:
        return ""
    return datetime.fromisoformat(stored).astimezone(timezone(timedelta(hours=utc_offset_hours))).strftime(form)
