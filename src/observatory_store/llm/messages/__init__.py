"""What was said to a model and by it, from every dialect, in one normal form."""

from observatory_store.llm.messages.events import NAMES as EVENT_NAMES
from observatory_store.llm.messages.events import MessageEvent, event_name
from observatory_store.llm.messages.logs import from_logs
from observatory_store.llm.messages.restoring import kept_attributes, restore_events
from observatory_store.llm.messages.sources import CANONICAL
from observatory_store.llm.messages.taking import take

FIELDS = tuple(CANONICAL.values())
"""Fields of a payload, without what is kept as it was."""

__all__ = [
    "CANONICAL",
    "EVENT_NAMES",
    "FIELDS",
    "MessageEvent",
    "event_name",
    "from_logs",
    "kept_attributes",
    "restore_events",
    "take",
]
