"""From what arrives to what is stored: decode, find the LLM columns, price, write."""

from observatory_store.ingest.admission import Admission, Ticket
from observatory_store.ingest.columns import priced, span_columns
from observatory_store.ingest.fresh_prices import present_prices, prices_kept_fresh
from observatory_store.ingest.privacy import Privacy
from observatory_store.ingest.receiver import Receipt, Receiver

__all__ = [
    "Admission",
    "Privacy",
    "Receipt",
    "Receiver",
    "Ticket",
    "present_prices",
    "priced",
    "prices_kept_fresh",
    "span_columns",
]
