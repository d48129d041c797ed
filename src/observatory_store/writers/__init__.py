"""Storing rows: one transaction a batch, each row once however often it is sent."""

from observatory_store.writers.isolate import isolating
from observatory_store.writers.limits import Limits
from observatory_store.writers.logs import write_logs
from observatory_store.writers.metrics import write_points
from observatory_store.writers.spans import write_spans
from observatory_store.writers.writer import Writer, Written

__all__ = ["Limits", "Writer", "Written", "isolating", "write_logs", "write_points", "write_spans"]
