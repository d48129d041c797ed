"""A dashboard's query as Grafana sends it to PostgreSQL.

First Grafana's page puts in the variables, as `$name` or quoted as `${name:sqlstring}`, then its
PostgreSQL data source the macros: whatever looks like `$word(arguments)`, the arguments without a
closing parenthesis.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

SECONDS = {"m": 60, "h": 3600, "d": 86400}
MACRO = re.compile(r"\$([_a-zA-Z0-9]+)\(([^)]*)\)")

Value = str | Sequence[str]
"""Of a variable: a text, or for one that takes several, the list of them."""


class Every(str):
    """The value "All" of a variable that says what it stands for: put in as it is."""

    __slots__ = ()


def expand(query: str, start: datetime, end: datetime, values: Mapping[str, Value]) -> str:
    """Return the SQL of a query for a range of time.

    Raises:
        ValueError: it names a variable or a macro that there is not.

    """
    for name, value in values.items():
        query = query.replace(f"${{{name}:sqlstring}}", _quoted(value))
        if isinstance(value, str):
            query = query.replace(f"${name}", value)
    times = _rfc3339(start), _rfc3339(end)
    query = MACRO.sub(lambda found: _macro(found[1], found[2], *times), query)
    if left := re.search(r"\$[\w{]+", query):
        raise ValueError(f"nothing is known of {left[0]}")
    return query


def _quoted(value: Value) -> str:
    if isinstance(value, Every):
        return str(value)
    values = [value] if isinstance(value, str) else value
    return ",".join("'" + one.replace("'", "''") + "'" for one in values)


def _rfc3339(time: datetime) -> str:
    return f"'{time.astimezone(UTC).isoformat().replace('+00:00', 'Z')}'"


def _group(column: str, interval: str) -> str:
    seconds = int(interval[:-1]) * SECONDS[interval[-1]]
    return f"floor(extract(epoch from {column})/{seconds})*{seconds}"


def _macro(name: str, text: str, start: str, end: str) -> str:
    arguments = [one.strip().strip("'") for one in text.split(",")]
    macros: dict[str, Callable[..., str]] = {
        "__time": lambda column: f'{column} AS "time"',
        "__timeFilter": lambda column: f"{column} BETWEEN {start} AND {end}",
        "__timeFrom": lambda _: start,
        "__timeTo": lambda _: end,
        "__timeGroup": _group,
        "__timeGroupAlias": lambda column, interval: f'{_group(column, interval)} AS "time"',
    }
    if name not in macros:
        raise ValueError(f"there is no macro {name}")
    return macros[name](*arguments)
