"""Query parameters that several routes have, and how strictly they are read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Sequence
from decimal import Decimal
from typing import Annotated, Literal

from fastapi import Request
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from observatory_store.errors import InvalidInputError
from observatory_store.repositories.analytics import DIMENSIONS
from observatory_store.repositories.text_query import MOST_CHARACTERS

_REPEATABLE = frozenset({"tag", "attribute"})
REPEATABLE_IN_ANALYTICS = frozenset({*DIMENSIONS, "group_by", "quantile"})


class QueryParameters(BaseModel):
    """The parameters of a route. One that it does not know is refused, never ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


def refuse_repeated(
    allowed: Collection[str] = _REPEATABLE,
) -> Callable[[Request], Awaitable[None]]:
    """Return what refuses a parameter that is given twice where only one value would count."""

    async def refuse(request: Request) -> None:
        # Counted at once, as a URL has room for ten thousand names.
        given = Counter(name for name, _ in request.query_params.multi_items())
        for name, times in given.items():
            if times > 1 and name not in allowed:
                raise InvalidInputError(f"{name[:100]} is given {times} times: give it once")

    return refuse


def storable(text: str) -> str:
    """Refuse what no stored text can contain."""
    if "\0" in text:
        raise ValueError("U+0000 is in no stored text")
    return text


def _pair(text: str) -> str:
    if not text.partition("=")[0] or "=" not in text:
        raise ValueError("write key=value")
    return text


Text = Annotated[str, AfterValidator(storable)]
Words = Annotated[
    str,
    Field(min_length=1, max_length=MOST_CHARACTERS, examples=["refund policy"]),
    AfterValidator(storable),
]
KeyValue = Annotated[Text, AfterValidator(_pair), Field(examples=["team=search"])]
Format = Annotated[
    Literal["json", "otlp"],
    Field(description="`otlp`: an OTLP JSON document; the header X-Next-Cursor has the cursor."),
]
Milliseconds = Annotated[float, Field(ge=0, le=1e15, allow_inf_nan=False)]
Usd = Annotated[Decimal, Field(ge=0, max_digits=30, decimal_places=18, examples=["0.05"])]


def pairs(texts: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Return ``key=value`` texts as keys and values; the key ends at the first ``=``."""
    return tuple((key, value) for key, _, value in (text.partition("=") for text in texts))
