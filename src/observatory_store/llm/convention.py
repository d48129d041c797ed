"""A naming convention for LLM attributes, as a table of attributes and columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from observatory_store.llm import conversion
from observatory_store.rows import Attributes, AttributeValue

Where: TypeAlias = Callable[[Attributes], bool]
"""Tells by a span's other attributes whether an entry holds.

It must not ask for an attribute that a column restores: that one may be gone.
"""

TOTAL_TOKENS: Final = "total_tokens"
"""In place of a column: a total that is only compared with the sum."""
UNCOUNTED_INPUT: Final = "uncounted_input"
"""In place of a column: the input as it was sent, before what it leaves out was added."""
FIRST_TOKEN_TIME: Final = "first_token_time"  # noqa: S105 - a time
"""In place of a column: when the answer began, a ``datetime``."""

UNUSABLE: Final = "unusable"
"""In place of a column: True where an attribute should have told a count and does not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One attribute and the column of ``spans`` that it fills."""

    attribute: str
    column: str
    convert: Callable[[AttributeValue], Any]
    """The column's value, or None where the attribute cannot be used.

    Without ``restore`` it returns an attribute of the column's own type as the same object.
    """
    restore: Callable[[Any], AttributeValue] | None = None
    """The attribute that the column's value stands for; None where it is the value itself."""
    where: Where | None = None

    def fails(self, attribute: AttributeValue) -> bool:
        """Tell whether an attribute that was not converted should have counted what was used.

        An empty one or NaN is how some libraries send that they do not know.
        """
        return (
            self.convert is conversion.count
            and self.column != "max_tokens"
            and conversion.is_said(attribute)
        )

    def attribute_of(self, value: Any) -> AttributeValue:  # noqa: ANN401 - a column's value
        """Return the attribute that a column's value stands for."""
        return self.restore(value) if self.restore else value

    def is_exact(self, value: Any, attribute: AttributeValue) -> bool:  # noqa: ANN401
        """Tell whether the column's value alone restores the attribute, its type included."""
        if self.restore is None:
            return value is attribute
        restored = self.restore(value)
        return type(restored) is type(attribute) and restored == attribute


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One attribute that fills several columns: a text of JSON, or of Python."""

    attribute: str
    read: Callable[[AttributeValue], Mapping[str, Any]]
    """Column → value, without what cannot be used; nothing if all of it cannot."""
    where: Where | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Convention:
    """One dialect. Another dialect is another table.

    Of all fields with one column, over all tables in their order, the first is the column's
    canonical attribute: only it is taken out of a span's attributes and put back. The others fill
    the column where the canonical one does not, the first usable one first, and stay.
    """

    name: str
    revision: str
    """Which state of the convention the table is."""
    entries: tuple[Field | Document, ...]
    first_token_events: frozenset[str] = frozenset()
    """Names of span events that mark the first part of an answer."""


def has(attribute: str) -> Where:
    """Hold where another attribute is there, whatever it says."""
    return lambda attributes: attribute in attributes


def equals(attribute: str, value: str) -> Where:
    """Hold where another attribute says this."""
    return lambda attributes: attributes.get(attribute) == value
