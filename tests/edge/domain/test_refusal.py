"""Every "no" can be said in both languages with exactly the numbers that the program gives it."""

import ast
import string
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.domain import refusal
from edge.domain.refusal import Reason, Refusal, refuse

WORDS = refusal._WORDS  # noqa: SLF001 - the table itself is under test


def fields(template: str) -> set[str]:
    """The names in braces."""
    return {name for _, name, _, _ in string.Formatter().parse(template) if name}


def call_sites(root: Path) -> Iterator[tuple[str, Reason, set[str]]]:
    """Each `refuse(Reason.X, a=…, b=…)` in the program: where, the reason, the names of its numbers."""
    for path in sorted(root.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "refuse"):
                continue
            where = f"{path.relative_to(root)}:{node.lineno}"
            given = {keyword.arg for keyword in node.keywords}
            assert None not in given, f"{where} hides its numbers in **"
            for name in reasons(node.args[0], where):
                yield where, Reason[name], {each for each in given if each}


def reasons(argument: ast.expr, where: str) -> list[str]:
    """The reasons a first argument may be."""
    if isinstance(argument, ast.IfExp):
        return reasons(argument.body, where) + reasons(argument.orelse, where)
    assert isinstance(argument, ast.Attribute) and ast.unparse(argument.value) == "Reason", f"{where}: write Reason.X"
    return [argument.attr]


def test_every_call_site_gives_what_its_words_need(repository: Path) -> None:
    seen: defaultdict[Reason, int] = defaultdict(int)
    for where, reason, given in call_sites(repository / "edge"):
        needed = fields(WORDS[reason].zh) | fields(WORDS[reason].en)
        assert needed <= given, f"{where}: {reason} lacks {needed - given}"
        seen[reason] += 1
        numbers: dict[str, int | str] = {name: 1234 if name.endswith(("_kg", "_fen")) else "某" for name in given}
        said = refuse(reason, **numbers).words
        assert said.zh and said.en and "{" not in said.zh + said.en
    assert sum(seen.values()) > 50
    unused = set(Reason) - seen.keys() - {Reason.NOTICE_CANCELLED, Reason.NOT_ALLOWED}
    assert not unused, f"words nobody can meet: {unused}"


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_words_in_both_languages(reason: Reason) -> None:
    zh, en = WORDS[reason]
    assert any("一" <= char <= "鿿" for char in zh)
    assert en.isascii() or set(en) - set(map(chr, range(128))) <= set("“”¥")
    mass_and_money = {name for name in fields(zh) | fields(en) if name.endswith(("_kg", "_fen"))}
    assert all(name in fields(zh) for name in mass_and_money - {"allowed_kg"}), "the Chinese text has every number"


def test_numbers_are_shown_as_people_read_them() -> None:
    said = refuse(Reason.OVER_BALANCE, over_fen=8_000_050, over_kg=12_340).words
    assert "80,000.50" in said.zh and "12\u2009340" in said.en


def test_numbers_by_name() -> None:
    no = Refusal(Reason.OVERLOAD, {"over_kg": 5, "limited_by": "路"})
    assert (no.number("over_kg"), no.number("limited_by"), no.number("nothing")) == (5, 0, 0)
