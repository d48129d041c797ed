"""Run with `make bench`: prints a table, and writes JSON if asked."""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import statistics
from pathlib import Path
from typing import Any

from bench import load as loads
from bench.measure import (
    BATCH,
    CONNECTIONS,
    WORKERS,
    Load,
    Measurement,
    OverHttp,
    bare_copy,
    store_write,
)
from bench.sizes import bytes_a_span
from observatory_store.devdb import Cluster, choose
from observatory_store.schema import Migrator


def main() -> None:
    """Measure, print, and write the JSON."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--spans", type=int, default=40_000, help="spans a measurement")
    parser.add_argument("--request", type=int, help="spans a request; else of many sizes")
    parser.add_argument("--rounds", type=int, default=5, help="rounds, after one that warms up")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--server", choices=["auto", "wheel", "local"], default="auto")
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    arguments = parser.parse_args()
    with Cluster(choose(arguments.server)) as cluster:
        report = asyncio.run(_run(cluster, arguments))
    _print(report)
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=2) + "\n")


async def _run(cluster: Cluster, arguments: argparse.Namespace) -> dict[str, Any]:
    over_protobuf = OverHttp("application/x-protobuf", lambda load: load.protobuf)
    over_json = OverHttp("application/json", lambda load: load.json)
    ways: dict[str, Measurement] = {
        "bare COPY": bare_copy,
        "Store.write_spans": store_write,
        "OTLP protobuf": over_protobuf,
        "OTLP JSON": over_json,
    }
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    sizes: dict[str, Any] = {}
    for number in range(arguments.rounds + 1):
        load = Load(
            loads.requests(arguments.spans, size=arguments.request, seed=arguments.seed + number)
        )
        for way, measure in ways.items():
            # A fresh database each, so that no way pays for the rows of another.
            url = cluster.create_database(f"bench_{number}_{list(ways).index(way)}")
            Migrator(url).apply()
            taken = await measure(url, load)
            if number:
                seconds[way].append(taken)
            if number == arguments.rounds and way == "Store.write_spans":
                sizes = await bytes_a_span(url, len(load.spans))
    spans = arguments.spans
    return {
        "conditions": {
            "machine": f"{platform.machine()}, {platform.python_implementation()} "
            f"{platform.python_version()}",
            "server": f"PostgreSQL {cluster.installation.version}, "
            f"TimescaleDB {cluster.installation.timescaledb}",
            "spans": spans,
            "requests": len(load.protobuf),
            "bytes a span, protobuf": round(sum(map(len, load.protobuf)) / spans),
            "connections": CONNECTIONS,
            "workers": WORKERS,
            "rows a COPY": BATCH,
            "rounds": arguments.rounds,
            "seed": arguments.seed,
        },
        "spans a second": {way: [spans / one for one in taken] for way, taken in seconds.items()},
        "ratio to bare COPY": {
            way: [bare / one for one, bare in zip(taken, seconds["bare COPY"], strict=True)]
            for way, taken in seconds.items()
        },
        "processor time of the service, µs a span": {
            "OTLP protobuf": over_protobuf.cpu_us[1:],
            "OTLP JSON": over_json.cpu_us[1:],
        },
        "peak memory of a service process, MiB": {
            "OTLP protobuf": over_protobuf.peak_memory_mib,
            "OTLP JSON": over_json.peak_memory_mib,
        },
        "bytes a span": sizes,
    }


def _print(report: dict[str, Any]) -> None:
    for name, value in report["conditions"].items():
        print(f"{name + ':':24} {value}")
    for title in (
        "spans a second",
        "ratio to bare COPY",
        "processor time of the service, µs a span",
        "peak memory of a service process, MiB",
    ):
        print(f"\n{title:42}{'min':>9}{'median':>9}{'max':>9}")
        for way, values in report[title].items():
            if values:
                figures = (min(values), statistics.median(values), max(values))
                form = "9.2f" if "ratio" in title else "9,.0f"
                print(f"  {way:40}" + "".join(format(figure, form) for figure in figures))
    print("\nbytes a span")
    for store, relations in report["bytes a span"].items():
        parts = ", ".join(f"{name} {size:,.0f}" for name, size in relations.items())
        print(f"  {store:40}{sum(relations.values()):9,.0f}  ({parts})")


if __name__ == "__main__":
    main()
