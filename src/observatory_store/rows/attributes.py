"""OTLP ``AnyValue`` as Python values, and as JSON that loses nothing.

Python: ``str``, ``bool``, ``int``, ``float``, ``bytes``, ``None`` (the empty value), ``list`` and
``dict``. JSON has neither bytes, nor NaN, nor a way to keep a double apart from an integer once
``jsonb`` has normalised it, so the values that plain JSON would change are tagged:

=========================== =====================================
a double that is NaN, ±∞,   ``{"$double": "NaN"}``, ``"Infinity"``,
-0.0, or written with an    ``"-Infinity"``, ``"-0.0"``, ``"1e+300"``
exponent
bytes                       ``{"$bytes": "<base64>"}``
a map whose only key        ``{"$map": {…}}``
begins with ``$``
=========================== =====================================

Everything else is ordinary JSON, so that ``attributes ->> 'http.method'`` and ``attributes @> …``
read as expected. ``jsonb`` keeps the scale of a number: ``1.0`` stays a double, ``1`` an integer.
"""

from __future__ import annotations

import base64
import math
from typing import Any, TypeAlias, cast

import msgspec

AttributeValue: TypeAlias = (
    "str | bool | int | float | bytes | list[AttributeValue] | dict[str, AttributeValue] | None"
)
Attributes: TypeAlias = dict[str, AttributeValue]

_PLAIN = frozenset({str, int, bool, type(None)})
_DOUBLE, _BYTES, _MAP = "$double", "$bytes", "$map"

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder()


def encode(value: AttributeValue) -> bytes:
    """Return the value as UTF-8 JSON for a ``jsonb`` column."""
    return _encoder.encode(to_json(value))


def decode(text: str | bytes) -> AttributeValue:
    """Return the value that :func:`encode` was given."""
    return from_json(_decoder.decode(text))


def decode_map(text: str | bytes) -> Attributes:
    """Like :func:`decode`, for a column that always holds a map."""
    return cast("Attributes", decode(text))


def to_json(value: AttributeValue) -> Any:  # noqa: ANN401 - a JSON document
    """Return the value as plain JSON types, tagging what JSON cannot say."""
    if type(value) in _PLAIN:
        return value
    if isinstance(value, dict):
        if _PLAIN.issuperset(map(type, value.values())):
            plain: dict[str, Any] = value
        else:
            plain = {key: to_json(item) for key, item in value.items()}
        if len(plain) == 1 and next(iter(plain)).startswith("$"):
            return {_MAP: plain}
        return plain
    if isinstance(value, float):
        return _double(value)
    if isinstance(value, bytes):
        return {_BYTES: base64.b64encode(value).decode("ascii")}
    return [to_json(item) for item in value] if isinstance(value, list) else value


def from_json(value: Any) -> AttributeValue:  # noqa: ANN401 - a JSON document
    """Return the value whose JSON form :func:`to_json` gave."""
    if isinstance(value, dict):
        if len(value) == 1:
            ((key, item),) = value.items()
            if key == _DOUBLE:
                return float(item)
            if key == _BYTES:
                return base64.b64decode(item)
            if key == _MAP:
                return {name: from_json(inner) for name, inner in item.items()}
        return {key: from_json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [from_json(item) for item in value]
    return cast("AttributeValue", value)


def _double(value: float) -> float | dict[str, str]:
    if math.isnan(value):
        return {_DOUBLE: "NaN"}
    if math.isinf(value):
        return {_DOUBLE: "Infinity" if value > 0 else "-Infinity"}
    text = repr(value)
    return {_DOUBLE: text} if "e" in text or text == "-0.0" else value
