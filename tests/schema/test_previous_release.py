"""The previous release beside this schema: in a deploy its pods still run when it is applied.

That release is the newest tag ``v*`` before this commit; until there is one, the first commit at
which the package could store and be asked.
"""

from __future__ import annotations

import asyncio
import io
import json
import os
import subprocess
import sys
import tarfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from chaos.process import ServiceProcess
from observatory_store import Store
from observatory_store.schema import Migrator
from patience import PATIENCE_SECONDS, until
from storage.samples import RECENT, now, query

ROOT = Path(__file__).parents[2]
FIRST = "0d4f55bf6d9e85da2aba28744d5ddcc8ec9b8eea"

PROGRAM = """
import asyncio, json, sys
from datetime import UTC, datetime, timedelta
from observatory_store import LLMCall, Payload, Resource, Span, Store

async def main():
    now = datetime.now(UTC).replace(microsecond=0)
    spans = [
        Span(
            trace_id=f"{number % 10 + 1:032x}", span_id=f"{number:016x}",
            start_time=now - timedelta(hours=number), duration_us=1000 * number, name="chat",
            kind="client", service_name="old", is_inference=True, operation="chat",
            provider="openai", request_model="gpt-4o", input_tokens=number, output_tokens=1,
            payload=Payload(input_messages="hello"),
            resource=Resource(attributes={"service.name": "old"}),
        )
        for number in range(1, 101)
    ]
    async with Store.open(sys.argv[1]) as store:
        first, again = [await store.write_spans(spans) for _ in range(2)]
        assert (first.stored, first.rejected) == (100, 0), first
        assert (again.stored, again.duplicates) == (0, 100), again
        await store.record(LLMCall(provider="openai", model="gpt-4o", input_tokens=7))
        trace = await store.traces.get(f"{5:032x}")
    async with Store.open(sys.argv[1]) as store:
        [row] = await store.analytics.usage(
            now - timedelta(days=9), now + timedelta(days=1), group_by=["model"])
    print(json.dumps([len(trace.spans), row.requests, row.input_tokens]))

asyncio.run(main())
"""


class Release(NamedTuple):
    """A release that was taken out of the history."""

    folder: Path
    is_released: bool

    @property
    def environment(self) -> dict[str, str]:
        """Variables of a process that runs its package and not ours."""
        return os.environ | {"PYTHONPATH": str(self.folder / "src")}

    def run(self, *arguments: str, text: str | None = None) -> str:
        """Run its Python; return what it printed."""
        done = subprocess.run(
            [sys.executable, *arguments],
            env=self.environment,
            cwd=self.folder,
            input=text,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_SECONDS,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


def _git(*arguments: str) -> bytes | None:
    try:
        done = subprocess.run(["git", "-C", ROOT, *arguments], capture_output=True, check=False)
    except FileNotFoundError:
        return None
    return done.stdout if done.returncode == 0 else None


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    """The previous release, or the commit that stands for it."""
    tag = _git("describe", "--tags", "--abbrev=0", "--match=v*", "HEAD^")
    ref = tag.decode().strip() if tag else FIRST
    archive = _git("archive", "--format=tar", ref, "src", "migrations")
    if archive is None:
        pytest.skip(f"no history that has {ref} here: fetch all of it, with the tags")
    folder = tmp_path_factory.mktemp("previous")
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        tar.extractall(folder, filter="data")
    release = Release(folder, is_released=bool(tag))
    ran = release.run("-c", "import observatory_store; print(observatory_store.__file__)")
    assert ran.startswith(str(folder))
    return release


def _request(number: int) -> dict[str, Any]:
    """Return an OTLP request of one call of a model."""
    start = int(RECENT.timestamp()) * 10**9
    attributes = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o"}
    span = {
        "traceId": f"{number:032x}",
        "spanId": f"{number:016x}",
        "name": "chat",
        "startTimeUnixNano": str(start),
        "endTimeUnixNano": str(start + 10**9),
        "attributes": [
            {"key": key, "value": {"stringValue": value}} for key, value in attributes.items()
        ],
    }
    return {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}


@pytest.fixture
def service(
    release: Release, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, empty_database_url: str
) -> Iterator[ServiceProcess]:
    """Return the service of the previous release, to be started on the database."""
    monkeypatch.setenv("PYTHONPATH", release.environment["PYTHONPATH"])
    service = ServiceProcess(empty_database_url, tmp_path / "service.log")
    yield service
    service.end()


@asynccontextmanager
async def _sending(service: ServiceProcess) -> AsyncIterator[list[int]]:
    """Send request after request and read each back; give the numbers of what was acknowledged."""
    acknowledged: list[int] = []
    ended = False

    async def send() -> None:
        async with httpx.AsyncClient(base_url=service.url, timeout=PATIENCE_SECONDS) as http:
            while not ended:
                number = len(acknowledged) + 1
                for path in ("/v1/traces", "/v1/traces"):
                    (await http.post(path, json=_request(number))).raise_for_status()
                acknowledged.append(number)
                for path in (f"/api/v1/traces/{number:032x}", "/api/v1/usage", "/readyz"):
                    (await http.get(path)).raise_for_status()

    task = asyncio.create_task(send())

    async def some_more() -> None:
        enough = len(acknowledged) + 3
        await until(lambda: len(acknowledged) >= enough or task.done())

    try:
        await some_more()
        yield acknowledged
        await some_more()
    finally:
        ended = True
        await task


def test_its_package_writes_and_reads(release: Release, database_url: str) -> None:
    """A program that is upgraded after the database goes on, and counts nothing twice."""
    printed = release.run("-", database_url, text=PROGRAM)
    assert json.loads(printed) == [10, 101, 5057]
    assert Migrator(database_url).verify() == []


async def test_its_rows_are_those_of_today(release: Release, database_url: str) -> None:
    """What it wrote is found by this version, in traces and in usage."""
    release.run("-", database_url, text=PROGRAM)
    async with Store.open(database_url) as store:
        trace = await store.traces.get(f"{5:032x}")
        assert trace is not None
        assert len(trace.spans) == 10
        [row] = await store.analytics.usage(
            now() - timedelta(days=9), now() + timedelta(days=1), group_by=["model"]
        )
    assert (row.requests, row.input_tokens, row.output_tokens) == (101, 5057, 100)


async def test_its_service_goes_on(service: ServiceProcess, empty_database_url: str) -> None:
    """A pod of it is ready, takes spans and answers."""
    Migrator(empty_database_url).apply()
    service.start()
    await service.answers("/readyz")
    async with _sending(service) as acknowledged:
        pass
    assert query(empty_database_url, "SELECT count(*) FROM observatory.spans") == [
        (len(acknowledged),)
    ]
    assert "Traceback" not in service.log


async def test_an_upgrade_beside_its_service(
    release: Release, service: ServiceProcess, empty_database_url: str
) -> None:
    """From its schema to this one, while it serves: no request fails and no span is lost; and a pod
    of it that is started afterwards finds nothing to do.
    """
    if not release.is_released:
        pytest.skip("there is no release yet, and before the first one migrations are rewritten")
    apply = ("-m", "observatory_store.cli", "schema", "apply", "--database-url", empty_database_url)
    release.run(*apply)
    service.start()
    await service.answers("/readyz")
    async with _sending(service) as acknowledged:
        await asyncio.to_thread(Migrator(empty_database_url).apply)
    release.run(*apply)
    assert query(empty_database_url, "SELECT count(*) FROM observatory.spans") == [
        (len(acknowledged),)
    ]
    assert "Traceback" not in service.log
    assert Migrator(empty_database_url).verify() == []
