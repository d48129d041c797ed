"""Errors that nobody foresaw end neither the recorder nor its queue."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import pytest

from observatory_store import RecordingOptions, Span
from observatory_store.errors import NotFoundError
from observatory_store.ingest import delivery as delivery_module
from observatory_store.ingest.complaints import Complaints
from observatory_store.ingest.faults import MOST_TRIES
from observatory_store.ingest.recorder import open_recorder
from observatory_store.writers import Written
from storage.samples import span


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pause hardly between attempts."""
    monkeypatch.setattr(delivery_module, "_FIRST_DELAY_SECONDS", 0.001)


async def _probe() -> None:
    pass


def _nothing() -> None:
    pass


async def test_a_batch_that_fails_for_ever_is_given_up(caplog: pytest.LogCaptureFixture) -> None:
    """A mistake of ours in one span must not keep all later calls in memory."""
    attempts = 0

    async def write(spans: Sequence[Span]) -> Written:
        nonlocal attempts
        if spans[0].name == "poison":
            attempts += 1
            raise ZeroDivisionError("a mistake")
        return Written(stored=len(spans))

    options = RecordingOptions(flush_rows=1)
    async with open_recorder(write, _probe, options, None, on_failure=_nothing) as recorder:
        await recorder.put(span(1))
        await recorder.put(span(2, name="poison"))
        await recorder.put(span(3))
        await recorder.flush()
        health = recorder.health()
    # Once before the others show that it is not the database.
    assert attempts == 1 + MOST_TRIES
    assert (health.committed, health.rejected, health.dropped) == (2, 1, 0)
    assert "a mistake" in str(health.last_error)
    assert not health.database_is_away
    assert "a mistake" in caplog.text


async def test_a_project_that_is_created_late() -> None:
    """Calls wait for a project that somebody dropped, or has yet to create."""
    attempts = 0

    async def write(spans: Sequence[Span]) -> Written:
        nonlocal attempts
        attempts += 1
        if attempts < 8:
            raise NotFoundError("there is no project")
        return Written(stored=len(spans))

    options = RecordingOptions(flush_seconds=0.001)
    async with open_recorder(write, _probe, options, None, on_failure=_nothing) as recorder:
        await recorder.put(span(1))
        await recorder.flush()
        assert recorder.health().committed == 1


def test_complaints_do_not_flood_the_log(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten thousand dropped calls are one line, and the next one tells how many there were."""
    now = 1000.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    complaints = Complaints(logging.getLogger("test"))
    for _ in range(10_000):
        complaints.warn("full", "the queue is full")
    complaints.warn("else", "something else")
    assert caplog.messages == ["the queue is full", "something else"]
    now += 31
    complaints.warn("full", "the queue is full")
    assert caplog.messages[-1] == "the queue is full (9999 more of this kind before it)"
