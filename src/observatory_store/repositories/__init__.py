"""Reading telemetry and keeping the catalogue. Each class is bound to one project."""

from observatory_store.repositories.analytics import (
    Amount,
    AnalyticsRepository,
    Burn,
    ComparisonRow,
    ErrorRow,
    Forecast,
    GroupedRow,
    HistogramBucket,
    LatencyRow,
    SessionFilter,
    SessionRow,
    UsageRow,
)
from observatory_store.repositories.budgets import BudgetChange, BudgetRepository
from observatory_store.repositories.keys import ApiKey, KeyRepository
from observatory_store.repositories.logs import LogFilter, LogRepository
from observatory_store.repositories.metrics import MetricRepository, PointFilter
from observatory_store.repositories.model_sync import (
    ModelChange,
    ModelSyncReport,
    sync_models,
)
from observatory_store.repositories.models import ModelRecord, ModelRepository
from observatory_store.repositories.page import Page, TimeRange
from observatory_store.repositories.price_sync import PriceChange, SyncReport, sync_prices
from observatory_store.repositories.prices import PriceRecord, PriceRepository, UnpricedModel
from observatory_store.repositories.projects import Project, ProjectRepository
from observatory_store.repositories.spans import SpanFilter, SpanRepository
from observatory_store.repositories.trace_filter import TraceFilter
from observatory_store.repositories.traces import Trace, TraceRepository, TraceSummary

__all__ = [
    "Amount",
    "AnalyticsRepository",
    "ApiKey",
    "BudgetChange",
    "BudgetRepository",
    "Burn",
    "ComparisonRow",
    "ErrorRow",
    "Forecast",
    "GroupedRow",
    "HistogramBucket",
    "KeyRepository",
    "LatencyRow",
    "LogFilter",
    "LogRepository",
    "MetricRepository",
    "ModelChange",
    "ModelRecord",
    "ModelRepository",
    "ModelSyncReport",
    "Page",
    "PointFilter",
    "PriceChange",
    "PriceRecord",
    "PriceRepository",
    "Project",
    "ProjectRepository",
    "SessionFilter",
    "SessionRow",
    "SpanFilter",
    "SpanRepository",
    "SyncReport",
    "TimeRange",
    "Trace",
    "TraceFilter",
    "TraceRepository",
    "TraceSummary",
    "UnpricedModel",
    "UsageRow",
    "sync_models",
    "sync_prices",
]
