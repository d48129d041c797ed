"""How a price comes into the table: the past stays, and what is said now goes on from there."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from observatory_store.pricing.listing import Listing
from observatory_store.pricing.tariff import Tariff


class Period(NamedTuple):
    """A price in force for a time, under some names. None: since ever, until further notice."""

    valid_from: datetime | None
    valid_to: datetime | None
    names: tuple[str, ...]
    tariff: Tariff

    def covers(self, time: datetime) -> bool:
        """Tell whether it is in force at that time."""
        return (self.valid_from is None or self.valid_from <= time) and (
            self.valid_to is None or time < self.valid_to
        )


class Stored(NamedTuple):
    """A row of the table that is in force at some time."""

    price_id: int
    period: Period


class Change(NamedTuple):
    """What brings the table to what a source says."""

    closed: tuple[tuple[int, datetime], ...] = ()
    """(price_id, valid_to); one that would not have begun by then is never in force."""
    added: tuple[Period, ...] = ()


def change(stored: Sequence[Stored], listing: Listing, now: datetime) -> Change:
    """Return what to close and what to add for one model.

    A price of a model that the table does not have is valid since ever. After that, what a source
    says counts from ``now`` on, or from the date that the source itself gives, if the table knows
    no change at that date. So a price that a source corrects without a date stays, for the past,
    what calls were charged by.
    """
    said = periods(listing)
    if not stored:
        return Change(added=tuple(said))
    present = [row.period for row in stored]
    cut = _first_difference(present, said, now)
    if cut is None:
        return Change()
    wanted = [_from(cut, period) for period in said if _lasts_beyond(period, cut)]
    return Change(
        closed=tuple(
            (row.price_id, max(cut, row.period.valid_from or cut))
            for row in stored
            if _lasts_beyond(row.period, cut) and row.period not in wanted
        ),
        added=tuple(period for period in wanted if period not in present),
    )


def insertion(stored: Sequence[Stored], price: Period, start: datetime) -> Change:
    """Return what sets a price from ``start`` until the next one that is stored."""
    present = [row for row in stored if row.period.covers(start)]
    later = [edge for edge in _edges([row.period for row in stored]) if edge > start]
    return Change(
        closed=tuple((row.price_id, start) for row in present),
        added=(price._replace(valid_from=start, valid_to=min(later, default=None)),),
    )


def periods(listing: Listing) -> list[Period]:
    """Return what a source says as rows."""
    ends = [*(segment.start for segment in listing.segments[1:]), None]
    return [
        Period(segment.start, end, listing.names, segment.tariff)
        for segment, end in zip(listing.segments, ends, strict=True)
        if segment.tariff is not None
    ]


def _first_difference(
    present: Sequence[Period], said: Sequence[Period], now: datetime
) -> datetime | None:
    known, dated = _edges(present), _edges(said)
    for edge in sorted(known | dated | {now}):
        if edge >= now or edge in dated - known:
            before, after = _at(present, edge), _at(said, edge)
            if (before is None) != (after is None) or (
                before and after and (before.tariff, before.names) != (after.tariff, after.names)
            ):
                return edge
    return None


def _edges(periods: Sequence[Period]) -> set[datetime]:
    return {edge for period in periods for edge in period[:2] if edge is not None}


def _at(periods: Sequence[Period], time: datetime) -> Period | None:
    return next((period for period in periods if period.covers(time)), None)


def _lasts_beyond(period: Period, time: datetime) -> bool:
    return period.valid_to is None or period.valid_to > time


def _from(cut: datetime, period: Period) -> Period:
    begun = period.valid_from is None or period.valid_from < cut
    return period._replace(valid_from=cut) if begun else period
