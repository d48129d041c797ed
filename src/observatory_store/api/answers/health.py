"""Answers about the service itself."""

from __future__ import annotations

from typing import Literal

from typing_extensions import TypedDict

from observatory_store.api.answers.base import Answer

Check = Literal["ok", "failed", "unknown"]


class Health(Answer):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Checks(TypedDict):
    """What the service needs of its database."""

    database: Check
    """It can be reached."""
    schema: Check
    """Every relation is there."""
    writable: Check
    """It is neither read-only nor a standby."""


class Readiness(Answer):
    """Whether requests can be served, and which check failed; ``unknown`` could not be tried."""

    ready: bool
    checks: Checks
    edition: str | None = None
    """community, apache or postgres."""
