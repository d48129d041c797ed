"""A naming convention for LLM attributes, as a table of attributes and columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from observatory_store.rows import AttributeValue


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
class Convention:
    """One dialect. Another dialect is another table.

    Of all fields with one column, over all tables in their order, the first is the column's
    canonical attribute: only it is taken out of a span's attributes and put back. The others fill
    the column where the canonical one does not, and stay.
    """

    name: str
    revision: str
    """Which state of the convention the table is."""
    fields: tuple[Field, ...]
    payload: Mapping[str, str] = field(default_factory=dict)
    """Attribute → field of :class:`~observatory_store.rows.Payload`; all canonical."""
