"""Which traces a list has."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

import msgspec


class TraceFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which traces; what is None does not matter."""

    service: str | None = None
    """The root's service."""
    name: str | None = None
    """The root's name."""
    status: Literal["ok", "error"] | None = None
    """``error``: at least one span has status error."""
    model: str | None = None
    provider: str | None = None
    user: str | None = None
    """At least one span has this user."""
    session: str | None = None
    """At least one span has this session."""
    environment: str | None = None
    tags: tuple[str, ...] = ()
    """Each ``key=value``; one span must have them all."""
    attributes: tuple[tuple[str, str], ...] = ()
    """Key and text of attributes; one span must have them all."""
    min_duration_ms: float | None = None
    min_cost: Decimal | None = None
    q: str | None = None
    """Words of the prompts and answers of one span, in the syntax of web searches."""
