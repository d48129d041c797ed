"""What the fixtures of `conftest` promise to every other test."""

from __future__ import annotations

import psycopg
import pytest

RELATIONS = "SELECT count(*) FROM pg_class WHERE relnamespace = to_regnamespace('observatory')"


def _count(url: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute(RELATIONS.encode()).fetchone()
    assert row is not None
    return int(row[0])


def test_database_url_has_the_schema(database_url: str) -> None:
    """Otherwise tests would pass on nothing."""
    assert _count(database_url) > 0


def test_empty_database_url_has_no_schema(empty_database_url: str) -> None:
    """Otherwise a test of the first migration would start from the last."""
    assert _count(empty_database_url) == 0


@pytest.mark.parametrize("attempt", [1, 2])
def test_what_one_test_writes_no_other_sees(database_url: str, attempt: int) -> None:
    """Otherwise tests would pass or fail by their order."""
    with psycopg.connect(database_url) as connection:
        connection.execute("CREATE TABLE left_behind AS SELECT %s::int", [attempt])


def test_edition_is_what_the_server_has(database_url: str, edition: str) -> None:
    """Otherwise the summary would claim an edition that was never tested."""
    with psycopg.connect(database_url) as connection:
        row = connection.execute("SELECT current_setting('timescaledb.license', true)").fetchone()
    licence = {"postgres": (None,), "apache": ("apache",), "community": ("timescale",)}
    assert row == licence[edition]


@pytest.mark.editions("community")
def test_marker_restricts_a_test_to_its_editions(database_url: str, edition: str) -> None:
    """Otherwise a test of the columnstore would fail where there is none."""
    assert database_url
    assert edition == "community"


def test_drop_does_not_wait_for_open_connections(
    database_url: str, request: pytest.FixtureRequest
) -> None:
    """Otherwise one leaked connection would make the whole run fail."""
    connection = psycopg.connect(database_url)
    request.config.add_cleanup(connection.close)
