"""A seeded load of log records and of metric points, from the same services as the spans."""

from __future__ import annotations

import math
import random
import time

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality, Metric

from bench.load import MODELS, integer, request_sizes, resource, sentence, text

SEVERITIES = ((9, "INFO", 0.8), (13, "WARN", 0.15), (17, "ERROR", 0.05))
CORRELATED_SHARE = 0.5
"""Log records that belong to a span."""
EXPORTERS = 4
"""Processes that export metrics, each the same series again and again."""
BOUNDS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)


def log_requests(records: int, *, size: int | None, seed: int) -> list[ExportLogsServiceRequest]:
    """Return requests with so many log records together, over the last hour."""
    chance = random.Random(seed)
    end = time.time_ns() - 10**9
    made = []
    for count in request_sizes(chance, records, size):
        request = ExportLogsServiceRequest()
        scope_logs = request.resource_logs.add(resource=resource(chance)).scope_logs.add()
        scope_logs.scope.name = "gateway"
        scope_logs.log_records.extend(_log_record(chance, end) for _ in range(count))
        made.append(request)
    return made


def metric_requests(
    points: int, *, size: int | None, seed: int
) -> list[ExportMetricsServiceRequest]:
    """Return requests with so many points together: each exports its series once.

    Half of the points are histograms of a duration, the others sums of tokens.
    """
    chance = random.Random(seed)
    end = time.time_ns() - 10**9
    made = []
    for number, count in enumerate(request_sizes(chance, points, size)):
        request = ExportMetricsServiceRequest()
        scope_metrics = request.resource_metrics.add(
            resource=resource(random.Random(number % EXPORTERS))
        ).scope_metrics.add()
        scope_metrics.scope.name = "gateway"
        durations = scope_metrics.metrics.add(name="gen_ai.client.operation.duration", unit="s")
        tokens = scope_metrics.metrics.add(name="gateway.tokens", unit="{token}")
        durations.histogram.aggregation_temporality = _CUMULATIVE
        tokens.sum.aggregation_temporality = _CUMULATIVE
        tokens.sum.is_monotonic = True
        # No two requests have one time, and none has a series twice.
        moment = end - number * 10**6
        for series in range(count):
            _add_point(chance, tokens if series % 2 else durations, series, moment)
        made.append(request)
    return made


_CUMULATIVE = AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE


def _log_record(chance: random.Random, end: int) -> LogRecord:
    number, name, _ = chance.choices(SEVERITIES, [share for _, _, share in SEVERITIES])[0]
    moment = end - chance.randrange(3600 * 10**9)
    belongs = chance.random() < CORRELATED_SHARE
    return LogRecord(
        time_unix_nano=moment,
        observed_time_unix_nano=moment + 1000,
        severity_number=number,  # type: ignore[arg-type]  # protobuf takes the number
        severity_text=name,
        body=AnyValue(
            string_value=sentence(chance, max(1, int(chance.lognormvariate(math.log(20), 0.8))))
        ),
        attributes=[
            text("logger.name", f"gateway.module{chance.randrange(40)}"),
            text("code.function.name", f"handle_{chance.randrange(200)}"),
            integer("thread.id", chance.randrange(8)),
            text("request.id", chance.randbytes(8).hex()),
        ],
        trace_id=chance.randbytes(16) if belongs else b"",
        span_id=chance.randbytes(8) if belongs else b"",
    )


def _add_point(chance: random.Random, metric: Metric, series: int, moment: int) -> None:
    provider, model = MODELS[series // 2 % len(MODELS)]
    attributes = [
        text("gen_ai.provider.name", provider),
        text("gen_ai.request.model", model),
        integer("tenant", series // 2 // len(MODELS)),
    ]
    if series % 2:
        metric.sum.data_points.add(
            attributes=attributes,
            start_time_unix_nano=moment - 10**12,
            time_unix_nano=moment,
            as_int=chance.randrange(10**6),
        )
        return
    counts = [chance.randrange(50) for _ in range(len(BOUNDS) + 1)]
    metric.histogram.data_points.add(
        attributes=attributes,
        start_time_unix_nano=moment - 10**12,
        time_unix_nano=moment,
        count=sum(counts),
        sum=chance.random() * 1000,
        min=0.01,
        max=chance.random() * 80,
        bucket_counts=counts,
        explicit_bounds=BOUNDS,
    )
