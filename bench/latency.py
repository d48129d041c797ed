"""How long a request takes while the service has half of what it can do."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence

from bench.forms import Load
from bench.http import post_all, post_at_a_rate
from bench.service import service
from observatory_store.otlp import MediaType, Signal

SPANS = 200
"""A request."""
_PATH = f"/v1/{Signal.TRACES}"
_PERCENTILES = (50, 95, 99)


async def under_half_load(
    url: str, *, requests: int, seed: int, connections: int, workers: int
) -> dict[str, float]:
    """Return percentiles of the milliseconds from when a request is due to its answer."""
    media = MediaType.PROTOBUF
    loads = [
        Load(Signal.TRACES, SPANS * count, size=SPANS, seed=seed + number).bodies[media]
        for number, count in enumerate((requests // 4, requests // 2, requests))
    ]
    warm, full, half = loads
    async with service(url, workers=workers) as running:
        await post_all(running.port, _PATH, media, warm, connections=connections)
        start = time.perf_counter()
        await post_all(running.port, _PATH, media, full, connections=connections)
        rate = len(full) / (time.perf_counter() - start) / 2
        taken = await post_at_a_rate(running.port, _PATH, media, half, a_second=rate)
    return {"requests a second": rate, **_percentiles(taken)}


def _percentiles(seconds: Sequence[float]) -> dict[str, float]:
    cuts = statistics.quantiles(seconds, n=100, method="inclusive")
    return {f"p{percent} ms": cuts[percent - 1] * 1000 for percent in _PERCENTILES}
