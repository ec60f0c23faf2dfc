"""Fields of the JSON objects in tar files, as texts."""

import json
from typing import Any

CALLED = {type(None): "null", bool: "true or false", list: "a list", dict: "an object"}
"""What else than text and numbers JSON holds."""


def one_text(content: bytes, field: str, *, key: str) -> str:
    """The text of a field, or its number in digits.

    Args:
        key: of the configuration, for messages.

    Raises:
        ValueError: no object with such a field, or one that holds something else.
    """
    found = _object(content, field)
    if field not in found:
        raise ValueError(f"no JSON object with a field {field}")
    return _text(found[field], key)


def all_texts(content: bytes, field: str, *, key: str) -> tuple[str, ...]:
    """Of a list all, else the one; none where the field is absent or null. ValueError as of `one_text`."""
    value = _object(content, field).get(field)
    values = value if isinstance(value, list) else () if value is None else (value,)
    return tuple(_text(value, key) for value in values)


def _object(content: bytes, field: str) -> dict[str, Any]:
    try:
        found = json.loads(content)
    except ValueError as error:
        raise ValueError(f"no JSON object with a field {field}: {error}") from error
    if not isinstance(found, dict):
        raise ValueError(f"no JSON object with a field {field}")
    return found


def _text(value: Any, key: str) -> str:
    if type(value) in CALLED:
        raise ValueError(f"{key} takes text or a number, not {CALLED[type(value)]}; mend the sample or leave it out")
    return str(value)
