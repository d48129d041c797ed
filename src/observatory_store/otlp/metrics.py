"""Data points of a metrics request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from observatory_store.otlp.data_points import POINTS
from observatory_store.otlp.decoded import Decoded, InvalidRecordError, Tally
from observatory_store.otlp.request import reader_for, senders, weight
from observatory_store.otlp.signal import Signal
from observatory_store.rows import Metric, MetricPoint

if TYPE_CHECKING:
    from opentelemetry.proto.metrics.v1 import metrics_pb2

    from observatory_store.otlp import wire_metrics
    from observatory_store.otlp.media_type import MediaType
    from observatory_store.otlp.reader import Message, Reader
    from observatory_store.rows.metric import MetricType, Temporality

TEMPORALITIES: Final[tuple[Temporality, ...]] = ("unspecified", "delta", "cumulative")

_TYPES: Final[dict[str, MetricType]] = {
    "gauge": "gauge",
    "sum": "sum",
    "histogram": "histogram",
    "exponential_histogram": "exponential_histogram",
    "summary": "summary",
}


def decode_metrics(body: bytes, media_type: MediaType) -> Decoded[MetricPoint]:
    """Return the data points of an ``ExportMetricsServiceRequest``.

    Raises ``UndecodableError`` if the body is not such a request at all.
    """
    tally = Tally()
    reader = reader_for(Signal.METRICS, media_type, tally)
    points: list[MetricPoint] = []
    for resource, records in senders(Signal.METRICS, body, reader, tally):
        for record in records:
            try:
                metric, data = _metric(record, reader, tally)
            except InvalidRecordError as error:
                tally.reject(str(error), weight(Signal.METRICS, record, reader))
                continue
            read_point = POINTS[metric.type]
            for point in data.data_points:
                try:
                    points.append(read_point(point, metric, resource, reader, tally))
                except InvalidRecordError as error:
                    tally.reject(f"metric {metric.name!r}: {error}")
    return tally.decoded(points)


def _metric(
    message: metrics_pb2.Metric | wire_metrics.Metric, reader: Reader, tally: Tally
) -> tuple[Metric, Message]:
    name = reader.text(message.name)
    if not name:
        raise InvalidRecordError("a metric has no name")
    choice = reader.choice(message, "data")
    if choice is None:
        raise InvalidRecordError(f"metric {name!r} has no data of a known type")
    data: Message = getattr(message, choice)
    kind = _TYPES[choice]
    has_temporality = kind not in ("gauge", "summary")
    metric = Metric(
        name=name,
        unit=reader.text(message.unit),
        type=kind,
        temporality=_temporality(data.aggregation_temporality, tally) if has_temporality else None,
        is_monotonic=data.is_monotonic if kind == "sum" else None,
        description=reader.text(message.description),
        metadata=reader.attributes(message.metadata),
    )
    return metric, data


def _temporality(number: int, tally: Tally) -> Temporality:
    if 0 <= number < len(TEMPORALITIES):
        return TEMPORALITIES[number]
    tally.note(f"the unknown aggregation temporality {number} was stored as unspecified")
    return "unspecified"
