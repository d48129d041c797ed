"""What ``doctor`` says of transactions, replication and the disk beside the service."""

from __future__ import annotations

from datetime import timedelta

import asyncpg
import psycopg
import pytest

from observatory_store.maintenance.finding import Finding, Severity
from observatory_store.maintenance.surroundings_checks import (
    check_disk,
    check_replication,
    check_transactions,
    judge_disk,
)
from storage.samples import query

NO_TIME = timedelta()
GIB = 2**30


async def _transactions(url: str, longest: timedelta) -> Finding:
    connection = await asyncpg.connect(url)
    [found] = await check_transactions(connection, longest)
    await connection.close()
    return found


@pytest.mark.editions("postgres")
async def test_a_long_transaction(database_url: str) -> None:
    """It is named, with the statement that ends it; ours and short ones are none."""
    url = f"{database_url}?application_name=forgotten"
    with psycopg.connect(url) as forgotten:
        forgotten.execute("SELECT 1")
        found = await _transactions(database_url, NO_TIME)
        assert found.severity is Severity.WARNING
        assert "forgotten (process " in found.what
        assert "idle in transaction" in found.what
        assert (await _transactions(database_url, timedelta(hours=1))).severity is Severity.OK
        statement = found.to_do.removeprefix("Let it end, or run ").removesuffix(".")
        query(database_url, statement)
        with pytest.raises(psycopg.OperationalError):
            forgotten.execute("SELECT 1")
    assert (await _transactions(database_url, NO_TIME)).severity is Severity.OK


@pytest.mark.editions("postgres")
async def test_sessions_out_of_sight(database_url: str) -> None:
    """A role that may not look does not say that there are none."""
    query(database_url, "CREATE ROLE onlooker LOGIN")
    try:
        with psycopg.connect(database_url):
            theirs = database_url.replace("postgres@", "onlooker@")
            found = await _transactions(theirs, NO_TIME)
        assert "may not look at 1 sessions (pg_monitor may)" in found.what
    finally:
        query(database_url, "DROP ROLE onlooker")


async def test_a_slot_without_a_reader(sound_url: str) -> None:
    """It fills the disk of the primary; the finding has the statement that ends it."""
    connection = await asyncpg.connect(sound_url)
    [alone] = await check_replication(connection)
    assert alone.severity is Severity.OK
    query(sound_url, "SELECT pg_create_physical_replication_slot('left_behind', true)")
    query(sound_url, "CREATE TABLE filler AS SELECT generate_series(1, 1000)")
    [found] = await check_replication(connection, largest_bytes=1)
    assert found.severity is Severity.PROBLEM
    assert (await check_replication(connection))[0].severity is Severity.OK
    query(sound_url, found.to_do.removeprefix("Start its reader, or run ").removesuffix("."))
    assert (await check_replication(connection, largest_bytes=1))[0].severity is Severity.OK
    await connection.close()


async def test_the_disk_of_a_server_on_this_machine(sound_url: str) -> None:
    """It is seen by who may know where; from a role that may not, it is not guessed."""
    connection = await asyncpg.connect(sound_url)
    [found] = await check_disk(connection)
    assert "GiB free" in found.what
    query(sound_url, "CREATE ROLE confined")
    await connection.execute("SET ROLE confined")
    [found] = await check_disk(connection)
    assert (found.severity, found.to_do) == (Severity.OK, "")
    assert "out of sight" in found.what
    await connection.close()
    query(sound_url, "DROP ROLE confined")


@pytest.mark.parametrize(
    ("free", "severity"),
    [(10 * GIB, Severity.OK), (9 * GIB, Severity.WARNING), (2 * GIB, Severity.PROBLEM)],
)
def test_how_little_is_too_little(free: int, severity: Severity) -> None:
    """Of a disk of 100 GiB."""
    [found] = judge_disk(free, 100 * GIB)
    assert found.severity is severity
    assert bool(found.to_do) == (severity is not Severity.OK)
