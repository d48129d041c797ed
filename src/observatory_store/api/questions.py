"""The parameters of the routes that sum: range, intervals, groups and filters."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, Field, WithJsonSchema

from observatory_store.api.parameters import QueryParameters, storable
from observatory_store.api.ranges import RangeParameters
from observatory_store.errors import InvalidInputError
from observatory_store.repositories.analytics import DIMENSIONS, GROUPS
from observatory_store.repositories.analytics.intervals import Interval, zone_of
from observatory_store.repositories.analytics.question import MOST_CHARACTERS, MOST_VALUES


def _groups(texts: tuple[str, ...]) -> tuple[str, ...]:
    groups = tuple(dict.fromkeys(group for text in texts for group in text.split(",")))
    if unknown := [group for group in groups if group not in GROUPS]:
        raise ValueError(f"{unknown[0][:100]!r} is none of {', '.join(GROUPS)}")
    return groups


def _zone(name: str) -> str:
    try:
        zone_of(name)
    except InvalidInputError as error:
        raise ValueError(str(error).removeprefix("tz: ")) from None
    return name


Value = Annotated[
    # The lengths first: of what a function returns, pydantic counts items.
    str, Field(min_length=1, max_length=MOST_CHARACTERS), AfterValidator(storable)
]
Values = Annotated[tuple[Value, ...], Field(max_length=MOST_VALUES)]
Zone = Annotated[str, AfterValidator(_zone), Field(examples=["UTC", "Europe/Berlin"])]
Groups = Annotated[
    tuple[str, ...],
    AfterValidator(_groups),
    WithJsonSchema({"type": "array", "items": {"type": "string"}, "examples": [["model"]]}),
]


class Filters(QueryParameters):
    """Which calls of models. A filter may be given up to 100 times: any of its values will do."""

    provider: Annotated[Values, Field(examples=[["openai"]])] = ()
    model: Annotated[Values, Field(examples=[["gpt-4o", "gpt-4o-mini"]])] = ()
    """The model that answered, or else the one that was asked for."""
    service: Values = ()
    environment: Values = ()
    user: Values = ()
    session: Values = ()
    agent: Values = ()
    tag: Annotated[Values, Field(examples=[["team=search"]])] = ()
    """``key=value``; all that are given must be there."""

    def filters(self) -> dict[str, Any]:
        """Return the filters that are given."""
        given = {name: getattr(self, name, ()) for name in DIMENSIONS}
        return {name: values for name, values in given.items() if values}


class ToolFilter(QueryParameters):
    """Of which tool; then executions of tools count, which are no calls of models."""

    tool: Values = ()


class GroupParameters(Filters, RangeParameters):
    """Which calls of models, and by what they are grouped."""

    group_by: Groups = ()
    """Any of provider, model, service, environment, user, session, agent, tag, project, and of
    usage also tool; repeated, or separated by commas."""

    def question(self) -> dict[str, Any]:
        """Return what a method of the repository is asked by."""
        range_ = self.time_range()
        return {
            "start": range_.start,
            "end": range_.end,
            "group_by": self.group_by,
            **self.filters(),
        }


class QuestionParameters(GroupParameters):
    """Which calls of models, and how they are summed."""

    interval: Interval | None = None
    """One row for each interval (1mo is a month); without it one for the whole range."""
    tz: Zone = "UTC"
    """The IANA time zone by whose clock hours, days, weeks and months begin."""

    def question(self) -> dict[str, Any]:
        """Return what a method of the repository is asked by."""
        return {**super().question(), "interval": self.interval, "tz": self.tz}
