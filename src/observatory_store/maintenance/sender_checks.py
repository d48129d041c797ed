"""What `doctor` asks of the clocks of those who send."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from observatory_store.database import Connection
from observatory_store.maintenance.finding import Finding, ok, warning
from observatory_store.maintenance.server_checks import LARGE_SKEW, SKEW
from observatory_store.sql import load

_SQL = load("doctor")
_CHECK: Final = "senders"

_ENOUGH_SPANS = 10
_STEADY = 0.25
"""Spans that a clock makes late are late by the same, but for this part of it."""
_MOST_SERVICES = 5
_UNITS = ((3600, "h"), (60, "min"))


class Delays(msgspec.Struct, frozen=True, kw_only=True):
    """How long after their ends a service's spans were stored, by its clock and ours."""

    service: str
    spans: int
    least: float
    """In seconds; below 0, the clock of the service is ahead."""
    most: float

    @property
    def ahead(self) -> float:
        """By how many seconds its clock is ahead; nothing is stored before it ends."""
        return max(-self.least, 0.0)

    @property
    def behind(self) -> float:
        """By how many seconds its clock may be behind: all its spans come as late."""
        steady = self.most - self.least <= _STEADY * self.least
        return self.least if steady and self.spans >= _ENOUGH_SPANS else 0.0


async def check_senders(connection: Connection) -> list[Finding]:
    """Tell whose clocks differ from ours, by the newest thousand spans of each project."""
    return judge_senders([Delays(**row) for row in await connection.fetch(_SQL["sender_delays"])])


def judge_senders(services: Sequence[Delays]) -> list[Finding]:
    """Name the services whose clock is ahead, or seems to be behind, the worst first."""
    ahead = {one.service: one.ahead for one in services if one.ahead > SKEW.total_seconds()}
    behind = {
        one.service: one.behind for one in services if one.behind > LARGE_SKEW.total_seconds()
    }
    findings = []
    if ahead:
        findings.append(
            warning(
                _CHECK,
                f"The clocks of services are ahead of ours: {_worst(ahead)}.",
                "Synchronize their machines by NTP: their traces are out of order, and what is "
                "over a day ahead is refused.",
            )
        )
    if behind:
        findings.append(
            warning(
                _CHECK,
                f"All spans of services come late: {_worst(behind)}.",
                "Synchronize their machines by NTP, or see what holds their spans back.",
            )
        )
    return findings or [
        ok(_CHECK, f"The clocks of {len(services)} services that sent of late agree with ours.")
    ]


def _worst(skews: dict[str, float]) -> str:
    worst = sorted(skews, key=lambda service: (-skews[service], service))
    names = [f"{name or 'unnamed'} ({_time(skews[name])})" for name in worst[:_MOST_SERVICES]]
    if len(worst) > _MOST_SERVICES:
        names.append(f"{len(worst) - _MOST_SERVICES} more")
    return ", ".join(names)


def _time(seconds: float) -> str:
    for size, unit in _UNITS:
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"
