"""Which spans of one request are the same call of a model, so that it counts once.

A client that traces itself, inside a span of an instrumentation that traces the client, has every
call twice. Only spans that come in together can be compared.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Final, TypeAlias

from msgspec.structs import replace

from observatory_store.llm.conflicts import COUNTED_ELSEWHERE, REPEATS_PARENT, joined
from observatory_store.llm.messages import kept_attributes
from observatory_store.rows import Span

_Key: TypeAlias = tuple[str, str]
_MOST_ANCESTORS: Final = 32
_NONE: Final = (None, None)


def settle_repeats(spans: list[Span]) -> list[Span]:
    """Return the spans of a request so that each call is ``is_inference`` once.

    - A span inside another one with the same answer, or directly inside one with the same model and
      the same numbers, is marked ``repeats_parent``: the outer one counts.
    - A span without numbers directly around such a call does not count, nor does Logfire's span of
      a stream, whose numbers follow as a log; they are marked ``counted_elsewhere``.

    What is marked has no cost. A list in which nothing is marked is returned as it is.
    """
    calls = [span for span in spans if span.is_inference]
    marks = _marks(spans, calls) if calls else {}
    return [_marked(span, marks) for span in spans] if marks else spans


def _marks(spans: list[Span], calls: list[Span]) -> dict[int, str]:
    """Return what to mark, by the identity of the row."""
    streams = {id(call) for call in calls if _is_stream_without_answer(call)}
    repeats: set[int] = set()
    elsewhere = set(streams)
    by_key = {_key(call): call for call in calls} if len(calls) > 1 else {}
    for call in calls if by_key else ():
        outer, without_numbers = _around(call, by_key)
        between = {id(each) for each in without_numbers}
        repeats_one = between and (_numbers(call) == _NONE or not between.isdisjoint(streams))
        if (outer is not None or repeats_one) and not _is_first_of_circle(call, by_key):
            repeats.add(id(call))
        else:
            elsewhere |= between
    repeats.update(id(call) for call in _inside_same_answer(spans, calls))
    return dict.fromkeys(repeats, REPEATS_PARENT) | dict.fromkeys(elsewhere, COUNTED_ELSEWHERE)


def _around(call: Span, by_key: dict[_Key, Span]) -> tuple[Span | None, list[Span]]:
    """Return the span around this one that has its call's numbers, and those between without."""
    between: list[Span] = []
    outer = call
    for _ in range(_MOST_ANCESTORS):
        around = by_key.get((outer.trace_id, outer.parent_span_id or ""))
        if around is None or around is call or not _can_be_same(around, call):
            return None, between
        if _numbers(around) != _NONE:
            same = _numbers(call) in {_numbers(around), _NONE}
            return (around if same else None), between
        between.append(around)
        outer = around
    return None, []


def _is_first_of_circle(call: Span, by_key: dict[_Key, Span]) -> bool:
    """Tell whether a call is the one to count of calls each of which is inside another."""
    key, least = _key(call), _key(call)
    for _ in range(_MOST_ANCESTORS):
        around = by_key.get((call.trace_id, call.parent_span_id or ""))
        if around is None:
            return False
        call = around
        if _key(call) == key:
            return key == least
        least = min(least, _key(call))
    return False


def _inside_same_answer(spans: list[Span], calls: list[Span]) -> Iterator[Span]:
    """Yield the calls with an ancestor that has the same id of the provider's answer."""
    answers: dict[_Key, list[Span]] = defaultdict(list)
    for call in calls:
        if call.response_id is not None:
            answers[call.trace_id, call.response_id].append(call)
    shared = [same for same in answers.values() if len(same) > 1]
    if not shared:
        return
    parents = {_key(span): (span.trace_id, span.parent_span_id or "") for span in spans}
    for same in shared:
        keys = {_key(call) for call in same}
        inside = [call for call in same if not keys.isdisjoint(_ancestors(_key(call), parents))]
        if len(inside) == len(same):  # each is inside another: a circle, of which one has to count
            inside.remove(min(same, key=_key))
        yield from inside


def _ancestors(key: _Key, parents: dict[_Key, _Key]) -> Iterator[_Key]:
    child = key
    for _ in range(_MOST_ANCESTORS):
        parent = parents.get(child)
        if parent is None or parent == key:  # the end, or a circle
            return
        yield parent
        child = parent


def _is_stream_without_answer(call: Span) -> bool:
    return (
        "logfire.span_type" in call.attributes
        and call.response_id is None
        and call.finish_reasons is None
        and _numbers(call) == _NONE
        and call.status != "error"
        and "request_data" in call.attributes | kept_attributes(call.payload)
    )


def _can_be_same(outer: Span, inner: Span) -> bool:
    if outer.operation is not None and inner.operation not in {None, outer.operation}:
        return False
    if outer.response_id and inner.response_id and outer.response_id != inner.response_id:
        return False
    models, others = _models(outer), _models(inner)
    return not models or not others or not models.isdisjoint(others)


def _models(call: Span) -> set[str]:
    return {model for model in (call.request_model, call.response_model) if model is not None}


def _numbers(call: Span) -> tuple[int | None, int | None]:
    return call.input_tokens, call.output_tokens


def _key(span: Span) -> _Key:
    return span.trace_id, span.span_id


def _marked(span: Span, marks: dict[int, str]) -> Span:
    mark = marks.get(id(span))
    if mark is None:
        return span
    conflicts: Iterable[str] = span.usage_conflict.split(",") if span.usage_conflict else ()
    return replace(
        span,
        is_inference=False,
        cost_usd=None,
        price_ref=None,
        usage_conflict=joined([*conflicts, mark]),
    )
