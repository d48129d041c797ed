"""The only SQL that is composed of parts."""

from __future__ import annotations

from observatory_store.repositories import SpanFilter
from observatory_store.repositories.spans import add_span_conditions
from observatory_store.repositories.where import Where


def test_conditions_are_text_of_ours_and_values_are_parameters() -> None:
    """Whatever a user sends, it is never part of the statement."""
    where = Where(1)
    add_span_conditions(
        where,
        SpanFilter(
            service="'; DROP TABLE spans",
            model="{}",
            tags=("a=b",),
            attributes=(("k", "v"), ("$1", "%s")),
            min_duration_ms=1.5,
        ),
    )
    assert where.into("SELECT FROM s WHERE p = $1 /* where */ LIMIT 1") == (
        "SELECT FROM s WHERE p = $1 AND s.service_name = $2"
        " AND coalesce(s.response_model, s.request_model) = $3 AND s.tags @> $4::text[]"
        " AND s.attributes ->> $5 = $6 AND s.attributes ->> $7 = $8 AND s.duration_us >= $9 LIMIT 1"
    )
    assert where.arguments == [
        *(1, "'; DROP TABLE spans", "{}", ["a=b"], "k", "v", "$1", "%s", 1500),
    ]


def test_no_condition_leaves_the_query_alone() -> None:
    """An empty filter adds nothing."""
    assert Where(1).into("SELECT $1 /* where */ LIMIT 1") == "SELECT $1  LIMIT 1"
