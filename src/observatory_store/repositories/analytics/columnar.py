"""Rows as tables of Arrow, polars and pandas: the extra ``analytics``."""

from __future__ import annotations

import types
from collections.abc import Sequence
from datetime import datetime
from decimal import Context, Decimal
from typing import Any, Union, get_args, get_origin

import msgspec

from observatory_store.errors import InvalidInputError

_SCALE = Decimal("1e-18")
_CONTEXT = Context(prec=38)


def to_arrow(rows: Sequence[msgspec.Struct], kind: type[msgspec.Struct]) -> Any:  # noqa: ANN401
    """Return a ``pyarrow.Table`` with a column for each field.

    Times are microseconds in UTC, money is ``decimal128(38, 18)``.

    Raises:
        InvalidInputError: pyarrow is not installed.

    """
    try:
        import pyarrow as pa  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise InvalidInputError(
            "pyarrow is missing: pip install 'observatory-store[analytics]'"
        ) from error
    fields = msgspec.structs.fields(kind)
    schema = pa.schema([(one.name, _type(pa, one.type)) for one in fields])
    columns = {one.name: [_value(getattr(row, one.name)) for row in rows] for one in fields}
    return pa.Table.from_pydict(columns, schema=schema)


def _type(pa: Any, kind: Any) -> Any:  # noqa: ANN401 - of pyarrow, which has no types
    if get_origin(kind) in {Union, types.UnionType}:
        (kind,) = (one for one in get_args(kind) if one is not types.NoneType)
    if get_origin(kind) is tuple:
        return pa.list_(_type(pa, get_args(kind)[0]))
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        fields = msgspec.structs.fields(kind)
        return pa.struct([(one.name, _type(pa, one.type)) for one in fields])
    return {
        str: pa.string(),
        int: pa.int64(),
        float: pa.float64(),
        Decimal: pa.decimal128(38, 18),
        datetime: pa.timestamp("us", "UTC"),
    }[kind]


def _value(value: Any) -> Any:  # noqa: ANN401 - of any field
    if isinstance(value, Decimal):
        return value.quantize(_SCALE, context=_CONTEXT)
    if isinstance(value, msgspec.Struct):
        return {name: _value(getattr(value, name)) for name in value.__struct_fields__}
    return [_value(one) for one in value] if isinstance(value, tuple) else value
