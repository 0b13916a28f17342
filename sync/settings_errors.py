"""One line for each thing that is wrong in a configuration file: where, what was read, what is allowed.

Used by both programs, so that a plant and head office word the same mistake the same way.
"""

import re
import tomllib
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

Model = TypeVar("Model", bound=BaseModel)

Location = tuple[int | str, ...]
_SECRET_WORDS = ("hash", "pin", "token", "password")
_LONGEST_VALUE = 60
_LOGIN_IN_URL = re.compile(r"//\S*@")
_QUERY_IN_URL = re.compile(r"(?<=://)([^?]*\?).*", re.DOTALL)
"""Some cameras take their password from there."""


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
    problems = error.errors()
    places = [problem["loc"] for problem in problems]
    return [
        f"{file}: {_path(problem['loc'], model)}: {_wording(problem, model)}"
        for problem in problems
        if not (problem["type"] == "too_short" and _has_inner(problem["loc"], places))
    ]


def _has_inner(location: Location, places: list[Location]) -> bool:
    """A list whose items are all wrong also counts as too short: the items' own lines say it better."""
    return any(len(place) > len(location) and place[: len(location)] == location for place in places)


def _path(location: Location, model: type[BaseModel]) -> str:
    keys, _ = _walk(model, location)
    parts = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in keys]
    return "".join(parts).lstrip(".") or "(whole file)"


def _wording(problem: Any, model: type[BaseModel]) -> str:
    location: Location = problem["loc"]
    kind: str = problem["type"]
    if kind == "missing":
        return "is missing — this key is required"
    if kind == "extra_forbidden":
        known = ", ".join(known_keys(model, location[:-1]))
        return "unknown key — " + (f"allowed here: {known}" if known else "not allowed here")
    if kind == "union_tag_invalid":
        return f"type = {problem['ctx']['tag']!r} — allowed: {problem['ctx']['expected_tags']}"
    message = problem["msg"].removeprefix("Value error, ").removeprefix("Input ")
    return f"{_shown(location, problem['input'])} — {message}"


def _shown(location: Location, value: object) -> str:
    """The value as read, short; never a secret."""
    key = next((str(part) for part in reversed(location) if isinstance(part, str)), "")
    if any(word in key for word in _SECRET_WORDS):
        return "(a value not shown here)"
    text = _QUERY_IN_URL.sub(r"\1…", _LOGIN_IN_URL.sub("//…@", repr(value)))
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}…"


def known_keys(model: type[BaseModel], location: Location) -> list[str]:
    """The keys a table of the model knows; empty when the path leads into a choice that was not made."""
    _, here = _walk(model, location)
    return sorted(here.model_fields) if here is not None else []


def _walk(model: type[BaseModel], location: Location) -> tuple[list[int | str], type[BaseModel] | None]:
    """The keys of a place as the file has them, and the model found there.

    pydantic also puts the `type` of the chosen model into a place (`indicator.serial.port`): that is no key.
    """
    keys: list[int | str] = []
    choices: list[type[BaseModel]] = [model]
    for part in location:
        chosen = [choice for choice in choices if part in _types(choice)]
        if chosen:
            choices = chosen
            continue
        keys.append(part)
        if isinstance(part, str):
            fields = choices[0].model_fields if len(choices) == 1 else {}
            choices = _models_inside(fields[part].annotation) if part in fields else []
    return keys, choices[0] if len(choices) == 1 else None


def _types(model: type[BaseModel]) -> tuple[Any, ...]:
    """The values of a model's `type` key, when it is one of several to choose from."""
    field = model.model_fields.get("type")
    return getattr(field.annotation, "__args__", ()) if field is not None else ()


def _models_inside(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in getattr(annotation, "__args__", ()) for model in _models_inside(part)]
