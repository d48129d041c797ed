"""What the service holds is bounded; senders beyond that are told at once to come back."""

from __future__ import annotations

import asyncio
import gzip

import psycopg
import pytest
from google.rpc import status_pb2

from api.service import serving
from api.telemetry import span, traces
from observatory_store.ingest.receiver import DEADLINE_SECONDS
from observatory_store.otlp import Signal
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
