"""From what arrives to what is stored: decode, find the LLM columns, price, write."""

from observatory_store.ingest.columns import priced, span_columns
from observatory_store.ingest.receiver import Receipt, Receiver

__all__ = ["Receipt", "Receiver", "priced", "span_columns"]
