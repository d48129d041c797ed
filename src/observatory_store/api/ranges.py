"""The range of time of a query, and the cursor that remembers it.

A cursor of the service begins with the range of its query. Without that, the default range, which
ends now, would be another one on the second page.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, NamedTuple

from pydantic import BeforeValidator, Field, WithJsonSchema

from observatory_store.api.parameters import QueryParameters, Text
from observatory_store.errors import InvalidCursorError
from observatory_store.repositories import TimeRange

DEFAULT_SPAN: Final = timedelta(days=1)
_AHEAD: Final = timedelta(minutes=1)
"""A sender's clock may be a little ahead, and what was just sent should be seen."""

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST = datetime(2555, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_NO_CURSOR = "the cursor is not one that this route gave"


def _time(value: object) -> datetime:
    if isinstance(value, str) and _RFC3339.fullmatch(value):
        try:
            time = datetime.fromisoformat(value.upper()).astimezone(UTC)
        except (ValueError, OverflowError):
            pass
        else:
            if _EPOCH <= time <= _LAST:
                return time
            raise ValueError("OTLP has times from 1970 to 2554 only")
    raise ValueError(
        "not an RFC 3339 time with an offset, such as 2026-01-31T12:00:00Z "
        "(in a URL, + is written %2B)"
    )


Time = Annotated[
    datetime,
    BeforeValidator(_time),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-01-31T12:00:00Z"]}),
]


class PageRange(NamedTuple):
    """A range, and the repository's cursor into it."""

    range: TimeRange
    cursor: str | None

    def next_cursor(self, cursor: str | None) -> str | None:
        """Return the service's cursor for the repository's."""
        if cursor is None:
            return None
        start, end = ((t - _EPOCH) // _MICROSECOND for t in (self.range.start, self.range.end))
        return f"{start:x}.{end:x}.{cursor}"


class RangeParameters(QueryParameters):
    """A range of time."""

    from_: Annotated[Time | None, Field(alias="from")] = None
    """Beginning of the range; 24 hours before its end if it is not given."""
    to: Time | None = None
    """End of the range, not included; one minute from now if it is not given."""

    def time_range(self) -> TimeRange:
        """Return the range.

        Raises:
            InvalidInputError: it is empty.

        """
        end = self.to or datetime.now(UTC) + _AHEAD
        return TimeRange(self.from_ or max(end - DEFAULT_SPAN, _EPOCH), end)


class PageParameters(RangeParameters):
    """A range of time that is read page by page."""

    cursor: Text | None = None
    """``next_cursor`` of the page before, with the other parameters as they were."""

    def page_range(self) -> PageRange:
        """Return the range, as far as it is not given that of the cursor.

        Raises:
            InvalidInputError: it is empty.
            InvalidCursorError: the cursor is not one of this service.

        """
        if self.cursor is None:
            return PageRange(self.time_range(), None)
        start, _, rest = self.cursor.partition(".")
        end, _, cursor = rest.partition(".")
        try:
            began, ended = (_EPOCH + int(text, 16) * _MICROSECOND for text in (start, end))
        except (ValueError, OverflowError) as error:
            raise InvalidCursorError(_NO_CURSOR) from error
        if began >= ended:
            raise InvalidCursorError(_NO_CURSOR)
        return PageRange(TimeRange(self.from_ or began, self.to or ended), cursor)
