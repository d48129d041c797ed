"""What all answers share: how times, money and attributes are written."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any

from fastapi import Response
from pydantic import BaseModel, ConfigDict, Field

NanoTime = Annotated[
    str,
    Field(json_schema_extra={"format": "date-time"}, examples=["2026-01-31T12:00:00.123456789Z"]),
]
MicroTime = Annotated[
    str,
    Field(json_schema_extra={"format": "date-time"}, examples=["2026-01-31T12:00:00.123456Z"]),
]
TraceId = Annotated[
    str, Field(pattern="^[0-9a-f]{32}$", examples=["5b8efff798038103d269b633813fc60c"])
]
SpanId = Annotated[str, Field(pattern="^[0-9a-f]{16}$", examples=["eee19b7ec3c1b174"])]
Money = Annotated[str, Field(examples=["0.0026700"])]
TaggedMap = Annotated[
    dict[str, Any],
    Field(
        description='Tagged JSON: bytes are `{"$bytes": base64}`, a double that plain JSON would '
        'change is `{"$double": text}`, a map whose only key begins with `$` is `{"$map": map}`.',
        examples=[{"http.method": "POST", "retries": 2, "ratio": {"$double": "NaN"}}],
    ),
]


class Answer(BaseModel):
    """A part of an answer."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        ser_json_inf_nan="strings",
    )


class Page(Answer):
    """Some rows of a list."""

    next_cursor: str | None = None
    """Gives the next page as ``cursor``, with the same other parameters; null on the last. A page
    may be short, or empty, and yet have one: a filter looks at so many rows at once."""


class RangePage(Page):
    """Some rows of a list that has a range of time."""

    from_: Annotated[MicroTime, Field(alias="from")]
    """Beginning of the range."""
    to: MicroTime
    """End of the range, not included."""


def answer(content: Answer) -> Response:
    """Return the answer as JSON; it was validated when it was made."""
    return Response(content.model_dump_json(by_alias=True), media_type="application/json")


def micro_time(time: datetime) -> str:
    """Return a time in RFC 3339 with microseconds."""
    return f"{time.astimezone(UTC).isoformat(timespec='microseconds')[:26]}Z"


def nano_time(time: datetime, nanos: int) -> str:
    """Return a time and the nanoseconds beyond its microseconds in RFC 3339."""
    return f"{time.astimezone(UTC).isoformat(timespec='microseconds')[:26]}{nanos:03}Z"


def unix_nano_time(unix_nano: int) -> str:
    """Return nanoseconds since 1970 in RFC 3339."""
    seconds, nanos = divmod(unix_nano, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{nanos:09}Z"


def money(amount: Decimal) -> str:
    """Return an amount as a decimal string without exponent."""
    return f"{amount:f}"
