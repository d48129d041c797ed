"""A call that the database fails at, though nothing is wrong with it that anybody could name."""

from __future__ import annotations

from pathlib import Path

import pytest

from observatory_store import RecordingOptions, Store
from observatory_store.ingest import delivery as delivery_module
from observatory_store.ingest.span_document import decode_span
from observatory_store.ingest.spool_format import decode_records
from patience import until
from storage.samples import fail_at, failures, query
from store.calls import call, stored

pytestmark = pytest.mark.editions("postgres")

ONE_BY_ONE = RecordingOptions(flush_rows=1, flush_seconds=0.01)
TOGETHER = RecordingOptions(flush_rows=50, flush_seconds=0.01)
POISON = 7


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pause hardly between attempts."""
    monkeypatch.setattr(delivery_module, "_FIRST_DELAY_SECONDS", 0.001)
    monkeypatch.setattr(delivery_module, "_LONGEST_DELAY_SECONDS", 0.01)


def _poison(*numbers: int) -> str:
    return " OR ".join(f"observatory.span_hex(NEW.span_id) = '{n:016x}'" for n in numbers)


def _aside(folder: Path) -> Path:
    (path,) = folder.rglob("*.aside")
    return path


@pytest.mark.parametrize("spooling", [True, False])
@pytest.mark.parametrize(
    ("options", "state"),
    [
        *((ONE_BY_ONE, state) for state in ("XX000", "53200", "42501", "57014", "58030", "P0001")),
        (TOGETHER, "XX000"),
    ],
)
async def test_one_call_that_the_database_fails_at(
    database_url: str, tmp_path: Path, options: RecordingOptions, state: str, *, spooling: bool
) -> None:
    """It must neither hold up the others for ever, nor take one of them along."""
    fail_at(database_url, state, _poison(POISON))
    spool = tmp_path if spooling else ""
    async with Store.open(database_url, recording=options, spool_dir=spool) as store:
        await store.record(call(POISON))
        await until(lambda: store.health().last_error is not None)
        for number in range(10, 110):
            await store.record(call(number))
        await store.flush()
        await until(lambda: store.health().committed == 100)
        await until(lambda: store.health().spool_bytes == 0)
        await until(lambda: not store.health().database_is_away)
        health = store.health()
    assert stored(database_url) == list(range(10, 110))
    assert (health.dropped, health.queued) == (0, 0)
    assert "a fault of the test" in str(health.last_error)
    assert (health.rejected, health.set_aside_records) == ((0, 1) if spooling else (1, 0))
    if spooling:
        aside = _aside(tmp_path)
        (document,) = decode_records(aside.read_bytes())
        assert isinstance(document, bytes)
        assert decode_span(document).span_id == f"{POISON:016x}"
        # The fault is mended: what was set aside is a segment like any other.
        query(database_url, "DROP TRIGGER fail ON observatory.spans")
        aside.rename(aside.with_suffix(".spool"))
        async with Store.open(database_url, spool_dir=spool) as store:
            await until(lambda: store.health().spool_bytes == 0)
        assert stored(database_url) == [POISON, *range(10, 110)]


@pytest.mark.parametrize("spooling", [True, False])
async def test_many_calls_that_the_database_fails_at(
    database_url: str, tmp_path: Path, *, spooling: bool
) -> None:
    """A whole batch of them, and more among the others: all others are stored, all are told of."""
    poison = [*range(1, 61), *range(70, 100, 5)]
    fail_at(database_url, "XX000", _poison(*poison))
    spool = tmp_path if spooling else ""
    async with Store.open(database_url, recording=TOGETHER, spool_dir=spool) as store:
        for number in range(1, 121):
            await store.record(call(number))
        await store.flush()
        await until(lambda: store.health().spool_bytes == 0)
        health = store.health()
    assert stored(database_url) == [n for n in range(1, 121) if n not in poison]
    assert health.rejected + health.set_aside_records == len(poison)
    assert health.dropped == 0


@pytest.mark.parametrize("state", ["53100", "42501", "XX000"])
@pytest.mark.parametrize("spooling", [True, False])
async def test_a_database_that_takes_nothing(
    database_url: str, tmp_path: Path, state: str, *, spooling: bool
) -> None:
    """A full disk, a privilege that was taken away: then it is the database, and all calls wait."""
    spool = tmp_path if spooling else ""
    async with Store.open(database_url, recording=TOGETHER, spool_dir=spool) as store:
        for number in range(1, 101):
            await store.record(call(number))
        await store.flush()
        fail_at(database_url, state, "true")
        for number in range(101, 301):
            await store.record(call(number))
        await until(lambda: failures(database_url) > 60)
        assert store.health().database_is_away
        assert "a fault of the test" in str(store.health().last_error)
        query(database_url, "DROP TRIGGER fail ON observatory.spans")
        await store.flush()
        await until(lambda: store.health().spool_bytes == 0)
        await until(lambda: not store.health().database_is_away)
        health = store.health()
    assert (health.rejected, health.dropped, health.set_aside_records) == (0, 0, 0)
    assert stored(database_url) == list(range(1, 301))
