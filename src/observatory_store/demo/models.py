"""The models that the pretend gateway offers, and how they behave."""

from __future__ import annotations

from random import Random

import msgspec


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """One model of one provider."""

    provider: str
    name: str
    weight: float
    """Share of the traffic."""
    tokens_per_second: float
    first_token_seconds: float
    reasoning_share: float = 0.0
    """Part of the output that is reasoning."""
    cached_share: float = 0.0
    """Part of the input that the provider's cache serves, when it does."""
    rate_limited: float = 0.01
    """Probability of a 429."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What one call used."""

    input_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    output_tokens: int
    reasoning_tokens: int
    first_token_seconds: float
    seconds: float


MODELS = (
    Model(
        provider="openai",
        name="gpt-4o",
        weight=0.2,
        tokens_per_second=85,
        first_token_seconds=0.45,
        cached_share=0.5,
        rate_limited=0.06,
    ),
    Model(
        provider="openai",
        name="gpt-4o-mini",
        weight=0.3,
        tokens_per_second=120,
        first_token_seconds=0.3,
        cached_share=0.5,
    ),
    Model(
        provider="openai",
        name="o4-mini",
        weight=0.08,
        tokens_per_second=110,
        first_token_seconds=2.5,
        reasoning_share=0.7,
    ),
    Model(
        provider="anthropic",
        name="claude-sonnet-4-5",
        weight=0.2,
        tokens_per_second=65,
        first_token_seconds=0.8,
        cached_share=0.8,
        rate_limited=0.04,
    ),
    Model(
        provider="gcp.gemini",
        name="gemini-2.5-flash",
        weight=0.15,
        tokens_per_second=180,
        first_token_seconds=0.35,
        reasoning_share=0.3,
    ),
    Model(
        # Its price is known to nobody, so that its cost is NULL.
        provider="acme",
        name="acme-house-7b",
        weight=0.07,
        tokens_per_second=45,
        first_token_seconds=0.2,
    ),
)

CACHE_HIT_RATE = 0.6

EMBEDDING = Model(
    provider="openai",
    name="text-embedding-3-small",
    weight=0.0,
    tokens_per_second=0,
    first_token_seconds=0.06,
)


def pick(random: Random, but_not: Model | None = None) -> Model:
    """Return a model, each as often as its weight."""
    offered = [model for model in MODELS if model is not but_not]
    return random.choices(offered, [model.weight for model in offered])[0]


def answer(model: Model, random: Random) -> Answer:
    """Return what a call of the model uses, with the long tails that real calls have."""
    prompt = int(random.lognormvariate(6.6, 0.7)) + 20
    output = int(random.lognormvariate(5.0, 0.6)) + 5
    cached = written = 0
    if model.cached_share and random.random() < CACHE_HIT_RATE:
        cached = int(prompt * model.cached_share)
    elif model.provider == "anthropic":
        written = int(prompt * model.cached_share)
    first = model.first_token_seconds * random.lognormvariate(0, 0.35)
    return Answer(
        input_tokens=prompt,
        cache_read_tokens=cached,
        cache_write_tokens=written,
        output_tokens=output,
        reasoning_tokens=int(output * model.reasoning_share),
        first_token_seconds=first,
        seconds=first + output / model.tokens_per_second * random.lognormvariate(0, 0.2),
    )
