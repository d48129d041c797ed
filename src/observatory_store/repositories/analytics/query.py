"""A planned question as SQL: one part for each segment, united and summed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, LiteralString

from observatory_store.repositories.analytics.families import (
    COLUMNS,
    DIMENSIONS,
    OF_SPANS,
    SPARSE,
    Family,
)
from observatory_store.repositories.analytics.plan import SPANS, Segment
from observatory_store.sql import load

SQL = load("analytics")

_INDEXED = 100
"""Characters of a dimension's value; a long text fits into no index. As in migration 0008."""


class Arms:
    """The parts of one query. Texts come from this package, values are always parameters."""

    def __init__(
        self,
        family: Family,
        segments: Sequence[Segment],
        *arguments: Any,  # noqa: ANN401 - query parameters
        groups: Sequence[str] = (),
        filters: Mapping[str, Sequence[str]],
    ) -> None:
        """Prepare the parts; ``arguments`` are the first parameters of the query."""
        self.arguments: list[Any] = list(arguments)
        self._groups = [_literal(name) for name in DIMENSIONS if name in groups]
        self._filters = {name: self._parameter(list(given)) for name, given in filters.items()}
        self._values = filters
        self._text: LiteralString = "\nUNION ALL\n".join(
            self._arm(family, segment) for segment in segments
        )

    def into(self, query: LiteralString, *, slots: int = 1) -> LiteralString:
        """Return the query with its parts; ``slots`` is how many intervals its $2 has."""
        groups: LiteralString = "".join(f', a."{name}"' for name in self._groups)
        return (
            query.replace("/* slot */", SQL["slots" if slots > 1 else "one_slot"])
            .replace("/* groups */", groups)
            .replace("/* arms */", self._text)
        )

    def _parameter(self, value: Any) -> LiteralString:  # noqa: ANN401
        self.arguments.append(value)
        # A number is no text of anybody's.
        number: Any = len(self.arguments)
        return _literal(f"${number}")

    def _arm(self, family: Family, segment: Segment) -> LiteralString:
        of_spans = segment.relation == SPANS
        columns = OF_SPANS if of_spans else COLUMNS
        conditions = [
            ("{} @> {}::text[]" if name == "tag" else "{} = ANY ({}::text[])").format(
                columns[name], parameter
            )
            for name, parameter in self._filters.items()
        ]
        conditions += [
            f"{columns[name]} IS NOT NULL"
            for name in self._groups
            if name in SPARSE and name != "tag"
        ]
        searched_by = family.searched_by(segment.relation)
        if searched_by is not None and searched_by in self._values:
            begins = self._parameter([value[:_INDEXED] for value in self._values[searched_by]])
            conditions.append(f"left({columns[searched_by]}, {_INDEXED}) = ANY ({begins}::text[])")
        parts: dict[LiteralString, LiteralString] = {
            "/* dimensions */": self._dimensions(columns),
            "/* range */": SQL["spans_range" if of_spans else "rollup_range"],
            "/* relation */": segment.relation,
            "/* start */": self._parameter(segment.start),
            "/* end */": self._parameter(segment.end),
            "/* where */": " ".join(f"AND {condition}" for condition in conditions),
        }
        text = SQL[family.spans_arm if of_spans else family.arm]
        for mark, part in parts.items():
            text = text.replace(mark, part)
        return text

    def _dimensions(self, columns: Mapping[str, LiteralString]) -> LiteralString:
        # A call has as many rows as it has tags, where these are asked for.
        return "".join(
            f', unnest({columns[name]}) AS "{name}"'
            if name == "tag"
            else f', {columns[name]} AS "{name}"'
            for name in self._groups
        )


def quantiles_query(count: int) -> LiteralString:
    """Return the query of so many quantiles."""
    quantiles: LiteralString = ",\n".join(
        SQL["quantile"].replace("/* n */", _literal(str(number + 1))) for number in range(count)
    )
    return SQL["quantiles"].replace("/* quantiles */", quantiles)


def _literal(text: str) -> LiteralString:
    literal: Any = text
    return literal  # type: ignore[no-any-return]
