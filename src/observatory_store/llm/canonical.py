"""The canonical attributes that a column restores exactly, checked all at once.

What a span of current names costs is mostly the number of Python operations for each attribute: a
struct that has the columns' limits as its types takes one operation for all of them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Annotated, Any, Final

import msgspec

from observatory_store.llm import conversion
from observatory_store.llm.convention import Field
from observatory_store.llm.inference import INFERENCE_OPERATIONS, OTHER_OPERATIONS, operation
from observatory_store.llm.providers import provider
from observatory_store.rows import Attributes
from observatory_store.rows.provider import WELL_KNOWN

# A code point has at most 4 bytes, so that these need no encoding to be measured.
_Text = Annotated[str, msgspec.Meta(min_length=1, max_length=conversion.MAX_TEXT_BYTES // 4)]
_Texts = Annotated[list[_Text], msgspec.Meta(max_length=conversion.MAX_TEXTS)]
_TYPES: Final[dict[Any, Any]] = {
    conversion.text: _Text,
    conversion.identifier: _Text,
    conversion.count: Annotated[int, msgspec.Meta(ge=0, le=conversion.MAX_COUNT)],
    conversion.number: Annotated[
        float, msgspec.Meta(ge=-sys.float_info.max, le=sys.float_info.max)
    ],
    conversion.flag: bool,
    conversion.texts: _Texts,
    operation: _Text,
    provider: _Text,
}
_WELL_KNOWN: Final = {operation: INFERENCE_OPERATIONS | OTHER_OPERATIONS, provider: WELL_KNOWN}
"""What these conversions leave as it is."""


class ExactAttributes:
    """Takes attributes of the usual types out of a span, if all that are there have them."""

    def __init__(self, fields: Iterable[Field]) -> None:
        taken = [field for field in fields if field.convert in _TYPES]
        self._columns = {field.attribute: field.column for field in taken}
        self._struct = msgspec.defstruct(
            "ExactAttributes",
            [
                (
                    field.column,
                    _TYPES[field.convert] | msgspec.UnsetType,
                    msgspec.UNSET,
                )
                for field in taken
            ],
            rename={field.column: field.attribute for field in taken},
            gc=False,
        )
        self._named = [
            (field, _WELL_KNOWN[field.convert]) for field in taken if field.convert in _WELL_KNOWN
        ]

    def take(self, attributes: Attributes) -> dict[str, Any]:
        """Return columns and take their attributes out; none at all if one of them is unusual."""
        try:
            found = msgspec.to_builtins(msgspec.convert(attributes, self._struct))
        except (msgspec.ValidationError, UnicodeError):
            return {}
        columns, pop = self._columns, attributes.pop
        taken: dict[str, Any] = {}
        for name, value in found.items():
            taken[columns[name]] = value
            attribute = pop(name)
            if attribute is not value and type(attribute) is int:  # a double in the column
                attributes[name] = attribute
        for field, well_known in self._named:
            value = taken.get(field.column)
            if value is not None and value not in well_known:
                taken[field.column] = field.convert(value)
                if taken[field.column] != value:
                    attributes[field.attribute] = value
        if "finish_reasons" in taken:
            taken["finish_reasons"] = tuple(taken["finish_reasons"])
        return taken
