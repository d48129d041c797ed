"""Reading telemetry and keeping the catalogue. Each class is bound to one project."""

from observatory_store.repositories.analytics import AnalyticsRepository, UsageRow
from observatory_store.repositories.keys import ApiKey, KeyRepository
from observatory_store.repositories.logs import LogFilter, LogRepository
from observatory_store.repositories.metrics import MetricRepository, PointFilter
from observatory_store.repositories.page import Page, TimeRange
from observatory_store.repositories.projects import Project, ProjectRepository
from observatory_store.repositories.spans import SpanFilter, SpanRepository
from observatory_store.repositories.traces import (
    Trace,
    TraceFilter,
    TraceRepository,
    TraceSummary,
)

__all__ = [
    "AnalyticsRepository",
    "ApiKey",
    "KeyRepository",
    "LogFilter",
    "LogRepository",
    "MetricRepository",
    "Page",
    "PointFilter",
    "Project",
    "ProjectRepository",
    "SpanFilter",
    "SpanRepository",
    "TimeRange",
    "Trace",
    "TraceFilter",
    "TraceRepository",
    "TraceSummary",
    "UsageRow",
]
