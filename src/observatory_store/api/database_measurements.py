"""What the database says of itself, for Prometheus."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from observatory_store.database import Pool
from observatory_store.errors import UnavailableError
from observatory_store.maintenance.statistics import (
    DatabaseStatistics,
    JobState,
    RelationSize,
    RollupLag,
    read_statistics,
)

KEPT_SECONDS = 15.0
"""For how long an answer of the database serves further scrapes."""

WAIT_SECONDS = 1.0
"""Longest that a scrape waits for the database."""

_logger = logging.getLogger(__name__)


class DatabaseMeasurements(Collector):
    """Gauges of the database, asked when they are scraped, but seldom.

    A scrape waits a second at most. While the database does not answer there is
    ``observatory_database_up 0`` and none of the others, and at most one question is under way.
    """

    def __init__(self) -> None:
        self._statistics: DatabaseStatistics | None = None
        self._read_at = -KEPT_SECONDS
        self._reading: asyncio.Task[None] | None = None

    async def refresh(self, pool: Pool) -> None:
        """Ask the database, unless that was done just now."""
        if self._reading is None:
            if time.monotonic() - self._read_at < KEPT_SECONDS:
                return
            self._reading = asyncio.create_task(self._read(pool))
        done, _ = await asyncio.wait({self._reading}, timeout=WAIT_SECONDS)
        if not done:
            self._statistics = None

    async def _read(self, pool: Pool) -> None:
        try:
            self._statistics = await read_statistics(pool)
        except UnavailableError as error:
            self._statistics = None
            _logger.debug("the database was not measured: %s", error)
        except Exception:
            self._statistics = None
            _logger.exception("the database was not measured")
        finally:
            self._read_at = time.monotonic()
            self._reading = None

    def collect(self) -> Iterator[Metric]:
        """Give what was told last."""
        found = self._statistics
        yield GaugeMetricFamily(
            "observatory_database_up",
            "1 if the database answered within a second when it was last asked, else 0.",
            value=float(found is not None),
        )
        if found is None:
            return
        if found.rollups is not None:
            yield from _rollups(found.rollups)
        if found.sizes is not None:
            yield from _sizes(found.sizes)
        if found.jobs:
            yield from _jobs(found.jobs)

    def describe(self) -> Iterator[Metric]:
        """Describe nothing: the registry need not collect to register."""
        yield from ()


def _rollups(lag: RollupLag) -> Iterator[Metric]:
    yield GaugeMetricFamily(
        "observatory_rollup_pending_buckets",
        "Quarter-hours of projects whose rollup waits for a refresh.",
        value=lag.buckets,
    )
    yield GaugeMetricFamily(
        "observatory_rollup_oldest_pending_seconds",
        "Since when the oldest of them waits; 0 if none does.",
        value=lag.seconds,
    )


def _sizes(sizes: list[RelationSize]) -> Iterator[Metric]:
    size = GaugeMetricFamily(
        "observatory_relation_bytes",
        "Size on disk, with indexes, TOAST and all chunks.",
        labels=["relation"],
    )
    chunks = GaugeMetricFamily(
        "observatory_relation_chunks",
        "Chunks of the hypertable, by how they are stored: row or columnstore.",
        labels=["relation", "storage"],
    )
    for one in sizes:
        size.add_metric([one.relation], one.bytes)
        if one.chunks is not None and one.columnstore_chunks is not None:
            chunks.add_metric([one.relation, "row"], one.chunks - one.columnstore_chunks)
            chunks.add_metric([one.relation, "columnstore"], one.columnstore_chunks)
    yield size
    if chunks.samples:
        yield chunks


def _jobs(jobs: list[JobState]) -> Iterator[Metric]:
    labels = ["job", "relation"]
    failing = GaugeMetricFamily(
        "observatory_job_failing", "1 if the last run of the background job failed.", labels=labels
    )
    failures = CounterMetricFamily(
        "observatory_job_failures", "Runs of the background job that failed.", labels=labels
    )
    success = GaugeMetricFamily(
        "observatory_job_last_success_timestamp_seconds",
        "When the background job last succeeded; absent if it never did.",
        labels=labels,
    )
    for one in jobs:
        values = [one.job, one.relation]
        failing.add_metric(values, float(one.failed))
        failures.add_metric(values, one.failures)
        if one.succeeded_at is not None:
            success.add_metric(values, one.succeeded_at.timestamp())
    yield failing
    yield failures
    if success.samples:
        yield success
