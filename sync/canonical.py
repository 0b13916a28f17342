"""The one JSON text of a value, so that two programs sign and hash the same bytes."""

import json


def canonical(body: object) -> str:
    """The one JSON text of a value: sorted keys, no spaces, integers only (a float raises TypeError)."""
    _refuse_floats(body)
    return canonical_without_floats(body)


def canonical_without_floats(body: object) -> str:
    """The same of a value that is known to hold no float, because its parser refuses them: a third of the time."""
    return json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


_HARMLESS = frozenset({str, int, bool, type(None)})


def _refuse_floats(value: object) -> None:
    if isinstance(value, float):
        raise TypeError(f"a float has no place in a record: {value!r}")
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    for item in items:
        if type(item) not in _HARMLESS:
            _refuse_floats(item)
