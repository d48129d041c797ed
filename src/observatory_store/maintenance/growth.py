"""How the tables grow: what a day adds, and what they will take once retention holds them."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

HORIZON_DAYS = 365
"""How far ahead anything is told: past that, no rate holds."""


class Growth(msgspec.Struct, frozen=True, kw_only=True):
    """One relation: its size now, and what a day of it takes."""

    relation: str
    bytes: int
    """With indexes, TOAST and all chunks."""
    row_bytes_a_day: float | None
    """What one of the last days takes as rows; None if there is no such day."""
    columnar_bytes_a_day: float | None
    """What one of the last columnar days takes; None if none is columnar."""
    kept_days: float
    """Age of the oldest day."""
    retention_days: float | None
    """None keeps for ever."""
    columnar_after_days: float | None
    """Age at which all of a chunk is columnar; None if it never is."""

    @property
    def bytes_a_day(self) -> float:
        """What a day takes in the long run, as far as that can be told."""
        return self._settled or self._fresh

    @property
    def to_come(self) -> float:
        """How many bytes more it will take once it is as old as it may be, or in a year."""
        return max(self.bytes_at(self.days) - self.bytes, 0.0)

    @property
    def days(self) -> float:
        """How many days it will hold then."""
        ahead = self.kept_days + HORIZON_DAYS
        return ahead if self.retention_days is None else min(self.retention_days, ahead)

    def bytes_at(self, days: float) -> float:
        """Return the size with this many days like the last."""
        fresh = self._fresh_days(days)
        return fresh * self._fresh + (days - fresh) * self._settled

    def days_at(self, size: float) -> float:
        """Return how many days like the last take this many bytes, at most those it will hold."""
        fresh = self._fresh_days(self.days)
        if size <= fresh * self._fresh:
            return size / self._fresh
        if not self._settled:
            return self.days
        return min(fresh + (size - fresh * self._fresh) / self._settled, self.days)

    @property
    def _fresh(self) -> float:
        return self.row_bytes_a_day or self.columnar_bytes_a_day or 0.0

    @property
    def _settled(self) -> float:
        """0 while it is too early to tell how much smaller a day becomes."""
        if self.columnar_after_days is None:
            return self._fresh
        if self.columnar_bytes_a_day is not None:
            return self.columnar_bytes_a_day
        return 0.0 if self.kept_days <= self.columnar_after_days + 2 else self._fresh

    def _fresh_days(self, days: float) -> float:
        return days if self.columnar_after_days is None else min(days, self.columnar_after_days)


def days_until_full(growths: Sequence[Growth], free: float) -> float | None:
    """Return after how many days the free bytes are used up, or None if they last.

    Each relation grows by its bytes a day until it has taken what is to come.
    """
    growing = sorted((g.to_come / g.bytes_a_day, g.bytes_a_day) for g in growths if g.to_come)
    day = 0.0
    for index, (end, _) in enumerate(growing):
        rate = sum(rate for _, rate in growing[index:])
        if (end - day) * rate >= free:
            return day + free / rate
        free -= (end - day) * rate
        day = end
    return None


def fitting_retention(growths: Sequence[Growth], free: float, largest: Growth) -> int:
    """Return how many whole days of the largest fit, beside all the others; 0 if none does."""
    others = sum(growth.to_come for growth in growths if growth is not largest)
    size = largest.bytes + free - others
    return int(largest.days_at(size)) if size > 0 else 0
