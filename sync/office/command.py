"""What the commands of `weighgate-office` share: words for errors, the books as configured, answers for scripts."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from sync.keys import KeyFileError
from sync.office.persons import TwoPersons, check_names, one_person, two_persons
from sync.office.recovery import open_books, witness_books
from sync.office.refusal import NotAllowed
from sync.office.settings import Settings, load_settings, missing_files
from sync.office.store.database import Store, StoreError, StoreUnavailable
from sync.settings_errors import SettingsError

CONFIG = click.argument("config", type=click.Path(path_type=Path, dir_okay=False))
JSON = click.option("--json", "as_json", is_flag=True, help="One JSON object a line on standard output.")


class Group(click.Group):
    """Words our own errors, so that a person sees one line and a script sees the exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except NotAllowed as error:
            click.echo(f"{error} / {error.zh}", err=True)
            ctx.exit(1)
        except (SettingsError, StoreError, StoreUnavailable, KeyFileError) as error:
            click.echo(str(error), err=True)
            ctx.exit(2)


def read_settings(config: Path) -> Settings:
    """The configuration with all files it names; SettingsError says which is missing."""
    settings = load_settings(config)
    if missing := missing_files(settings, config):
        raise SettingsError("\n".join(missing))
    return settings


@contextmanager
def open_configured(config: Path) -> Iterator[tuple[Settings, Store]]:
    """The books for one command, held against their witness before it and after."""
    settings = load_settings(config)
    store = open_books(settings, config)
    try:
        yield settings, store
        witness_books(store, config, safe=False)
    finally:
        store.close()


def signed(settings: Settings, first: str, second: str, pins: Path | None) -> TwoPersons:
    """The PINs of two persons: asked for, or the two lines of a file (`-`: standard input) for scripts."""
    check_names(settings, first, second or first)
    given = _pins((first, second), pins)
    return two_persons(settings, (first, given[0]), (second, given[1]))


def signed_alone(settings: Settings, name: str, pins: Path | None) -> str:
    """The same for what one person of finance or accounting may do."""
    check_names(settings, name)
    return one_person(settings, "first", name, _pins((name,), pins)[0])


def _pins(names: tuple[str, ...], pins: Path | None) -> list[str]:
    if pins is None:
        return [click.prompt(f"PIN {name}", hide_input=True) for name in names]
    text = sys.stdin.read() if str(pins) == "-" else read_text(pins)
    given = [line.strip() for line in text.splitlines() if line.strip()]
    if len(given) != len(names):
        people = ", ".join(names)
        raise NotAllowed("pins", str(pins), f"每人一行:{people}", f"one line for each is expected: {people}")
    return given


def read_text(file: Path) -> str:
    """A text file that a person named, in UTF-8 or as Chinese Excel writes it (GB 18030); NotAllowed when it cannot
    be read."""
    try:
        content = file.read_bytes()
        try:
            return content.decode("utf-8")
        except UnicodeDecodeError:
            return content.decode("gb18030")
    except (OSError, UnicodeDecodeError) as error:
        raise NotAllowed("file", str(file), "读不到", f"cannot be read: {error}") from error


def say(as_json: bool, told: dict[str, Any], text: str) -> None:
    """Tell a person, or a script."""
    click.echo(json.dumps(told, ensure_ascii=False) if as_json else text)
    sys.stdout.flush()
