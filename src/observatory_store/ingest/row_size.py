"""How much decoded rows take, beside their texts as they were in the body."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from operator import attrgetter
from sys import getsizeof
from typing import Any, Final

from observatory_store.otlp import Signal
from observatory_store.rows import Attributes, Resource

ROW_BYTES: Final = 1000
VALUE_BYTES: Final = 170
"""About what an attribute, an element of a list, an event, a link or an exemplar takes."""
NUMBER_BYTES: Final = 40
"""A number in a list of them, as of a histogram."""

_attributes = attrgetter("attributes")
_resource = attrgetter("resource")
_NUMBERS: Final = (
    "bucket_counts",
    "explicit_bounds",
    "positive_counts",
    "negative_counts",
    "quantiles",
    "quantile_values",
)
_numbers = attrgetter(*_NUMBERS)
_series = attrgetter("series")
_exemplars = attrgetter("exemplars")
_name = attrgetter("name")
_payload = attrgetter("payload")
_texts = attrgetter(
    "input_messages",
    "output_messages",
    "system_instructions",
    "tool_definitions",
    "tool_arguments",
    "tool_result",
    "content_attributes",
)
_events_and_links = attrgetter("events", "links")


def row_bytes(signal: Signal, rows: Sequence[Any]) -> int:
    """Return about how many bytes rows of one signal take.

    Texts in ASCII are not counted, since the body was; of others a letter takes up to four.
    """
    return len(rows) * ROW_BYTES + _OF[signal](rows)


def _spans(rows: Sequence[Any]) -> int:
    size = _values(map(_attributes, rows)) + _of_resources(map(_resource, rows))
    for each in filter(None, chain.from_iterable(map(_events_and_links, rows))):
        size += len(each) * VALUE_BYTES + _values(map(_attributes, each))
    payloads = filter(None, map(_payload, rows))
    return size + _wide(chain(map(_name, rows), chain.from_iterable(map(_texts, payloads))))


def _logs(rows: Sequence[Any]) -> int:
    bodies = _values([[row.body] for row in rows if row.body.__class__ in _WITH_SIZE])
    return bodies + _values(map(_attributes, rows)) + _of_resources(map(_resource, rows))


def _points(rows: Sequence[Any]) -> int:
    series = [row.series for row in rows]
    size = _values(map(_attributes, series)) + _of_resources(map(_resource, series))
    metrics = {id(one.metric): one.metric for one in series}
    size += _values(metric.metadata for metric in metrics.values())
    for each in filter(None, map(_exemplars, rows)):
        size += len(each) * VALUE_BYTES + _values(one.filtered_attributes for one in each)
    numbers = sum(map(len, filter(None, chain.from_iterable(map(_numbers, rows)))))
    return size + numbers * NUMBER_BYTES


_OF: Final[dict[Signal, Callable[[Sequence[Any]], int]]] = {
    Signal.TRACES: _spans,
    Signal.METRICS: _points,
    Signal.LOGS: _logs,
}
_NESTED: Final = (dict, list)
_WITH_SIZE: Final = (str, dict, list)


def _of_resources(resources: Iterable[Resource]) -> int:
    distinct = {id(resource): resource for resource in resources}.values()
    return sum(
        _values((one.attributes, one.scope_attributes, *one.entity_refs)) for one in distinct
    )


def _values(containers: Iterable[Attributes | list[Any]]) -> int:
    """Return what is in maps and lists, at all depths."""
    size = 0
    todo: list[Any] = list(filter(None, containers))
    while todo:
        size += sum(map(len, todo)) * VALUE_BYTES
        nested = []
        for one in todo:
            for value in one.values() if one.__class__ is dict else one:
                kind = value.__class__
                if kind is str:
                    if not value.isascii():
                        size += getsizeof(value)
                elif kind in _NESTED:
                    nested.append(value)
        todo = nested
    return size


def _wide(texts: Iterable[str | None]) -> int:
    return sum([getsizeof(text) for text in texts if text and not text.isascii()])
