"""One line for each thing that is wrong in a configuration file: where, what was read, what is allowed.

Used by both programs, so that a plant and head office word the same mistake the same way.
"""

import tomllib
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

Model = TypeVar("Model", bound=BaseModel)

_SECRET_WORDS = ("hash", "pin", "token", "password")
_LONGEST_VALUE = 60


class SettingsError(Exception):
    """The configuration cannot be used; `str()` is one line a problem: file, path, value, what is allowed."""


def read_toml(file: Path) -> dict[str, Any]:
    """The tables of a TOML file; SettingsError when it cannot be read or is not TOML."""
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{file}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{file}: is not UTF-8 text (byte {error.start})") from error
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{file}: is not TOML: {error}") from error


def load_model(model: type[Model], file: Path) -> Model:
    """A settings file as its model; SettingsError words every problem on a line of its own."""
    return validate(model, read_toml(file), file)


def validate(model: type[Model], tables: dict[str, Any], file: Path) -> Model:
    """Tables that were already read, as their model; SettingsError as for `load_model`."""
    try:
        return model.model_validate(tables)
    except ValidationError as error:
        raise SettingsError("\n".join(problem_lines(error, model, str(file)))) from error


def problem_lines(error: ValidationError, model: type[BaseModel], file: str) -> list[str]:
    """`file: path.to.key: value — what is allowed`, one for each problem."""
    return [f"{file}: {_path(problem['loc'])}: {_wording(problem, model)}" for problem in error.errors()]


def _path(location: tuple[int | str, ...]) -> str:
    parts = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in location]
    return "".join(parts).lstrip(".") or "(whole file)"


def _wording(problem: Any, model: type[BaseModel]) -> str:
    location: tuple[int | str, ...] = problem["loc"]
    kind: str = problem["type"]
    if kind == "missing":
        return "is missing — this key is required"
    if kind == "extra_forbidden":
        known = ", ".join(known_keys(model, location[:-1]))
        return "unknown key — " + (f"allowed here: {known}" if known else "not allowed here")
    message = problem["msg"].removeprefix("Value error, ").removeprefix("Input ")
    return f"{_shown(location, problem['input'])} — {message}"


def _shown(location: tuple[int | str, ...], value: object) -> str:
    """The value as read, short; never a secret."""
    key = next((str(part) for part in reversed(location) if isinstance(part, str)), "")
    if any(word in key for word in _SECRET_WORDS):
        return "(a value not shown here)"
    text = repr(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}…"


def known_keys(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """The keys a table of the model knows; empty when the path leads into a choice of several models."""
    here: Any = model
    for part in location:
        if isinstance(part, int):
            continue
        field = here.model_fields.get(part) if isinstance(here, type) and issubclass(here, BaseModel) else None
        if field is None:
            return []
        here = _model_inside(field.annotation)
    return sorted(here.model_fields) if isinstance(here, type) and issubclass(here, BaseModel) else []


def _model_inside(annotation: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    models = [found for part in getattr(annotation, "__args__", ()) if (found := _model_inside(part)) is not None]
    return models[0] if len(models) == 1 else None
