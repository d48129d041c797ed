"""What may be stored of rows: a payload policy, and redaction."""

from __future__ import annotations

from collections.abc import Collection

from observatory_store.ingest.payload_policy import (
    truncated_log,
    truncated_span,
    without_content,
    without_payload,
)
from observatory_store.ingest.redaction import Redactor
from observatory_store.rows import LogRecord, MetricPoint, Span
from observatory_store.settings import PAYLOAD_CHARACTERS, PayloadPolicy, Redaction


class Privacy:
    """The rules of a service, or of a store in a program; a project's own policy goes first.

    ``characters`` is what ``truncate`` leaves of each text.
    """

    def __init__(
        self,
        policy: PayloadPolicy = PayloadPolicy.KEEP,
        redactions: Collection[Redaction] = (),
        characters: int = PAYLOAD_CHARACTERS,
    ) -> None:
        self._policy = policy
        self._redactor = Redactor(redactions) if redactions else None
        self._characters = characters

    def spans(self, rows: list[Span], project: PayloadPolicy | None = None) -> list[Span]:
        """Return spans as they may be stored; to apply this again changes nothing."""
        policy = project or self._policy
        if policy is PayloadPolicy.DROP:
            rows = list(map(without_payload, rows))
        if self._redactor is not None:
            rows = self._redactor.spans(rows)
        # After the redaction, which would not know the half of an address.
        if policy is PayloadPolicy.TRUNCATE:
            rows = [truncated_span(row, self._characters) for row in rows]
        return rows

    def logs(self, rows: list[LogRecord], project: PayloadPolicy | None = None) -> list[LogRecord]:
        """Return log records as they may be stored; to apply this again changes nothing."""
        policy = project or self._policy
        if policy is PayloadPolicy.DROP:
            rows = list(map(without_content, rows))
        if self._redactor is not None:
            rows = self._redactor.logs(rows)
        if policy is PayloadPolicy.TRUNCATE:
            rows = [truncated_log(row, self._characters) for row in rows]
        return rows

    def points(self, rows: list[MetricPoint]) -> list[MetricPoint]:
        """Return metric points as they may be stored; to apply this again changes nothing."""
        return rows if self._redactor is None else self._redactor.points(rows)
