"""The options that say which calls are asked about, given to each verb that takes them."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Annotated, Any, TypeAlias

import typer

Filters: TypeAlias = Mapping[str, Any]
"""Of each dimension a list of values; None if it does not matter."""
Verb: TypeAlias = Callable[..., None]

_HELP = {
    "model": "Only this; repeatable.",
    "provider": "Only this; repeatable.",
    "service": "Only this; repeatable.",
    "environment": "Only this; repeatable.",
    "user": "Only this; repeatable.",
    "session": "Only this; repeatable.",
    "agent": "Only this; repeatable.",
    "tool": "Only this; repeatable.",
    "tag": "Only with this tag; of several, with all.",
}
_METAVAR = {"tag": "KEY=VALUE"}


def takes_filters(*, without: str | None = None) -> Callable[[Verb], Verb]:
    """Return what gives a verb an option for each dimension, ``without`` one of them.

    They come where the verb has its parameter ``filters``, which gets their values.
    """
    options = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=None,
            annotation=Annotated[
                list[str] | None, typer.Option(f"--{name}", help=text, metavar=_METAVAR.get(name))
            ],
        )
        for name, text in _HELP.items()
        if name != without
    ]

    def given_to(verb: Verb) -> Verb:
        @functools.wraps(verb)
        def run(*arguments: Any, **values: Any) -> None:  # noqa: ANN401 - typer's
            filters = {option.name: values.pop(option.name) for option in options}
            verb(*arguments, **values, filters=filters)

        signature = inspect.signature(verb, eval_str=True)
        parameters: list[inspect.Parameter] = []
        for one in signature.parameters.values():
            parameters += options if one.name == "filters" else [one]
        # typer reads both.
        run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {one.name: one.annotation for one in parameters}
        return run

    return given_to
