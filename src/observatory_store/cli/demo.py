"""``demo``: the whole store once, with a pretend gateway's traffic."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from importlib.util import find_spec
from typing import Annotated, Literal

import typer

from observatory_store.cli.dev import ServerName
from observatory_store.errors import ObservatoryError

PACKAGE_OF_THE_EXTRA = "opentelemetry.exporter.otlp.proto.http"


def demo(
    *,
    server: Annotated[ServerName, typer.Option(help="Which PostgreSQL to run.")] = ServerName.WHEEL,
) -> None:
    """Start a store in a temporary folder, send it real OpenTelemetry traffic, show the answers."""
    began = time.monotonic()
    _require_sdk()
    # Imported here: they need the extra, and their imports would slow every other verb.
    from observatory_store.cli.demo_report import print_findings  # noqa: PLC0415
    from observatory_store.cli.service import terminating  # noqa: PLC0415
    from observatory_store.demo.findings import read_findings  # noqa: PLC0415
    from observatory_store.demo.stage import open_stage  # noqa: PLC0415
    from observatory_store.demo.traffic import send_traffic, time_range  # noqa: PLC0415

    with terminating(), open_stage(server.value, typer.echo) as stage:
        now = datetime.now(UTC)
        sent = send_traffic(stage.endpoint, now)
        typer.echo(f"sent {sent.spans:,} spans and {sent.logs:,} log records over OTLP/HTTP")
        findings = asyncio.run(read_findings(stage, time_range(now)))
        print_findings(stage, findings)
        stored: dict[Literal["spans", "logs"], tuple[int, int]] = {
            "spans": (findings.span_count, sent.spans),
            "logs": (findings.log_count, sent.logs),
        }
    typer.echo(f"all of it took {time.monotonic() - began:.1f} s; the temporary folder is gone")
    for what, (found, expected) in stored.items():
        if found != expected:
            raise ObservatoryError(f"of {expected} {what} that were sent, {found} are stored")


def _require_sdk() -> None:
    try:
        found = find_spec(PACKAGE_OF_THE_EXTRA) and find_spec("opentelemetry.sdk.trace")
    except ModuleNotFoundError:
        found = None
    if found is None:
        raise ObservatoryError(
            "the demonstration sends with the OpenTelemetry SDK, which is not installed: "
            "pip install 'observatory-store[demo,embedded]'"
        )
