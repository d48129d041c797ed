"""LLM telemetry on PostgreSQL and TimescaleDB."""

from observatory_store.llm import LLMCall
from observatory_store.repositories import (
    LogFilter,
    Page,
    PointFilter,
    SpanFilter,
    TimeRange,
    Trace,
    TraceFilter,
    TraceSummary,
    UsageRow,
)
from observatory_store.rows import (
    Event,
    Link,
    LogRecord,
    Metric,
    MetricPoint,
    MetricSeries,
    Payload,
    Resource,
    Span,
)
from observatory_store.store import Store
from observatory_store.writers import Written

__all__ = [
    "Event",
    "LLMCall",
    "Link",
    "LogFilter",
    "LogRecord",
    "Metric",
    "MetricPoint",
    "MetricSeries",
    "Page",
    "Payload",
    "PointFilter",
    "Resource",
    "Span",
    "SpanFilter",
    "Store",
    "TimeRange",
    "Trace",
    "TraceFilter",
    "TraceSummary",
    "UsageRow",
    "Written",
]
