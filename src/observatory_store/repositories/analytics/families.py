"""Which rollups there are for which dimensions, and how each calls them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Literal, LiteralString, get_args

import msgspec

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


USAGE = (
    Family(
        dimensions=_OF_MODELS,
        rollups=(
            Rollup("llm_usage_1d", _DAY),
            Rollup("llm_usage_15m", _QUARTER_HOUR),
            Rollup("llm_usage_1m", _MINUTE),
        ),
        arm="usage_of_rollup",
        spans_arm="usage_of_spans",
    ),
    _usage("user", "provider", "model", rollups=(Rollup("llm_user_usage_1d", _DAY),)),
    _usage("session", rollups=(Rollup("llm_session_usage_1d", _DAY),)),
    _usage("agent", "provider", "model", rollups=(Rollup("llm_agent_usage_1d", _DAY),)),
    _usage("tag", rollups=(Rollup("llm_tags_usage_1d", _DAY),)),
)
SPEED = msgspec.structs.replace(USAGE[0], arm="speed_of_rollup", spans_arm="speed_of_spans")
TOOLS = Family(
    dimensions=frozenset({"tool", "agent", "service", "environment"}),
    rollups=(Rollup("tool_usage_1d", _DAY),),
    arm="executions_of_rollup",
    spans_arm="executions_of_spans",
)
LATENCY = Family(
    dimensions=_OF_MODELS,
    rollups=(Rollup("llm_latency_1d", _DAY), Rollup("llm_latency_1h", _HOUR)),
    arm="durations_of_rollup",
    spans_arm="durations_of_spans",
)
FIRST_TOKEN = Family(
    dimensions=_OF_MODELS,
    rollups=(Rollup("llm_first_token_1d", _DAY), Rollup("llm_first_token_1h", _HOUR)),
    arm="first_tokens_of_rollup",
    spans_arm="first_tokens_of_spans",
)
ERRORS = Family(
    dimensions=_OF_MODELS,
    rollups=(Rollup("llm_errors_1h", _HOUR),),
    arm="errors_of_rollup",
    spans_arm="errors_of_spans",
)


def usage_family(dimensions: Collection[str]) -> Family:
    """Return the family that counts calls by these dimensions, from spans if none has them all.

    Where a tool is named, its executions count, which are no calls of models.
    """
    family = (
        TOOLS
        if "tool" in dimensions
        else next(
            (family for family in USAGE if family.dimensions.issuperset(dimensions)), USAGE[0]
        )
    )
    return serving(family, dimensions)


def serving(family: Family, dimensions: Collection[str]) -> Family:
    """Return the family, without its rollups if they lack one of the dimensions."""
    if family.dimensions.issuperset(dimensions):
        return family
    return msgspec.structs.replace(family, rollups=())
