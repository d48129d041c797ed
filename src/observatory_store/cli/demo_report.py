"""What the demonstration prints."""

from __future__ import annotations

from observatory_store.cli.console import console, print_table, visible
from observatory_store.cli.trace_tree import trace_tree
from observatory_store.cli.units import Amount, duration, money, sparkline
from observatory_store.demo.findings import Findings, Latency
from observatory_store.demo.stage import Stage
from observatory_store.repositories import UsageRow
from observatory_store.rows import LogRecord


def print_findings(stage: Stage, findings: Findings) -> None:
    """Print edition, usage and latency by model, one trace, its logs, the metrics, what next."""
    out = console()
    out.print(
        f"\n[bold]edition {findings.edition}[/] (PostgreSQL {stage.postgresql}), "
        f"{findings.span_count:,} spans, {findings.log_count:,} log records, "
        f"{len(findings.metrics)} metrics\n"
    )
    print_table(
        (
            "model",
            "provider",
            "requests",
            "errors",
            "input",
            "cached",
            "output",
            "cost",
            "p50",
            "p95",
            "p95 first token",
        ),
        [_row(usage, findings.latency.get(usage.model)) for usage in findings.by_model],
        "No calls of models.",
    )
    out.print(
        f"\ncalls by quarter-hour   {sparkline([u.requests for u in findings.by_quarter_hour])}\n"
    )
    out.print(trace_tree(findings.trace), soft_wrap=True)
    out.print("\n[bold]its log records[/]")
    for record in findings.logs:
        line = f"  {record.time:%H:%M:%S.%f}"[:-3]
        text = f"{line} {record.severity_text:5} {record.service_name:12} {_body(record)}"
        out.print(visible(text), markup=False, soft_wrap=True)
    out.print("\n[bold]metrics[/]")
    for metric in findings.metrics:
        out.print(f"  {visible(metric.name)} ({metric.type}, {metric.unit})", markup=False)
    out.print(_NEXT, markup=False)


def _row(usage: UsageRow, latency: Latency | None) -> tuple[object, ...]:
    return (
        usage.model,
        usage.provider,
        usage.requests,
        usage.errors,
        usage.input_tokens,
        usage.cache_read_tokens,
        usage.output_tokens,
        _cost(usage),
        latency and duration(latency.p50_us),
        latency and duration(latency.p95_us),
        latency and _first_token(latency),
    )


def _body(record: LogRecord) -> str:
    return record.body if isinstance(record.body, str) else repr(record.body)


def _cost(usage: UsageRow) -> Amount | None:
    return (
        Amount("no price")
        if usage.unpriced_requests and not usage.cost_usd
        else money(usage.cost_usd)
    )


def _first_token(latency: Latency) -> Amount | None:
    if latency.p95_first_token_ms is None:
        return None
    return duration(latency.p95_first_token_ms * 1000)


_NEXT = """
How to go on:
  observatory-store dev            a store that keeps its data, for any OpenTelemetry SDK
  docker compose up                the same on TimescaleDB, with its own compression and rollups
  observatory-store traces list    what is in a store; also: traces show ID, usage, keys, schema
"""
