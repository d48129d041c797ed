"""Pages of a list: range, limit, and the cursor that leads to the next page."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Generic, TypeVar

import msgspec

from observatory_store.errors import InvalidCursorError, InvalidInputError

Row = TypeVar("Row")
Row_co = TypeVar("Row_co", covariant=True)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

_Bigint = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
_Content = Annotated[list[_Bigint | str], msgspec.Meta(min_length=1)]


def check_time(name: str, time: object) -> None:
    """Check that a time is one; whether it has a zone is another matter.

    Raises:
        InvalidInputError: it is a date, a text, or whatever else.

    """
    if not isinstance(time, datetime):
        raise InvalidInputError(f"{name}: give a datetime with a time zone, not {time!r:.100}")


class TimeRange(msgspec.Struct, frozen=True):
    """Times from ``start`` on, before ``end``; given in any time zone, kept in UTC."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        for name, time in (("start", self.start), ("end", self.end)):
            check_time(name, time)
        if self.start.tzinfo is None or self.end.tzinfo is None:
            raise InvalidInputError(
                "a time of the range lacks a time zone: write 2026-01-31T12:00:00Z"
            )
        # Python computes with times of one zone by its clock, which jumps.
        try:
            start, end = self.start.astimezone(UTC), self.end.astimezone(UTC)
        except OverflowError as error:
            raise InvalidInputError("a time of the range (from, to) is out of bounds") from error
        msgspec.structs.force_setattr(self, "start", start)
        msgspec.structs.force_setattr(self, "end", end)
        if start >= end:
            raise InvalidInputError(
                "the range is empty: its start (from) must be before its end (to)"
            )


MOST_OF_A_LIST = timedelta(days=400)


def check_range(range_: TimeRange, most: timedelta = MOST_OF_A_LIST) -> None:
    """Check the length of a range.

    Raises:
        InvalidInputError: it is more than the most that the query takes.

    """
    if range_.end - range_.start > most:
        raise InvalidInputError(
            f"the range (from, to) is longer than {most.days} days: ask for a part of it"
        )


class Page(msgspec.Struct, Generic[Row], frozen=True, kw_only=True):
    """Some rows of a list, and the cursor of the next page; None on the last."""

    items: list[Row]
    """Fewer than asked for, or none, also where a filter had to look at too many rows."""
    next_cursor: str | None = None


def check_limit(limit: int, most: int) -> int:
    """Return the limit.

    Raises:
        InvalidInputError: it is less than 1 or more than the most that the query gives.

    """
    if not isinstance(limit, int):
        raise InvalidInputError(f"limit must be a whole number, not {limit!r:.100}")
    if not 1 <= limit <= most:
        raise InvalidInputError(f"limit must be from 1 to {most}, not {limit}")
    return limit


def paginate(
    rows: Sequence[Row],
    limit: int,
    scope: str,
    keys: Sequence[Any],
    stopped: Sequence[Any] | None = None,
) -> Page[Row]:
    """Make a page of up to ``limit`` rows.

    Args:
        rows: one more than ``limit`` where there is a next page.
        limit: length of a page.
        scope: what the cursor is for; it is refused by any other query.
        keys: the sort key of each row.
        stopped: where the search for rows stopped, if there are fewer and it was not at the end.

    """
    if len(rows) > limit:
        return Page(items=list(rows[:limit]), next_cursor=encode_cursor(scope, keys[limit - 1]))
    return Page(
        items=list(rows), next_cursor=None if stopped is None else encode_cursor(scope, stopped)
    )


def scope_of(query: str, *conditions: Any) -> str:  # noqa: ANN401 - whatever has a repr
    """Name a query with its conditions, so that a cursor fits no other."""
    return hashlib.sha256(repr((query, conditions)).encode()).hexdigest()[:16]


def encode_cursor(scope: str, key: Sequence[Any]) -> str:
    """Return an opaque cursor that stands after the row with this sort key."""
    plain = [
        (item - _EPOCH) // _MICROSECOND if isinstance(item, datetime) else item for item in key
    ]
    return base64.urlsafe_b64encode(msgspec.json.encode([scope, *plain])).rstrip(b"=").decode()


def decode_cursor(cursor: str, scope: str, *types: type) -> list[Any]:
    """Return the sort key in a cursor.

    Args:
        cursor: what :func:`encode_cursor` gave.
        scope: of the query that the cursor is used in.
        types: of the key's items: datetime, int (of 64 bits), or str, which is hex digits.

    Raises:
        InvalidCursorError: it is not a cursor, or one of another query.

    """
    try:
        content = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars="-_", validate=True)
        # Typed, so that what was made by hand is refused before it is built, however deep it is.
        found, *key = msgspec.json.decode(content, type=_Content)
        if found == scope and len(key) == len(types):
            return [_restore(item, kind) for item, kind in zip(key, types, strict=True)]
    except (ValueError, TypeError, OverflowError, msgspec.DecodeError) as error:
        raise InvalidCursorError("the cursor is not one that this route gave") from error
    raise InvalidCursorError("the cursor belongs to a query with other conditions")


def _restore(item: int | str, kind: type) -> Any:  # noqa: ANN401 - what the type says
    plain = int if kind is datetime else kind
    if not isinstance(item, plain):
        raise TypeError(kind)
    if isinstance(item, str):
        bytes.fromhex(item)
        return item
    return _EPOCH + item * _MICROSECOND if kind is datetime else item
