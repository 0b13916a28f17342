"""A page that lies is a defect: names, commands, options, links, files and worked numbers in the docs must be true."""

import doctest
import importlib
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
BY_NAME = {page.relative_to(ROOT).as_posix(): page for page in PAGES}

CODE_SPAN = re.compile(r"`([^`\n]+)`")
CODE_BLOCK = re.compile(r"^```\w*\n(.*?)^```", re.MULTILINE | re.DOTALL)
DOTTED = re.compile(r"(?:edge|drivers|sync)(?:\.\w+)+")
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
AS_SOMEBODY = re.compile(r"^(\$ )?(sudo (-u \S+ )?|runuser -u \S+ -- )?")
OURS = re.compile(r"(\S*/)?(make|weighgate|weighgate-office) [a-z-]")
REPOSITORY_PATH = re.compile(r"(?:edge|drivers|sync|config|tests|systemd|docs|\.ci)/[\w./-]*\w")


def code_of(text: str) -> Iterator[str]:
    """Every code span and every line of a code block."""
    for block in CODE_BLOCK.findall(text):
        yield from block.splitlines()
    yield from CODE_SPAN.findall(CODE_BLOCK.sub("", text))


def resolve(dotted: str) -> object:
    """The module, class, function or field that a dotted name means; AttributeError or ImportError if none."""
    parts = dotted.split(".")
    for length in range(len(parts), 0, -1):
        try:
            found: object = importlib.import_module(".".join(parts[:length]))
        except ModuleNotFoundError as error:
            if error.name is None or not dotted.startswith(error.name):
                raise
            continue
        for part in parts[length:]:
            fields = getattr(found, "__dataclass_fields__", {})
            found = fields[part] if part in fields else getattr(found, part)
        return found
    raise ImportError(dotted)


def test_the_three_walks_name_things_that_exist() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    walks = re.findall(r"^## Walk \d.*?(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert len(walks) == 3
    for walk in walks:
        names = [span for span in CODE_SPAN.findall(walk) if DOTTED.fullmatch(span)]
        assert len(names) >= 6, walk.splitlines()[0]


@pytest.mark.parametrize("page", BY_NAME)
def test_dotted_names_exist(page: str) -> None:
    for span in code_of(BY_NAME[page].read_text("utf-8")):
        if DOTTED.fullmatch(span):
            resolve(span)


@pytest.mark.parametrize("page", BY_NAME)
def test_named_files_exist(page: str) -> None:
    for span in CODE_SPAN.findall(BY_NAME[page].read_text("utf-8")):
        if REPOSITORY_PATH.fullmatch(span):
            assert (ROOT / span).exists(), f"{page} names {span}"


@pytest.mark.parametrize("page", BY_NAME)
def test_links_inside_the_repository_resolve(page: str) -> None:
    here = BY_NAME[page]
    for target in LINK.findall(CODE_BLOCK.sub("", here.read_text("utf-8"))):
        path, _, anchor = target.partition("#")
        if ":" in path:
            continue
        file = (here.parent / path).resolve() if path else here
        assert file.exists(), f"{page} links to {target}"
        if anchor:
            assert anchor in slugs(file), f"{page} links to {target}"


def slugs(page: Path) -> set[str]:
    """The anchors a Git host gives a page's headings."""
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        for heading in HEADING.findall(page.read_text("utf-8"))
    }


def programs() -> dict[str, click.Command]:
    """The console scripts, by name."""
    scripts: dict[str, str] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["scripts"]
    found = {}
    for name, target in scripts.items():
        module, _, attribute = target.partition(":")
        command = getattr(importlib.import_module(module), attribute)
        if not isinstance(command, click.Command):  # a small start that reads the commands when it is called
            command = getattr(importlib.import_module(f"{module}.commands"), attribute)
        assert isinstance(command, click.Command)
        found[name] = command
    return found


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))


def problem_with(line: str) -> str | None:
    """What is wrong with a command line of ours; None when nothing is, or when it is not ours."""
    words = shlex.split(AS_SOMEBODY.sub("", line), comments=True)
    name = Path(words[0]).name if words else ""
    if name == "make":
        missing = [word for word in words[1:2] if word not in make_targets()]
        return f"no target {missing[0]}" if missing else None
    if name not in programs():
        return None
    return _wrong_subcommand(programs()[name], words[1:]) if len(words) > 1 else None


def _wrong_subcommand(command: click.Command, words: list[str]) -> str | None:
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        if words[0] not in command.commands:
            return f"no command {words[0]}"
        command, words = command.commands[words[0]], words[1:]
    known = {"--help", *(option for parameter in command.params for option in parameter.opts)}
    wrong = [word for word in words if word.startswith("--") and word.partition("=")[0] not in known]
    return f"no option {wrong[0]}" if wrong else None


@pytest.mark.parametrize("page", BY_NAME)
def test_commands_exist(page: str) -> None:
    lines = [line.strip() for line in code_of(BY_NAME[page].read_text("utf-8"))]
    ours = [line for line in lines if OURS.match(AS_SOMEBODY.sub("", line))]
    assert [f"{line}: {problem}" for line in ours if (problem := problem_with(line))] == []


def test_the_command_check_bites() -> None:
    assert problem_with("weighgate launch moon.toml") == "no command launch"
    assert problem_with("weighgate run plant.toml --sideways") == "no option --sideways"
    assert problem_with("runuser -u somebody -- /opt/bin/weighgate launch") == "no command launch"
    assert problem_with("make coffee") == "no target coffee"


def test_every_figure_in_the_readme_has_its_command() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    section = re.search(r"^## Figures$(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert section is not None, "README.md has no section Figures"
    rows = [line for line in section[1].splitlines() if line.startswith("|")][2:]
    assert rows, "the table of figures is empty"
    for row in rows:
        assert re.search(r"\d", row), row
        commands = [span for span in CODE_SPAN.findall(row) if span.startswith(("make ", "weighgate"))]
        assert commands, f"no command beside: {row}"


def test_worked_numbers_come_out() -> None:
    """docs/rules.md is run as a doctest against the real rules."""
    page = str(ROOT / "docs" / "rules.md")
    result = doctest.testfile(page, module_relative=False, encoding="utf-8", optionflags=doctest.ELLIPSIS)
    assert result.attempted >= 10
    assert result.failed == 0


def modules_with_examples() -> list[str]:
    sources = [path for package in ("edge", "drivers", "sync") for path in (ROOT / package).rglob("*.py")]
    with_examples = [path for path in sources if ">>>" in path.read_text("utf-8")]
    return sorted(".".join(path.relative_to(ROOT).with_suffix("").parts) for path in with_examples)


@pytest.mark.parametrize("module", modules_with_examples())
def test_examples_in_docstrings_come_out(module: str) -> None:
    result = doctest.testmod(importlib.import_module(module))
    assert result.attempted > 0
    assert result.failed == 0


def test_messages_quoted_for_operators_are_the_programs_own() -> None:
    table = re.findall(r'^\| [^|]*"([^"|]+)"[^|]*\|', (ROOT / "docs" / "operating.md").read_text("utf-8"), re.MULTILINE)
    assert table
    sources = "".join(path.read_text("utf-8") for folder in ("edge", "sync") for path in (ROOT / folder).rglob("*.py"))
    assert [quoted for quoted in table if quoted.lower() not in sources.lower()] == []


def test_every_decision_is_listed() -> None:
    folder = ROOT / "docs" / "decisions"
    listed = set(LINK.findall((folder / "README.md").read_text("utf-8")))
    assert {path.name for path in folder.glob("0*.md")} <= listed
