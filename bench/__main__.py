"""Run with `make bench`: prints tables, and writes JSON if asked; see `docs/benchmark.md`."""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import platform
import random
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from bench import history, latency, pieces, questions, report
from bench.copying import BATCH
from bench.forms import Load
from bench.sizes import bytes_a_span
from bench.ways import Taken, Way, bare_copy, in_process, measure, over_http, plain_copy
from observatory_store.devdb import Cluster, choose
from observatory_store.otlp import MediaType, Signal
from observatory_store.schema import Migrator

Figures = dict[str, list[Taken]]
_LITTLE = 200_000
"""Spans stored, where the growth begins."""


def main() -> None:
    """Measure, print, and write the JSON."""
    arguments = _arguments()
    with Cluster(choose(arguments.server)) as cluster:
        found = asyncio.run(Benchmark(cluster, arguments).run())
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=2, default=asdict) + "\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--records", type=int, default=40_000, help="records a measurement")
    parser.add_argument("--request", type=int, help="records a request; else of many sizes")
    parser.add_argument("--rounds", type=int, default=3, help="rounds, after one that warms up")
    parser.add_argument("--connections", type=int, default=32, help="of the client")
    parser.add_argument("--workers", type=int, default=2, help="processes of the service")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--server", choices=["auto", "wheel", "local"], default="auto")
    parser.add_argument(
        "--only",
        choices=["spans", "logs", "metrics", "latency", "pieces", "questions", "growth"],
        action="append",
    )
    parser.add_argument("--full", action="store_true", help="with 20 million spans stored")
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    return parser.parse_args()


@dataclass
class Benchmark:
    """One run, on one server."""

    cluster: Cluster
    arguments: argparse.Namespace
    _numbers: Callable[[], int] = field(default_factory=lambda: count().__next__)
    _histories: dict[int, str] = field(default_factory=dict)

    async def run(self) -> dict[str, Any]:
        """Print and return all figures."""
        arguments = self.arguments
        everything = ["spans", "logs", "metrics", "latency", "pieces", "questions"]
        parts: list[str] = arguments.only or everything + ["growth"] * arguments.full
        found: dict[str, Any] = {"conditions": self._conditions()}
        report.show_conditions(found["conditions"])
        for part, signal in _SIGNALS.items():
            if part in parts:
                found[part] = report.ratios(await self._rounds(signal))
                report.show_ratios(part, found[part], report.BUDGETS)
        if "spans" in parts:
            found["bytes a span"] = await self._sizes()
            report.show_sizes(found["bytes a span"])
        if "latency" in parts:
            found["latency"] = await latency.under_half_load(
                self._database(),
                requests=max(100, arguments.records // 50),
                seed=arguments.seed,
                connections=arguments.connections,
                workers=arguments.workers,
            )
            report.show_latency(found["latency"])
        if "pieces" in parts:
            load = self._load(Signal.TRACES, max(1, arguments.records // 8), arguments.seed)
            found["pieces"] = pieces.measure(load, arguments.rounds)
            report.show_pieces(found["pieces"])
        if "questions" in parts:
            found["questions"] = await self._questions()
            report.show_questions(found["questions"])
        if "growth" in parts:
            found["growth"] = await self._growth()
            last = list(found["growth"])[-1]
            report.show_ratios("growth", found["growth"], {last: report.GROWTH_BUDGET})
        return found

    def _conditions(self) -> dict[str, Any]:
        installation = self.cluster.installation
        names = ("records", "request", "rounds", "connections", "workers", "seed")
        return {
            "machine": f"{os.cpu_count()} processors, {platform.machine()}, "
            f"{platform.python_implementation()} {platform.python_version()}",
            "server": f"PostgreSQL {installation.version}, TimescaleDB {installation.timescaledb}",
            "rows a COPY": BATCH,
            **{name: getattr(self.arguments, name) for name in names},
        }

    def _http(self, media: MediaType) -> Way:
        return over_http(
            media, connections=self.arguments.connections, workers=self.arguments.workers
        )

    def _ways(self, signal: Signal) -> dict[str, Way]:
        ways = {
            report.BARE: bare_copy,
            report.IN_PROCESS: in_process,
            report.PROTOBUF: self._http(MediaType.PROTOBUF),
            report.JSON: self._http(MediaType.JSON),
        }
        return ways | {report.PLAIN: plain_copy} if signal is Signal.TRACES else ways

    async def _rounds(self, signal: Signal) -> Figures:
        ways = self._ways(signal)
        figures: Figures = {name: [] for name in ways}
        order = random.Random(self.arguments.seed)
        for number in range(self.arguments.rounds + 1):
            seed = self.arguments.seed + number
            warm = self._load(signal, self.arguments.records // 8, seed + 10**6)
            load = self._load(signal, self.arguments.records, seed)
            # What was built does not change: the collector need not walk it in each measurement.
            gc.collect()
            gc.freeze()
            # Another order each time, so that no way always runs in the wake of the same one.
            for name in order.sample(list(ways), len(ways)):
                taken = await self._measure(ways[name], self._database(), warm, load)
                if number:
                    figures[name].append(taken)
            gc.unfreeze()
        return figures

    async def _sizes(self) -> dict[str, Any]:
        url = self._database()
        load = self._load(Signal.TRACES, self.arguments.records, self.arguments.seed)
        async with in_process(url, load, load) as prepared:
            await prepared.run()
        return await bytes_a_span(url, load.records)

    async def _questions(self) -> dict[str, dict[str, Any]]:
        stored = [questions.FEW, questions.MANY][: 2 if self.arguments.full else 1]
        return {
            f"{spans:,} spans stored": await questions.ask(
                await self._history(spans), rounds=4 * self.arguments.rounds
            )
            for spans in stored
        }

    async def _growth(self) -> dict[str, Any]:
        figures: Figures = {}
        for stored in (_LITTLE, questions.MANY):
            url = await self._history(stored)
            figures[f"{stored:,} spans stored"] = [
                await self._measure(
                    self._http(MediaType.PROTOBUF),
                    url,
                    self._load(Signal.TRACES, self.arguments.records // 8, seed + 10**6),
                    self._load(Signal.TRACES, self.arguments.records, seed),
                )
                for seed in range(self.arguments.rounds)
            ]
        return report.ratios(figures)

    async def _history(self, spans: int) -> str:
        """Return the database that holds so many spans; it takes minutes to make."""
        if spans not in self._histories:
            self._histories[spans] = self._database()
            await history.fill(self._histories[spans], spans, seed=self.arguments.seed)
        return self._histories[spans]

    def _load(self, signal: Signal, records: int, seed: int) -> Load:
        return Load(signal, records, size=self.arguments.request, seed=seed)

    async def _measure(self, way: Way, url: str, warm: Load, load: Load) -> Taken:
        server = self.cluster.pid
        assert server is not None  # noqa: S101 - it runs
        return await measure(way, url, server, warm, load)

    def _database(self) -> str:
        """Make a database with the schema, so that no way pays for the rows of another."""
        url = self.cluster.create_database(f"bench_{self._numbers()}")
        Migrator(url).apply()
        return url


_SIGNALS = {"spans": Signal.TRACES, "logs": Signal.LOGS, "metrics": Signal.METRICS}


if __name__ == "__main__":
    main()
