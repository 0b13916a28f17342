"""The one JSON text of a value, so that two programs sign and hash the same bytes."""

import json


def canonical(body: object) -> str:
    """The one JSON text of a value: sorted keys, no spaces, integers only (a float raises TypeError)."""
    _refuse_floats(body)
    return json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _refuse_floats(value: object) -> None:
    if isinstance(value, float):
        raise TypeError(f"a float has no place in a record: {value!r}")
    if isinstance(value, dict):
        for item in value.values():
            _refuse_floats(item)
    elif isinstance(value, list | tuple):
        for item in value:
            _refuse_floats(item)
