"""Every conversion of this package that loses something, each with its reason.

- U+0000 becomes U+FFFD: PostgreSQL's ``text`` and ``jsonb`` cannot hold it.
- A lone surrogate becomes U+FFFD: it is no character, and neither UTF-8 nor ``jsonb`` has it.
- A byte of JSON that is not UTF-8 becomes U+FFFD: RFC 8259 has no other encoding.
- A time is split into the microseconds that ``timestamptz`` has, and the rest in nanoseconds.
- A span that ends before it starts, or not at all, gets the duration 0: the clocks of its host
  disagreed or the sender never ended it, and a negative duration would spoil every sum.
"""

from __future__ import annotations

import codecs
import re
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import TYPE_CHECKING

from observatory_store.rows.text import REPLACEMENT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from observatory_store.otlp.decoded import Tally

REPLACED_NUL = "U+0000 in a text was replaced by U+FFFD: PostgreSQL cannot store it"
REPLACED_SURROGATE = "a lone surrogate or U+0000 in a JSON text was replaced by U+FFFD"
REPLACED_BYTES = "bytes that are not UTF-8 were replaced by U+FFFD"
NO_DURATION = "a span ends before it starts, or has no end: its duration was set to 0"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ESCAPED_NUL = rb"\u0000"

# A match is all up to an escape that cannot stand: the second half of `\\` never begins one.
# It always matches, up to the end, so that no search begins twice at one place.
_TO_BAD_ESCAPE = re.compile(
    rb"""(?:
        [^\\]++
      | \\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}
      | \\(?!u[dD][89a-fA-F][0-9a-fA-F]{2}|u0000).
    )*+
    (?:\\(?P<bad>u[0-9a-fA-F]{4})|\\?\Z)""",
    re.VERBOSE | re.DOTALL,
)
_PIECE = 1024 * 1024
"""Bytes of which more than one copy is made at once."""


def json_nul(body: bytes, tally: Tally) -> bytes:
    r"""Return the JSON without escaped U+0000; free of cost where ``\u0000`` does not occur."""
    if _ESCAPED_NUL not in body:
        return body
    return _without_bad_escapes(body, REPLACED_NUL, tally)


def json_text(body: bytes, tally: Tally) -> bytes:
    """Return the JSON as valid UTF-8 without escaped lone surrogates and U+0000."""
    return _without_bad_escapes(_utf8(body, tally), REPLACED_SURROGATE, tally)


def _without_bad_escapes(body: bytes, note: str, tally: Tally) -> bytes:
    repaired: BytesIO | None = None
    for match in _TO_BAD_ESCAPE.finditer(body):
        begin = match.start("bad")
        if begin >= 0:
            repaired = repaired or BytesIO(body)
            repaired.seek(begin)
            repaired.write(b"ufffd")
    if repaired is None:
        return body
    tally.note(note)
    return repaired.getvalue()


def _utf8(body: bytes, tally: Tally) -> bytes:
    try:
        for _ in _decoded(body, "strict"):
            pass
    except UnicodeDecodeError:
        tally.note(REPLACED_BYTES)
        replaced = BytesIO()
        for piece in _decoded(body, "replace"):
            replaced.write(piece.encode())
        return replaced.getvalue()
    return body


def _decoded(body: bytes, errors: str) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder("utf-8")(errors)
    for begin in range(0, len(body), _PIECE):
        yield decoder.decode(body[begin : begin + _PIECE], begin + _PIECE >= len(body))


def text(value: str, tally: Tally) -> str:
    """Return the text without U+0000."""
    if "\0" not in value:
        return value
    tally.note(REPLACED_NUL)
    return value.replace("\0", REPLACEMENT)


def split_time(unix_nano: int) -> tuple[datetime, int]:
    """Return the time in whole microseconds, and the nanoseconds (0 to 999) that this leaves.

    Every uint64 fits: the largest is in the year 2554.
    """
    microseconds, nanos = divmod(unix_nano, 1000)
    seconds, microseconds = divmod(microseconds, 1_000_000)
    return _EPOCH + timedelta(0, seconds, microseconds), nanos


def join_time(time: datetime, nanos: int) -> int:
    """Return the nanoseconds since 1970 that :func:`split_time` was given."""
    since = time - _EPOCH
    return ((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds) * 1000 + nanos


def duration(start: int, end: int, tally: Tally) -> tuple[int, int]:
    """Return microseconds and remaining nanoseconds; start + both is the end exactly."""
    if end < start:
        tally.note(NO_DURATION)
        return 0, 0
    return divmod(end - start, 1000)
