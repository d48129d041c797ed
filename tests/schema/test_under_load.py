"""Migrations beside live traffic: whoever writes or reads meanwhile notices nothing."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import psycopg
import pytest

from observatory_store import Store
from observatory_store.schema import Migrator, Patience, migrations_folder
from patience import until
from schema.test_migrations import FORWARD
from schema.test_migrator import HASTE
from storage.samples import query, span

IDS = [path.stem for path in FORWARD]
BASE = next(id_ for id_ in IDS if id_.startswith("0005_"))
"""From here on spans and the days of their traces can be written."""
STORE_NEEDS = next(id_ for id_ in IDS if id_.startswith("0008_"))
LONGEST_WAIT = {"lock_timeout": "1s"}
"""Longest that a statement of live traffic may wait for a lock: one that waits longer fails."""
ROUNDS = 3

WRITE_SPANS = """
    INSERT INTO observatory.spans (project_id, start_nanos, duration_nanos, start_time, duration_us,
        resource_id, ingested_at, trace_id, span_id, name, kind, status, service_name,
        is_inference, input_tokens, source)
    SELECT 1, 0, 0, date_trunc('second', now()) - day * interval '1 day', 1000, 1, now(),
        lpad(to_hex($1::integer), 32, '0')::uuid, decode(lpad(to_hex(day), 16, '0'), 'hex'),
        'chat', 'client', 'unset', 'gateway', true, 10, 'store'
    FROM generate_series(0, 2) AS day
    ON CONFLICT DO NOTHING
"""
WRITE_PAYLOADS = """
    INSERT INTO observatory.span_payloads (
        project_id, start_time, trace_id, span_id, input_messages)
    SELECT project_id, start_time, trace_id, span_id, 'how are you'
    FROM observatory.spans
    WHERE project_id = 1 AND trace_id = lpad(to_hex($1::integer), 32, '0')::uuid
    ON CONFLICT DO NOTHING
"""
WRITE_DAYS = """
    INSERT INTO observatory.trace_days AS t (project_id, day, trace_id, first_start, last_end,
        root_start, root_rank, root_span_id, root_name, service_name, span_count, error_count,
        inference_count, unpriced_count, input_tokens, output_tokens, cache_read_tokens,
        cache_write_tokens, reasoning_tokens, cost_usd, providers, models)
    SELECT 1, (start_time AT TIME ZONE 'UTC')::date, trace_id, start_time, start_time, start_time,
        0, span_id, name, service_name, 1, 0, 1, 1, 10, 0, 0, 0, 0, 0, '{}', '{}'
    FROM observatory.spans
    WHERE project_id = 1 AND trace_id = lpad(to_hex($1::integer), 32, '0')::uuid
    ON CONFLICT (project_id, trace_id, day) DO UPDATE SET span_count = t.span_count + 1
"""
VIEWS = """
    SELECT format('SELECT count(*) FROM %s', c.oid::regclass) FROM pg_class AS c
    WHERE relnamespace = 'observatory'::regnamespace AND relkind = 'v' ORDER BY 1
"""


class Traffic:
    """Writers and readers that go on until the first failure, and what became of their work."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._ended = False
        self.written = self.recorded = self.read = 0

    async def write(self) -> None:
        """Write three spans of a new trace at a time, each on a day of its own."""
        connection = await asyncpg.connect(self._url, server_settings=LONGEST_WAIT)
        while not self._ended:
            number = self.written + 1
            async with connection.transaction():
                for statement in (WRITE_SPANS, WRITE_PAYLOADS, WRITE_DAYS):
                    await connection.execute(statement, number)
            self.written = number
        await connection.close()

    async def record(self, store: Store) -> None:
        """Write as a program does, one span at a time."""
        while not self._ended:
            number = self.recorded + 1
            outcome = await store.write_spans([span(10**6 + number)])
            assert outcome.rejected == 0
            self.recorded = number

    async def look(self) -> None:
        """Read the spans, and whatever public views there are by now."""
        connection = await asyncpg.connect(self._url, server_settings=LONGEST_WAIT)
        while not self._ended:
            acknowledged = 3 * self.written + self.recorded
            seen = await connection.fetchval("SELECT count(*) FROM observatory.spans")
            assert seen >= acknowledged
            for view in await connection.fetch(VIEWS):
                await connection.fetchval(view[0])
            self.read += 1
        await connection.close()

    async def some_more(self, tasks: list[asyncio.Task[None]]) -> None:
        """Wait until everybody has done some more, or somebody has failed."""
        written, read = self.written + ROUNDS, self.read + ROUNDS
        await until(
            lambda: (
                (self.written >= written and self.read >= read)
                or any(task.done() for task in tasks)
            )
        )
        for task in tasks:
            if task.done():
                await task

    def end(self) -> None:
        """Let everybody finish what is under way."""
        self._ended = True


@asynccontextmanager
async def traffic(url: str) -> AsyncIterator[tuple[Traffic, list[asyncio.Task[None]]]]:
    """Keep a writer and a reader busy; raise what they met."""
    all_of_it = Traffic(url)
    tasks = [asyncio.create_task(all_of_it.write()), asyncio.create_task(all_of_it.look())]
    try:
        await all_of_it.some_more(tasks)
        yield all_of_it, tasks
        await all_of_it.some_more(tasks)
    finally:
        all_of_it.end()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert [outcome for outcome in outcomes if outcome is not None] == []


def stored(url: str) -> dict[str, Any]:
    """Return how many rows there are of what the writers acknowledged."""
    return {
        table: query(url, f"SELECT count(*) FROM observatory.{table}")[0][0]
        for table in ("spans", "span_payloads", "trace_days")
    } | {"twice": query(url, "SELECT count(*) FROM observatory.trace_days WHERE span_count > 1")}


@pytest.mark.usefixtures("within_a_day")
async def test_each_migration_beside_a_writer_and_a_reader(empty_database_url: str) -> None:
    """No error, no lost row, and nobody waits for a lock longer than a second."""
    migrator = Migrator(empty_database_url)
    migrator.apply(to=BASE)
    async with (
        traffic(empty_database_url) as (live, tasks),
        Store.open(empty_database_url) as store,
    ):
        for id_ in IDS[IDS.index(BASE) + 1 :]:
            steps = await asyncio.to_thread(migrator.apply, to=id_)
            assert [step.id for step in steps] == [id_]
            if id_ == STORE_NEEDS:
                tasks.append(asyncio.create_task(live.record(store)))
            await live.some_more(tasks)
        await until(lambda: live.recorded > 0 or tasks[-1].done())
        live.end()
        await asyncio.gather(*tasks)
    assert stored(empty_database_url) == {
        "spans": 3 * live.written + live.recorded,
        "span_payloads": 3 * live.written,
        "trace_days": 3 * live.written + live.recorded,
        "twice": [(0,)],
    }
    assert migrator.verify() == []


@pytest.mark.usefixtures("within_a_day")
def test_no_migration_needs_what_a_writer_holds(empty_database_url: str) -> None:
    """Beside a transaction that has written and does not end, each is applied at once: so none
    stops writers either, however much it finds stored.
    """
    migrator = Migrator(empty_database_url, patience=HASTE)
    migrator.apply(to=BASE)
    for number, id_ in enumerate(IDS[IDS.index(BASE) + 1 :]):
        with psycopg.connect(empty_database_url) as writer:
            for statement in (WRITE_SPANS, WRITE_PAYLOADS, WRITE_DAYS):
                writer.execute(statement.replace("$1", str(number)).encode())
            [step] = migrator.apply(to=id_)
        assert (step.id, step.retries) == (id_, 0)


def _stepped_back(told: list[str], times: int) -> bool:
    return sum("steps back" in line for line in told) >= times


@pytest.mark.usefixtures("within_a_day")
async def test_a_long_reader_holds_up_the_migration_alone(
    empty_database_url: str, tmp_path: Path
) -> None:
    """A new column needs a lock that a forgotten transaction denies: the migration steps back and
    tries again, those who write meanwhile go on, and when the transaction ends it is applied.
    """
    folder = Path(shutil.copytree(migrations_folder(), tmp_path / "migrations"))
    (folder / "9999_column.sql").write_text(
        "ALTER TABLE observatory.spans ADD COLUMN IF NOT EXISTS added integer;\n"
    )
    (folder / "9999_column.rollback.sql").write_text(
        "ALTER TABLE observatory.spans DROP COLUMN added;\n"
    )
    migrator = Migrator(empty_database_url, folder=folder, patience=Patience())
    migrator.apply(to=IDS[-1])
    told: list[str] = []
    async with traffic(empty_database_url) as (live, tasks):
        with psycopg.connect(empty_database_url) as reader:
            reader.execute("SELECT count(*) FROM observatory.spans")
            migration = asyncio.create_task(asyncio.to_thread(migrator.apply, progress=told.append))
            for times in (1, 2):
                await until(partial(_stepped_back, told, times))
                await live.some_more(tasks)
            assert any(f"process {reader.info.backend_pid} (" in line for line in told)
            assert not migration.done()
        [step] = await migration
        assert step.retries >= 2
        await live.some_more(tasks)
    assert stored(empty_database_url)["spans"] == 3 * live.written
    assert query(empty_database_url, "SELECT count(added) FROM observatory.spans") == [(0,)]
