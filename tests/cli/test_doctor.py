"""``doctor`` tells an operator what is wrong, and a script by its exit code."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest

from observatory_store.devdb import Cluster, choose
from observatory_store.schema import Migrator

from .conftest import Command

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def sound_url() -> Iterator[str]:
    """URL of a migrated database on a server with the settings of production."""
    with Cluster(choose("wheel")) as cluster:
        Migrator(cluster.url).apply()
        yield cluster.url


def test_a_sound_database_exits_0(command: Command, sound_url: str) -> None:
    """A check in a deploy passes, though there may be warnings."""
    outcome = command("doctor", "--database-url", sound_url)
    assert (outcome.code, outcome.err) == (0, "")
    assert "problem" not in outcome.out
    assert "ok       schema: All" in outcome.out
    assert "ok       durability: synchronous_commit is on" in outcome.out


def test_a_problem_exits_1_and_says_what_to_do(command: Command, sound_url: str) -> None:
    """The line below a complaint is what an operator came for."""
    note = (
        "INSERT INTO observatory_private.changed_buckets"
        " VALUES (1, '2026-01-01Z', now() - interval '1 day')"
    )
    with psycopg.connect(sound_url, autocommit=True) as connection:
        connection.execute(note)
        outcome = command("doctor", "--database-url", sound_url)
        connection.execute("TRUNCATE observatory_private.changed_buckets")
    assert outcome.code == 1
    lines = outcome.out.splitlines()
    (complaint,) = [line for line in lines if line.startswith("problem")]
    assert complaint.startswith("problem  rollups: 1 quarter-hours wait")
    assert lines[lines.index(complaint) + 1].strip().startswith("-> Run `observatory-store")


def test_json_has_the_same_findings(on_database: Command) -> None:
    """Programs read it, on every edition."""
    shown = on_database("doctor")
    outcome = on_database("doctor", "--json")
    findings = outcome.json["findings"]
    assert [set(one) for one in findings] == [{"check", "severity", "what", "to_do"}] * len(
        findings
    )
    assert {one["severity"] for one in findings} <= {"ok", "warning", "problem"}
    # Test servers have fsync off, which is a problem.
    assert outcome.code == shown.code == 1
    for one in findings:
        assert f"{one['check']}: " in shown.out


def test_an_empty_database_is_a_problem_and_no_error(
    command: Command, empty_database_url: str
) -> None:
    """Exit code 1 means that something can be done; the doctor leaves the database empty."""
    outcome = command("doctor", "--database-url", empty_database_url)
    assert outcome.code == 1
    assert "schema apply" in outcome.out
    with psycopg.connect(empty_database_url) as connection:
        tables = connection.execute(
            "SELECT count(*) FROM pg_tables WHERE schemaname = 'public' OR tablename ~ 'yoyo'"
        ).fetchone()
    assert tables == (0,)


def test_a_database_that_is_away_exits_2(command: Command) -> None:
    """A script can tell "sick" from "not reached"."""
    outcome = command("doctor", "--database-url", "postgresql://somebody@127.0.0.1:9/none")
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith("observatory-store: ")
    assert outcome.err.count("\n") == 1
