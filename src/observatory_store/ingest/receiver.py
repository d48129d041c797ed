"""One OTLP request: decoded, stored, and answered for."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from observatory_store.database import translate_failures
from observatory_store.ingest.admission import Ticket
from observatory_store.ingest.columns import span_columns
from observatory_store.ingest.decoding import Decode, Decoder
from observatory_store.llm import settle_repeats
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
        self._decoder = Decoder()

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
        decode: Decode
        group: GroupCommit[Any]
        match signal:
            case Signal.TRACES:
                decode, group = self._decode_traces, self._writers.spans
            case Signal.METRICS:
                decode, group = decode_metrics, self._writers.points
            case Signal.LOGS:
                decode, group = decode_logs, self._writers.logs
        decoding = self._decoder.decode(signal, body, media_type, decode, ticket or Ticket())
        # The rows have copies of what was in it, and wait for their commit.
        del body
        decoded = await decoding
        rows = settle_repeats(decoded.rows) if signal is Signal.TRACES else decoded.rows
        submission = Submission(project_id=project_id, rows=rows, api_key_id=api_key_id)
        with translate_failures():
            async with asyncio.timeout(DEADLINE_SECONDS):
                written = await group.submit(submission)
        return Receipt(
            accepted=len(decoded.rows) - written.rejected,
            rejected=decoded.rejected + written.rejected,
            message="; ".join(dict.fromkeys((*decoded.problems, *written.problems))),
        )

    def _decode_traces(self, body: bytes, media_type: MediaType) -> Decoded[Any]:
        return decode_traces(body, media_type, self._columns)
