"""Where the service's own traces may go."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from typing import Any

import pytest
from pydantic import HttpUrl, ValidationError

from observatory_store.api import create_app
from observatory_store.api.traces_endpoint import check_traces_endpoint, traces_url
from observatory_store.errors import InvalidInputError
from observatory_store.settings import Settings

PORT = 14318
ANY = "0.0.0.0"  # noqa: S104 - compared, not bound


@pytest.mark.parametrize(
    ("host", "listening"),
    [
        ("localhost", "127.0.0.1"),
        ("127.0.0.1", "127.0.0.1"),
        ("127.0.0.2", "127.0.0.1"),
        ("LOCALHOST", ANY),
        (ANY, "127.0.0.1"),
        ("[::1]", "::"),
        ("2130706433", "127.0.0.1"),
        (socket.gethostname(), ANY),
    ],
)
def test_the_service_itself_is_refused(host: str, listening: str) -> None:
    """It would be paid for in storage for ever."""
    url: Any = f"http://{host}:{PORT}"
    with pytest.raises(InvalidInputError, match=r"OBSERVATORY_TRACES_ENDPOINT: .*itself"):
        check_traces_endpoint(Settings(traces_endpoint=url), listening, PORT)


@pytest.mark.parametrize(
    "url",
    [f"http://localhost:{PORT + 1}", f"http://192.0.2.1:{PORT}", f"http://no.invalid:{PORT}", ""],
)
def test_others_are_not_refused(url: Any) -> None:
    """A Collector beside the store is where most have theirs."""
    check_traces_endpoint(Settings(traces_endpoint=url), "127.0.0.1", PORT)


def test_the_path_is_otlps_own_unless_it_is_given() -> None:
    """People know both forms, from OpenTelemetry's two variables."""
    assert traces_url(HttpUrl("https://c")) == "https://c/v1/traces"
    assert traces_url(HttpUrl("http://c:1/")) == "http://c:1/v1/traces"
    assert traces_url(HttpUrl("http://c:1/otlp/x")) == "http://c:1/otlp/x"


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """The line says what to install."""
    monkeypatch.setattr("observatory_store.api.traces_endpoint.find_spec", lambda _name: None)
    url: Any = "http://collector:4318"
    with pytest.raises(InvalidInputError, match=r"pip install 'observatory-store\[tracing\]'"):
        create_app(Settings(traces_endpoint=url))
    create_app(Settings())


@pytest.mark.parametrize("url", ["collector:4317", "grpc://collector:4317", "yes", "http://"])
def test_what_is_no_url_is_refused(url: Any) -> None:
    """Found out at the start, not when a trace is looked for."""
    with pytest.raises(ValidationError):
        Settings(traces_endpoint=url)


def test_off_takes_nothing() -> None:
    """Who does not trace must not need the extra, nor pay for it."""
    program = (
        "import sys; from observatory_store.api import create_app;"
        "from observatory_store.settings import Settings; create_app(Settings());"
        "sys.exit('opentelemetry.sdk' in sys.modules)"
    )
    environment = {**os.environ, "OBSERVATORY_TRACES_ENDPOINT": ""}
    assert (
        subprocess.run([sys.executable, "-c", program], env=environment, check=False).returncode
        == 0
    )
