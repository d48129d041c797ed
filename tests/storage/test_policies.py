"""How long things are kept can be changed, and the database then does so."""

from __future__ import annotations

import asyncio
import secrets
from datetime import timedelta
from urllib.parse import urlsplit

import psycopg
import pytest

from observatory_store import Payload, Store
from observatory_store.database import open_pool
from observatory_store.errors import (
    InvalidInputError,
    MigrationError,
    NotFoundError,
    PermissionDeniedError,
)
from observatory_store.maintenance import Policies, Rollups, maintain
from observatory_store.schema import Migrator
from storage.samples import USAGE, log, now, query, span
from storage.test_late_spans import run_jobs
from storage.test_rollup_policies import CONFLICTS, JOBS_DISAGREE, REACH_PAST_THEIR_SOURCE

DAY = timedelta(days=1)
AGES = "SELECT * FROM observatory.policies ORDER BY relation"


async def stored(url: str, *days: int) -> None:
    """Store a call with its payload, and a log record, of each of so many days ago."""
    async with Store.open(url) as store:
        payload = Payload(input_messages="hello")
        await store.write_spans(
            [span(n, start_time=now() - n * DAY, payload=payload) for n in days]
        )
        await store.write_logs([log(str(n), time=now() - n * DAY) for n in days])


def count(url: str, relation: str) -> int:
    """Return how many rows it has."""
    return int(query(url, f"SELECT count(*) FROM observatory.{relation}")[0][0])


async def test_every_relation_is_shown(database_url: str, edition: str) -> None:
    """An operator sees at a glance what is kept how long, and who sees to it."""
    await stored(database_url, 1)
    async with open_pool(database_url) as pool:
        found = await Policies(pool).list()
        assert await Policies(pool).list("spans") == [
            one for one in found if one.relation == "spans"
        ]
    names = query(database_url, "SELECT relation FROM observatory.policies")
    assert sorted(one.relation for one in found) == sorted(name for (name,) in names)
    assert [one.relation for one in found][:3] == ["logs", "metric_points", "span_payloads"]
    spans = next(one for one in found if one.relation == "spans")
    assert (spans.retention, spans.columnstore_after, spans.chunk_interval) == (
        90 * DAY,
        3 * DAY,
        DAY,
    )
    assert spans.whole_from is not None
    assert 89 * DAY < now() - spans.whole_from < 92 * DAY
    assert spans.bytes
    assert spans.applied_by == ("TimescaleDB" if edition == "community" else "maintain")
    jobs = {job.job for job in spans.jobs}
    assert jobs == ({"retention", "columnstore"} if edition == "community" else set())


async def test_a_shorter_retention_drops_what_it_said_it_would(
    database_url: str, edition: str
) -> None:
    """What is shown before is what is gone after; the rest, and the usage, stay."""
    await stored(database_url, 1, 20, 21, 25)
    query(database_url, "ANALYZE observatory.logs, observatory.spans")
    async with open_pool(database_url) as pool:
        policies = Policies(pool)
        await Rollups(pool).refresh()
        usage = query(database_url, USAGE)
        for relation in ("logs", "span_payloads", "spans"):
            expected = await policies.expiring(relation, 10 * DAY)
            assert expected is not None
            assert 5 <= expected.days <= 16
            assert expected.bytes > 0
            if relation != "span_payloads":
                assert expected.rows in {2, 3, 4}
            assert expected.before <= now() - 10 * DAY
            change = await policies.set(relation, "retention", 10 * DAY)
            assert change.after == 10 * DAY < (change.before or DAY)
        if edition == "community":
            assert query(database_url, JOBS_DISAGREE) == []
            assert query(database_url, REACH_PAST_THEIR_SOURCE) == []
            run_jobs(database_url, "policy_retention", "%", least=3)
        await maintain(pool)
        assert [count(database_url, name) for name in ("logs", "span_payloads", "spans")] == [1] * 3
        assert await policies.expiring("spans", 10 * DAY) is None
    assert query(database_url, USAGE) == usage


async def test_a_rollup_expires_too(database_url: str, edition: str) -> None:
    """Usage by the minute is said to go, and goes."""
    await stored(database_url, 1, 5, 6)
    async with open_pool(database_url) as pool:
        await Rollups(pool).refresh()
        expected = await Policies(pool).expiring("llm_usage_1m", 3 * DAY)
        assert expected is not None
        assert 2 <= expected.days <= 3
        await Policies(pool).set("llm_usage_1m", "retention", 3 * DAY)
        if edition == "community":
            run_jobs(database_url, "policy_retention", "llm_usage_1m", least=1)
        await maintain(pool)
        assert await Policies(pool).expiring("llm_usage_1m", 3 * DAY) is None


async def test_never_keeps_for_ever(database_url: str, edition: str) -> None:
    """`never` ends the dropping, and an age begins it again."""
    async with open_pool(database_url) as pool:
        change = await Policies(pool).set("logs", "retention", None)
        assert (change.before, change.after) == (30 * DAY, None)
        await stored(database_url, 80)
        await maintain(pool)
        if edition == "community":
            run_jobs(database_url, "policy_retention", "logs", least=0)
        assert count(database_url, "logs") == 1
        assert (await Policies(pool).list("logs"))[0].retention is None
        assert await Policies(pool).expiring("logs", 30 * DAY) is not None


@pytest.mark.editions("community")
async def test_the_columnstore_follows(database_url: str) -> None:
    """TimescaleDB's job goes by the new age at once, of tables and rollups."""
    async with open_pool(database_url) as pool:
        for relation in ("spans", "llm_usage_15m", "llm_usage_1m"):
            for age in (5 * DAY, None, 2 * DAY):
                await Policies(pool).set(relation, "columnstore_after", age)
                found = query(
                    database_url,
                    "SELECT (config ->> 'compress_after')::interval"
                    " FROM timescaledb_information.jobs"
                    " WHERE hypertable_name = %s AND proc_name = 'policy_compression'",
                    relation,
                )
                assert found == ([] if age is None else [(age,)])


@pytest.mark.editions("community", "apache")
async def test_new_chunks_have_the_new_length(database_url: str) -> None:
    """It is no number in a table only: TimescaleDB makes the next chunks so."""
    await stored(database_url, 3)
    async with open_pool(database_url) as pool:
        change = await Policies(pool).set("spans", "chunk_interval", 7 * DAY)
        assert "new chunks only" in change.effect
        await Policies(pool).set("trace_days", "chunk_interval", 14 * DAY)
        await Policies(pool).set("llm_usage_15m", "chunk_interval", 60 * DAY)
    await stored(database_url, 30)
    chunks = query(
        database_url,
        "SELECT range_end - range_start FROM timescaledb_information.chunks"
        " WHERE hypertable_name = 'spans' ORDER BY range_start DESC",
    )
    assert chunks == [(DAY,), (7 * DAY,)]


async def test_a_dry_run_changes_nothing(database_url: str) -> None:
    """It tells what would be refused, and leaves the database as it was."""
    before = query(database_url, AGES)
    async with open_pool(database_url) as pool:
        for key, value in (
            ("retention", 20 * DAY),
            ("columnstore_after", None),
            ("chunk_interval", 2 * DAY),
        ):
            change = await Policies(pool).set("logs", key, value, dry_run=True)
            assert change.after == value
        with pytest.raises(InvalidInputError, match="llm_usage_15m must be kept as long as spans"):
            await Policies(pool).set("llm_usage_15m", "retention", 60 * DAY, dry_run=True)
    assert query(database_url, AGES) == before


REFUSED = [
    ("spans", "retention", timedelta(0), "retention of spans must be at least 1 day, or never"),
    ("spans", "retention", -DAY, "retention of spans must be at least 1 day"),
    ("spans", "retention", timedelta(hours=23), "retention of spans must be at least 1 day"),
    ("spans", "retention", 36501 * DAY, "spans must be at most 36500 days, not 36501 days"),
    ("spans", "retention", timedelta.max, "must be at most 36500 days"),
    (
        "spans",
        "columnstore_after",
        timedelta(0),
        "columnstore_after of spans must be at least 1 day",
    ),
    ("trace_days", "columnstore_after", 9 * DAY, "columnstore_after of trace_days must be never"),
    ("spans", "chunk_interval", None, "chunk_interval of spans must be 1 to 36500 whole days"),
    ("spans", "chunk_interval", timedelta(hours=36), "whole days, not 1 day 12:00:00"),
    (
        "spans",
        "complete_from",
        DAY,
        "policies have no 'complete_from': choose retention, columnstore",
    ),
    ("spans", "retention = NULL; --", DAY, "choose retention, columnstore_after, chunk_interval"),
    ("span_payloads", "retention", 91 * DAY, r"span_payloads \(91 days\) must not be kept longer"),
    ("span_payloads", "retention", None, r"\(for ever\) must not be kept longer than spans \(90"),
    ("spans", "retention", 29 * DAY, "as a payload is read with its span: shorten the first"),
    (
        "spans",
        "retention",
        91 * DAY,
        r"spans \(91 days\) must not be kept longer than trace_days \(90",
    ),
    ("trace_days", "retention", 89 * DAY, r"than trace_days \(89 days\), as the spans of a trace"),
    ("llm_usage_15m", "retention", 60 * DAY, "^llm_usage_15m must be kept as long as spans"),
]


async def test_what_is_refused(database_url: str) -> None:
    """Each refusal names relation and key and what is allowed, and changes nothing."""
    before = query(database_url, AGES)
    async with open_pool(database_url) as pool:
        for relation, key, value, reason in REFUSED:
            with pytest.raises(InvalidInputError, match=reason):
                await Policies(pool).set(relation, key, value)
        for relation in ("traces", "spans; DROP TABLE observatory.spans", "", "SPANS", "spans\0"):
            with pytest.raises((NotFoundError, InvalidInputError), match="relation"):
                await Policies(pool).set(relation, "retention", 40 * DAY)
            with pytest.raises((NotFoundError, InvalidInputError), match="relation"):
                await Policies(pool).list(relation)
            with pytest.raises((NotFoundError, InvalidInputError), match="relation"):
                await Policies(pool).expiring(relation, 40 * DAY)
    assert query(database_url, AGES) == before


RAW = [
    (
        "retention = '14 days' WHERE relation = 'trace_days'",
        ["spans (90 days) must not be kept lo"],
    ),
    (
        "retention = '29 days' WHERE relation = 'spans'",
        ["span_payloads (30 days) must not be kept"],
    ),
    ("retention = NULL WHERE relation = 'span_payloads'", ["span_payloads (for ever) must not be"]),
    (
        "columnstore_after = '9 days', retention = '80 days' WHERE relation = 'trace_days'",
        [
            "columnstore_after of trace_days must be never",
            "; spans (90 days) must not be kept longer",
        ],
    ),
    ("retention = '110 years' WHERE relation = 'logs'", ["logs must be at most 36500 days"]),
    (
        "columnstore_after = '110 years' WHERE relation = 'logs'",
        ["columnstore_after of logs must be at most 36500 days"],
    ),
    (
        "chunk_interval = NULL WHERE relation = 'logs'",
        ["chunk_interval of logs must be 1 to 36500"],
    ),
    ("chunk_interval = '12 hours' WHERE relation = 'logs'", ["whole days, not 12:00:00"]),
]


def test_sql_refuses_what_the_command_does(database_url: str) -> None:
    """Who updates the table by hand would otherwise keep spans that no trace finds."""
    before = query(database_url, AGES)
    for change, reasons in RAW:
        with pytest.raises(psycopg.errors.CheckViolation) as caught:
            query(database_url, f"UPDATE observatory.policies SET {change}")
        assert [reason for reason in reasons if reason not in str(caught.value)] == []
    assert query(database_url, AGES) == before


async def test_a_conflict_that_is_there_is_named_and_hinders_no_upkeep(database_url: str) -> None:
    """Whoever changes another policy is told whose is wrong; `maintain` goes on."""
    by_stealth = (
        "ALTER TABLE observatory.policies {0} TRIGGER follow_policies;"
        "UPDATE observatory.policies SET retention = '60 days' WHERE relation = 'llm_usage_15m';"
        "ALTER TABLE observatory.policies {1} TRIGGER follow_policies"
    )
    await stored(database_url, 1, 40)
    query(database_url, by_stealth.format("DISABLE", "ENABLE"))
    said = "^llm_usage_15m must be kept as long as spans"
    async with open_pool(database_url) as pool:
        with pytest.raises(InvalidInputError, match=said):
            await Policies(pool).set("logs", "retention", 10 * DAY)
        await maintain(pool)
        with pytest.raises(MigrationError, match="policies: llm_usage_15m must be kept as long as"):
            Migrator(database_url).reapply("0019")
        await Policies(pool).set("llm_usage_15m", "retention", 90 * DAY)
        await Policies(pool).set("logs", "retention", 10 * DAY)
    assert Migrator(database_url).reapply("0019").id == "0019_policies"


async def test_sets_at_once_leave_what_goes_together(database_url: str) -> None:
    """Each sees the other's change: never are payloads kept longer than spans."""
    async with open_pool(database_url, max_size=8) as pool:
        policies = Policies(pool)
        outcomes = await asyncio.gather(
            *(
                policies.set(relation, "retention", days * DAY)
                for days in (35, 40, 50)
                for relation in ("spans", "span_payloads", "logs")
            ),
            policies.set("spans", "retention", 30 * DAY),
            return_exceptions=True,
        )
        refused = [one for one in outcomes if isinstance(one, BaseException)]
        assert all(isinstance(one, InvalidInputError) for one in refused), refused
        kept = {one.relation: one.retention or DAY for one in await policies.list()}
    assert kept["span_payloads"] <= kept["spans"] <= kept["trace_days"]
    assert query(database_url, CONFLICTS) == []


async def test_a_role_that_may_not(database_url: str, edition: str) -> None:
    """It is told so in one line, also where the table is its to change and the job is not."""
    role = f"policy_{secrets.token_hex(4)}"
    parts = urlsplit(database_url)
    theirs = parts._replace(netloc=f"{role}@{parts.hostname}:{parts.port}").geturl()
    query(database_url, f"CREATE ROLE {role} LOGIN")
    try:
        async with open_pool(theirs) as pool:
            with pytest.raises(PermissionDeniedError, match="may not read the policies"):
                await Policies(pool).list()
            with pytest.raises(PermissionDeniedError, match="may not set retention of logs"):
                await Policies(pool).set("logs", "retention", 10 * DAY)
            query(
                database_url,
                f"GRANT USAGE ON SCHEMA observatory, observatory_private TO {role};"
                f"GRANT SELECT ON ALL TABLES IN SCHEMA observatory, observatory_private TO {role};"
                f"GRANT UPDATE ON observatory.policies TO {role}",
            )
            assert await Policies(pool).list("logs")
            if edition == "community":
                with pytest.raises(PermissionDeniedError, match="may not set retention of logs"):
                    await Policies(pool).set("logs", "retention", 10 * DAY)
        logs = "SELECT retention FROM observatory.policies WHERE relation = 'logs'"
        assert query(database_url, logs) == [(30 * DAY,)]
    finally:
        query(database_url, f"DROP OWNED BY {role}; DROP ROLE {role}")
