"""What real instrumentation libraries send is taken whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from observatory_store.otlp import (
    MediaType,
    decode_logs,
    decode_metrics,
    decode_traces,
)

FIXTURES = Path(__file__).parent.parent / "llm" / "fixtures"
RECORDED = sorted(path.relative_to(FIXTURES).as_posix() for path in FIXTURES.glob("*/*.json"))


@pytest.mark.parametrize("name", RECORDED)
def test_nothing_is_rejected(name: str) -> None:
    """Otherwise a library that works elsewhere loses its telemetry here."""
    body = (FIXTURES / name).read_bytes()
    decoded = (
        decode_logs(body, MediaType.JSON)
        if name.endswith(".logs.json")
        else decode_metrics(body, MediaType.JSON)
        if name.endswith(".metrics.json")
        else decode_traces(body, MediaType.JSON, lambda *_: {})
    )
    assert decoded.rows
    assert (decoded.rejected, decoded.problems) == (0, ())
