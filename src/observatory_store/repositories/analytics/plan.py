"""Which relation answers for which part of a range.

Whole buckets come from the coarsest rollup that holds them, what is left at the ragged edges from
finer ones, and at last from spans. So any range is exact, and long ones are cheap.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import LiteralString, TypeAlias

import msgspec

from observatory_store.errors import InvalidInputError
from observatory_store.repositories.page import TimeRange

SPANS: LiteralString = "spans"
MOST_OF_SPANS = timedelta(days=31)
"""What a query that no rollup serves may read."""
MOST_SEGMENTS = 40
"""More, as of many months in a zone off UTC, are planned from finer rollups, which need fewer."""

_ADVICE = "shorten the range, group and filter by less, or take intervals of UTC days"
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_ZERO, _MICROSECOND = timedelta(), timedelta(microseconds=1)
_ALWAYS = datetime.min.replace(tzinfo=UTC)


class Rollup(msgspec.Struct, frozen=True):
    """A relation of buckets."""

    relation: LiteralString
    width: timedelta
    searched_by: str | None = None
    """The dimension whose values it has an index of."""


_Held: TypeAlias = tuple[Rollup, datetime]
"""A rollup, and from when on it is whole."""


class Segment(msgspec.Struct, frozen=True):
    """A part of the range, and the relation that answers for it."""

    relation: LiteralString
    start: datetime
    end: datetime


class Plan(msgspec.Struct, frozen=True):
    """How a range is answered."""

    covered: TimeRange
    """What is asked for; or more, where only buckets are left of what was there."""
    segments: tuple[Segment, ...]
    """In order of time, without gaps."""
    starts: tuple[datetime, ...]
    """Where the answer's intervals begin; the first no later than what is covered."""


def make_plan(
    range_: TimeRange,
    starts: Sequence[datetime],
    rollups: Sequence[Rollup],
    kept_from: Mapping[str, datetime | None],
    now: datetime,
) -> Plan:
    """Divide a range.

    Args:
        range_: what is asked for.
        starts: where the answer's intervals begin, which no bucket may reach over.
        rollups: which can answer, the coarsest first.
        kept_from: from when on each relation is whole; None if it always was.
        now: buckets that have not ended by then are read from what is finer.

    Raises:
        InvalidInputError: spans are needed that are not kept any more, or too many of them.

    """
    spans_from = kept_from.get(SPANS) or _ALWAYS
    held = [(rollup, kept_from.get(rollup.relation) or _ALWAYS) for rollup in rollups]
    known = min((since for _, since in held), default=spans_from)
    covered = _widened(range_, held, spans_from)
    inside = [edge for edge in starts if covered.start < edge < covered.end]
    shortest = min((end - start for start, end in pairwise(inside)), default=MOST_OF_SPANS)
    held = [(rollup, since) for rollup, since in held if rollup.width <= shortest]
    segments = _segments(covered, inside, held, now)
    while len(segments) > MOST_SEGMENTS and held:
        held = held[1:]
        segments = _segments(covered, inside, held, now)
    raw = [segment for segment in segments if segment.relation == SPANS]
    if raw and raw[0].start < spans_from:
        whole = f", which is whole from {known:%Y-%m-%d} on" if known > _ALWAYS else ""
        raise InvalidInputError(
            f"spans from before {spans_from:%Y-%m-%dT%H:%MZ} are kept no more, and no rollup "
            f"answers this{whole}: {_ADVICE}"
        )
    # In the future there are none, but for those of clocks that are ahead.
    read = (max(min(segment.end, now) - segment.start, _ZERO) for segment in raw)
    if sum(read, _ZERO) > MOST_OF_SPANS:
        raise InvalidInputError(
            f"no rollup answers this, and of spans at most {MOST_OF_SPANS.days} days are read: "
            f"{_ADVICE}"
        )
    return Plan(covered, tuple(segments), (min(starts[0], covered.start), *starts[1:]))


def _widened(range_: TimeRange, held: Sequence[_Held], spans_from: datetime) -> TimeRange:
    """Return the range, with an end that lies where spans are gone moved to a bucket's edge."""
    start, end = range_.start, range_.end
    if start < spans_from:
        start = _floor(start, _finest_at(start, held))
    if end < spans_from:
        end = _ceil(end, _finest_at(end, held))
    return TimeRange(start, end)


def _finest_at(time: datetime, held: Sequence[_Held]) -> timedelta:
    return min((rollup.width for rollup, since in held if since <= time), default=_MICROSECOND)


def _segments(
    range_: TimeRange, edges: Sequence[datetime], held: Sequence[_Held], now: datetime
) -> list[Segment]:
    if not held or all(edge == _floor(edge, held[0][0].width) for edge in edges):
        return _merged([_cover(range_, held, now)])
    cuts = [range_.start, *edges, range_.end]
    return _merged(_cover(TimeRange(*pair), held, now) for pair in pairwise(cuts))


def _cover(range_: TimeRange, held: Sequence[_Held], now: datetime) -> Iterator[Segment]:
    if not held:
        yield Segment(SPANS, range_.start, range_.end)
        return
    (rollup, since), *finer = held
    start = _ceil(max(range_.start, since), rollup.width)
    end = _floor(min(range_.end, now), rollup.width)
    if start >= end:
        yield from _cover(range_, finer, now)
        return
    if range_.start < start:
        yield from _cover(TimeRange(range_.start, start), finer, now)
    yield Segment(rollup.relation, start, end)
    if end < range_.end:
        yield from _cover(TimeRange(end, range_.end), finer, now)


def _merged(parts: Iterable[Iterator[Segment]]) -> list[Segment]:
    segments: list[Segment] = []
    for part in parts:
        for segment in part:
            if segments and segments[-1].relation == segment.relation:
                segment = Segment(segment.relation, segments.pop().start, segment.end)  # noqa: PLW2901
            segments.append(segment)
    return segments


def _floor(time: datetime, width: timedelta) -> datetime:
    return time - ((time - _EPOCH) % width if time > _ALWAYS + width else _ZERO)


def _ceil(time: datetime, width: timedelta) -> datetime:
    return time + ((_EPOCH - time) % width if time > _ALWAYS else _ZERO)
