"""grafana/reader.sql: the role by which Grafana reads."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import sql


@pytest.mark.parametrize(
    "private",
    [
        "SELECT key_hash FROM observatory.api_keys",
        "SELECT input_messages FROM observatory.span_payloads",
        "SELECT body FROM observatory.logs",
        "SELECT * FROM observatory_private.changed_buckets",
        "SET transaction_read_only = off; DELETE FROM observatory.spans",
        "SET transaction_read_only = off; UPDATE observatory.policies SET retention = NULL",
        "SET transaction_read_only = off; SELECT observatory_private.take_over_changes()",
    ],
)
def test_the_reader_may_not(reader_url: str, private: str) -> None:
    """Whoever may see a dashboard may send any SQL through Grafana."""
    with (
        psycopg.connect(reader_url, autocommit=True) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute(private.encode())


def test_the_reader_is_read_only(reader_url: str) -> None:
    """And no query of its runs for ever."""
    with psycopg.connect(reader_url, autocommit=True) as connection:
        for setting, value in {
            "default_transaction_read_only": "on",
            "statement_timeout": "30s",
        }.items():
            row = connection.execute(sql.SQL("SHOW {}").format(sql.Identifier(setting))).fetchone()
            assert row == (value,)


def test_the_reader_sees_budgets(reader_url: str) -> None:
    """A panel shows spending beside what may be spent; who set that is nobody's business there."""
    with psycopg.connect(reader_url, autocommit=True) as connection:
        connection.execute("SELECT name, amount_usd, filters FROM observatory.budgets")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SELECT changed_by FROM observatory.budget_changes")
