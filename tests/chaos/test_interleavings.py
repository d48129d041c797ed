"""Whatever is written, replayed, cut off and refreshed, in whatever order, is there once."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Coroutine, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeAlias

import msgspec
import psycopg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from observatory_store import LogRecord, MetricPoint, Span
from observatory_store.database import Pool, open_pool
from observatory_store.errors import UnavailableError
from observatory_store.maintenance import Rollups
from observatory_store.writers import Submission, Writers, Written
from storage.samples import (
    RECOUNT_TRACES,
    RECOUNT_USAGE,
    TRACES,
    USAGE,
    log,
    now,
    point,
    traffic,
)

APPLICATION = "interleavings"
CONNECTIONS = 6
KILL = f"""
    SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = '{APPLICATION}'
"""
SPANS = "SELECT observatory.span_hex(span_id) FROM observatory.spans WHERE project_id = %s"
POINTS = "SELECT value_double FROM observatory.metric_points WHERE project_id = %s"
LOGS = "SELECT body #>> '{}' FROM observatory.logs WHERE project_id = %s"

ITEMS = 30
"""A span, a point and a log record of each number, the last few of them weeks late."""
LATE = 5

Batch: TypeAlias = list[int]

batches = st.lists(
    st.lists(st.integers(0, ITEMS - 1), min_size=1, max_size=8), min_size=1, max_size=5
)
milliseconds = st.lists(st.integers(0, 15), min_size=1, max_size=3)


class World:
    """One database for all examples, each of which is a project of its own."""

    def __init__(self, database_url: str, edition: str, runner: asyncio.Runner, pool: Pool) -> None:
        self.edition = edition
        self.runner = runner
        self.pool = pool
        self.writers = Writers(pool)
        self.projects = 0
        self._admin = psycopg.connect(database_url, autocommit=True)
        self.spans = traffic(ITEMS - LATE) + traffic(LATE, seed=2, ago=timedelta(days=86))
        self.start = now() - timedelta(hours=1)

    def close(self) -> None:
        """Disconnect."""
        self._admin.close()

    def ask(self, sql: str, *arguments: Any) -> list[tuple[Any, ...]]:
        """Return what the database says."""
        return self._admin.execute(sql, arguments or None).fetchall()

    def point(self, number: int) -> MetricPoint:
        """Return the point of a number."""
        return point(float(number), series=str(number % 3), time=self._time(number))

    def log(self, number: int) -> LogRecord:
        """Return the log record of a number."""
        return log(str(number), time=self._time(number))

    def _time(self, number: int) -> datetime:
        return self.start - timedelta(seconds=number)


@dataclass(slots=True)
class Known:
    """What is stored for certain, and what may be besides."""

    certain: Counter[str] = field(default_factory=Counter)
    possible: Counter[str] = field(default_factory=Counter)

    def add(self, keys: Counter[str], *, acknowledged: bool) -> None:
        """Note what was sent."""
        self.possible |= keys
        if acknowledged:
            self.certain |= keys

    def check(self, stored: Counter[str]) -> None:
        """Compare with what is stored."""
        assert self.certain <= stored <= self.possible


class Interleavings(RuleBasedStateMachine):
    """Senders, an administrator and the refresh, all at once."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world
        world.projects += 1
        self._project = 1000 + world.projects
        self._spans, self._points, self._logs = Known(), Known(), Known()
        self._reported = Written()
        self._undisturbed = True

    @rule(batches=batches)
    def write(self, batches: list[Batch]) -> None:
        """Several senders at once, whose records overlap."""
        self._run(self._send(batches))

    @rule(batches=batches, delays=milliseconds)
    def write_while_connections_are_killed(self, batches: list[Batch], delays: list[int]) -> None:
        """As in a failover."""
        self._undisturbed = False
        self._run(self._send(batches), self._kill(delays))

    @rule(batches=batches)
    def write_while_a_refresh_runs(self, batches: list[Batch]) -> None:
        """As the service's own loop does it."""
        self._run(self._send(batches), self._refresh(), self._send(batches))

    @rule(batches=batches, delay=st.integers(0, 15))
    def abandon(self, batches: list[Batch], delay: int) -> None:
        """Senders that leave before their answer: all of it is stored once, or not at all."""
        self._undisturbed = False
        self._run(self._leave(batches, delay))

    @rule()
    def replay(self) -> None:
        """All that was ever sent, from two senders at once."""
        numbers = [int(body) for body in self._logs.possible]
        if numbers:
            self._run(self._send([numbers, numbers[::-1]]))

    @precondition(lambda self: self._points.certain)
    @rule(data=st.data())
    def contradict(self, data: st.DataObject) -> None:
        """Another value at the time of a point that is stored: that one stays."""
        value = data.draw(st.sampled_from(sorted(self._points.certain)))
        stored = self._world.point(int(float(value)))
        other = msgspec.structs.replace(stored, value_double=-1.0)
        (written,) = self._run(
            self._world.writers.points.submit(Submission(project_id=self._project, rows=[other]))
        )
        assert (written.stored, written.duplicates, written.rejected) == (0, 0, 1)

    @rule()
    def refresh(self) -> None:
        """After it the usage is a recount, on every edition."""
        self._run(self._refresh())
        assert self._world.ask(USAGE) == self._world.ask(RECOUNT_USAGE)

    @invariant()
    def everything_is_there_once(self) -> None:
        """What was acknowledged, and nothing that was not sent."""
        for known, sql in ((self._spans, SPANS), (self._points, POINTS), (self._logs, LOGS)):
            known.check(Counter(str(key) for (key,) in self._world.ask(sql, self._project)))

    @invariant()
    def sums_are_recounts(self) -> None:
        """A trace's totals at any time; the usage too, where our own refresh makes it."""
        assert self._world.ask(TRACES) == self._world.ask(RECOUNT_TRACES)
        if self._world.edition != "community":
            assert self._world.ask(USAGE) == self._world.ask(RECOUNT_USAGE)

    @invariant()
    def reports_add_up(self) -> None:
        """Unless a report was lost, each stored row was reported as new to one sender."""
        if self._undisturbed:
            known = (self._spans, self._points, self._logs)
            assert self._reported.stored == sum(one.certain.total() for one in known)

    def teardown(self) -> None:
        """At the end of each example, the usage is a recount."""
        self.refresh()

    def _run(self, *work: Coroutine[Any, Any, Any]) -> list[Any]:
        async def together() -> list[Any]:
            return await asyncio.gather(*work)

        return self._world.runner.run(together())

    async def _send(self, batches: Sequence[Batch]) -> None:
        for written in await asyncio.gather(*self._submissions(batches)):
            assert written.rejected == 0
            self._reported += written
        self._note(batches, acknowledged=True)

    async def _leave(self, batches: Sequence[Batch], delay: int) -> None:
        self._note(batches, acknowledged=False)
        tasks = [asyncio.create_task(one) for one in self._submissions(batches)]
        await asyncio.sleep(delay / 1000)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._world.writers.close()

    async def _kill(self, delays: list[int]) -> None:
        for delay in delays:
            await asyncio.sleep(delay / 1000)
            await asyncio.to_thread(self._world.ask, KILL)

    async def _refresh(self) -> None:
        # One more than can be dead.
        for _ in range(CONNECTIONS + 1):
            try:
                await Rollups(self._world.pool).refresh()
            except UnavailableError:
                # The pool may still hold connections that were killed. Whoever refreshes tries
                # again, as the service's own loop does.
                assert not self._undisturbed
            else:
                return
        pytest.fail("no connection of the pool is of use")

    def _submissions(self, batches: Sequence[Batch]) -> list[Coroutine[Any, Any, Written]]:
        world, writers, project = self._world, self._world.writers, self._project
        made: list[Coroutine[Any, Any, Written]] = []
        for batch in batches:
            spans: list[Span] = [world.spans[number] for number in batch]
            points = [world.point(number) for number in batch]
            records = [world.log(number) for number in batch]
            made += [
                writers.spans.submit(Submission(project_id=project, rows=spans)),
                writers.points.submit(Submission(project_id=project, rows=points)),
                writers.logs.submit(Submission(project_id=project, rows=records)),
            ]
        return made

    def _note(self, batches: Sequence[Batch], *, acknowledged: bool) -> None:
        for batch in batches:
            spans = Counter({self._world.spans[number].span_id: 1 for number in batch})
            points = Counter({str(float(number)): 1 for number in batch})
            self._spans.add(spans, acknowledged=acknowledged)
            self._points.add(points, acknowledged=acknowledged)
            # Records of one batch that are alike are all stored.
            self._logs.add(Counter(map(str, batch)), acknowledged=acknowledged)


def test_any_interleaving_stores_everything_once(database_url: str, edition: str) -> None:
    """Otherwise there is an order of retries, lost connections and refreshes, that nobody thought
    of, after which tokens and cost are wrong.
    """

    async def open_it(stack: AsyncExitStack) -> Pool:
        return await stack.enter_async_context(
            open_pool(database_url, max_size=CONNECTIONS, application_name=APPLICATION)
        )

    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        world = World(database_url, edition, runner, runner.run(open_it(stack)))
        try:
            run_state_machine_as_test(
                partial(Interleavings, world),  # type: ignore[arg-type]  # any factory will do
                settings=settings(
                    max_examples=8,
                    stateful_step_count=8,
                    deadline=None,
                    derandomize=True,
                    database=None,
                    suppress_health_check=list(HealthCheck),
                ),
            )
        finally:
            world.close()
            runner.run(stack.aclose())
