"""The ways of storing a load, and what each of them takes."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg

from bench import plain
from bench.copying import BATCH, copy, finished
from bench.forms import Load
from bench.http import post_all
from bench.processor import cpu_seconds, idle_seconds, peak_memory_mib
from bench.service import service
from observatory_store import Store
from observatory_store.otlp import MediaType, Signal

Run = Callable[[], Awaitable[None]]

_TABLES = {Signal.TRACES: "spans", Signal.LOGS: "logs", Signal.METRICS: "metric_points"}


class LostRecordsError(Exception):
    """A way did not store what it should have: its figures say nothing."""


@dataclass(frozen=True)
class Taken:
    """What one measurement took; processor times are µs a record."""

    records_a_second: float
    server_us: float
    service_us: float
    client_us: float
    idle_share: float
    """Of all processors."""
    peak_memory_mib: float


@dataclass(frozen=True)
class Prepared:
    """A way that only waits to be run."""

    warm_up: Run
    run: Run
    pid: int | None = None
    """The service's process, if it has one."""
    schema: str = "observatory"


Way = Callable[[str, Load, Load], AbstractAsyncContextManager[Prepared]]
"""Takes the URL of an empty database, what to warm up with, and what to store."""


async def measure(way: Way, url: str, server: int, warm: Load, load: Load) -> Taken:
    """Store a load in one way; ``server`` is the process of the database's server.

    What comes only at the beginning is not counted: connections, plans, the first chunk of a
    table, and what the way before has left in the server's memory to be written.
    """
    async with way(url, warm, load) as prepared:
        await prepared.warm_up()
        table = f"{prepared.schema}.{_TABLES[load.signal]}"
        stored = await _settle(url, table)
        pids = [server, prepared.pid, os.getpid()]
        before = [cpu_seconds(pid) if pid else 0.0 for pid in pids]
        idle, start = idle_seconds(), time.perf_counter()
        await prepared.run()
        seconds, idle = time.perf_counter() - start, idle_seconds() - idle
        after = [cpu_seconds(pid) if pid else 0.0 for pid in pids]
        used = [(b - a) / load.records * 1e6 for a, b in zip(before, after, strict=True)]
        if await _settle(url, table) != stored + load.records:
            raise LostRecordsError(f"{table} has not {load.records} rows more")
        # Server and service were begun by this process.
        used[2] -= used[0] + used[1]
        return Taken(
            records_a_second=load.records / seconds,
            server_us=used[0],
            service_us=used[1],
            client_us=used[2],
            idle_share=idle / seconds / (os.cpu_count() or 1),
            peak_memory_mib=peak_memory_mib(prepared.pid) if prepared.pid else 0.0,
        )


@asynccontextmanager
async def bare_copy(url: str, warm: Load, load: Load) -> AsyncIterator[Prepared]:
    """One connection, finished records, a transaction for 5,000 of the first table."""
    first, records = finished(warm), finished(load)
    yield Prepared(lambda: copy(url, first), lambda: copy(url, records))


@asynccontextmanager
async def plain_copy(url: str, warm: Load, load: Load) -> AsyncIterator[Prepared]:
    """The same into one plain table."""
    await plain.create(url)
    first, records = (plain.finished(one, finished(one)[0]) for one in (warm, load))
    yield Prepared(lambda: copy(url, first), lambda: copy(url, records), schema="plain")


@asynccontextmanager
async def in_process(url: str, warm: Load, load: Load) -> AsyncIterator[Prepared]:
    """`Store.write_…` from rows that are built already, 5,000 a call, one call at a time."""
    async with Store.open(url) as store:
        writes: dict[Signal, Callable[[Any], Awaitable[object]]] = {
            Signal.TRACES: store.write_spans,
            Signal.LOGS: store.write_logs,
            Signal.METRICS: store.write_points,
        }
        write = writes[load.signal]

        async def run(one: Load) -> None:
            for number in range(0, len(one.rows), BATCH):
                await write(one.rows[number : number + BATCH])

        yield Prepared(lambda: run(warm), lambda: run(load))


def over_http(media: MediaType, *, connections: int, workers: int) -> Way:
    """OTLP over HTTP to a service of its own process, from the first byte to the last 200."""

    @asynccontextmanager
    async def way(url: str, warm: Load, load: Load) -> AsyncIterator[Prepared]:
        async with service(url, workers=workers) as running:
            path = f"/v1/{load.signal}"

            async def run(one: Load) -> None:
                await post_all(
                    running.port, path, media, one.bodies[media], connections=connections
                )

            yield Prepared(lambda: run(warm), lambda: run(load), running.pid)

    return way


async def _settle(url: str, table: str) -> int:
    """Have the server write what it holds, and return how many rows a table has."""
    connection = await asyncpg.connect(url)
    await connection.execute("CHECKPOINT")
    rows: int = await connection.fetchval(f"SELECT count(*) FROM {table}")
    await connection.close()
    return rows
