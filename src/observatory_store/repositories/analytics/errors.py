"""Failed calls: how many of all, and which failures are the most."""

from __future__ import annotations

from datetime import datetime

import msgspec

from observatory_store.repositories.analytics.families import ERRORS, serving
from observatory_store.repositories.analytics.query import SQL
from observatory_store.repositories.analytics.question import (
    Analysis,
    Question,
    of_models_only,
)
from observatory_store.repositories.analytics.rows import Rows

MOST_ERRORS = 1000


class ErrorRow(msgspec.Struct, frozen=True, kw_only=True):
    """Failures of one type whose messages differ only in numbers and ids."""

    fingerprint: str
    """16 hex digits."""
    error_type: str | None
    """The attribute ``error.type``."""
    sample_message: str | None
    """One of the messages, at most 1000 characters of it."""
    errors: int
    first_start: datetime
    """When the first of these calls in the range began."""
    last_start: datetime
    providers: tuple[str, ...]
    """At most 20, as of models and services."""
    models: tuple[str, ...]
    services: tuple[str, ...]


async def errors(analysis: Analysis, question: Question, limit: int) -> Rows[ErrorRow]:
    """Return the commonest failures, the most first.

    Raises:
        InvalidInputError: it cannot be answered.

    """
    of_models_only(question)
    family = serving(ERRORS, question.dimensions)
    (plan,) = await analysis.plans(question, family)
    records = await analysis.answer(SQL["errors"], question, family, plan, limit)
    rows = [
        ErrorRow(
            fingerprint=record["fingerprint"],
            error_type=record["error_type"],
            sample_message=record["sample_message"],
            errors=record["errors"],
            first_start=record["first_start"],
            last_start=record["last_start"],
            providers=tuple(record["providers"]),
            models=tuple(record["models"]),
            services=tuple(record["services"]),
        )
        for record in records
    ]
    return Rows(rows, plan.covered, ErrorRow)
