"""No retention that can be set makes a refresh wipe what a rollup knows."""

from __future__ import annotations

from datetime import timedelta

import psycopg
import pytest

from observatory_store import Store
from observatory_store.database import open_pool
from observatory_store.maintenance import Rollups, maintain
from storage.fresh import held
from storage.samples import now, query, span
from storage.test_all_rollups import rich
from storage.test_late_spans import (
    DAY,
    MIDNIGHT,
    check_all,
    count_anew,
    run_jobs,
    snapshot,
)

CONFLICTS = "SELECT observatory_private.policy_conflicts()"
REACH_PAST_THEIR_SOURCE = """
    SELECT r.name
    FROM observatory_private.rollups AS r
    JOIN observatory.policies AS p ON p.relation = r.source
    LEFT JOIN timescaledb_information.jobs AS j
        ON j.hypertable_schema = 'observatory_private' AND j.hypertable_name = r.name
        AND j.proc_name = 'policy_refresh_continuous_aggregate'
    WHERE r.is_stored
        AND ((j.config ->> 'start_offset')::interval + interval '2 days' <= p.retention) IS NOT TRUE
        AND p.retention IS NOT NULL
"""
JOBS_DISAGREE = """
    SELECT p.relation
    FROM observatory.policies AS p
    LEFT JOIN timescaledb_information.jobs AS j
        ON j.hypertable_schema LIKE 'observatory%' AND j.hypertable_name = p.relation
        AND j.proc_name = 'policy_retention'
    WHERE (j.config ->> 'drop_after')::interval IS DISTINCT FROM p.retention
"""


def set_retention(url: str, value: str, *relations: str) -> None:
    """Set how long relations are kept, as an operator does."""
    query(
        url,
        f"UPDATE observatory.policies SET retention = {value} WHERE relation = ANY (%s)",
        list(relations),
    )


def sources(url: str) -> list[str]:
    """Return the rollups that others are counted from."""
    found = query(
        url,
        "SELECT name FROM observatory_private.rollups WHERE name IN (SELECT source"
        " FROM observatory_private.rollups)",
    )
    return [name for (name,) in found]


def test_the_policies_of_the_migrations_go_together(database_url: str) -> None:
    """A new rollup whose retention does not fit is found here."""
    assert query(database_url, CONFLICTS) == []


@pytest.mark.parametrize(
    ("relation", "value", "reason"),
    [
        ("llm_usage_15m", "'60 days'", "llm_usage_15m must be kept as long as spans"),
        ("spans", "'1100 days'", r"llm_usage_15m must be kept as long as spans \(1100 days"),
        ("spans", "NULL", r"llm_usage_15m must be kept as long as spans \(for ever"),
    ],
)
def test_a_source_that_is_kept_too_briefly(
    database_url: str, relation: str, value: str, reason: str
) -> None:
    """What is counted from it would lack spans that come later, and nothing would say so."""
    with pytest.raises(psycopg.errors.CheckViolation, match=reason):
        set_retention(database_url, value, relation)
    set_retention(database_url, "NULL", "spans", "trace_days", *sources(database_url))
    assert query(database_url, CONFLICTS) == []


@pytest.mark.editions("community")
@pytest.mark.parametrize(
    ("relation", "days", "least"),
    [("spans", 1, 5), ("spans", 4, 5), ("llm_usage_1d", 2, 3), ("llm_user_usage_1d", 1, 3)],
)
def test_a_retention_that_leaves_a_refresh_no_room(
    database_url: str, relation: str, days: int, least: int
) -> None:
    """It is refused with the least that would do, and that is taken."""
    with_it = ["spans", "span_payloads"] if relation == "spans" else [relation]
    with pytest.raises(
        psycopg.errors.CheckViolation, match=f"{relation} must be kept at least {least} days, not"
    ):
        set_retention(database_url, f"'{days} days'", *with_it)
    assert query(database_url, REACH_PAST_THEIR_SOURCE) == []
    set_retention(database_url, f"'{least} days'", *with_it)
    assert query(database_url, REACH_PAST_THEIR_SOURCE) == []


@pytest.mark.editions("community")
@pytest.mark.usefixtures("within_a_day")
async def test_no_change_of_retention_wipes_a_rollup(database_url: str) -> None:
    """Spans are kept for 5 days, then for 60, then for ever: the jobs follow at once, columnar
    aggregates too, and whatever runs then, and comes late, days that were dropped stand.
    """
    cut = MIDNIGHT - 5 * DAY
    async with Store.open(database_url) as store, open_pool(database_url) as pool:
        await store.write_spans(rich(300, seed=41, over=30 * DAY))
        await Rollups(pool).refresh()
        query(
            database_url,
            "SELECT compress_chunk(c) FROM timescaledb_information.continuous_aggregates AS a,"
            " show_chunks(format('%I.%I', view_schema, view_name)::regclass) AS c"
            " WHERE a.compression_enabled AND a.view_name IN ('llm_usage_15m', 'llm_usage_1d')",
        )
        check_all(database_url)
        before = snapshot(database_url, MIDNIGHT - 40 * DAY, cut)
    for number, value in enumerate(("'5 days'", "'60 days'", "NULL")):
        longer = ["trace_days", *sources(database_url)] if value == "NULL" else []
        shorter = ["span_payloads"] if number == 0 else []
        set_retention(database_url, value, "spans", *shorter, *longer)
        assert query(database_url, REACH_PAST_THEIR_SOURCE) == []
        assert query(database_url, JOBS_DISAGREE) == []
        run_jobs(database_url, "policy_retention", "spans", least=int(value != "NULL"))
        async with Store.open(database_url) as store, open_pool(database_url) as pool:
            late = [span(9000 + 100 * number + n, start_time=now() - n * DAY) for n in range(1, 28)]
            stored = (await store.write_spans(late)).stored
            assert 3 <= stored <= 6
            run_jobs(database_url, "policy_refresh_continuous_aggregate", "%")
            await maintain(pool)
            await count_anew(pool)
            assert snapshot(database_url, MIDNIGHT - 40 * DAY, cut) == before
            check_all(database_url, cut + DAY)


@pytest.mark.editions("community")
async def test_spans_that_were_never_dropped_may_come_from_any_time(database_url: str) -> None:
    """A retention that is raised before a history is loaded refuses none of it."""
    set_retention(database_url, "'400 days'", "spans", "trace_days")
    async with Store.open(database_url) as store, open_pool(database_url) as pool:
        old = now() - timedelta(days=300)
        assert (await store.write_spans([span(1, start_time=old)])).stored == 1
        await Rollups(pool).refresh()
    for name in ("llm_usage_15m", "llm_usage_1d", "llm_latency_1d"):
        assert len(held(database_url, name, old - DAY)) == 1
