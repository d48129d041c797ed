"""The signals of OTLP, and the three levels that all of them share."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Signal(StrEnum):
    """A kind of telemetry, under the name that its URL path has."""

    TRACES = "traces"
    METRICS = "metrics"
    LOGS = "logs"


class Levels(NamedTuple):
    """The repeated fields that lead from a request to its records."""

    entries: str
    scopes: str
    records: str


FIELDS = {
    Signal.TRACES: Levels("resource_spans", "scope_spans", "spans"),
    Signal.METRICS: Levels("resource_metrics", "scope_metrics", "metrics"),
    Signal.LOGS: Levels("resource_logs", "scope_logs", "log_records"),
}

JSON_NAMES = {
    Signal.TRACES: Levels("resourceSpans", "scopeSpans", "spans"),
    Signal.METRICS: Levels("resourceMetrics", "scopeMetrics", "metrics"),
    Signal.LOGS: Levels("resourceLogs", "scopeLogs", "logRecords"),
}
