"""The rows of the telemetry tables, as frozen, slotted, keyword-only structs.

A row class has one field for each column of its table, under the column's name, except that ids are
W3C hex strings, and that ``resource`` and ``payload`` are the rows they refer to.
"""

from observatory_store.rows.attributes import Attributes, AttributeValue
from observatory_store.rows.log import LogRecord
from observatory_store.rows.metric import Exemplar, Metric, MetricPoint, MetricSeries
from observatory_store.rows.resource import NO_RESOURCE, Resource
from observatory_store.rows.span import Event, Link, Payload, Span

__all__ = [
    "NO_RESOURCE",
    "AttributeValue",
    "Attributes",
    "Event",
    "Exemplar",
    "Link",
    "LogRecord",
    "Metric",
    "MetricPoint",
    "MetricSeries",
    "Payload",
    "Resource",
    "Span",
]
