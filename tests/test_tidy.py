"""Habits no linter knows: sizes, words for every refusal, a capture for every profile, no float near money."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.domain.refusal import Reason, Refusal

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("edge", "drivers", "sync")
LONGEST_FUNCTION = 60
LONGEST_FILE = 400
SIZED_SUFFIXES = {".py", ".js", ".css", ".html"}

# Written with a class of one letter each, so that this file does not find itself.
REGISTRY_HOSTS = re.compile(r"p[y]pi\.org|p[y]thonhosted\.|n[p]mjs\.|d[e]bian\.org|t[s]inghua\.edu|a[l]iyun\.")
MACHINE_PATHS = re.compile(r"/w[o]rk/|/h[o]me/[a-z]|/r[o]ot/|/o[p]t/(wheels|pypi)")
LEFT_FOR_LATER = re.compile(r"\b(T[O]DO|F[I]XME|X[X]X|H[A]CK)\b")
AMOUNT_NAME = re.compile(r"(^|_)(kg|fen)(_per_t)?$|_(kg|fen)_")


def _tracked() -> list[Path]:
    """Every file git has or would take, as text files only."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            capture_output=True,
            check=True,
            timeout=20,
        )
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    paths = [ROOT / name for name in listed.stdout.decode().split("\0") if name]
    return [path for path in paths if path.is_file() and b"\0" not in path.read_bytes()[:8000]]


def _sources(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _lines_matching(pattern: re.Pattern[str]) -> list[str]:
    return [
        f"{_name(path)}:{number}: {line.strip()[:100]}"
        for path in _tracked()
        for number, line in enumerate(path.read_text("utf-8", errors="replace").splitlines(), 1)
        if pattern.search(line)
    ]


def test_functions_fit_a_screen() -> None:
    long = [
        f"{_name(path)}:{node.lineno}: {node.name} has {length} lines"
        for path in _sources(*PACKAGES, "tests")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (length := (node.end_lineno or node.lineno) - node.lineno + 1) > LONGEST_FUNCTION
    ]
    assert long == []


def test_files_are_one_thing() -> None:
    long = [
        f"{_name(path)} has {length} lines"
        for path in _tracked()
        if path.suffix in SIZED_SUFFIXES and (length := len(path.read_text("utf-8").splitlines())) > LONGEST_FILE
    ]
    assert long == []


def test_nothing_is_left_for_later_in_a_comment() -> None:
    assert _lines_matching(LEFT_FOR_LATER) == []


def test_no_registry_host_and_no_path_of_one_machine() -> None:
    assert _lines_matching(REGISTRY_HOSTS) == []
    assert _lines_matching(MACHINE_PATHS) == []


def test_every_indicator_profile_has_a_capture() -> None:
    profiles = {path.stem for path in (ROOT / "config" / "indicators").glob("*.toml")}
    captures = {path.name.split(".")[0] for path in (ROOT / "tests" / "captures").rglob("*")}
    assert profiles, "config/indicators holds no profile"
    assert profiles - captures == set()


def _every_number_a_template_may_name() -> dict[str, int | str]:
    source = (ROOT / "edge" / "domain" / "refusal.py").read_text("utf-8")
    return {name: 1 if name.endswith(("_kg", "_fen")) else "A1" for name in re.findall(r"\{(\w+)\}", source)}


@pytest.mark.parametrize("reason", list(Reason))
def test_every_refusal_has_words_in_both_languages(reason: Reason) -> None:
    words = Refusal(reason, _every_number_a_template_may_name()).words
    assert re.search(r"[\u4e00-\u9fff]", words.zh), f"{reason}: no Chinese words"
    assert re.search(r"[a-z]{2}", words.en), f"{reason}: no English words"
    assert not re.search(r"[\u4e00-\u9fff]", words.en), f"{reason}: Chinese in the English words"


def _float_use(node: ast.AST) -> str | None:
    """How this node brings mass or money together with a float, if it does."""
    match node:
        case ast.Call(func=ast.Name(id="float")) if _names_amount(node):
            return "float() of an amount"
        case ast.BinOp(op=ast.Div()) if _names_amount(node):
            return "/ on an amount (use //)"
        case ast.Assign(value=ast.Constant(value=float())) if any(_is_amount(target) for target in node.targets):
            return "an amount set to a float"
        case ast.AnnAssign(target=target) if _is_amount(target) and "float" in ast.unparse(node.annotation):
            return "an amount annotated as a float"
        case ast.arg(annotation=ast.expr() as annotation) if AMOUNT_NAME.search(node.arg):
            return "an amount annotated as a float" if "float" in ast.unparse(annotation) else None
    return None


def _float_uses(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if (use := _float_use(node)) is not None:
            yield f"{path.name}:{getattr(node, 'lineno', 0)}: {use}"


def _names_amount(node: ast.AST) -> bool:
    return any(_is_amount(child) for child in ast.walk(node))


def _is_amount(node: ast.AST) -> bool:
    if isinstance(node, ast.Name):
        return bool(AMOUNT_NAME.search(node.id))
    return isinstance(node, ast.Attribute) and bool(AMOUNT_NAME.search(node.attr))


def test_no_float_comes_near_mass_or_money() -> None:
    assert [use for path in _sources(*PACKAGES) for use in _float_uses(path)] == []


def test_the_float_rule_bites(tmp_path: Path) -> None:
    bad = tmp_path / "bad.py"
    bad.write_text("def f(net_kg: float):\n    x = float(net_kg)\n    limit_kg = 1.5\n    return net_kg / 2\n", "utf-8")
    assert len(list(_float_uses(bad))) == 4


def test_the_domain_divides_whole_numbers_only() -> None:
    """Amounts get local names too, so in the pure rules no true division and no float literal stands at all."""
    pure = [*_sources("edge/domain"), ROOT / "sync" / "units.py", ROOT / "sync" / "allotment.py"]
    found = [
        f"{_name(path)}:{node.lineno}"
        for path in pure
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div))
        or (isinstance(node, ast.Constant) and isinstance(node.value, float))
    ]
    assert found == []
