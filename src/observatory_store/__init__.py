"""LLM telemetry on PostgreSQL and TimescaleDB."""

from observatory_store.errors import RecorderFullError, SpoolError
from observatory_store.ingest.recording import Health, RecordingOptions
from observatory_store.llm import LLMCall
from observatory_store.repositories import (
    LogFilter,
    Page,
    PointFilter,
    SessionFilter,
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
    "Health",
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
    "RecorderFullError",
    "RecordingOptions",
    "Resource",
    "SessionFilter",
    "Span",
    "SpanFilter",
    "SpoolError",
    "Store",
    "TimeRange",
    "Trace",
    "TraceFilter",
    "TraceSummary",
    "UsageRow",
    "Written",
]
