"""What the policies of a relation may be, and what a change of them does."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Final, Literal, TypeAlias, get_args

from observatory_store.errors import InvalidInputError

PolicyKey: TypeAlias = Literal["retention", "columnstore_after", "chunk_interval"]
KEYS: Final[tuple[PolicyKey, ...]] = get_args(PolicyKey)

_DAY = timedelta(days=1)
_MOST = 36_500 * _DAY
_NEVER_COLUMNAR = "trace_days"
_KEPT_NO_LONGER: Final = (
    ("span_payloads", "spans", "a payload is read with its span"),
    ("spans", "trace_days", "the spans of a trace are found by its days"),
)
"""The first is of no use without the second."""

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


def allowed(relation: str, key: str, value: timedelta | None) -> PolicyKey:
    """Return the key, if the relation may have this value of it, whatever the other policies are.

    Raises:
        InvalidInputError: it may not; the message says what is allowed.

    """
    for known in KEYS:
        if known == key:
            break
    else:
        raise InvalidInputError(f"{relation} has no {key!r}: choose {', '.join(KEYS)}")
    within = value is None or _DAY <= value <= _MOST
    if known == "chunk_interval":
        # What is dropped goes by whole days, and a day of which a part is gone must not be counted.
        if value is None or not within or value % _DAY:
            raise _refused(relation, known, f"1d to {_MOST.days}d, in whole days")
    elif relation == _NEVER_COLUMNAR and known == "columnstore_after":
        if value is not None:
            raise _refused(relation, known, "never, as its rows change with every late span")
    elif not within:
        raise _refused(relation, known, f"1d to {_MOST.days}d, or never")
    return known


def check_together(
    retentions: Mapping[str, timedelta | None], changed: str, value: timedelta | None
) -> None:
    """Check a new retention against those of the relations that it is used with.

    Raises:
        InvalidInputError: one would be kept longer than what it is of no use without.

    """
    after = {**retentions, changed: value}
    for short, long, why in _KEPT_NO_LONGER:
        if changed in {short, long} and _is_longer(after[short], after[long]):
            other = long if changed == short else short
            raise InvalidInputError(
                f"retention of {changed}: {short} ({_text(after[short])}) must not be kept longer "
                f"than {long} ({_text(after[long])}), as {why}; set that of {other} first"
            )


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


def _is_longer(one: timedelta | None, other: timedelta | None) -> bool:
    return other is not None and (one is None or one > other)


def _text(age: timedelta | None) -> str:
    return "for ever" if age is None else f"{age / _DAY:g} days"


def _refused(relation: str, key: PolicyKey, values: str) -> InvalidInputError:
    return InvalidInputError(f"{key} of {relation} may be {values}")
