"""The one JSON text of a value, so that two programs sign and hash the same bytes."""

from typing import Any

from pydantic_core import PydanticSerializationError, from_json, to_json

_HARMLESS = frozenset({str, int, bool, type(None)})


def canonical(body: object) -> str:
    """The one JSON text of a value: sorted keys, no spaces, integers only (a float raises TypeError).

    ValueError for a text with half a character in it.
    """
    return to_json(_ordered(body)).decode()


def parse(text: bytes) -> Any:
    """The value of a JSON text; ValueError if it is none, or holds a float."""
    value = from_json(text, allow_inf_nan=False, cache_strings="keys")
    try:
        _refuse_floats(value)
    except TypeError as error:
        raise ValueError(str(error)) from error
    return value


def is_canonical(value: object, text: bytes) -> bool:
    """Whether `text` is the one text of `value`, which `parse` made of it: no doubled keys, no half characters.

    The same as comparing with `canonical`, in half the time: head office does it for each row of a month.
    """
    try:
        return to_json(value) == text and _keys_sorted(value)
    except PydanticSerializationError:
        return False


def _keys_sorted(value: object) -> bool:
    waiting: list[Any] = [[value]]
    while waiting:
        some = waiting.pop()
        items: Any = some
        if isinstance(some, dict):
            keys = list(some)
            if keys != sorted(keys):
                return False
            items = some.values()
        waiting += [item for item in items if isinstance(item, dict | list)]
    return True


def _ordered(value: object) -> object:
    """The value with its keys in order; TypeError for what is not of JSON, or a float."""
    if type(value) in _HARMLESS:
        return value
    if isinstance(value, dict):
        return {key: _ordered(value[key]) for key in sorted(value)}
    if isinstance(value, list | tuple):
        return value if _HARMLESS.issuperset(map(type, value)) else [_ordered(item) for item in value]
    if isinstance(value, str | int):
        return value
    raise TypeError(f"a {type(value).__name__} has no place in a record: {value!r}")


def _refuse_floats(value: object) -> None:
    """TypeError for a float anywhere in what was parsed."""
    if isinstance(value, float):
        raise TypeError(f"a float has no place in a record: {value!r}")
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    if not _HARMLESS.issuperset(map(type, items)):
        for item in items:
            _refuse_floats(item)
