"""What genai-prices says, in the store's own terms."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, time
from decimal import Decimal
from importlib.metadata import version
from itertools import groupby
from typing import Any, Final

from genai_prices.data import providers as bundled_providers
from genai_prices.types import (
    ClauseAnd,
    ClauseContains,
    ClauseEndsWith,
    ClauseEquals,
    ClauseOr,
    ClauseRegex,
    ClauseStartsWith,
    ConditionalPrice,
    ModelInfo,
    ModelPrice,
    PriceVariant,
    Provider,
    StartDateConstraint,
    TieredPrices,
    TimeOfDateConstraint,
)

from observatory_store.pricing.cost import EXACT
from observatory_store.pricing.genai_models import model_listing, plain
from observatory_store.pricing.listing import Listing, Refusal, Segment, Source
from observatory_store.pricing.model_listing import ModelListing
from observatory_store.pricing.providers import canonical
from observatory_store.pricing.tariff import ContextTier, Hours, ServiceTier, Tariff, check_tariff

NAME: Final = "genai-prices"

_MILLION, _THOUSAND = -6, -3
_UNITS: Final = {
    "input_mtok": ("input", _MILLION),
    "output_mtok": ("output", _MILLION),
    "cache_read_mtok": ("cache_read", _MILLION),
    "cache_write_mtok": ("cache_write", _MILLION),
    "cache_write_1h_mtok": ("cache_write_1h", _MILLION),
    "output_reasoning_mtok": ("reasoning", _MILLION),
    "input_audio_mtok": ("input_audio", _MILLION),
    "output_audio_mtok": ("output_audio", _MILLION),
    "input_image_mtok": ("input_image", _MILLION),
    "output_image_mtok": ("output_image", _MILLION),
    "requests_kcount": ("request", _THOUSAND),
    "web_searches_kcount": ("web_search", _THOUSAND),
}
"""Its other units (pages, hours, characters) are of calls that telemetry says no amounts of."""

_SERVICE_TIERS: Final = {("processing", "batch"): "batch"}
_NOT_SPEECH: Final = r"^(?!.*-[tT][tT][sS](?:$|-))"
_ZERO = Decimal(0)
_FREE: Final = Tariff(input=_ZERO, output=_ZERO)


def read(providers: Sequence[Provider] = bundled_providers) -> Source:
    """Return all prices of the library's bundled data, never of its automatic update."""
    listings, refused, skipped = [], [], []
    models: dict[tuple[str, str], ModelListing] = {}
    refused_models = []
    for provider in providers:
        for model in provider.models:
            row = f"{provider.id}/{model.id}"
            try:
                listing = model_listing(provider, model)
                models.setdefault((listing.provider, listing.model), listing)
            except ValueError as error:
                refused_models.append(Refusal(row=row, reason=str(error)))
            segments = timeline(model)
            try:
                names = tuple(dict.fromkeys(_names(model.match)))
                for segment in segments:
                    if segment.tariff is not None:
                        check_tariff(segment.tariff)
            except ValueError as error:
                refused.append(Refusal(row=row, reason=str(error)))
                continue
            if all(segment.tariff is None for segment in segments):
                skipped.append(Refusal(row=row, reason="states no price of tokens or calls"))
                continue
            listings.append(
                Listing(
                    provider=canonical(provider.id),
                    model=model.id,
                    names=names,
                    segments=segments,
                    row={"provider": provider.id, **plain(model)},
                )
            )
    return Source(
        name=NAME,
        version=version("genai-prices"),
        listings=tuple(listings),
        refused=tuple(refused),
        skipped=tuple(skipped),
        mentioned=frozenset(
            (canonical(provider.id), model.id)
            for provider in providers
            for model in provider.models
        ),
        models=tuple(models.values()),
        refused_models=tuple(refused_models),
    )


def timeline(model: ModelInfo) -> tuple[Segment, ...]:
    """Return the prices of a model, with the dates that the data give."""
    prices = (
        [ConditionalPrice(prices=model.prices)]
        if isinstance(model.prices, ModelPrice)
        else model.prices
    )
    variants = model.price_variants or ()
    dates = {
        _midnight(part.constraint)
        for part in (*prices, *variants)
        if isinstance(part.constraint, StartDateConstraint)
    }
    starts: list[datetime | None] = [None, *sorted(dates)]
    segments = (Segment(start, _tariff(model, prices, variants, start)) for start in starts)
    return tuple(next(same) for _, same in groupby(segments, key=lambda segment: segment.tariff))


def _tariff(
    model: ModelInfo,
    prices: Sequence[ConditionalPrice],
    variants: Sequence[PriceVariant],
    at: datetime | None,
) -> Tariff | None:
    if not prices:
        return None
    hours, standard = [], prices[0].prices
    for price in reversed(prices):
        if isinstance(price.constraint, TimeOfDateConstraint):
            start, end = _utc(price.constraint.start_time), _utc(price.constraint.end_time)
            if start != end:  # in genai-prices that is never
                hours.append(Hours(start=start, end=end, **_part(price.prices)))
        elif _begun(price.constraint, at):
            standard = price.prices
            break
    stated = _part(standard)
    if not stated:
        # An empty price says nothing of models whose name does not: some are sold by other units.
        free = model.id.endswith(":free") and not any(vars(standard).values())
        return _FREE if free else None
    tiers: dict[str, dict[str, Any]] = {}
    for variant in variants:
        tier = _service_tier(variant)
        if tier is not None and _begun(variant.constraint, at):
            tiers[tier] = {**vars(variant.prices), **tiers.get(tier, {})}
    return Tariff(
        **stated,
        hours=tuple(hours),
        service_tiers={
            name: ServiceTier(**part) for name, keys in tiers.items() if (part := _part_of(keys))
        },
    )


def _service_tier(variant: PriceVariant) -> str | None:
    if len(variant.when) != 1:
        return None
    ((key, value),) = variant.when.items()
    return value if key == "service_tier" else _SERVICE_TIERS.get((key, value))


def _begun(
    constraint: StartDateConstraint | TimeOfDateConstraint | None, at: datetime | None
) -> bool:
    if isinstance(constraint, StartDateConstraint):
        return at is not None and at >= _midnight(constraint)
    return constraint is None


def _midnight(constraint: StartDateConstraint) -> datetime:
    return datetime.combine(constraint.start_date, time(), UTC)


def _utc(at: time) -> time:
    if at.tzinfo is None:
        return at
    return datetime.combine(datetime(2000, 1, 2, tzinfo=UTC), at).astimezone(UTC).time()


def _part(price: ModelPrice) -> dict[str, Any]:
    return _part_of(vars(price))


def _part_of(prices: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a ``ServiceTier``; none if nothing that is known is stated."""
    base: dict[str, Decimal] = {}
    above: dict[int, dict[str, Decimal]] = {}
    for key, value in prices.items():
        if value is None or key not in _UNITS:
            continue
        name, exponent = _UNITS[key]
        base[name] = EXACT.scaleb(
            value.base if isinstance(value, TieredPrices) else value, exponent
        )
        for tier in value.tiers if isinstance(value, TieredPrices) else ():
            above.setdefault(tier.start, {})[name] = EXACT.scaleb(tier.price, exponent)
    if not base:
        return {}
    tiers = tuple(ContextTier(above=start, **above[start]) for start in sorted(above))
    return {**base, "context_tiers": tiers}


def _names(clause: Any) -> Iterator[str]:  # noqa: ANN401 - one of the library's clauses
    match clause:
        case ClauseOr(or_=clauses):
            for inner in clauses:
                yield from _names(inner)
        case ClauseEquals(equals=text):
            yield _literal(text)
        case ClauseStartsWith(starts_with=text):
            yield f"{_literal(text)}*"
        case ClauseEndsWith(ends_with=text):
            yield f"*{_literal(text)}"
        case ClauseContains(contains=text):
            yield f"*{_literal(text)}*"
        case ClauseRegex(regex=regex):
            yield from _of_regex(regex)
        case ClauseAnd(and_=[first, ClauseRegex(regex=regex)]) if regex == _NOT_SPEECH:
            yield from _names(first)
            yield from ("!*-tts", "!*-tts-*")
        case _:
            raise ValueError(f"a rule that patterns cannot express: {clause}")


def _literal(text: str) -> str:
    if re.search(r"[*#!]", text):
        raise ValueError(f"a name with characters that patterns give a meaning: {text!r}")
    return text.lower()


_ATOM = re.compile(
    r"\((?P<group>[^()|]+)\)\?|\[(?P<set>[^\]^\\-]*-?[^\]^\\-]*)\]|\\d(?:\{(?P<count>\d+)\})?"
    r"|\\(?P<escaped>[^\w\s])|(?P<plain>[\w/@:=-]|\s)"
)


def _of_regex(regex: str) -> Iterable[str]:
    """Return the patterns that match what a regular expression of the simple kind does."""
    if not regex.startswith("^"):
        raise ValueError(f"a rule that patterns cannot express: {regex}")
    body = regex[1:].removesuffix("$")
    found, position = [""], 0
    while position < len(body):
        atom = _ATOM.match(body, position)
        if atom is None:
            raise ValueError(f"a rule that patterns cannot express: {regex}")
        position = atom.end()
        if atom["group"] is not None:
            choices = ["", *_of_regex(f"^{atom['group']}$")]
        elif atom["set"] is not None:
            choices = list(atom["set"])
        else:
            literal = atom["escaped"] or atom["plain"]
            choices = [literal or "#" * int(atom["count"] or 1)]
        found = [before + choice for before in found for choice in choices]
    return (text.lower() if regex.endswith("$") else f"{text.lower()}*" for text in found)
