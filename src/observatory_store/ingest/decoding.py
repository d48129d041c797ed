"""A request's rows, decoded slice by slice and counted before they are too many."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from observatory_store.errors import TooManyRecordsError
from observatory_store.ingest.admission import Ticket
from observatory_store.ingest.row_size import row_bytes
from observatory_store.otlp import Decoded, MediaType, Signal, slices
from observatory_store.otlp.decoded import Tally
from observatory_store.otlp.limits import UNCOUNTED

MOST_BYTES: Final = 128 * 1024 * 1024
"""Most that the body of one request and the rows beside their texts may take."""

_LONG: Final = 4 * 1024 * 1024
"""Bytes that other requests may have to wait for."""

Decode: TypeAlias = Callable[[bytes, MediaType], Decoded[Any]]


class Decoder:
    """Decodes the requests of one process, no two large ones at once."""

    def __init__(self) -> None:
        self._one_large_body = asyncio.Semaphore()

    async def decode(
        self,
        signal: Signal,
        body: bytes,
        media_type: MediaType,
        decode: Decode,
        ticket: Ticket,
    ) -> Decoded[Any]:
        """Return what a body has; its rows are held on the ticket.

        Raises:
            UndecodableError: the body is not what its media type says.
            TooManyRecordsError: it holds more than one request may.
            OverloadedError: requests hold too much together.

        """
        if len(body) <= UNCOUNTED:
            decoded = decode(body, media_type)
            ticket.hold(row_bytes(signal, decoded.rows))
            return decoded
        # Otherwise what their slices take while they are decoded would add up, and their rows
        # would be there long before their turn to be written.
        async with self._one_large_body:
            return await _decode_slices(signal, body, media_type, decode, ticket)


async def _decode_slices(
    signal: Signal, body: bytes, media_type: MediaType, decode: Decode, ticket: Ticket
) -> Decoded[Any]:
    tally = Tally()
    rows: list[Any] = []
    size = len(body)
    remaining = slices(signal, body, media_type, tally)
    if len(body) > _LONG:
        # All of a JSON text is read for the first, and maybe repaired.
        each = await asyncio.to_thread(next, remaining, None)
    else:
        each = next(remaining, None)
    while each is not None:
        if len(each) > UNCOUNTED:
            # One record takes up to a second; others go on meanwhile.
            decoded = await asyncio.to_thread(decode, each, media_type)
        else:
            decoded = decode(each, media_type)
            await asyncio.sleep(0)
        tally.count(len(decoded.rows) + decoded.rejected)
        tally.rejected += decoded.rejected
        for problem in decoded.problems:
            tally.note(problem)
        more = row_bytes(signal, decoded.rows)
        size += more
        if size > MOST_BYTES:
            raise TooManyRecordsError(
                f"the request takes more than {MOST_BYTES} bytes when it is decoded: send smaller "
                "batches"
            )
        ticket.hold(more)
        rows += decoded.rows
        each = next(remaining, None)
    return tally.decoded(rows)
