"""Problem details (RFC 9457)."""

from __future__ import annotations

from typing import Final

from observatory_store.api.answers.base import Answer

PROBLEM: Final = "application/problem+json"


class FieldError(Answer):
    """What is wrong with one parameter."""

    parameter: str
    message: str


class Problem(Answer):
    """Why a request was refused; ``application/problem+json``."""

    type: str = "about:blank"
    title: str
    """The status in words."""
    status: int
    detail: str
    """What is wrong with this request, and what is allowed."""
    errors: list[FieldError] | None = None
    """One for each parameter that is wrong; only with status 422."""
