"""Tables that vacuum does not keep up with."""

from __future__ import annotations

from typing import Any

import asyncpg
import pytest

from observatory_store import Store
from observatory_store.database import open_pool
from observatory_store.maintenance import Rollups
from observatory_store.maintenance.finding import Finding, Severity
from observatory_store.maintenance.vacuum_checks import DeadRows, check_bloat, judge_bloat
from patience import until
from storage.samples import log, query, traffic


def table(name: str = "t", **fields: Any) -> DeadRows:
    """Return a table with few dead rows."""
    defaults: dict[str, Any] = {
        "live": 100_000,
        "dead": 100,
        "was_vacuumed": True,
        "is_fresh": False,
        "is_left_out": False,
    }
    return DeadRows(name=name, **{**defaults, **fields})


@pytest.mark.parametrize(
    ("tables", "words"),
    [
        ([], []),
        ([table(), table("other", dead=20_000)], []),
        ([table(live=10, dead=9_000)], []),
        ([table(dead=50_000)], ["VACUUM (ANALYZE) t;"]),
        # Autovacuum was just there and will be again; but not if it left more dead than alive.
        ([table(dead=50_000, is_fresh=True)], []),
        ([table(dead=200_000, is_fresh=True)], ["VACUUM (ANALYZE) t;"]),
        ([table(live=2_000_000, was_vacuumed=False)], ["VACUUM (ANALYZE) t,"]),
        ([table(live=2_000_000, dead=10**6, was_vacuumed=False)], ["VACUUM (ANALYZE) t;"]),
        ([table(is_left_out=True)], ["ALTER TABLE t RESET (autovacuum_enabled)."]),
        ([table(str(n), dead=50_000) for n in range(7)], ["VACUUM (ANALYZE) 0, 1, 2, 3, 4;"]),
    ],
)
def test_what_is_bloated(tables: list[DeadRows], words: list[str]) -> None:
    """Who follows the advice vacuums what needs it, and nothing else."""
    found = judge_bloat(tables)
    bad = [one for one in found if one.severity is not Severity.OK]
    assert len(bad) == len(words)
    assert all(part in one.to_do for one, part in zip(bad, words, strict=True)), bad


async def _bad(url: str) -> list[Finding]:
    connection = await asyncpg.connect(url)
    found = await check_bloat(connection)
    await connection.close()
    return [one for one in found if one.severity is not Severity.OK]


async def test_a_table_with_many_dead_rows(database_url: str) -> None:
    """Also a chunk, where rows are; the advice mends it."""
    async with Store.open(database_url) as store:
        await store.write_logs([log(str(n)) for n in range(15_000)])
    assert await _bad(database_url) == []
    query(database_url, "DELETE FROM observatory.logs WHERE (body #>> '{}')::integer < 14000")

    async def is_bloated() -> bool:
        return bool(await _bad(database_url))

    await until(is_bloated)
    [found] = await _bad(database_url)
    assert "(93 %)" in found.what
    statement = found.to_do.removeprefix("Run ").split(";")[0]
    query(database_url, statement)
    assert await _bad(database_url) == []


async def test_a_table_that_autovacuum_leaves_out(database_url: str) -> None:
    """Somebody once switched it off for a load, and it grows since."""
    query(
        database_url,
        "ALTER TABLE observatory_private.changed_buckets SET (autovacuum_enabled = no)",
    )
    [found] = await _bad(database_url)
    assert "observatory_private.changed_buckets" in found.what
    query(database_url, found.to_do.removeprefix("Run ").removesuffix("."))
    assert await _bad(database_url) == []


async def test_which_tables_are_looked_at(database_url: str, edition: str) -> None:
    """Those of the rollups and all chunks are, and another program's are not."""
    query(database_url, "CREATE TABLE public.others (n integer)")
    async with Store.open(database_url) as store, open_pool(database_url) as pool:
        await store.write_spans(traffic(100))
        await Rollups(pool).refresh()
    connection = await asyncpg.connect(database_url)
    from observatory_store.maintenance.vacuum_checks import _SQL  # noqa: PLC0415

    names = {row["name"] for row in await connection.fetch(_SQL["dead_rows"])}
    await connection.close()
    assert {"observatory.spans", "observatory_private.changed_buckets"} <= names
    assert "others" not in names
    if edition != "postgres":
        chunks = query(
            database_url,
            "SELECT format('%I.%I', chunk_schema, chunk_name) FROM timescaledb_information.chunks",
        )
        assert {name for (name,) in chunks} <= names
