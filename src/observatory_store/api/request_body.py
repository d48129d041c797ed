"""The body of a request, decompressed and never larger than the limit."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator
from io import BytesIO

from fastapi import Request

from observatory_store.errors import (
    BodyTooLargeError,
    OverloadedError,
    UndecodableError,
    UnsupportedMediaTypeError,
)
from observatory_store.ingest import Ticket

_GZIP = zlib.MAX_WBITS | 16
_SECONDS = 60
_PIECE = 1024 * 1024
"""Most that is decompressed before other requests have their turn."""
_MOST_RATIO = 500
"""Most that a byte inflates to, on average of more than a piece. The same long prompt in each span
reaches about 100, one phrase again and again 260, one letter 1032."""


async def read_body(request: Request, limit: int, ticket: Ticket) -> bytes:
    """Return the body after decompression, held on the ticket.

    Reading stops where the limit is passed, on the wire or after decompression, so that no more
    than about the limit is ever held.

    Raises:
        UnsupportedMediaTypeError: the content encoding is neither gzip nor identity.
        BodyTooLargeError: the body is over the limit.
        UndecodableError: the body is not gzip, or ends too early.
        OverloadedError: requests hold too much together, or the body takes over a minute to arrive.

    """
    encoding = request.headers.get("content-encoding", "").strip().lower()
    if encoding not in {"", "identity", "gzip", "x-gzip"}:
        raise UnsupportedMediaTypeError(
            f"the content encoding is {encoding!r}; use gzip or identity"
        )
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limit:
        raise _too_large(limit)
    pieces = _within(request.stream(), limit)
    if encoding.endswith("gzip"):
        pieces = _within(_inflated(pieces), limit)
    body = BytesIO()
    try:
        async with asyncio.timeout(_SECONDS):
            async for piece in pieces:
                ticket.hold(len(piece))
                body.write(piece)
    except TimeoutError as error:
        # Which is the network's fault or ours, and may pass.
        raise OverloadedError(f"the body did not arrive within {_SECONDS} seconds") from error
    # Which is not copied, as the pieces of a list would be.
    return body.getvalue()


async def _within(pieces: AsyncIterator[bytes], limit: int) -> AsyncIterator[bytes]:
    size = 0
    async for piece in pieces:
        size += len(piece)
        if size > limit:
            raise _too_large(limit)
        yield piece


async def _inflated(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield what gzip members contain, one after the other (RFC 1952, section 2.2)."""
    member = zlib.decompressobj(_GZIP)
    begun = False
    taken = given = 0
    async for compressed in pieces:
        rest = compressed
        full = False
        while rest or full:
            if member.eof:
                # Some senders pad the end with zero bytes; a member begins with 1F.
                rest = rest.lstrip(b"\0")
                if not rest:
                    break
                member = zlib.decompressobj(_GZIP)
            begun = True
            try:
                piece = member.decompress(rest, _PIECE)
            except zlib.error as error:
                raise UndecodableError(f"the body is not gzip: {error}") from error
            left = member.unused_data if member.eof else member.unconsumed_tail
            taken += len(rest) - len(left)
            given += len(piece)
            if given > _PIECE and given > _MOST_RATIO * taken:
                raise BodyTooLargeError(f"the body inflates to over {_MOST_RATIO} times its size")
            yield piece
            full = len(piece) == _PIECE
            rest = left
            if full:
                await asyncio.sleep(0)
    if not (begun and member.eof):
        raise UndecodableError("the gzip body ends too early")


def _too_large(limit: int) -> BodyTooLargeError:
    return BodyTooLargeError(f"the body is larger than {limit} bytes: send smaller batches")
