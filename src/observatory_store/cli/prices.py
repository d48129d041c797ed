"""``prices``: what calls of models cost."""

from __future__ import annotations

import asyncio
import getpass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Final

import msgspec
import typer

from observatory_store.cli.connection import open_database
from observatory_store.cli.console import console, print_json
from observatory_store.cli.models import print_model_sync
from observatory_store.cli.options import (
    DEFAULT_PROJECT,
    AsJson,
    DatabaseUrl,
    From,
    Model,
    ProjectName,
    Provider,
    To,
)
from observatory_store.cli.price_source import (
    STATEMENT_TIMEOUT_SECONDS,
    DryRun,
    SyncFrom,
    read_source,
)
from observatory_store.cli.price_tables import print_prices, print_sync, print_unpriced
from observatory_store.cli.time_range import parse_range, parse_time
from observatory_store.errors import InvalidInputError
from observatory_store.ingest import present_prices
from observatory_store.pricing import Price, Tariff, Usage, genai
from observatory_store.pricing.listing import Source
from observatory_store.pricing.providers import ANY
from observatory_store.pricing.rate_text import read_rates
from observatory_store.repositories import (
    ModelSyncReport,
    PriceRecord,
    PriceRepository,
    ProjectRepository,
    SyncReport,
    TimeRange,
    UnpricedModel,
    sync_models,
    sync_prices,
)

verbs = typer.Typer(help="Sync, list, set and explain prices.", no_args_is_help=True)

_REFERENCE: Final = "price:"
_MOST_DIGITS: Final = 18


class SourceName(StrEnum):
    """Whose prices."""

    USER = "user"
    GENAI_PRICES = "genai-prices"
    LITELLM = "litellm"


ProviderName = Annotated[
    str, typer.Argument(metavar="PROVIDER", help="As openai, aws.bedrock; '*' is any, or none.")
]
ModelName = Annotated[str, typer.Argument(metavar="MODEL", help="As gpt-4o.")]
TokenCount = Annotated[int, typer.Option(min=0, help="Of the call.")]


@verbs.command("sync")
def sync(
    *,
    from_: SyncFrom = genai.NAME,
    dry_run: DryRun = False,
    as_json: AsJson = False,
    database_url: DatabaseUrl = None,
) -> None:
    """Bring a source's prices and models into the database. A wrong row harms no other."""
    source, origin = _read(from_)
    report, models = asyncio.run(_sync(database_url, source, origin, dry_run=dry_run))
    if as_json:
        print_json({**msgspec.structs.asdict(report), "models": models})
    else:
        print_sync(report)
        print_model_sync(models, dry_run=dry_run, told=report.refused)


@verbs.command("list")
def list_(
    *,
    provider: Provider = None,
    model: Model = None,
    source: Annotated[SourceName | None, typer.Option(help="Only of this source.")] = None,
    at: Annotated[str, typer.Option(metavar="TIME", help="In force at that time.")] = "now",
    history: Annotated[bool, typer.Option("--history", help="Of all times.")] = False,
    as_json: AsJson = False,
    database_url: DatabaseUrl = None,
) -> None:
    """List prices in force, in US dollars for a million tokens."""
    time = None if history else parse_time(at, datetime.now(UTC))
    name = None if source is None else source.value
    rows = asyncio.run(_list(database_url, provider=provider, model=model, source=name, at=time))
    if as_json:
        print_json(rows)
    else:
        print_prices(rows)


@verbs.command("show")
def show(
    price: Annotated[str, typer.Argument(metavar="ID", help="7, or price:7 as in a span.")],
    *,
    as_json: AsJson = False,
    database_url: DatabaseUrl = None,
) -> None:
    """Show one price, in force or not, and all that its source says."""
    digits = price.removeprefix(_REFERENCE)
    if not (digits.isascii() and digits.isdigit() and len(digits) <= _MOST_DIGITS):
        raise InvalidInputError(f"{price!r} is no id of a price: write 7 or price:7")
    record, source_row = asyncio.run(_show(database_url, int(digits)))
    if as_json:
        print_json({**msgspec.structs.asdict(record), "source_row": msgspec.Raw(source_row)})
    else:
        print_prices([record])
        print_json(msgspec.Raw(source_row))


@verbs.command("set")
def set_(
    provider: ProviderName,
    model: Annotated[str, typer.Argument(metavar="MODEL", help="As gpt-4o, or gpt-4o* for all.")],
    rates: Annotated[
        list[str],
        typer.Argument(
            metavar="CLASS=USD…",
            help="As input=2.50 output=10 cache_read=1.25, for a million tokens; request and "
            "web_search for one. batch.input is a service tier's, 200000.input a long context's.",
        ),
    ],
    *,
    start: Annotated[
        str, typer.Option("--from", metavar="TIME", help="From when on; the past is allowed.")
    ] = "now",
    as_json: AsJson = False,
    database_url: DatabaseUrl = None,
) -> None:
    """Set a price of your own, until the next one that you set. It goes before all others."""
    try:
        tariff = read_rates(rates)
    except ValueError as error:
        raise InvalidInputError(str(error)) from None
    time = None if start == "now" else parse_time(start, datetime.now(UTC))
    record = asyncio.run(_set(database_url, provider, model, tariff, time))
    if as_json:
        print_json(record)
    else:
        print_prices([record])


@verbs.command("unpriced")
def unpriced(
    *,
    start: From = "24h",
    end: To = "now",
    project: ProjectName = DEFAULT_PROJECT,
    as_json: AsJson = False,
    database_url: DatabaseUrl = None,
) -> None:
    """List the models whose calls have no cost."""
    rows = asyncio.run(_unpriced(database_url, project, parse_range(start, end)))
    if as_json:
        print_json(rows)
    else:
        print_unpriced(rows)


@verbs.command("explain")
def explain(
    provider: ProviderName,
    model: ModelName,
    *,
    at: Annotated[str, typer.Option(metavar="TIME", help="When the call started.")] = "now",
    input_tokens: TokenCount = 1_000_000,
    output_tokens: TokenCount = 0,
    cache_read_tokens: TokenCount = 0,
    cache_write_tokens: TokenCount = 0,
    reasoning_tokens: TokenCount = 0,
    service_tier: Annotated[str | None, typer.Option(help="As batch or priority.")] = None,
    as_json: AsJson = False,
    database_url: DatabaseUrl = None,
) -> None:
    """Tell what a call costs, or cost at a time, and by which price. Exits 1 if nobody knows."""
    usage = Usage(
        provider=None if provider == ANY else provider,
        request_model=model,
        time=parse_time(at, datetime.now(UTC)),
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        cache_read_tokens=cache_read_tokens,
        cache_write_tokens=cache_write_tokens,
        reasoning_tokens=reasoning_tokens,
        service_tier=service_tier,
    )
    price, record = asyncio.run(_explain(database_url, usage))
    if as_json:
        answer: dict[str, Any] = {"cost_usd": None, "price_ref": None, "price": record}
        if price is not None:
            answer |= {"cost_usd": f"{price.cost_usd:f}", "price_ref": price.reference}
        print_json(answer)
    elif price is None:
        console().print("No price tells what that costs.")
    else:
        console().print(f"${price.cost_usd:f} by {price.reference}", soft_wrap=True)
        if record is not None:
            print_prices([record])
    if price is None:
        raise typer.Exit(1)


def _read(origin: str) -> tuple[Source, str]:
    """Return a source of which at least one price can be used, and its name for the audit."""
    source, shown = read_source(origin)
    if not source.listings:
        reason = f"; the first: {source.refused[0].reason}" if source.refused else ""
        raise InvalidInputError(f"{shown} has no price that can be used{reason}")
    return source, shown


def user() -> str | None:
    """Return who is at the command line, if the machine knows."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user without a name
        return None


async def _sync(
    database_url: str | None, source: Source, origin: str, *, dry_run: bool
) -> tuple[SyncReport, ModelSyncReport]:
    async with open_database(
        database_url, statement_timeout_seconds=STATEMENT_TIMEOUT_SECONDS
    ) as pool:
        report = await sync_prices(pool, source, origin=origin, by=user(), dry_run=dry_run)
        return report, await sync_models(pool, source, dry_run=dry_run)


async def _list(database_url: str | None, **filters: Any) -> list[PriceRecord]:  # noqa: ANN401
    async with open_database(database_url) as pool:
        return (await PriceRepository(pool).list(**filters)).items


async def _show(database_url: str | None, price_id: int) -> tuple[PriceRecord, bytes]:
    async with open_database(database_url) as pool:
        return await PriceRepository(pool).get(price_id)


async def _set(
    database_url: str | None, provider: str, model: str, tariff: Tariff, start: datetime | None
) -> PriceRecord:
    async with open_database(database_url) as pool:
        return await PriceRepository(pool).set(provider, model, tariff, start=start, by=user())


async def _unpriced(
    database_url: str | None, project: str, range_: TimeRange
) -> list[UnpricedModel]:
    async with open_database(database_url) as pool:
        found = await ProjectRepository(pool).get(project)
        return await PriceRepository(pool).unpriced(found.project_id, range_)


async def _explain(
    database_url: str | None, usage: Usage
) -> tuple[Price | None, PriceRecord | None]:
    async with open_database(database_url) as pool:
        price = (await present_prices(pool)).price(usage)
        if price is None or not price.reference.startswith(_REFERENCE):
            return price, None
        record, _ = await PriceRepository(pool).get(int(price.reference.removeprefix(_REFERENCE)))
        return price, record
