"""What the templates are given: stored facts as words, amounts and badges. No rule is decided here."""

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from urllib.parse import urlencode

from sync.office.clock import local_text
from sync.office.link import OfficeLink
from sync.office.refusal import NotAllowed
from sync.office.settings import Settings
from sync.office.web.ledger_words import row_words
from sync.office.web.words import FIELDS, INCIDENTS, REASONS, STATES, WORDS, both, full_width
from sync.sparkline import sparkline
from sync.units import format_fen, format_kg

_ONLINE_S = 150
_CODE = re.compile(r"[a-z]+(?:_[a-z]+)+|overload")


class Words:
    """Words, amounts and times in one language; given to every template."""

    def __init__(self, english: bool, utc_offset_hours: int) -> None:
        self.english = english
        self._offset = utc_offset_hours
        self.kg = format_kg
        self.sparkline = sparkline
        self.fen = format_fen

    def __call__(self, key: str) -> str:
        return both(WORDS[key], self.english)

    def tonnes(self, kg: int) -> str:
        """Kilograms as tonnes, exact to the kilogram."""
        return f"{format_kg(kg // 1000)}.{kg % 1000:03}"

    def say(self, text: str) -> str:
        """A stored remark with the plant's reason codes in words."""
        return _CODE.sub(lambda found: both(REASONS.get(found[0], (found[0], found[0])), self.english), text)

    def side(self, text: str) -> str:
        """This page's half of a text that is kept as "中文 / English"; any other text as it is."""
        zh, _, en = text.partition(" / ")
        return en if en and self.english else zh

    def ledger_row(self, kind: str, body: str) -> str:
        """A ledger row in one line."""
        return row_words(kind, body, self.english, self.time)

    def label(self, field: str, form: str) -> str:
        """The label that a refused field has on its form; its own name where no page has it."""
        key = FIELDS.get(field, field)
        if form == "/topup" and key == "amount":  # nobody says there what was paid
            key = "grant_amount"
        return self(key) if key in WORDS else field

    def refused(self, refusal: NotAllowed) -> str:
        """What is wrong with a field, and what is allowed."""
        return refusal.en if self.english else full_width(refusal.zh)

    def sub(self, key: str) -> str:
        """The other language, small beneath the first; the English page stays English."""
        return "" if self.english else WORDS[key][1]

    def time(self, stored: str, form: str = "%m-%d %H:%M:%S") -> str:
        return local_text(stored, self._offset, form)

    def alarm(self, told: Any) -> str:
        """What a plant's scale watch found, in words."""
        text: str = told["en"] if self.english else full_width(told["zh"])
        return text

    def command(self, told: Any) -> str:
        """A command to an indicator and what became of it, in one line."""
        parts = [f"{self('lane')} {told['lane']}", f"{self('operator')} {told['person'] or '—'}"]
        for word, mass_kg in (("shown_before", told["weight_kg"]), ("shown_after", told["after_kg"])):
            parts.append(f"{self(word)} {'—' if mass_kg is None else f'{format_kg(mass_kg)} kg'}")
        said = self.side(told["what"]) if told["ended"] else self("not_ended")
        end = said if self.english else full_width(said)
        return " · ".join([*parts, end] if end else parts)

    def age(self, stored: str) -> str:
        """How long ago, in its two largest units."""
        seconds = max(0, int((datetime.now(UTC) - datetime.fromisoformat(stored)).total_seconds()))
        for unit, below, above in ((86400, 3600, ("day", "hour")), (3600, 60, ("hour", "minute"))):
            if seconds >= unit:
                return f"{seconds // unit} {self(above[0])} {seconds % unit // below} {self(above[1])}"
        return f"{seconds // 60} {self('minute')}" if seconds >= 60 else f"{seconds} {self('second')}"

    def per_mille(self, share: int) -> str:
        """A share as per cent with one decimal."""
        return f"{share // 10}.{share % 10} %"

    def seconds(self, ms: int) -> str:
        """Milliseconds as seconds, exact to the millisecond."""
        return f"{ms // 1000}.{ms % 1000:03} s"

    def duration(self, seconds: int) -> str:
        """Hours and minutes; a dash for less than a minute."""
        if seconds < 60:
            return "—"
        return f"{seconds // 3600} {self('hour')} {seconds % 3600 // 60} {self('minute')}"

    def other_language(self, query: dict[str, str]) -> str:
        """The link to the same page in the other language."""
        return "?" + urlencode({**query, "lang": "zh" if self.english else "en"})

    def today(self) -> str:
        return datetime.now(timezone(timedelta(hours=self._offset))).date().isoformat()

    def badge(self, row: Any) -> tuple[str, str]:
        """Words and colour for the state of a shipment or notice."""
        zh, en, colour = STATES.get(row["state"], (row["state"], row["state"], "grey"))
        text = en if self.english else zh
        if row["state"] == "held" and "over_fen" in row:
            text = both(REASONS.get(row["reason"], (zh, en)), self.english)
            if row["over_fen"]:
                text += f" ¥{format_fen(row['over_fen'])}"
            elif row["over_kg"]:
                text += f" {format_kg(row['over_kg'])} kg"
        elif row.get("mode") == "credit" and row["state"] == "released" and row.get("credit_due"):
            return f"{text} · {self('credit')} {row['credit_due'][5:]} {self('due')}", "amber"
        elif row["state"] == "empty" and row.get("exit_at"):
            text += f" {self.time(row['exit_at'], '%H:%M')}"
        return text, colour

    def incident(self, kind: str) -> tuple[str, str]:
        found = INCIDENTS.get(kind, (kind, kind, "grey"))
        return both(found, self.english), found[2]


def plant_rows(rows: list[dict[str, Any]], link: OfficeLink | None, words: Words) -> list[dict[str, Any]]:
    """Plant epochs with their link state in words; only signed STATEs count as being heard."""
    for row in rows:
        row["live"] = False
        if row["frozen"]:
            frozen = words("frozen")
            row["badge"] = frozen if row["state"] == "open" else f"{frozen} · {words(row['state'])}", "red"
        elif row["state"] != "open":
            row["badge"] = words(row["state"]), "grey"
        elif row["mode"] == "fenced":
            row["badge"] = words("runs_on_copy"), "red"
        elif not row["status_at"]:
            row["badge"] = words("never"), "grey"
        else:
            heard_s = (datetime.now(UTC) - datetime.fromisoformat(row["status_at"])).total_seconds()
            hint = link is not None and link.up and link.online.get(row["plant"], True)
            row["live"] = hint and heard_s < _ONLINE_S
            row["badge"] = (
                (words("online"), "green")
                if row["live"]
                else (f"{words('offline')} {words.age(row['status_at'])}", "amber")
            )
        row["behind"] = max(0, row["plant_seq"] - row["last_seq"])
    return rows


def link_badge(settings: Settings, link: OfficeLink | None, words: Words) -> tuple[str, str]:
    """Our own connection to the broker."""
    if link is None or not settings.link.enabled:
        return words("link_off"), "grey"
    return (words("link_up"), "green") if link.up else (words("link_down"), "amber")
