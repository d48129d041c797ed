"""docs/cookbook.md: every query runs on every edition and answers what the spans say."""

from __future__ import annotations

import math
import re
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

COOKBOOK = Path(__file__).parents[2] / "docs" / "cookbook.md"
FACTS = re.compile(r"observatory\.(spans|span_payloads|trace_days|logs|metric_points)\b")
PERCENTILES = {"p50_ms", "p95_ms", "p99_ms"}
EXACTLY, WITHIN_A_PERCENT = 1e-9, 0.0101

SHARED = """
    WITH today AS (SELECT date_bin('1 day', now(), '2000-01-01Z') AS day_start),
    calls AS (SELECT * FROM observatory.spans WHERE project_id = 1 AND is_inference),
    week AS (SELECT calls.* FROM calls, today WHERE start_time >= day_start - interval '6 days')
"""
"""What the recounts may read beside the tables."""


def _queries() -> dict[str, str]:
    found = {}
    for section in re.split(r"^### ", COOKBOOK.read_text(), flags=re.MULTILINE)[1:]:
        heading, _, rest = section.partition("\n")
        [block] = re.findall(r"(?:^    .*\n|^\n(?=    ))+", rest, re.MULTILINE)
        found[heading] = block.strip().removesuffix(";")
    return found


def _recounts() -> dict[str, str]:
    text = Path(__file__).with_name("recounts.sql").read_text()
    parts = re.split(r"^-- name: (.+)$", text, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


QUERIES, RECOUNTS = _queries(), _recounts()


def test_every_query_is_judged() -> None:
    """One that is only run could answer anything."""
    assert list(QUERIES) == [*dict.fromkeys(QUERIES)]
    assert set(QUERIES) == set(RECOUNTS)


@pytest.mark.parametrize("heading", QUERIES)
def test_facts_are_read_within_a_project_and_a_time(heading: str) -> None:
    """Without both, a query that was tried on a small database stops a large one."""
    query = QUERIES[heading]
    if re.search(r"\bbucket\b", query) or FACTS.search(query):
        assert "project_id = 1" in query
    if FACTS.search(query):
        assert re.search(r"(start_time|first_start) >= now\(\) - interval", query)


@pytest.mark.parametrize("heading", QUERIES)
def test_the_answer_equals_a_recount(telemetry_url: str, heading: str) -> None:
    """Both in one transaction, for which the clock stands still."""
    with psycopg.connect(telemetry_url, row_factory=dict_row) as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        answered = connection.execute(QUERIES[heading].encode()).fetchall()
        counted = connection.execute((SHARED + RECOUNTS[heading]).encode()).fetchall()
    assert counted
    columns = list(counted[0])
    found = sorted(([row[name] for name in columns] for row in answered), key=_order)
    expected = sorted(([row[name] for name in columns] for row in counted), key=_order)
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        for name, value, wanted in zip(columns, one, other, strict=True):
            assert _alike(name, value, wanted), (columns, one, other)


def test_room_on_disk(telemetry_url: str) -> None:
    """It leaves nothing of ours out: spans, their rollups and all chunks are in it."""
    with psycopg.connect(telemetry_url) as connection:
        sizes = {
            relation: (size, chunks, columnar)
            for relation, size, chunks, columnar in connection.execute(
                "SELECT relation, bytes, chunks, columnstore_chunks FROM observatory.storage"
            )
        }
        [edition] = connection.execute("SELECT observatory.edition()").fetchone() or [None]
    assert all(size is not None for size, _, _ in sizes.values())
    for relation, least in {"spans": 500_000, "span_payloads": 100_000}.items():
        size, chunks, columnar = sizes[relation]
        assert size > least
        assert (chunks, columnar) == (None, None) if edition == "postgres" else chunks > columnar
    assert sizes["llm_usage_15m"][0] > 50_000
    assert bool(sizes["llm_usage_15m"][1]) == (edition == "community")
    assert sizes["projects"][1:] == (None, None)


def _order(row: list[Any]) -> tuple[str, list[float]]:
    """Sort by what is equal on both sides first."""
    numbers = [float(value) for value in row if isinstance(value, int | float | Decimal)]
    return repr([v for v in row if not isinstance(v, int | float | Decimal)]), numbers


def _alike(name: str, value: Any, wanted: Any) -> bool:
    if wanted is None or value is None or isinstance(wanted, str | date | datetime | list):
        return bool(value == wanted)
    tolerance = WITHIN_A_PERCENT if name in PERCENTILES else EXACTLY
    return math.isclose(value, wanted, rel_tol=tolerance, abs_tol=1e-12)
