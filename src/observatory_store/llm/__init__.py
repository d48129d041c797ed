"""What is known about calls of large language models: their attributes, and their columns.

Pure: no database, no clock, no network.
"""

from observatory_store.llm.call import LLMCall
from observatory_store.llm.inference import is_inference
from observatory_store.llm.mapping import read, restore
from observatory_store.llm.messages import restore_events
from observatory_store.llm.repeats import settle_repeats

__all__ = [
    "LLMCall",
    "is_inference",
    "read",
    "restore",
    "restore_events",
    "settle_repeats",
]
