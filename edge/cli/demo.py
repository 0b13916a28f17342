"""`weighgate demo`: a whole plant on this machine, to watch or to run through without a browser."""

import asyncio
import json
import shutil
import signal
import sys
import tempfile
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import click

from edge.cli import leaving_at_once
from edge.cli.common import Problem

INTERRUPTED = object()


class _OneLine(click.Command):
    """Says a wrong option in one line."""

    def make_context(self, *arguments: Any, **extra: Any) -> click.Context:
        """The same, without click's three lines of usage."""
        try:
            return super().make_context(*arguments, **extra)
        except click.UsageError as error:
            raise Problem(f"demo: {error.format_message()}") from None


@click.command(cls=_OneLine)
@click.option("--headless", is_flag=True, help="No browser, as fast as it can; prints one JSON summary.")
@click.option("--trucks", type=click.IntRange(1, 500), help="How many; headless 24, else without end.")
@click.option("--speed", type=click.FloatRange(0.2, 100), help="1 is life, the default for watching; headless 40.")
@click.option("--seed", type=click.IntRange(0, 2**31), default=7, show_default=True, help="Who comes, in what order.")
@click.option(
    "--dir", "folder", type=click.Path(file_okay=False, path_type=Path),
    help="Keep everything in this new or empty folder; otherwise a temporary one, removed at the end.",
)  # fmt: skip
@click.option(
    "--manual", type=click.Choice(["none", "dispatcher", "guard", "both"]), default="none", show_default=True,
    help="Whose buttons only a person presses.",
)  # fmt: skip
def demo(headless: bool, trucks: int | None, speed: float | None, seed: int, folder: Path | None, manual: str) -> None:
    """Run broker, head office, plant and simulated devices, and let trucks arrive."""
    with leaving_at_once():
        from edge.demo import show
        from edge.demo.processes import DemoFailed

    if headless and manual != "none":
        raise Problem(f"--manual: {manual!r} — not with --headless; allowed there: none")
    place = _folder(folder)
    wish = show.Wish(place, trucks, seed, speed or (show.FAST if headless else show.NORMAL), manual)
    try:
        if headless:
            summary = asyncio.run(_until_signal(show.headless(wish, _to(sys.stderr))))
            if summary is INTERRUPTED:
                click.echo("demo: interrupted; everything is ended", err=True)
                sys.exit(1)
            click.echo(json.dumps(summary, ensure_ascii=False))
            sys.exit(0 if summary["ok"] else 1)
        asyncio.run(_until_signal(show.watch(wish, _to(sys.stdout))))
    except* DemoFailed as group:
        click.echo(f"demo: {_first(group)}", err=True)
        sys.exit(1)
    finally:
        if folder is None:
            shutil.rmtree(place, ignore_errors=True)


async def _until_signal(work: Coroutine[Any, Any, Any]) -> Any:
    """The result of `work`, or INTERRUPTED once a signal has come and everything was ended."""
    task = asyncio.ensure_future(work)
    interrupted = asyncio.Event()

    def stop() -> None:
        interrupted.set()
        task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    try:
        return await task
    except asyncio.CancelledError:
        if interrupted.is_set():
            return INTERRUPTED
        raise


def _folder(folder: Path | None) -> Path:
    if folder is None:
        return Path(tempfile.mkdtemp(prefix="weighgate-demo-"))
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        used = any(folder.iterdir())
    except OSError as error:
        raise Problem(f"--dir: {folder}: {error.strerror} — a folder that can be written") from None
    if used:
        raise Problem(f"--dir: {folder} is not empty — name a new or empty folder")
    return folder.resolve()


def _first(group: BaseException) -> BaseException:
    while isinstance(group, BaseExceptionGroup):
        group = group.exceptions[0]
    return group


def _to(stream: Any) -> Any:
    def write(text: str) -> None:
        stream.write(text)
        stream.flush()

    return write
