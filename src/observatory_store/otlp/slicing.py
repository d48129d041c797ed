"""A large request as several small ones, so that little at a time is in memory half decoded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from observatory_store.otlp.json_slices import json_slices
from observatory_store.otlp.limits import UNCOUNTED
from observatory_store.otlp.media_type import MediaType
from observatory_store.otlp.protobuf_slices import protobuf_slices

if TYPE_CHECKING:
    from collections.abc import Iterator

    from observatory_store.otlp.decoded import Tally
    from observatory_store.otlp.signal import Signal


def slices(signal: Signal, body: bytes, media_type: MediaType, tally: Tally) -> Iterator[bytes]:
    """Yield bodies which have the same records together, each with its resource and scope.

    Each has about ``limits.SLICE`` bytes, or one record that is larger. Only the way to the
    records is read, and whatever is wrong with one of them is still in it.

    Raises:
        UndecodableError: there is no way to the records; maybe after some were yielded.
        TooManyRecordsError: there is more than a request may have of anything.

    """
    if len(body) <= UNCOUNTED:
        yield body
        return
    match media_type:
        case MediaType.PROTOBUF:
            yield from protobuf_slices(signal, body)
        case MediaType.JSON:
            yield from json_slices(signal, body, tally)
