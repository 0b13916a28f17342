"""Jinja2 with what the templates need: two languages, kilograms, yuan, plates, times."""

import re
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from edge.domain.refusal import Words
from edge.web.words import WORDS
from sync.sparkline import sparkline
from sync.units import format_fen, format_kg

_FULL_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
_TEMPLATES = Path(__file__).parent / "templates"


class Renderer:
    """Templates, compiled once. Everything a person typed is text: autoescape is on for all of them."""

    def __init__(self) -> None:
        self._env = Environment(
            loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
            lstrip_blocks=True, auto_reload=False,
        )  # fmt: skip
        self._env.filters.update(kg=format_kg, fen=format_fen, plate=plate, clock=clock, day=day, sparkline=sparkline)

    def render(self, template: str, language: str, values: dict[str, Any]) -> str:
        """The page, main words in `language` (zh or en)."""
        other = "en" if language == "zh" else "zh"

        def main(words: Words | str) -> str:
            return str(getattr(_words(words), language))

        def second(words: Words | str) -> str:
            return str(getattr(_words(words), other))

        def both(words: Words | str) -> Markup:
            return Markup('<span class="w">{}</span> <small class="s">{}</small>').format(main(words), second(words))

        return self._env.get_template(template).render(lang=language, t=main, s=second, both=both, **values)


def _words(words: Words | str) -> Words:
    return WORDS[words] if isinstance(words, str) else words


def plate(text: str) -> Markup:
    """A plate as it is painted: the point after the office letter."""
    return escape(f"{text[:2]}·{text[2:]}" if len(text) > 6 else text or "—")


def clock(text: str) -> str:
    """The time of day of `2026-11-23 14:33:02`; other text as it is."""
    return text[11:] if _FULL_TIME.fullmatch(text) else text


def day(text: str) -> str:
    """Day and minute of `2026-11-23 14:33:02`; other text as it is."""
    return text[5:16] if _FULL_TIME.fullmatch(text) else text
