"""What a policy is about, and what a change of it does; the database tells what it may be."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Final, Literal, TypeAlias, get_args

from observatory_store.errors import InvalidInputError

PolicyKey: TypeAlias = Literal["retention", "columnstore_after", "chunk_interval"]
KEYS: Final[tuple[PolicyKey, ...]] = get_args(PolicyKey)
LONGEST: Final = timedelta(days=36_500)

_SEARCHED = ("span_payloads", "logs")
_COMMUNITY_ONLY = "has no effect until the database is of the community edition: schema promote"
_EFFECTS: Final[Mapping[tuple[PolicyKey, str], str]] = {
    ("retention", "community"): "TimescaleDB's job goes by it from its next run on",
    ("retention", "apache"): "maintain goes by it from its next run on",
    ("retention", "postgres"): "maintain goes by it from its next run on",
    ("columnstore_after", "community"): "TimescaleDB's job goes by it; what is columnar stays so",
    ("columnstore_after", "apache"): _COMMUNITY_ONLY,
    ("columnstore_after", "postgres"): _COMMUNITY_ONLY,
    ("chunk_interval", "community"): "for new chunks only: those that are there keep their length",
    ("chunk_interval", "apache"): "for new chunks only: those that are there keep their length",
    ("chunk_interval", "postgres"): "has no effect until the database has TimescaleDB: "
    "schema promote",
}


def known_key(key: str) -> PolicyKey:
    """Return the key.

    Raises:
        InvalidInputError: policies have no such key.

    """
    for known in KEYS:
        if known == key:
            return known
    raise InvalidInputError(f"policies have no {key!r}: choose {', '.join(KEYS)}")


def effect(
    relation: str, key: PolicyKey, value: timedelta | None, edition: str, *, is_rollup: bool
) -> str:
    """Tell when a change takes effect in a database of the edition, and on what."""
    if key == "chunk_interval" and edition == "apache" and is_rollup:
        return _COMMUNITY_ONLY
    if key == "columnstore_after" and relation in _SEARCHED:
        words = "no words" if value is None else "the words of rows that are younger"
        columns = f"{_EFFECTS[key, edition]}; " if edition == "community" else ""
        return f"{columns}maintain keeps {words} indexed"
    return _EFFECTS[key, edition]
