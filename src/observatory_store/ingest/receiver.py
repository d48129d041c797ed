"""One OTLP request: decoded, stored, and answered for."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import msgspec
from msgspec.structs import replace

from observatory_store.database import translate_failures
from observatory_store.ingest.admission import Ticket
from observatory_store.ingest.columns import span_columns
from observatory_store.ingest.decoding import Decode, Decoder
from observatory_store.ingest.privacy import Privacy
from observatory_store.llm import settle_repeats
from observatory_store.otlp import (
    Decoded,
    MediaType,
    Signal,
    decode_logs,
    decode_metrics,
    decode_traces,
)
from observatory_store.pricing import CostSource, Pricer
from observatory_store.settings import PayloadPolicy
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

    def __init__(
        self,
        writers: Writers,
        pricer: Pricer,
        cost: CostSource = CostSource.COMPUTED,
        privacy: Privacy | None = None,
    ) -> None:
        self._writers = writers
        self._privacy = privacy or Privacy()
        self._columns = span_columns(pricer, cost)
        self._decoder = Decoder()

    async def receive(
        self,
        signal: Signal,
        body: bytes,
        media_type: MediaType,
        *,
        project_id: int,
        api_key_id: int | None = None,
        payloads: PayloadPolicy | None = None,
        ticket: Ticket | None = None,
    ) -> Receipt:
        """Store what one request carries, and return once it is committed.

        ``payloads`` is the project's own policy.

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
                decode, group = partial(self._decode_traces, payloads), self._writers.spans
            case Signal.METRICS:
                decode, group = self._decode_metrics, self._writers.points
            case Signal.LOGS:
                decode, group = partial(self._decode_logs, payloads), self._writers.logs
        decoding = self._decoder.decode(signal, body, media_type, decode, ticket or Ticket())
        # The rows have copies of what was in it, and wait for their commit.
        del body
        decoded = await decoding
        submission = Submission(project_id=project_id, rows=decoded.rows, api_key_id=api_key_id)
        with translate_failures():
            async with asyncio.timeout(DEADLINE_SECONDS):
                written = await group.submit(submission)
        return Receipt(
            accepted=len(decoded.rows) - written.rejected,
            rejected=decoded.rejected + written.rejected,
            message="; ".join(dict.fromkeys((*decoded.problems, *written.problems))),
        )

    def _decode_traces(
        self, payloads: PayloadPolicy | None, body: bytes, media_type: MediaType
    ) -> Decoded[Any]:
        decoded = decode_traces(body, media_type, self._columns)
        rows = settle_repeats(decoded.rows)
        return replace(decoded, rows=self._privacy.spans(rows, payloads))

    def _decode_logs(
        self, payloads: PayloadPolicy | None, body: bytes, media_type: MediaType
    ) -> Decoded[Any]:
        decoded = decode_logs(body, media_type)
        return replace(decoded, rows=self._privacy.logs(decoded.rows, payloads))

    def _decode_metrics(self, body: bytes, media_type: MediaType) -> Decoded[Any]:
        decoded = decode_metrics(body, media_type)
        return replace(decoded, rows=self._privacy.points(decoded.rows))
