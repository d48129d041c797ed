"""Prices, and what a sync did, as people read them."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from observatory_store.cli.console import console, print_table, visible
from observatory_store.cli.units import Amount, time
from observatory_store.pricing import Tariff
from observatory_store.pricing.listing import Refusal
from observatory_store.pricing.rate_text import per_million
from observatory_store.pricing.tariff import CLASSES
from observatory_store.repositories import PriceChange, PriceRecord, SyncReport, UnpricedModel

_SHOWN: Final = 20
_COLUMNS: Final = ("input", "output", "cache_read", "cache_write")


def print_prices(rows: Sequence[PriceRecord]) -> None:
    """Print prices, one a line."""
    print_table(
        (
            "id",
            "source",
            "provider",
            "model",
            "from",
            "to",
            "input",
            "output",
            "read",
            "write",
            "also",
        ),
        [
            (
                str(row.price_id),
                row.source,
                row.provider,
                row.model,
                time(row.valid_from),
                time(row.valid_to),
                *(_rate(name, getattr(row.tariff, name)) for name in _COLUMNS),
                _also(row.tariff),
            )
            for row in rows
        ],
        "No such prices. `observatory-store prices sync` brings them in.",
    )


def print_unpriced(rows: Sequence[UnpricedModel]) -> None:
    """Print models without a price."""
    print_table(
        ("provider", "model", "calls", "without tokens", "input", "output", "first", "last"),
        [
            (
                row.provider,
                row.model,
                row.requests,
                row.without_tokens,
                row.input_tokens,
                row.output_tokens,
                time(row.first_seen),
                time(row.last_seen),
            )
            for row in rows
        ],
        "Every call of a model in this range has a cost.",
    )


def print_sync(report: SyncReport) -> None:
    """Print what a sync did, or would do."""
    out = console()
    did = "would bring in" if report.price_sync_id is None else f"sync {report.price_sync_id} of"
    out.print(
        visible(
            f"{did} {report.source} {report.version[:_SHOWN]}: {len(report.added):,} models added, "
            f"{report.changed_models:,} changed, {report.unchanged:,} unchanged, "
            f"{len(report.absent):,} no longer listed (their prices stay), "
            f"{len(report.skipped):,} rows without a price of tokens, "
            f"{len(report.refused):,} rows refused"
        ),
        soft_wrap=True,
    )
    _print_some("changed", [_changed(change) for change in report.changed])
    _print_some("renamed", report.renamed)
    _print_some("refused", [_refused(refusal) for refusal in report.refused])


def _print_some(what: str, lines: Sequence[str]) -> None:
    out = console()
    for line in lines[:_SHOWN]:
        out.print(visible(f"  {what}  {line}"), soft_wrap=True)
    if len(lines) > _SHOWN:
        out.print(f"  {what}  … {len(lines) - _SHOWN:,} more: --json has all", soft_wrap=True)


def _refused(refusal: Refusal) -> str:
    return f"{refusal.row}: {refusal.reason}"


def _changed(change: PriceChange) -> str:
    since = "" if change.valid_from is None else f" from {time(change.valid_from)}"
    before = change.before or Tariff()
    rates = [
        f"{name} {_rate(name, getattr(before, name)) or '-'} -> "
        f"{_rate(name, getattr(change.after, name)) or '-'}"
        for name in CLASSES
        if getattr(before, name) != getattr(change.after, name)
    ]
    return f"{change.model}{since}: {', '.join(rates) or 'tiers or hours'}"


def _rate(name: str, rate: Decimal | None) -> Amount | None:
    return None if rate is None else Amount(f"{per_million(name, rate).normalize():f}")


def _also(tariff: Tariff) -> str | None:
    parts = [
        f"{name} {_rate(name, value)}"
        for name in CLASSES
        if name not in _COLUMNS and (value := getattr(tariff, name)) is not None
    ]
    parts += [f"over {tier.above:,} tokens" for tier in tariff.context_tiers]
    parts += tariff.service_tiers
    parts += ["hours"] if tariff.hours else []
    return ", ".join(parts) or None
