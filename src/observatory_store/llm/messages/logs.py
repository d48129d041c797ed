"""Messages that came as log records."""

from __future__ import annotations

from collections.abc import Iterable

from observatory_store.llm.messages.events import MessageEvent, event_name, read
from observatory_store.llm.messages.taking import Taken
from observatory_store.rows import Payload


def from_logs(records: Iterable[MessageEvent]) -> Payload | None:
    """Return what the log records of one span say, given in the order of their times.

    Records that are no messages are passed over.
    """
    found = read(
        (event_name(name, attributes), body, attributes) for name, body, attributes in records
    )
    taken = Taken()
    if found is not None:
        taken.add(found)
    return taken.payload()
