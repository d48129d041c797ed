"""Which rollups there are for which dimensions, and how each calls them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Literal, LiteralString, TypeAlias, get_args

import msgspec
from msgspec.structs import replace

from observatory_store.repositories.analytics.plan import Rollup

Dimension = Literal[
    "provider", "model", "service", "environment", "user", "session", "agent", "tool", "tag"
]
DIMENSIONS: tuple[str, ...] = get_args(Dimension)
GROUPS = (*DIMENSIONS, "project")

_MINUTE, _QUARTER_HOUR = timedelta(minutes=1), timedelta(minutes=15)
_HALF_HOUR = timedelta(minutes=30)
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

    def searched_by(self, relation: str) -> str | None:
        """Return the dimension whose values a relation has an index of."""
        return next((one.searched_by for one in self.rollups if one.relation == relation), None)


def _usage(*dimensions: str, rollups: tuple[Rollup, ...]) -> Family:
    return Family(
        dimensions=frozenset(dimensions),
        rollups=rollups,
        arm="usage_of_rollup",
        spans_arm="usage_of_spans",
    )


def _usage_by(one: str, *others: str, relation: LiteralString) -> Family:
    return _usage(one, *others, rollups=(Rollup(relation, _DAY, one),))


def _histogram(prefix: LiteralString, *dimensions: str, searched_by: str | None = None) -> Family:
    return Family(
        dimensions=frozenset(dimensions),
        rollups=(
            Rollup(prefix + "_1d", _DAY, searched_by),
            Rollup(prefix + "_1h", _HOUR, searched_by),
        ),
        arm="durations_of_rollup",
        spans_arm="durations_of_spans",
    )


Families: TypeAlias = tuple[Family, ...]
"""Of one measure: the smaller before the larger."""

_OF_SERVICES = ("service", "environment")
_OF_MODELS = ("provider", "model", "environment")
_OF_BOTH = ("provider", "model", "service", "environment")

_DAYS = Rollup("llm_usage_1d", _DAY)
_FINEST = (Rollup("llm_usage_15m", _QUARTER_HOUR), Rollup("llm_usage_1m", _MINUTE))
_OF_CALLS: Families = (
    _usage(
        *_OF_SERVICES,
        rollups=(_DAYS, Rollup("llm_service_usage_30m", _HALF_HOUR, "service"), *_FINEST),
    ),
    _usage(
        *_OF_MODELS,
        rollups=(_DAYS, Rollup("llm_model_usage_30m", _HALF_HOUR, "model"), *_FINEST),
    ),
    _usage(*_OF_BOTH, rollups=(_DAYS, Rollup("llm_usage_1h", _HOUR), *_FINEST)),
)
USAGE: Families = (
    *_OF_CALLS,
    _usage_by("user", "provider", "model", relation="llm_user_usage_1d"),
    _usage_by("session", relation="llm_session_usage_1d"),
    _usage_by("agent", "provider", "model", relation="llm_agent_usage_1d"),
    _usage("tag", rollups=(Rollup("llm_tags_usage_1d", _DAY),)),
)
SPEED: Families = tuple(
    replace(family, arm="speed_of_rollup", spans_arm="speed_of_spans") for family in _OF_CALLS
)
TOOLS: Families = (
    Family(
        dimensions=frozenset({"tool", "agent", "service", "environment"}),
        rollups=(Rollup("tool_usage_1d", _DAY, "tool"),),
        arm="executions_of_rollup",
        spans_arm="executions_of_spans",
    ),
)
LATENCY: Families = (
    _histogram("llm_service_latency", *_OF_SERVICES, searched_by="service"),
    _histogram("llm_model_latency", *_OF_MODELS, searched_by="model"),
    _histogram("llm_latency", *_OF_BOTH),
)
FIRST_TOKEN: Families = tuple(
    replace(family, arm="first_tokens_of_rollup", spans_arm="first_tokens_of_spans")
    for family in (
        _histogram("llm_service_first_token", *_OF_SERVICES, searched_by="service"),
        _histogram("llm_model_first_token", *_OF_MODELS, searched_by="model"),
        _histogram("llm_first_token", *_OF_BOTH),
    )
)
ERRORS: Families = (
    Family(
        dimensions=frozenset(_OF_BOTH),
        rollups=(Rollup("llm_errors_1d", _DAY), Rollup("llm_errors_1h", _HOUR)),
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


def usage_family(dimensions: Collection[str]) -> Family:
    """Return the family that counts calls by these dimensions.

    Where a tool is named, its executions count, which are no calls of models.
    """
    return serving(TOOLS if "tool" in dimensions else USAGE, dimensions)
