"""What the service holds is bounded; senders beyond that are told at once to come back."""

from __future__ import annotations

import asyncio
import gzip

import psycopg
import pytest
from google.rpc import status_pb2

from api.service import serving
from api.telemetry import span, traces
from observatory_store.api import request_body
from observatory_store.ingest import admission
from observatory_store.ingest.receiver import DEADLINE_SECONDS
from observatory_store.otlp import Signal
from observatory_store.settings import AuthMode
from patience import PATIENCE_SECONDS, until

pytestmark = pytest.mark.editions("postgres")

LARGE = "x" * 40_000


def _body(number: int) -> bytes:
    return traces(span(name=f"{number} {LARGE}")).SerializeToString()


async def test_beyond_the_limit_senders_are_told_to_come_back(database_url: str) -> None:
    """While the database is slow, memory stays bounded, and nothing that was accepted is lost."""
    async with serving(
        database_url,
        queue_bytes=200_000,
        lock_timeout_seconds=PATIENCE_SECONDS,
        statement_timeout_seconds=PATIENCE_SECONDS,
    ) as service:

        async def send(number: int) -> int:
            response = await service.send(Signal.TRACES, _body(number))
            if response.status_code == 503:
                assert int(response.headers["retry-after"]) > 0
                assert status_pb2.Status.FromString(response.content).code == 14
            return response.status_code

        with psycopg.connect(database_url) as blocker:
            blocker.execute("LOCK TABLE observatory.spans IN ACCESS EXCLUSIVE MODE")
            sending = [asyncio.create_task(send(number)) for number in range(20)]
            # None is stored yet, and after some more seconds the others are refused for that.
            await until(
                lambda: sum(task.done() for task in sending) >= 10, seconds=DEADLINE_SECONDS / 2
            )
            assert {task.result() for task in sending if task.done()} == {503}
            blocker.rollback()
        statuses = await asyncio.gather(*sending)
        assert statuses.count(200) + statuses.count(503) == 20
        assert 200 in statuses
        assert await service.count("spans") == statuses.count(200)
        # What was held is given back: the same again goes through.
        assert [await send(number) for number in range(20, 25)] == [200] * 5


async def test_one_body_over_the_limit_goes_through_alone(database_url: str) -> None:
    """The limit is on what requests hold together; the limit on one body is another."""
    async with serving(database_url, queue_bytes=2_000) as service:
        response = await service.send(Signal.TRACES, _body(1))
        assert response.status_code == 200
        assert await service.count("spans") == 1


async def test_a_bomb_beside_others_takes_none_of_them_along(database_url: str) -> None:
    """What a compressed body inflates to counts, and it is the bomb that is refused."""
    bomb = gzip.compress(b"\n" * 30_000_000)
    async with serving(database_url, queue_bytes=1_000_000, max_body_bytes=20_000_000) as service:
        bombs = [service.send(Signal.TRACES, bomb, content_encoding="gzip") for _ in range(4)]
        sends = [service.send(Signal.TRACES, _body(number)) for number in range(4)]
        responses = await asyncio.gather(*bombs, *sends)
        for response in responses[:4]:
            assert response.status_code in {413, 503, 400}
        accepted = [response.status_code for response in responses[4:]].count(200)
        assert await service.count("spans") == accepted
        assert (await service.send(Signal.TRACES, _body(9))).status_code == 200


async def test_whoever_waits_for_the_check_of_a_key_counts(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise senders pile up without a bound while the database keeps keys waiting."""
    monkeypatch.setattr(admission, "MOST_REQUESTS", 3)
    async with serving(
        database_url,
        auth=AuthMode.REQUIRED,
        lock_timeout_seconds=PATIENCE_SECONDS,
        statement_timeout_seconds=PATIENCE_SECONDS,
        query_timeout_seconds=PATIENCE_SECONDS,
    ) as service:

        async def send(number: int) -> int:
            response = await service.send(Signal.TRACES, _body(number), x_api_key=f"obs_{number}")
            return response.status_code

        with psycopg.connect(database_url) as blocker:
            blocker.execute("LOCK TABLE observatory.api_keys IN ACCESS EXCLUSIVE MODE")
            sending = [asyncio.create_task(send(number)) for number in range(8)]
            await until(lambda: sum(task.done() for task in sending) == 5)
            assert {task.result() for task in sending if task.done()} == {503}
            blocker.rollback()
        assert sorted(await asyncio.gather(*sending)) == [401] * 3 + [503] * 5


async def test_a_body_that_arrives_too_slowly_is_sent_again(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A network that is slow for a while must not make an exporter drop what it has."""
    monkeypatch.setattr(request_body, "_SECONDS", 0.1)
    head = (
        b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\n"
        b"Content-Length: 1000\r\n\r\n"
    )
    async with serving(database_url) as service:
        port = int(service.url.rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(head + _body(1)[:100])
        answer = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE_SECONDS)
        writer.close()
        assert answer.startswith(b"HTTP/1.1 503")
        assert b"retry-after: " in answer
        assert await service.count("spans") == 0
