"""What LiteLLM's ``model_prices_and_context_window.json`` says, in the store's own terms."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from datetime import time
from decimal import Decimal
from typing import Any, Final, TypeVar

from observatory_store.pricing import names
from observatory_store.pricing.json_file import Pairs, check_storable, number, read_pairs, shown
from observatory_store.pricing.listing import Listing, Refusal, Segment, Source
from observatory_store.pricing.litellm_models import model_listing
from observatory_store.pricing.model_listing import ModelListing, same
from observatory_store.pricing.providers import of_litellm
from observatory_store.pricing.tariff import (
    ContextTier,
    Hours,
    ServiceTier,
    Tariff,
    check_tariff,
)

NAME: Final = "litellm"

_CLASSES: Final = {
    "input_cost_per_token": "input",
    "output_cost_per_token": "output",
    "cache_read_input_token_cost": "cache_read",
    "cache_creation_input_token_cost": "cache_write",
    "cache_creation_input_token_cost_above_1hr": "cache_write_1h",
    "output_cost_per_reasoning_token": "reasoning",
    "input_cost_per_audio_token": "input_audio",
    "output_cost_per_audio_token": "output_audio",
    "input_cost_per_image_token": "input_image",
    "output_cost_per_image_token": "output_image",
    "input_cost_per_request": "request",
}
_SERVICE_TIERS: Final = {
    "balanced": "balanced",
    "batches": "batch",
    "flex": "flex",
    "priority": "priority",
    "ultrafast": "ultrafast",
}
_KEY: Final = re.compile(
    rf"(?P<rate>{'|'.join(sorted(_CLASSES, key=len, reverse=True))})"
    r"(?:_above_(?P<above>\d{1,6})k_tokens)?"
    rf"(?:_(?P<tier>{'|'.join(_SERVICE_TIERS)}))?"
)
_OTHER_UNITS: Final = re.compile(
    r"(input|output|ocr|annotation)_cost_per_(image|pixel|second|character|query|page|video|audio_per)"
    r"|cost_per_second"
)
_BY_OTHER_UNITS: Final = frozenset(
    {
        "audio_speech",
        "audio_transcription",
        "image_edit",
        "image_generation",
        "ocr",
        "rerank",
        "search",
        "video_generation",
    }
)
"""Modes whose calls cost more than their tokens if any other unit has a price."""

_NOT_MODELS: Final = frozenset({"sample_spec", "fallback_generalizations"})
_THOUSAND: Final = 1000
_LONGEST_CONTEXT: Final = 10**9
_DAYS: Final = range(1, 8)


def read(body: bytes) -> Source:
    """Return the prices of a file.

    Raises:
        ValueError: it is not JSON, or not an object of objects; a row that cannot be used is
            reported in the source and harms no other.

    """
    rows = read_pairs(body)
    reader = _Reader()
    for key, row in rows.pairs:
        reader.add(key, row)
    return Source(
        name=NAME,
        version=f"sha256:{hashlib.sha256(body).hexdigest()}",
        listings=tuple(reader.listings.values()),
        refused=tuple(reader.refused),
        skipped=tuple(reader.skipped),
        mentioned=frozenset(reader.mentioned),
        models=tuple(reader.models.values()),
        refused_models=tuple(reader.refused_models),
    )


class _Reader:
    def __init__(self) -> None:
        self.listings: dict[tuple[str, str], Listing] = {}
        self.refused: list[Refusal] = []
        self.skipped: list[Refusal] = []
        self.mentioned: set[tuple[str, str]] = set()
        self.models: dict[tuple[str, str], ModelListing] = {}
        self.refused_models: list[Refusal] = []

    def add(self, key: str, row: Any) -> None:  # noqa: ANN401 - JSON
        if key in _NOT_MODELS:
            return
        try:
            name = _name(key, row)
        except ValueError as error:
            refusal = Refusal(row=shown(key), reason=str(error))
            self.refused.append(refusal)
            self.refused_models.append(refusal)
            return
        self.mentioned.add(name)
        self._add_model(key, row, name)
        self._add_prices(key, row, name)

    def _add_model(self, key: str, row: Pairs, name: tuple[str, str]) -> None:
        if _stands_for_others(name[1]):
            return
        try:
            listing = model_listing(key, row, *name)
        except ValueError as error:
            self.refused_models.append(Refusal(row=shown(key), reason=str(error)))
            return
        other = self.models.setdefault(name, listing)
        if other is listing:
            return
        kept, left = _own_row_first(other, listing)
        self.models[name] = kept
        if not same(kept, left):
            self.refused_models.append(_says_otherwise(name, kept.row, left.row))

    def _add_prices(self, key: str, row: Pairs, name: tuple[str, str]) -> None:
        try:
            listing = _listing(key, row, *name)
        except _NotInTokens as error:
            self.skipped.append(Refusal(row=shown(key), reason=str(error)))
            return
        except ValueError as error:
            self.refused.append(Refusal(row=shown(key), reason=str(error)))
            return
        other = self.listings.setdefault(name, listing)
        if other is listing:
            return
        if other.segments == listing.segments:
            reason = f"says the same of {'/'.join(name)} as another row"
            self.skipped.append(Refusal(row=shown(key), reason=reason))
            return
        kept, left = _own_row_first(other, listing)
        self.listings[name] = kept
        self.refused.append(_says_otherwise(name, kept.row, left.row))


_Listed = TypeVar("_Listed", Listing, ModelListing)


def _own_row_first(*listings: _Listed) -> list[_Listed]:
    """Return the one with the shorter key first: its own name, not that of a route to it."""
    return sorted(listings, key=lambda one: len(one.row["key"]))


def _says_otherwise(
    name: tuple[str, str], kept: Mapping[str, Any], left: Mapping[str, Any]
) -> Refusal:
    reason = f"says otherwise of {'/'.join(name)} than the row {shown(kept['key'])}"
    return Refusal(row=shown(left["key"]), reason=reason)


def _stands_for_others(model: str) -> bool:
    return names.is_pattern(model) or model.startswith("!")


class _NotInTokens(Exception):  # noqa: N818 - nothing is wrong
    """The row is right, and states no price of tokens or calls."""


def _name(key: str, row: Any) -> tuple[str, str]:  # noqa: ANN401 - JSON
    """Return the provider and the model of a row."""
    if not isinstance(row, Pairs):
        raise ValueError("not an object")  # noqa: TRY004 - of the file's content
    check_storable(key)
    check_storable(row)
    provider = row.get("litellm_provider")
    if not isinstance(provider, str) or not provider.strip():
        raise ValueError("litellm_provider is missing")
    if len(provider) > names.MAX_NAME or not provider.isprintable():
        raise ValueError(f"litellm_provider is no name: {shown(provider)!r}")
    return of_litellm(provider), _model(key, provider)


def _listing(key: str, row: Pairs, provider: str, model: str) -> Listing:
    if row.get("currency", "USD") != "USD":
        raise ValueError(f"currency is {shown(str(row['currency']))}: only USD is taken")
    if _stands_for_others(model):
        raise _NotInTokens("stands for no model of that name")
    return Listing(
        provider=provider,
        model=model,
        names=(model, f"{model}:*") if model.startswith("ft:") else (model,),
        segments=(Segment(None, _tariff(key, row)),),
        row={"key": key, **row},
    )


def _model(key: str, provider: str) -> str:
    """Return the model's name without the provider, as in ``azure/gpt-4o``."""
    head, slash, rest = key.partition("/")
    plain, route = provider.replace("-", "_"), head.replace("-", "_")
    return names.check((rest if slash and rest and plain.startswith(route) else key).lower())


def _tariff(key: str, row: Pairs) -> Tariff:
    parts: dict[tuple[str, int], dict[str, Decimal]] = {}
    for name, value in row.pairs:
        found = _KEY.fullmatch(name)
        if found is not None and value is not None:
            tier = _SERVICE_TIERS.get(found["tier"], "")
            above = int(found["above"] or 0) * _THOUSAND
            part = parts.setdefault((tier, above), {})
            if _CLASSES[found["rate"]] in part:
                raise ValueError(f"{name} stands there twice")
            part[_CLASSES[found["rate"]]] = number(name, value)
    standard = parts.setdefault(("", 0), {})
    if "cache_read" not in standard and "input_cost_per_token_cache_hit" in row:
        name = "input_cost_per_token_cache_hit"
        standard["cache_read"] = number(name, row[name])
    standard |= _web_search(row)
    _add_tiers(parts, row.get("tiered_pricing"))
    if standard.get("reasoning") == standard.get("output"):
        standard.pop("reasoning", None)  # so that it follows output to other tiers
    tariff = Tariff(
        **_part(parts, ""),
        service_tiers={
            tier: ServiceTier(**_part(parts, tier))
            for tier in dict.fromkeys(t for t, _ in parts)
            if tier
        },
        hours=tuple(_hours(row.get("off_peak_pricing"))),
    )
    priced = [
        value for rates in parts.values() for name, value in rates.items() if name != "web_search"
    ]
    others = [name for name, value in row.items() if _OTHER_UNITS.match(name) and value]
    if not priced or (others and row.get("mode") in _BY_OTHER_UNITS):
        raise _NotInTokens(f"priced by {others[0]}" if others else "states no price of tokens")
    check_tariff(tariff)
    if not any(priced):
        if others:
            raise _NotInTokens(f"priced by {others[0]}")
        if not key.endswith(":free"):
            raise _NotInTokens("says 0 of everything, which may mean that it does not know")
    return tariff


def _part(parts: Mapping[tuple[str, int], dict[str, Decimal]], tier: str) -> dict[str, Any]:
    context_tiers = tuple(
        ContextTier(above=above, **rates)
        for (name, above), rates in sorted(parts.items(), key=lambda item: item[0])
        if name == tier and above
    )
    return {**parts.get((tier, 0), {}), "context_tiers": context_tiers}


def _add_tiers(parts: dict[tuple[str, int], dict[str, Decimal]], tiers: Any) -> None:  # noqa: ANN401
    if tiers is None:
        return
    if not isinstance(tiers, list) or not all(isinstance(tier, Pairs) for tier in tiers):
        raise ValueError("tiered_pricing is not a list of objects")
    for tier in tiers:
        range_ = tier.get("range")
        if not isinstance(range_, list) or not range_:
            raise _NotInTokens("tiered_pricing by something else than the length of the input")
        start = number("range", range_[0])
        if not 0 <= start <= _LONGEST_CONTEXT or start != int(start):
            raise ValueError(f"range begins with {start}")
        part = parts.setdefault(("", int(start)), {})
        for name, value in tier.items():
            if name in _CLASSES:
                part[_CLASSES[name]] = number(name, value)


def _web_search(row: Pairs) -> dict[str, Decimal]:
    """Return the fee for a search, if it is one for each, whatever was asked for."""
    fees = row.get("search_context_cost_per_query")
    if fees is None:
        return {}
    if not isinstance(fees, Pairs):
        raise ValueError("search_context_cost_per_query is not an object")  # noqa: TRY004 - content
    found = {number(f"search_context_cost_per_query.{name}", fee) for name, fee in fees.items()}
    if row.get("litellm_provider") == "perplexity":
        if any(found):
            raise _NotInTokens("a fee for each call that depends on the size of its search")
        return {}
    if len(found) != 1 or "search_free_requests" in row:
        return {}
    return {"web_search": found.pop()}


def _hours(off_peak: Any) -> Iterable[Hours]:  # noqa: ANN401 - JSON
    if off_peak is None:
        return
    try:
        rates: dict[str, Any] = {
            _CLASSES[name]: number(f"off_peak_pricing.{name}", value)
            for name, value in off_peak.items()
            if name in _CLASSES
        }
        for window in off_peak["windows"]:
            days = tuple(int(day) for day in window.get("weekdays", _DAYS))
            hours = window["hours_utc"]
            for text in [hours] if isinstance(hours, str) else hours:
                start, end = (time.fromisoformat(part) for part in text.split("-"))
                if not set(days) <= set(_DAYS) or start.tzinfo or end.tzinfo:
                    raise ValueError("days are 1 to 7, and hours have no zone")  # noqa: TRY301
                yield Hours(start=start, end=end, days=days, **rates)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"off_peak_pricing cannot be understood: {error}") from None
