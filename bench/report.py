"""Figures as ratios, and as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from statistics import median
from typing import Any, Final

from bench.pieces import COLUMNS, DECODE
from bench.questions import Answered
from bench.ways import Taken

BARE: Final = "bare COPY"
PLAIN: Final = "bare COPY, plain table"
IN_PROCESS: Final = "Store.write_…"
PROTOBUF: Final = "OTLP protobuf"
JSON: Final = "OTLP JSON"

BUDGETS: Final = {IN_PROCESS: 0.85, PROTOBUF: 0.8, JSON: 0.6}
"""Least ratios to bare COPY."""
GROWTH_BUDGET: Final = 0.9
P99_BUDGET_MS: Final = 100
MEMORY_BUDGET_MIB: Final = 300
COLUMNS_BUDGET: Final = 0.2
"""Most that the columns may take of the time of decoding."""

_RATIO = "ratio"


def ratios(figures: Mapping[str, Sequence[Taken]]) -> dict[str, dict[str, list[float]]]:
    """Return all figures of each way, with its ratio to the first one in the same round."""
    first = next(iter(figures.values()))
    return {
        way: {
            _RATIO: [
                one.records_a_second / base.records_a_second
                for one, base in zip(taken, first, strict=True)
            ],
            **_columns([asdict(one) for one in taken]),
        }
        for way, taken in figures.items()
    }


def show_conditions(conditions: Mapping[str, Any]) -> None:
    """Print what was measured, and where."""
    for name, value in conditions.items():
        print(f"{name + ':':14} {value}")


def show_ratios(
    part: str,
    ways: Mapping[str, Mapping[str, Sequence[float]]],
    budgets: Mapping[str, float],
) -> None:
    """Print each way with its ratio to the first one, its budget, and what it takes."""
    print(
        f"\n{part:26}{'min':>6}{'median':>8}{'max':>6}{'budget':>8}{'':12}{'a second':>9}"
        f"{'server':>9}{'service':>9}{'client':>9}{'idle':>7}{'peak MiB':>9}"
    )
    for way, values in ways.items():
        found = values[_RATIO]
        budget = budgets.get(way)
        verdict = "" if budget is None else f"{budget:8.2f} {_verdict(median(found) >= budget)}"
        middle = {name: median(each) for name, each in values.items()}
        print(
            f"  {way:24}{min(found):6.2f}{median(found):8.2f}{max(found):6.2f}{verdict:20}"
            f"{middle['records_a_second']:9,.0f}{middle['server_us']:6.1f} µs"
            f"{middle['service_us']:6.1f} µs{middle['client_us']:6.1f} µs"
            f"{middle['idle_share']:7.0%}{middle['peak_memory_mib']:9.0f}"
        )
    peak = max(max(values["peak_memory_mib"]) for values in ways.values())
    print(
        f"  memory at most {MEMORY_BUDGET_MIB} MiB: {_verdict(peak <= MEMORY_BUDGET_MIB)}",
        flush=True,
    )


def show_sizes(stores: Mapping[str, Mapping[str, float]]) -> None:
    """Print the bytes of a span in each way of keeping it."""
    print("\nbytes a span")
    for store, relations in stores.items():
        parts = ", ".join(f"{name} {size:,.0f}" for name, size in relations.items())
        print(f"  {store:24}{sum(relations.values()):9,.0f}  ({parts})")


def show_latency(values: Mapping[str, float]) -> None:
    """Print the percentiles."""
    print("\na request of 200 spans, at half of what the service can do")
    print("  " + ", ".join(f"{name}: {value:.1f}" for name, value in values.items()))
    print(f"  p99 at most {P99_BUDGET_MS} ms: {_verdict(values['p99 ms'] <= P99_BUDGET_MS)}")


def show_pieces(pieces: Mapping[str, Sequence[float]]) -> None:
    """Print what each piece takes, and its ratio to decoding in the same round."""
    decode = pieces[DECODE]
    print(f"\n{'pieces, µs a span':26}{'min':>6}{'median':>8}{'max':>6}{'of decoding':>13}")
    for piece, values in pieces.items():
        ratio = median(one / base for one, base in zip(values, decode, strict=True))
        line = f"  {piece:24}{min(values):6.2f}{median(values):8.2f}{max(values):6.2f}{ratio:13.2f}"
        if piece == COLUMNS:
            line += f"  at most {COLUMNS_BUDGET}: {_verdict(ratio <= COLUMNS_BUDGET)}"
        print(line)


def show_questions(stores: Mapping[str, Mapping[str, Answered]]) -> None:
    """Print what each question takes, its budget, and the ratio to the smallest store."""
    smallest = next(iter(stores.values()))
    for store, asked in stores.items():
        title = f"questions, {store}"
        print(f"\n{title:38}{'median':>8}{'p95':>8} ms{'budget':>8}{'growth':>16}")
        for name, one in asked.items():
            budget = one.question.budget_ms
            judged = "" if budget is None else f"{budget:8,.0f} {_verdict(bool(one.is_met))}"
            growth = one.median / smallest[name].median
            print(f"  {name:36}{one.median:8.1f}{one.p95:8.1f}   {judged:17}{growth:7.2f}")


def _columns(rows: Sequence[Mapping[str, float]]) -> dict[str, list[float]]:
    return {name: [row[name] for row in rows] for name in rows[0]}


def _verdict(met: bool) -> str:  # noqa: FBT001 - it is what the verdict is of
    return "met" if met else "not met"
