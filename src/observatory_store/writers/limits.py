"""Which times a relation accepts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec

from observatory_store.database import Connection
from observatory_store.errors import SchemaNotAppliedError
from observatory_store.sql import load

FUTURE = timedelta(days=1)
"""A row further ahead would move a rollup's watermark past the present."""

LATE = timedelta(days=2)
"""On community TimescaleDB's refresh policies look back at least this far. What comes later is
noted, so that the status tells of it and a refresh finds it, however far they look.
"""

_SQL = load("writing")


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """The oldest time that each relation takes, as of one moment."""

    edition: str
    oldest: dict[str, datetime | None]
    retention_days: dict[str, int | None]

    @classmethod
    async def read(cls, connection: Connection) -> Limits:
        """Read the limits from ``policies``."""
        rows = await connection.fetch(_SQL["select_limits"])
        if not rows:
            raise SchemaNotAppliedError("the schema is applied in part: apply its migrations")
        return cls(
            edition=rows[0]["edition"],
            oldest={row["relation"]: row["oldest"] for row in rows},
            retention_days={
                row["relation"]: row["retention"].days if row["retention"] else None for row in rows
            },
        )

    def takes(self, relation: str, time: datetime) -> bool:
        """Tell whether the relation still keeps rows of this time."""
        oldest = self.oldest.get(relation)
        return oldest is None or time >= oldest

    def refusal(self, relation: str, what: str, time: datetime, now: datetime) -> str | None:
        """Return why the relation refuses a row of this time, or None if it takes it."""
        if time > now + FUTURE:
            return f"{what} {time:%Y-%m-%dT%H:%M:%SZ} is more than a day ahead of the clock"
        if not self.takes(relation, time):
            days = self.retention_days.get(relation)
            return f"{what} {_day(time)} is older than what {relation} keeps" + (
                f" ({days} days)" if days else ""
            )
        return None

    def changed_before(self, now: datetime) -> datetime:
        """Return the time before which a changed quarter-hour has to be noted for the refresh."""
        return now - LATE if self.edition == "community" else datetime.max.replace(tzinfo=UTC)


def _day(time: datetime) -> str:
    # strftime does not pad a year before 1000.
    return f"{time.year:04}-{time.month:02}-{time.day:02}"
