"""Text fields of JSON objects in tar files."""

import json
from typing import Any

JSON_KINDS = {type(None): "null", bool: "true or false", list: "a list", dict: "an object"}
"""JSON values other than text and numbers, by Python type."""


def one_text(content: bytes, field: str, *, key: str) -> str:
    """The text of a field, or its number as text.

    Args:
        key: configuration key, for messages.

    Raises:
        ValueError: no object with such a field, or a value of another type.
    """
    found = _object(content, field)
    if field not in found:
        raise ValueError(f"no JSON object with a field {field}")
    return _text(found[field], key)


def all_texts(content: bytes, field: str, *, key: str) -> tuple[str, ...]:
    """All texts of a list, or a single one; empty if the field is missing or null. ValueError as in `one_text`."""
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
    if type(value) in JSON_KINDS:
        raise ValueError(
            f"{key} takes text or a number, not {JSON_KINDS[type(value)]}; mend the sample or leave it out"
        )
    return str(value)
