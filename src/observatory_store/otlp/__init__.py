"""OTLP/HTTP bodies to rows and back: pure functions, without database, clock or network."""

from observatory_store.otlp.decoded import Decoded
from observatory_store.otlp.encode_logs import encode_logs
from observatory_store.otlp.encode_metrics import encode_metrics
from observatory_store.otlp.encode_traces import encode_traces
from observatory_store.otlp.logs import decode_logs
from observatory_store.otlp.media_type import MediaType
from observatory_store.otlp.metrics import decode_metrics
from observatory_store.otlp.response import encode_response, encode_status
from observatory_store.otlp.signal import Signal
from observatory_store.otlp.slicing import slices
from observatory_store.otlp.traces import SpanColumns, decode_traces

__all__ = [
    "Decoded",
    "MediaType",
    "Signal",
    "SpanColumns",
    "decode_logs",
    "decode_metrics",
    "decode_traces",
    "encode_logs",
    "encode_metrics",
    "encode_response",
    "encode_status",
    "encode_traces",
    "slices",
]
