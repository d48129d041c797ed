"""`schema promote` at its worst moments, in which writers are held by locks, not met by chance."""

from __future__ import annotations

import asyncio

import psycopg
import pytest

from observatory_store import Store
from observatory_store.schema import Migrator
from patience import until
from schema.test_migrator import execute, session
from schema.test_promote import facts, formers, signals, write
from schema.test_promote_traffic import urls
from storage.samples import query

__all__ = ["formers", "urls"]

pytestmark = [
    pytest.mark.editions("apache", "community"),
    pytest.mark.usefixtures("within_a_day"),
]

STOPS = (
    """
    CREATE FUNCTION public.stop() RETURNS event_trigger
    LANGUAGE plpgsql SET lock_timeout = 0 AS $$
    BEGIN
        IF current_query() = 'CREATE SCHEMA observatory_replaced' THEN
            PERFORM pg_advisory_xact_lock(43);
        END IF;
    END
    $$
    """,
    """
    CREATE EVENT TRIGGER stop ON ddl_command_start WHEN TAG IN ('CREATE SCHEMA')
    EXECUTE FUNCTION public.stop()
    """,
)
"""Stop the change to hypertables where no row is settled any more, and all tables are locked."""
WAITING = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock' AND wait_event = %s
"""
COLUMNS = """project_id, start_nanos, duration_nanos, start_time, duration_us, resource_id,
    ingested_at, trace_id, span_id, name, kind, status, service_name, is_inference, source"""
ROWS = f"""
    SELECT {COLUMNS.replace("trace_id", "md5(trace_id::text || '{}')::uuid")}
    FROM observatory.spans
    WHERE start_time < date_trunc('hour', now()) AND name <> 'again'
    ORDER BY trace_id, span_id
    LIMIT 12
"""
"""Spans like those of all days, but of traces of their own; the same of a number each time."""
INSERT = f"INSERT INTO observatory.spans ({COLUMNS}) "


def copied(url: str, number: int) -> bytes:
    """Return such rows as COPY gives and takes them."""
    with (
        psycopg.connect(url) as connection,
        connection.cursor().copy(f"COPY ({ROWS.format(number)}) TO STDOUT".encode()) as rows,
    ):
        return b"".join(bytes(block) for block in rows)


def copy(url: str, rows: bytes) -> None:
    """Write rows by COPY into the table itself."""
    with psycopg.connect(url) as connection:
        _copy_in(connection, rows)


async def begin(urls: list[str]) -> None:
    """Store the same signals of some days in both databases."""
    for url in urls:
        async with Store.open(url) as store:
            await write(store, signals(1, spans=60))


async def test_what_is_written_between_the_copy_of_its_day_and_the_change(urls: list[str]) -> None:
    """Rows of days that were copied already, or are while their transaction is open, or of one that
    ends only when the change has stepped back for it: each is there once.
    """
    url, control = urls
    await begin(urls)
    one, two, three = (copied(url, number) for number in range(3))
    moments = []
    with psycopg.connect(url) as early, psycopg.connect(url) as late:

        def told(line: str) -> None:
            if line.startswith("spans ") and ", 1/" in line:
                _copy_in(early, one)
                moments.append("copying")
            elif line.startswith("copying spans of ") and "steps back" in line:
                early.commit()
                moments.append("stepped back")
            elif line.startswith("span_payloads ") and ", 1/" in line:
                copy(url, two)
                _copy_in(late, three)
                moments.append("copied")
            elif line.startswith("the change to hypertables steps back"):
                late.commit()
                moments.append("stepped back")

        await asyncio.to_thread(Migrator(url).promote, progress=told)
    assert moments == ["copying", "stepped back", "copied", "stepped back"]
    for rows in (one, two, three):
        copy(control, rows)
    assert facts(url) == facts(control)
    assert Migrator(url).verify() == []


async def test_who_waits_while_the_tables_are_changed(urls: list[str]) -> None:
    """A COPY, an INSERT and the store, which come when the last row is settled and all tables are
    locked, get what they write into the hypertables, once.
    """
    url, control = urls
    await begin(urls)
    more = signals(2)
    rows = copied(url, 1)
    insert = INSERT + ROWS.format(2)
    execute(url, *STOPS)
    async with Store.open(url) as store:
        with session(url, "SELECT pg_advisory_xact_lock(43)") as gate:
            promoting = asyncio.create_task(asyncio.to_thread(Migrator(url).promote))
            await until(lambda: query(url, WAITING, "advisory") == [(1,)])
            writers = [
                asyncio.create_task(asyncio.to_thread(copy, url, rows)),
                asyncio.create_task(asyncio.to_thread(execute, url, insert)),
                asyncio.create_task(write(store, more)),
            ]
            await until(lambda: query(url, WAITING, "relation") == [(3,)])
            gate.commit()
            await asyncio.gather(promoting, *writers)
    execute(url, "DROP EVENT TRIGGER stop", "DROP FUNCTION public.stop")
    copy(control, rows)
    execute(control, insert)
    async with Store.open(control) as store:
        await write(store, more)
    assert facts(url) == facts(control)
    assert Migrator(url).verify() == []


def _copy_in(connection: psycopg.Connection, rows: bytes) -> None:
    with connection.cursor().copy(f"COPY observatory.spans ({COLUMNS}) FROM STDIN".encode()) as to:
        to.write(rows)
