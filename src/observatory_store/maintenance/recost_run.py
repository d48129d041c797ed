"""One way through a range of calls whose costs are computed again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import asyncpg
import msgspec

from observatory_store.database import Connection
from observatory_store.errors import UnavailableError
from observatory_store.pricing import Pricer
from observatory_store.pricing.providers import canonical
from observatory_store.pricing.repricing import ModelCosts, Repriced, add_up, reprice, total
from observatory_store.settings import CostSource
from observatory_store.sql import load

_SQL = load("recosts")
_CALLS_A_SLICE: Final = 5000
"""What one transaction looks at. Writers that meet a call of it again wait for that long."""
_TRIES: Final = 10
_PAUSE_SECONDS: Final = 0.05
_DAY: Final = timedelta(days=1)
_LEAST: Final = timedelta(microseconds=1)
_STAGE: Final = (
    "trace_id",
    "span_id",
    "start_time",
    "old_cost_usd",
    "old_price_ref",
    "new_cost_usd",
    "new_price_ref",
    "should_cost",
)


class RecostRange(msgspec.Struct, frozen=True, kw_only=True):
    """Which calls."""

    start: datetime
    end: datetime
    """Not included."""
    project_id: int | None = None
    provider: str | None = None
    model: str | None = None
    """The model that answered, or else the one that was asked for."""


class RecostReport(msgspec.Struct, frozen=True, kw_only=True):
    """What was done so far, or would be done."""

    recost_id: int | None
    """None for a dry run."""
    start: datetime
    end: datetime
    done_before: datetime
    """All calls before this time are done."""
    whole_from: datetime | None
    """Set if the range begins earlier than the spans that are all there. What is known of the time
    before is left as it is."""
    calls: int
    changed: int
    old_cost_usd: Decimal
    new_cost_usd: Decimal
    models: list[ModelCosts]


class _Position(msgspec.Struct, frozen=True):
    day: datetime
    """Days before this one are done."""
    project_id: int
    """Of the day, projects with lower ids are done."""
    before: datetime
    """Of the project, calls before this time are done."""


class _MovedError(Exception):
    """A call is not as it was read: somebody deleted it, or moved it to another part of a chunk."""


_PASSING: Final = (_MovedError, asyncpg.TransactionRollbackError, asyncpg.LockNotAvailableError)
"""What may succeed when it is tried again: others are at work on the same calls, or chunk."""


class RecostRun:
    """One way through a range, day by day, of each day project by project."""

    def __init__(
        self,
        pricer: Pricer,
        cost: CostSource,
        wanted: RecostRange,
        recost_id: int | None,
        row: Any = None,  # noqa: ANN401 - asyncpg's Record
    ) -> None:
        """Without ``recost_id`` nothing is changed; ``row`` is where it was stopped."""
        self._pricer = pricer
        self._cost = cost
        self._wanted = wanted
        self._id = recost_id
        self._whole_from: datetime | None = None
        self._models: list[ModelCosts] = []
        self._at = _Position(wanted.start, 0, wanted.start)
        if row is not None:
            self._models = msgspec.json.decode(row["models"], type=list[ModelCosts])
            self._at = _Position(row["done_day"], row["done_project"], row["done_before"])

    def report(self) -> RecostReport:
        """Return what is done so far."""
        costs = total(self._models)
        return RecostReport(
            recost_id=self._id,
            start=self._wanted.start,
            end=self._wanted.end,
            done_before=self._at.day,
            whole_from=self._whole_from,
            calls=costs.calls,
            changed=costs.changed,
            old_cost_usd=costs.old_cost_usd,
            new_cost_usd=costs.new_cost_usd,
            models=self._models,
        )

    async def days(self, connection: Connection) -> AsyncIterator[RecostReport]:
        """Do what is left of the range; give a report after each day that has spans."""
        if self._id is not None:
            await connection.execute(_SQL["stage"])
        while True:
            begin = await self._whole(connection, self._at.day)
            firsts = await connection.fetch(
                _SQL["next_calls"], begin, self._wanted.end, self._wanted.project_id
            )
            if not firsts:
                break
            day = _midnight(min(first["start_time"] for first in firsts))
            stop = min(day + _DAY, self._wanted.end)
            if day > self._at.day:
                self._at = _Position(day, 0, day)
            for project_id, time in firsts:
                if time < stop and project_id >= self._at.project_id:
                    since = max(time, self._at.before)
                    if project_id > self._at.project_id:
                        since = time
                    await self._project(connection, project_id, since, stop)
            self._at = _Position(stop, 0, stop)
            yield self.report()
        self._at = _Position(self._wanted.end, 0, self._wanted.end)

    async def _whole(self, connection: Connection, time: datetime) -> datetime:
        """Return the time, or when the spans begin that are all there, if that is later."""
        whole_from: datetime | None = await connection.fetchval(_SQL["whole_from"])
        if whole_from is None or whole_from <= time:
            return time
        whole_from = min(whole_from, self._wanted.end)
        self._whole_from = whole_from
        return whole_from

    async def _project(
        self, connection: Connection, project_id: int, since: datetime, stop: datetime
    ) -> None:
        while since < stop:
            since = await self._slice(connection, project_id, since, stop)

    async def _slice(
        self, connection: Connection, project_id: int, since: datetime, stop: datetime
    ) -> datetime:
        """Do some calls; return up to which time."""
        for _ in range(_TRIES):
            try:
                calls, until = await self._read(connection, project_id, since, stop)
                # Off the event loop, where a program has other things to do.
                changes, costs = await asyncio.to_thread(reprice, calls, self._pricer, self._cost)
                at = msgspec.structs.replace(self._at, project_id=project_id, before=until)
                models = add_up([*self._models, *costs])
                if self._id is not None:
                    async with connection.transaction():
                        await _change(connection, project_id, changes)
                        await self._note(connection, at, models)
            except _PASSING:
                await asyncio.sleep(_PAUSE_SECONDS)
                continue
            self._at, self._models = at, models
            return until
        raise UnavailableError(
            f"calls from {since} on change as fast as they are read: go on with it later"
        )

    async def _read(
        self, connection: Connection, project_id: int, since: datetime, stop: datetime
    ) -> tuple[Sequence[Any], datetime]:
        """Return the next calls, and the time before which these are all."""
        wanted = self._wanted
        providers = wanted.provider and [wanted.provider, canonical(wanted.provider)]
        filters = (providers, wanted.model)
        calls = await connection.fetch(
            _SQL["slice"], project_id, since, stop, *filters, _CALLS_A_SLICE + 1
        )
        if len(calls) <= _CALLS_A_SLICE:
            return calls, stop
        last = calls[-1]["time"]
        before = [call for call in calls if call["time"] < last]
        if before:
            return before, last
        # More at one moment than are looked at together: these cannot be told apart by time.
        until = last + _LEAST
        return await connection.fetch(_SQL["slice"], project_id, last, until, *filters, None), until

    async def _note(
        self, connection: Connection, at: _Position, models: Sequence[ModelCosts]
    ) -> None:
        costs = total(models)
        await connection.execute(
            _SQL["progress"],
            self._id,
            at.day,
            at.project_id,
            at.before,
            costs.calls,
            costs.changed,
            costs.old_cost_usd,
            costs.new_cost_usd,
            msgspec.json.encode(models),
        )


async def _change(connection: Connection, project_id: int, changes: Sequence[Repriced]) -> None:
    """Change these calls, and all that is counted from them, within the transaction.

    Raises:
        _MovedError: not all of them are as they were read.

    """
    if not changes:
        return
    await connection.copy_records_to_table(
        "recost_stage",
        schema_name="pg_temp",
        columns=_STAGE,
        records=[_record(change) for change in changes],
    )
    first, last = changes[0].call["time"], changes[-1].call["time"]
    await connection.execute(_SQL["allow_decompression"])
    tag = await connection.execute(_SQL["update_spans"], project_id, first, last)
    if int(tag.rpartition(" ")[2]) != len(changes):
        raise _MovedError
    await connection.execute(_SQL["lock_trace_days"], project_id, first.date())
    await connection.execute(_SQL["update_trace_days"], project_id, first.date())
    await connection.execute(_SQL["note_changed"], project_id)


def _record(change: Repriced) -> tuple[Any, ...]:
    call = change.call
    return (
        call["trace_id"],
        call["span_id"],
        call["time"],
        call["cost_usd"],
        call["price_ref"],
        change.cost_usd,
        change.price_ref,
        call["should_cost"],
    )


def _midnight(time: datetime) -> datetime:
    return time.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
