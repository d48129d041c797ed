"""Times on the command line."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from observatory_store.cli.time_range import parse_time
from observatory_store.errors import InvalidInputError

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("now", NOW),
        ("90m", datetime(2026, 11, 20, 10, 30, tzinfo=UTC)),
        ("7d", datetime(2026, 11, 13, 12, tzinfo=UTC)),
        ("2026-01-31T12:00:00Z", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        ("2026-01-31T12:00:00+02:00", datetime(2026, 1, 31, 10, tzinfo=UTC)),
    ],
)
def test_times(text: str, time: datetime) -> None:
    """The same moment, however it is written."""
    assert parse_time(text, NOW) == time


@pytest.mark.parametrize("text", ["", "h", "-1h", "1y", "999999w", "12:00", "2026-13-01T00:00:00Z"])
def test_no_times(text: str) -> None:
    """A wrong time is refused; a guess would answer about another range."""
    with pytest.raises(InvalidInputError):
        parse_time(text, NOW)
