"""What `doctor` finds."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Severity(StrEnum):
    """How bad a finding is."""

    OK = "ok"
    WARNING = "warning"
    """Works, but slower, less safely or less exactly than it could."""
    PROBLEM = "problem"
    """Loses data or keeps too much, or answers are wrong, or will be."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was examined."""

    check: str
    """Which check found it; the names are those of docs/operations.md."""
    severity: Severity
    what: str
    """What is so, in one sentence."""
    to_do: str = ""
    """What to do about it, in one sentence; empty if nothing is to be done."""


def ok(check: str, what: str) -> Finding:
    """Return that all is well."""
    return Finding(check=check, severity=Severity.OK, what=what)


def warning(check: str, what: str, to_do: str) -> Finding:
    """Return what should be mended when there is time."""
    return Finding(check=check, severity=Severity.WARNING, what=what, to_do=to_do)


def problem(check: str, what: str, to_do: str) -> Finding:
    """Return what must be mended."""
    return Finding(check=check, severity=Severity.PROBLEM, what=what, to_do=to_do)
