"""The one place that composes SQL: conditions from code, values always as parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, LiteralString, TypeAlias, get_args

Mark: TypeAlias = Literal["where", "facts", "least", "others"]
"""Where in the query a condition belongs: at the comment with this word."""


class Where:
    """The conditions of one query.

    >>> where = Where(7)
    >>> where.add("s.name = {}", "chat")
    >>> where.into("SELECT FROM s WHERE project_id = $1 /* where */")
    'SELECT FROM s WHERE project_id = $1 AND s.name = $2'
    """

    def __init__(self, *arguments: Any) -> None:  # noqa: ANN401 - query parameters
        self.arguments: list[Any] = list(arguments)
        self._conditions: dict[Mark, list[str]] = {mark: [] for mark in get_args(Mark)}

    def add(
        self,
        condition: LiteralString,
        *values: Any,  # noqa: ANN401
        mark: Mark = "where",
    ) -> None:
        """Require a condition; each ``{}`` in it stands for the next value."""
        numbers = range(len(self.arguments) + 1, len(self.arguments) + 1 + len(values))
        self._conditions[mark].append(condition.format(*(f"${number}" for number in numbers)))
        self.arguments.extend(values)

    def add_if(self, condition: LiteralString, value: Any) -> None:  # noqa: ANN401
        """Require a condition on one value, unless that is None."""
        if value is not None:
            self.add(condition, value)

    def add_each(
        self, condition: LiteralString, values: Sequence[Any], *, mark: Mark = "where"
    ) -> None:
        """Require a condition for each of the values; a pair fills two ``{}``."""
        for value in values:
            self.add(condition, *(value if isinstance(value, tuple) else (value,)), mark=mark)

    def into(self, query: LiteralString) -> LiteralString:
        """Return the query with the conditions at their marks."""
        for mark, conditions in self._conditions.items():
            text = " ".join(f"AND {condition}" for condition in conditions)
            query = query.replace(f"/* {mark} */", text)
        return query
