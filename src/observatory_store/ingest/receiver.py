"""One OTLP request: decoded, stored, and answered for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec

from observatory_store.database import translate_failures
from observatory_store.ingest.admission import ROW_BYTES, Ticket
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
from observatory_store.writers import GroupCommit, Submission, Writers

LARGE_BODY = 1024 * 1024

DEADLINE_SECONDS = 30.0
"""Longest that a request waits for its commit. OpenTelemetry's exporters give up after ten."""


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a request. All that is not rejected is committed."""

    accepted: int
    rejected: int
    message: str
    """Why records were rejected, or what was repaired; empty if neither."""


class Receiver:
    """Stores OTLP requests."""

    def __init__(self, writers: Writers, pricer: Pricer) -> None:
        self._writers = writers
        self._columns = span_columns(pricer)
        self._one_large_body = asyncio.Semaphore()

    async def receive(
        self,
        signal: Signal,
        body: bytes,
        media_type: MediaType,
        *,
        project_id: int,
        api_key_id: int | None = None,
        ticket: Ticket | None = None,
    ) -> Receipt:
        """Store what one request carries, and return once it is committed.

        Raises:
            UndecodableError: the body is not what its media type says; nothing was stored.
            TooManyRecordsError: it holds more than one request may; nothing was stored.
            OverloadedError: requests hold too much together; nothing was stored.
            UnavailableError: the database cannot take it now; to send it again is harmless.

        """
        decode: Callable[[], Decoded[Any]]
        group: GroupCommit[Any]
        match signal:
            case Signal.TRACES:
                decode = partial(decode_traces, body, media_type, self._columns)
                group = self._writers.spans
            case Signal.METRICS:
                decode = partial(decode_metrics, body, media_type)
                group = self._writers.points
            case Signal.LOGS:
                decode = partial(decode_logs, body, media_type)
                group = self._writers.logs
        decoded: Decoded[Any]
        if len(body) > LARGE_BODY:
            # Such a body takes seconds to decode, and several times its size in memory: other
            # requests and health checks go on meanwhile, but the next large one waits.
            async with self._one_large_body:
                decoded = await asyncio.to_thread(decode)
        else:
            decoded = decode()
        # The rows have copies of what was in it, and wait for their commit.
        del body, decode
        if ticket is not None:
            ticket.hold(len(decoded.rows) * ROW_BYTES)
        submission = Submission(project_id=project_id, rows=decoded.rows, api_key_id=api_key_id)
        with translate_failures():
            async with asyncio.timeout(DEADLINE_SECONDS):
                written = await group.submit(submission)
        return Receipt(
            accepted=len(decoded.rows) - written.rejected,
            rejected=decoded.rejected + written.rejected,
            message="; ".join(dict.fromkeys((*decoded.problems, *written.problems))),
        )
