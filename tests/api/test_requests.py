"""Requests that are refused as a whole, each with the answer that OTLP names."""

from __future__ import annotations

import asyncio
import gzip
import time
import zlib
from typing import TYPE_CHECKING

import httpx
import pytest
from google.rpc import status_pb2

from api.service import Service, serving
from api.telemetry import span, to_json, traces
from observatory_store.otlp import Signal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.editions("postgres")

PROTOBUF, JSON = "application/x-protobuf", "application/json"
GZIP = {"content-encoding": "gzip"}
BODY = traces(span()).SerializeToString()


def _failure(response: httpx.Response, status: int, code: int, media_type: str) -> str:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == media_type
    if media_type == JSON:
        document = response.json()
        assert document["code"] == code
        return str(document["message"])
    parsed = status_pb2.Status.FromString(response.content)
    assert parsed.code == code
    return str(parsed.message)


async def test_what_cannot_be_read_is_refused_by_name(service: Service) -> None:
    """Otherwise a sender could not tell a wrong setting of its own from a fault of the service."""
    zipped = gzip.compress(BODY)
    cases: list[tuple[str | None, bytes, dict[str, str], int, int, str]] = [
        ("text/plain", BODY, {}, 415, 3, JSON),
        (None, BODY, {}, 415, 3, JSON),
        ("application/x-protobuf-2", BODY, {}, 415, 3, JSON),
        (PROTOBUF, BODY, {"content-encoding": "br"}, 415, 3, PROTOBUF),
        (JSON, b"{}", {"content-encoding": "deflate"}, 415, 3, JSON),
        (PROTOBUF, b"\xff\xff\xff", {}, 400, 3, PROTOBUF),
        (PROTOBUF, BODY[:-3], {}, 400, 3, PROTOBUF),
        (JSON, b'{"resourceSpans": [', {}, 400, 3, JSON),
        (JSON, b"", {}, 400, 3, JSON),
        (JSON, b"[]", {}, 400, 3, JSON),
        (JSON, b"[" * 100_000, {}, 400, 3, JSON),
        (PROTOBUF, zipped[:-9], GZIP, 400, 3, PROTOBUF),
        (PROTOBUF, zipped[:-1], GZIP, 400, 3, PROTOBUF),
        (PROTOBUF, b"", GZIP, 400, 3, PROTOBUF),
        (PROTOBUF, BODY, GZIP, 400, 3, PROTOBUF),
        (PROTOBUF, zipped[:20] + b"\0\xff" + zipped[22:], GZIP, 400, 3, PROTOBUF),
        (PROTOBUF, zipped + b"garbage", GZIP, 400, 3, PROTOBUF),
    ]
    for signal in Signal:
        for content_type, body, headers, status, code, answer in cases:
            kind = {} if content_type is None else {"content-type": content_type}
            response = await service.http.post(
                f"/v1/{signal}", content=body, headers=headers | kind
            )
            message = _failure(response, status, code, answer)
            assert message, (signal, content_type, body[:20])
    assert await service.count("spans") == 0


async def test_what_only_looks_unusual_is_taken(service: Service) -> None:
    """Otherwise correct senders would be refused for their spelling."""
    members = gzip.compress(BODY[:50]) + gzip.compress(BODY[50:]) + b"\0" * 100
    text = to_json(traces(span()))
    cases: list[tuple[str, bytes, dict[str, str]]] = [
        (PROTOBUF, b"", {}),
        (JSON, b"{}", {}),
        ("Application/JSON; charset=utf-8", text, {}),
        (PROTOBUF, BODY, {"content-encoding": "identity"}),
        (PROTOBUF, members, {"content-encoding": "GZIP"}),
        (JSON, gzip.compress(text), {"content-encoding": "x-gzip"}),
    ]
    for content_type, body, headers in cases:
        response = await service.http.post(
            "/v1/traces", content=body, headers={**headers, "content-type": content_type}
        )
        expected = (PROTOBUF, b"") if content_type == PROTOBUF else (JSON, b"{}")
        assert response.status_code == 200, response.text
        assert (response.headers["content-type"], response.content) == expected
    assert await service.count("spans") == 2


async def test_wrong_methods_and_paths_are_answered_as_status(service: Service) -> None:
    """Otherwise an OTLP client could not show why its endpoint is wrong."""
    response = await service.http.get("/v1/traces")
    _failure(response, 405, 12, JSON)
    assert response.headers["allow"] == "POST"
    response = await service.http.put("/v1/logs", headers={"content-type": PROTOBUF})
    _failure(response, 405, 12, PROTOBUF)
    _failure(await service.http.post("/v1/profiles"), 404, 5, JSON)
    _failure(await service.http.post("/v1/traces/"), 404, 5, JSON)


async def test_a_body_of_100_megabytes_is_refused(service: Service) -> None:
    """Otherwise one sender could fill the memory of the service."""
    megabyte = bytes(1_000_000)

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield megabyte

    declared = await service.send(Signal.LOGS, megabyte * 100)
    assert "67108864 bytes" in _failure(declared, 413, 8, PROTOBUF)
    headers = {"content-type": JSON}
    streamed = await service.http.post("/v1/logs", content=chunks(), headers=headers)
    _failure(streamed, 413, 8, JSON)
    assert (await service.http.get("/healthz")).status_code == 200


async def test_a_gzip_bomb_stops_at_the_limit(database_url: str) -> None:
    """Otherwise a kilobyte from the network could take gigabytes of memory."""
    compressor = zlib.compressobj(9, wbits=31)
    bomb = b"".join(compressor.compress(bytes(10_000_000)) for _ in range(100))
    bomb += compressor.flush()
    begin = time.process_time()
    inflater = zlib.decompressobj(wbits=31)
    rest = bomb
    while rest:
        inflater.decompress(rest, 1_000_000)
        rest = inflater.unconsumed_tail
    whole = time.process_time() - begin
    members = gzip.compress(bytes(600_000)) * 2
    async with serving(database_url, max_body_bytes=1_000_000) as service:
        for body in (bomb, members):
            begin = time.process_time()
            response = await service.send(Signal.TRACES, body, content_encoding="gzip")
            _failure(response, 413, 8, PROTOBUF)
            assert time.process_time() - begin < whole / 2
        exact = gzip.compress(b"\xff" * 1_000_000)
        response = await service.send(Signal.TRACES, exact, content_encoding="gzip")
        _failure(response, 400, 3, PROTOBUF)


async def test_a_client_that_leaves_harms_nobody(service: Service) -> None:
    """Otherwise a sender that is killed while sending would leave the service broken."""
    host, port = service.url.removeprefix("http://").split(":")
    for _ in range(3):
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(
            b"POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
            b"content-length: 1000\r\n\r\n{"
        )
        await writer.drain()
        writer.close()
        await writer.wait_closed()
    assert (await service.send(Signal.TRACES, traces(span()))).status_code == 200
