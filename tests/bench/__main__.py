"""`make bench`: runs every tests/bench/bench_*.py and prints its figures, each beside its floor in the same run.

A module has `run() -> list[Row]`. Figures are shown, not asserted: a loaded machine is not a defect, so the exit
status says only whether every benchmark could run.
"""

import argparse
import importlib
import json
import os
import platform
import sys
import traceback
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from tests.bench.rows import Row

HEADINGS = ("figure", "value", "beside it", "ratio", "target", "")


def modules(wanted: list[str]) -> list[str]:
    """The benchmark modules whose name contains one of `wanted`; all of them when nothing is wanted."""
    names = sorted(path.stem for path in Path(__file__).parent.glob("bench_*.py"))
    return [name for name in names if not wanted or any(word in name for word in wanted)]


def rows_of(module: str) -> list[Row]:
    """Run one module's benchmark."""
    run: Callable[[], list[Row]] = importlib.import_module(f"tests.bench.{module}").run
    return run()


def cells(row: Row) -> tuple[str, ...]:
    """One line of the table, as text."""
    beside = "" if row.floor is None else f"{row.floor_name} {_number(row.floor)} {row.unit}".strip()
    ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
    verdict = {True: "ok", False: "MISSED", None: row.why_not}[row.met]
    value = "not run" if row.value is None else f"{_number(row.value)} {row.unit}"
    return row.name, value, beside, ratio, row.target, verdict


def table(rows: list[Row]) -> str:
    """All lines, aligned."""
    lines = [HEADINGS, *(cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADINGS))]
    padded = ([text.ljust(width) for text, width in zip(line, widths, strict=True)] for line in lines)
    return "\n".join("  ".join(line).rstrip() for line in padded)


def machine() -> dict[str, str | int]:
    """What the figures were taken on."""
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
        "machine": platform.machine(),
        "cores": os.cpu_count() or 0,
    }


def main() -> int:
    """Run, print, and say whether every benchmark ran."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("only", nargs="*", help="run only modules whose name contains one of these words")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output instead of the table")
    chosen = parser.parse_args()
    rows: list[Row] = []
    failed: list[str] = []
    for module in modules(chosen.only):
        sys.stderr.write(f"{module} …\n")
        try:
            rows += rows_of(module)
        except Exception:
            failed.append(module)
            traceback.print_exc()
    if chosen.json:
        report = {"machine": machine(), "rows": [_as_json(row) for row in rows], "failed": failed}
        text = json.dumps(report, ensure_ascii=False)
    else:
        facts = ", ".join(f"{name} {value}" for name, value in machine().items())
        text = "\n".join([table(rows), facts, *(f"FAILED {module}" for module in failed)])
    sys.stdout.write(text + "\n")
    return 1 if failed or not rows else 0


def _as_json(row: Row) -> dict[str, object]:
    return {**asdict(row), "ratio": row.ratio, "target": row.target, "met": row.met}


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


if __name__ == "__main__":
    sys.exit(main())
