"""What `doctor` asks of the tables and of the work on them: jobs, rollups, retention, prices."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from observatory_store.database import Connection
from observatory_store.maintenance.finding import Finding, ok, problem, warning
from observatory_store.maintenance.rollups import OVERDUE
from observatory_store.maintenance.statistics import JobState, read_jobs, read_lag
from observatory_store.sql import load

_SQL = load("maintenance") | load("doctor")

LARGE_LEDGER_BYTES = 64 * 1024 * 1024
_MOST_MODELS = 5
_MEBIBYTE = 1024 * 1024


async def check_upkeep(connection: Connection) -> list[Finding]:
    """Tell whether what has to expire does, by whatever does it on this edition."""
    if await connection.fetchval(_SQL["edition"]) == "community":
        return [*await check_policies(connection), *await check_jobs(connection)]
    return await check_retention(connection)


async def check_policies(connection: Connection) -> list[Finding]:
    """Compare the policies with the jobs of TimescaleDB that carry them out (community)."""
    findings = []
    for row in await connection.fetch(_SQL["policy_jobs"]):
        for kind, expected, actual, agrees in (
            ("retention", row["retention"], row["drop_after"], row["retention_agrees"]),
            (
                "columnstore",
                row["columnstore_after"],
                row["compress_after"],
                row["columnstore_agrees"],
            ),
        ):
            if not agrees:
                findings.append(
                    _disagreement(row["relation"], row["target"], kind, expected, actual)
                )
    for row in await connection.fetch(_SQL["refresh_jobs"]):
        to_do = f"Run SELECT observatory_private.apply_rollup_policies('{row['relation']}')."
        if not row["is_there"]:
            findings.append(
                problem(
                    "policies",
                    f"No job refreshes {row['relation']}: it is counted from {row['source']} at "
                    "each query, and is lost with them.",
                    to_do,
                )
            )
        elif not row["is_safe"]:
            findings.append(
                problem(
                    "policies",
                    f"The refresh of {row['relation']} looks back "
                    f"{row['start_offset'] or 'for ever'}, and {row['source']} are kept "
                    f"{row['retention']}: it wipes the usage whose {row['source']} are gone.",
                    to_do,
                )
            )
        elif not row["is_whole"]:
            findings.append(
                problem(
                    "policies",
                    f"The refresh of {row['relation']} looks back "
                    f"{row['start_offset'] or 'for ever'}, and {row['source']} are whole only from "
                    f"{row['complete_from']:%Y-%m-%d} on: it wipes the usage from before.",
                    to_do,
                )
            )
    return findings or [ok("policies", "TimescaleDB's jobs carry out the policies as they are.")]


def _disagreement(
    relation: str, target: str, kind: str, expected: str | None, actual: str | None
) -> Finding:
    remove = f"CALL remove_{kind}_policy('{target}')"
    add = f"CALL add_{kind}_policy('{target}', interval '{expected}')"
    if kind == "retention":
        remove, add = remove.replace("CALL", "SELECT"), add.replace("CALL", "SELECT")
    steps = [*([remove] if actual else []), *([add] if expected else [])]
    says = f"{expected}" if expected else "never"
    does = f"the job takes {actual}" if actual else "there is no job"
    return problem(
        "policies",
        f"The {kind} policy of {relation} says {says}, and {does}.",
        f"Run {'; '.join(steps)}; or mend observatory.policies.",
    )


async def check_jobs(connection: Connection) -> list[Finding]:
    """Tell which background jobs fail, rest or are late (community)."""
    jobs = await read_jobs(connection)
    scheduler = await connection.fetchrow(_SQL["scheduler"])
    idle = scheduler["is_old"] and not any(job.has_run for job in jobs)
    if scheduler["is_off"]:
        return [_scheduler("has no workers", "Raise timescaledb.max_background_workers, restart.")]
    if scheduler["is_restoring"]:
        return [_scheduler("waits for a restore", "Run SELECT timescaledb_post_restore().")]
    if idle:
        to_do = "Raise max_worker_processes, and look for the scheduler in the server's log."
        return [_scheduler("has not run a job since the schema was made", to_do)]
    failed: dict[str, list[JobState]] = {}
    for job in jobs:
        if job.failed and job.scheduled:
            failed.setdefault(job.error or "their owner can see why", []).append(job)
    findings = [_failed(alike, error) for error, alike in failed.items()]
    findings += [
        _unwell(job) for job in jobs if not job.scheduled or (job.overdue and not job.failed)
    ]
    return findings or [ok("jobs", f"None of {len(jobs)} background jobs fails or is late.")]


def _scheduler(why: str, to_do: str) -> Finding:
    return problem("jobs", f"TimescaleDB's scheduler {why}, so that nothing expires.", to_do)


def _name(job: JobState) -> str:
    return f"{job.job} of {job.relation} ({job.job_id})"


def _failed(jobs: list[JobState], error: str) -> Finding:
    return problem(
        "jobs",
        f"Background jobs fail: {', '.join(map(_name, jobs))}: {error.rstrip('.')}.",
        f"Mend that; until then, CALL run_job({jobs[0].job_id}) does the work of the job at once.",
    )


def _unwell(job: JobState) -> Finding:
    if not job.scheduled:
        return problem(
            "jobs",
            f"A background job is paused: {_name(job)}.",
            f"Run SELECT alter_job({job.job_id}, scheduled => true).",
        )
    return problem(
        "jobs",
        f"A background job should have begun over an hour ago: {_name(job)}.",
        "Raise timescaledb.max_background_workers, or look for a job that never ends in "
        "timescaledb_information.job_stats.",
    )


async def check_rollups(connection: Connection) -> list[Finding]:
    """Tell whether the rollups keep up, and how large their ledger is."""
    lag = await read_lag(connection)
    findings = []
    if lag.seconds > OVERDUE.total_seconds():
        findings.append(
            problem(
                "rollups",
                f"{lag.buckets:,} quarter-hours wait for a refresh, the oldest since "
                f"{lag.seconds / 60:,.0f} minutes.",
                "Run `observatory-store rollups refresh`, and see that the service or a timer with "
                "`observatory-store maintain` runs.",
            )
        )
    else:
        findings.append(ok("rollups", f"{lag.buckets:,} quarter-hours wait, none for long."))
    size = f"{lag.bytes / _MEBIBYTE:,.1f} MiB with {lag.notes:,} notes"
    if lag.bytes > LARGE_LEDGER_BYTES:
        findings.append(
            warning(
                "ledger",
                f"The rollups' ledger takes {size}: reading it slows every query of usage.",
                "Run VACUUM (FULL) observatory_private.changed_buckets after a refresh, and see "
                "that autovacuum keeps up.",
            )
        )
    else:
        findings.append(ok("ledger", f"The rollups' ledger takes {size}."))
    return findings


async def check_retention(connection: Connection) -> list[Finding]:
    """Tell which relations hold what `maintain` should have dropped (apache and postgres)."""
    findings = []
    for row in await connection.fetch(_SQL["expected_gone"]):
        oldest = await _oldest(connection, row)
        if oldest is not None:
            findings.append(
                problem(
                    "retention",
                    f"{row['relation']} keeps {row['retention']}, and its oldest row is of "
                    f"{oldest:%Y-%m-%d}.",
                    "Run `observatory-store maintain`, and have a timer run it daily.",
                )
            )
    return findings or [ok("retention", "Nothing is older than its retention says.")]


async def _oldest(connection: Connection, row: Mapping[str, Any]) -> datetime | None:
    """Return the time of the relation's oldest row from before ``before``."""
    relation, before = row["relation"], row["before"]
    if row["is_rollup"]:
        oldest: datetime | None = await connection.fetchval(
            _SQL["oldest_in_rollup"], relation, before
        )
    else:
        oldest = await connection.fetchval(_SQL[f"oldest_{relation}"], before)
    return oldest


async def check_words(connection: Connection) -> list[Finding]:
    """Tell which finished days lack the index of words that a text search uses."""
    days = [
        f"{row['relation']} of {row['first']:%Y-%m-%d}"
        for row in await connection.fetch(_SQL["unindexed_days"])
    ]
    if not days:
        return [ok("words", "The words of every day that should be are indexed.")]
    return [
        warning(
            "words",
            f"A search for words reads all of what no index has: {', '.join(days)}.",
            "Run `observatory-store maintain`, and have a timer run it daily.",
        )
    ]


async def check_prices(connection: Connection) -> list[Finding]:
    """Tell which models of the last day have no price."""
    rows = await connection.fetch(_SQL["unpriced"])
    if not rows:
        return [ok("prices", "Every call of the last day has a cost.")]
    models = [
        f"{row['provider'] or 'unknown'}/{row['model'] or 'unknown'} ({row['requests']:,})"
        for row in rows[:_MOST_MODELS]
    ]
    if len(rows) > _MOST_MODELS:
        models.append(f"{len(rows) - _MOST_MODELS} more models")
    requests = sum(row["requests"] for row in rows)
    return [
        warning(
            "prices",
            f"{requests:,} calls of the last day have no cost: {', '.join(models)}.",
            "See `observatory-store prices unpriced`; then sync prices, set one (for the provider "
            "'*' where it is unknown), or have the senders give the model's usual name and its "
            "token counts.",
        )
    ]
