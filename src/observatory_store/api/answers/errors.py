"""Failed calls."""

from __future__ import annotations

from pydantic import Field

from observatory_store import repositories
from observatory_store.api.answers.base import Answer, MicroTime, micro_time
from observatory_store.api.answers.usage import GroupedRow, Intervals, grouped


class ErrorRate(GroupedRow):
    """Calls of models in one interval and one group."""

    requests: int
    errors: int
    error_rate: float = Field(examples=[0.0167])
    """From 0 to 1."""


class ErrorKind(Answer):
    """Failures of one type whose messages differ only in numbers and ids."""

    fingerprint: str = Field(examples=["9f86d081884c7d65"])
    error_type: str | None = Field(examples=["timeout"])
    """The attribute ``error.type``."""
    sample_message: str | None
    """One of the messages, at most 1000 characters of it."""
    errors: int
    first_start: MicroTime
    """When the first of these calls in the range began."""
    last_start: MicroTime
    providers: list[str]
    """At most 20, as of models and services."""
    models: list[str]
    services: list[str]


class Errors(Intervals):
    """Failed calls in a range."""

    rates: list[ErrorRate]
    """By interval and group."""
    top: list[ErrorKind]
    """Of the whole range, the most first."""


def error_rate(row: repositories.UsageRow) -> ErrorRate:
    """Return how many calls of a row failed."""
    rate = row.errors / row.requests if row.requests else 0.0
    return ErrorRate(**grouped(row), requests=row.requests, errors=row.errors, error_rate=rate)


def error_kind(row: repositories.ErrorRow) -> ErrorKind:
    """Return a kind of failure."""
    return ErrorKind(
        fingerprint=row.fingerprint,
        error_type=row.error_type,
        sample_message=row.sample_message,
        errors=row.errors,
        first_start=micro_time(row.first_start),
        last_start=micro_time(row.last_start),
        providers=list(row.providers),
        models=list(row.models),
        services=list(row.services),
    )
