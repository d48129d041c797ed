"""One OTLP request: decoded, stored, and answered for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

import msgspec

from observatory_store.database import translate_failures
from observatory_store.ingest.columns import span_columns
from observatory_store.otlp import (
    Decoded,
    MediaType,
    Signal,
    decode_logs,
    decode_metrics,
    decode_traces,
)
from observatory_store.pricing import Pricer
from observatory_store.writers import (
    Writer,
    Written,
    isolating,
    write_logs,
    write_points,
    write_spans,
)

LARGE_BODY = 1024 * 1024


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a request. All that is not rejected is committed."""

    accepted: int
    rejected: int
    message: str
    """Why records were rejected, or what was repaired; empty if neither."""


class Receiver:
    """Stores OTLP requests."""

    def __init__(self, writer: Writer, pricer: Pricer) -> None:
        self._writer = writer
        self._columns = span_columns(pricer)

    async def receive(
        self,
        signal: Signal,
        body: bytes,
        media_type: MediaType,
        *,
        project_id: int,
        api_key_id: int | None = None,
    ) -> Receipt:
        """Store what one request carries, in one transaction, and return once it is committed.

        Raises:
            UndecodableError: the body is not what its media type says; nothing was stored.
            UnavailableError: the database cannot take it now; nothing was stored.

        """
        decode: Callable[[], Decoded[Any]]
        write: Callable[[Sequence[Any]], Awaitable[Written]]
        match signal:
            case Signal.TRACES:
                decode = partial(decode_traces, body, media_type, self._columns)
                write = partial(write_spans, self._writer, project_id, api_key_id=api_key_id)
            case Signal.METRICS:
                decode = partial(decode_metrics, body, media_type)
                write = partial(write_points, self._writer, project_id)
            case Signal.LOGS:
                decode = partial(decode_logs, body, media_type)
                write = partial(write_logs, self._writer, project_id)
        # A large body takes seconds to decode; other requests and health checks go on meanwhile.
        decoded: Decoded[Any] = (
            await asyncio.to_thread(decode) if len(body) > LARGE_BODY else decode()
        )
        written = Written()
        if decoded.rows:
            with translate_failures():
                written = await isolating(write, decoded.rows)
        return Receipt(
            accepted=len(decoded.rows) - written.rejected,
            rejected=decoded.rejected + written.rejected,
            message="; ".join(dict.fromkeys((*decoded.problems, *written.problems))),
        )
