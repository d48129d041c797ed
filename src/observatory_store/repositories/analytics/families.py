"""Which rollups there are for which dimensions, and how each calls them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Literal, LiteralString, TypeAlias, get_args

import msgspec
from msgspec.structs import replace

from observatory_store.repositories.analytics.plan import SPANS, Rollup

Dimension = Literal[
    "provider", "model", "service", "environment", "user", "session", "agent", "tool", "tag"
]
DIMENSIONS: tuple[str, ...] = get_args(Dimension)
GROUPS = (*DIMENSIONS, "project")

_MINUTE, _QUARTER_HOUR = timedelta(minutes=1), timedelta(minutes=15)
_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)

COLUMNS: Mapping[str, LiteralString] = {
    "provider": "u.provider",
    "model": "u.model",
    "service": "u.service_name",
    "environment": "u.environment",
    "user": "u.user_id",
    "session": "u.session_id",
    "agent": "u.agent_name",
    "tool": "u.tool_name",
    "tag": "u.tags",
}
"""How rollups call the dimensions; tags are a set."""
OF_SPANS: Mapping[str, LiteralString] = {
    **COLUMNS,
    "model": "coalesce(u.response_model, u.request_model)",
    "tag": "observatory_private.sorted_set(u.tags)",
}
SPARSE = frozenset({"user", "session", "agent", "tool", "tag"})
"""Dimensions that many calls lack. Grouped by one of them, only calls that have it count."""


class Family(msgspec.Struct, frozen=True, kw_only=True):
    """Rollups of one set of dimensions, and the queries that read them and spans."""

    dimensions: frozenset[str]
    rollups: tuple[Rollup, ...] = ()
    """The coarsest first."""
    arm: str
    """Query of a rollup."""
    spans_arm: str
    """Query that makes the same of spans."""

    def columns(self, relation: str) -> Mapping[str, LiteralString]:
        """Return how a relation calls the dimensions."""
        return OF_SPANS if relation == SPANS else COLUMNS


_OF_MODELS = frozenset({"provider", "model", "service", "environment"})


def _usage(*dimensions: str, rollups: tuple[Rollup, ...]) -> Family:
    return Family(
        dimensions=frozenset(dimensions),
        rollups=rollups,
        arm="usage_of_rollup",
        spans_arm="usage_of_spans",
    )


def _histogram(prefix: LiteralString, dimensions: frozenset[str]) -> Family:
    return Family(
        dimensions=dimensions,
        rollups=(Rollup(prefix + "_1d", _DAY), Rollup(prefix + "_1h", _HOUR)),
        arm="durations_of_rollup",
        spans_arm="durations_of_spans",
    )


Families: TypeAlias = tuple[Family, ...]
"""Of one measure: the smaller before the larger."""

USAGE: Families = (
    _usage(
        *_OF_MODELS,
        rollups=(
            Rollup("llm_usage_1d", _DAY),
            Rollup("llm_usage_15m", _QUARTER_HOUR),
            Rollup("llm_usage_1m", _MINUTE),
        ),
    ),
    _usage("user", "provider", "model", rollups=(Rollup("llm_user_usage_1d", _DAY),)),
    _usage("session", rollups=(Rollup("llm_session_usage_1d", _DAY),)),
    _usage("agent", "provider", "model", rollups=(Rollup("llm_agent_usage_1d", _DAY),)),
    _usage("tag", rollups=(Rollup("llm_tags_usage_1d", _DAY),)),
)
SPEED: Families = (replace(USAGE[0], arm="speed_of_rollup", spans_arm="speed_of_spans"),)
TOOLS: Families = (
    Family(
        dimensions=frozenset({"tool", "agent", "service", "environment"}),
        rollups=(Rollup("tool_usage_1d", _DAY),),
        arm="executions_of_rollup",
        spans_arm="executions_of_spans",
    ),
)
LATENCY: Families = (
    _histogram("llm_service_latency", frozenset({"service", "environment"})),
    _histogram("llm_model_latency", frozenset({"provider", "model", "environment"})),
    _histogram("llm_latency", _OF_MODELS),
)
FIRST_TOKEN: Families = tuple(
    replace(
        _histogram(prefix, family.dimensions),
        arm="first_tokens_of_rollup",
        spans_arm="first_tokens_of_spans",
    )
    for family, prefix in zip(
        LATENCY,
        ("llm_service_first_token", "llm_model_first_token", "llm_first_token"),
        strict=True,
    )
)
ERRORS: Families = (
    Family(
        dimensions=_OF_MODELS,
        rollups=(Rollup("llm_errors_1h", _HOUR),),
        arm="errors_of_rollup",
        spans_arm="errors_of_spans",
    ),
)


def serving(families: Families, dimensions: Collection[str]) -> Family:
    """Return the first family that counts by these dimensions; from spans if none has them all."""
    return next(
        (family for family in families if family.dimensions.issuperset(dimensions)),
        replace(families[0], rollups=()),
    )
