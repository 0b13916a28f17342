"""What all commands share: the configuration argument, `--json`, and how a mistake is told."""

from pathlib import Path
from typing import Any

import click

from edge.cli import INTERRUPTED
from edge.settings import PlantSettings, SettingsError, load_settings

CONFIG = click.argument("config", type=click.Path(dir_okay=False, path_type=Path))
JSON = click.option("--json", "as_json", is_flag=True, help="One JSON object a line on stdout.")


class Problem(click.ClickException):
    """One line on stderr and exit code 2."""

    exit_code = 2

    def show(self, file: Any = None) -> None:
        """Without click's "Error:", which would hide the file name that stands first."""
        click.echo(self.format_message(), err=True)


class No(Problem):
    """The command did its work, and the answer is no: one line on stderr and exit code 1."""

    exit_code = 1


class Stoppable(click.Group):
    """Commands that Ctrl-C ends, all in the same way: a word on stderr and exit code 130."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (KeyboardInterrupt, click.Abort):
            click.echo("\n停下了 stopped", err=True)
            ctx.exit(INTERRUPTED)


def read_settings(config: Path) -> PlantSettings:
    """The configuration, or exit 2 with one line a mistake."""
    try:
        return load_settings(config)
    except SettingsError as error:
        raise Problem(str(error)) from None


def counted(count: int, what: str) -> str:
    """A number of things in English."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
