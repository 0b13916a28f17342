"""Who this plant is and the rules it set itself: what every transaction needs to know and none may change."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from edge.domain.ticket import ticket_name
from edge.signing import OfficeKey, PassKey
from sync.keys import Instance


@dataclass(frozen=True, slots=True)
class Plant:
    """Identity and house rules of one plant epoch."""

    code: str
    number: int
    epoch: int
    name: str
    timezone: ZoneInfo
    day_starts: timedelta
    """Local time of day at which a business date begins."""
    minimum_net_kg: int
    empty_tolerance_kg: int
    pass_minutes: int
    finance_seals_by_rule: bool
    pass_key: PassKey
    software: str
    office_key: OfficeKey | None = None
    """None where no key of head office was set up: then there are no top-up codes."""
    names: Mapping[str, str] = field(default_factory=dict)
    """What persons and lanes are called, by id."""

    @property
    def instance(self) -> Instance:
        """This plant epoch as head office names it."""
        return self.pass_key.instance(self.code, self.epoch)

    def business_date(self, at: datetime) -> str:
        """The day a gross weighing counts for, YYYY-MM-DD."""
        return (at.astimezone(self.timezone) - self.day_starts).date().isoformat()

    def ticket_name(self, number: int) -> str:
        """The printed number of a ticket."""
        return ticket_name(self.code, self.epoch, number)

    def local(self, at: datetime) -> str:
        """A time as people here read it."""
        return at.astimezone(self.timezone).strftime("%Y-%m-%d %H:%M:%S")

    def local_minute(self, at: datetime) -> str:
        """A time of today, hours and minutes."""
        return at.astimezone(self.timezone).strftime("%H:%M")
