"""Usage, cost, latency and errors over any range, exact, from the rollups."""

from observatory_store.repositories.analytics.burn import Burn
from observatory_store.repositories.analytics.comparison import Comparison, ComparisonRow
from observatory_store.repositories.analytics.errors import ErrorRow
from observatory_store.repositories.analytics.families import DIMENSIONS, GROUPS
from observatory_store.repositories.analytics.forecast import Amount, Forecast
from observatory_store.repositories.analytics.intervals import INTERVALS
from observatory_store.repositories.analytics.latency import HistogramBucket, LatencyRow
from observatory_store.repositories.analytics.question import Filter
from observatory_store.repositories.analytics.repository import AnalyticsRepository
from observatory_store.repositories.analytics.rows import Rows
from observatory_store.repositories.analytics.sessions import SessionFilter, SessionRow
from observatory_store.repositories.analytics.usage import GroupedRow, UsageRow

__all__ = [
    "DIMENSIONS",
    "GROUPS",
    "INTERVALS",
    "Amount",
    "AnalyticsRepository",
    "Burn",
    "Comparison",
    "ComparisonRow",
    "ErrorRow",
    "Filter",
    "Forecast",
    "GroupedRow",
    "HistogramBucket",
    "LatencyRow",
    "Rows",
    "SessionFilter",
    "SessionRow",
    "UsageRow",
]
