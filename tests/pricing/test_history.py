"""What a sync does to the history of a price."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from observatory_store.pricing.history import Period, Stored, change, insertion
from observatory_store.pricing.listing import Listing, Segment
from observatory_store.pricing.tariff import Tariff

from .books import NOON

DAY = timedelta(days=1)


class Table:
    """The rows of one model, as a sync changes them."""

    def __init__(self) -> None:
        self.rows: list[Stored] = []

    def sync(self, now: datetime, *said: tuple[datetime | None, str], name: str = "m") -> int:
        """Bring in what a source says at a time; return how many rows that adds."""
        listing = Listing(
            provider="p",
            model="m",
            names=(name,),
            segments=tuple(Segment(start, Tariff(input=Decimal(rate))) for start, rate in said),
            row={},
        )
        found = change(self.rows, listing, now)
        self._apply(found.closed, found.added)
        return len(found.added)

    def set(self, start: datetime, rate: str) -> None:
        """Set a user's price."""
        price = Period(None, None, ("m",), Tariff(input=Decimal(rate)))
        found = insertion(self.rows, price, start)
        self._apply(found.closed, found.added)

    def _apply(self, closed: tuple[tuple[int, datetime], ...], added: tuple[Period, ...]) -> None:
        ends = dict(closed)
        rows = [
            row._replace(
                period=row.period._replace(valid_to=ends.get(row.price_id, row.period.valid_to))
            )
            for row in self.rows
        ]
        rows += [Stored(len(rows) + number, period) for number, period in enumerate(added)]
        self.rows = rows
        spans = sorted(
            (period.valid_from or datetime.min.replace(tzinfo=NOON.tzinfo), period.valid_to)
            for _, period in rows
            if period.valid_from != period.valid_to or period.valid_from is None
        )
        for (_, end), (start, _) in pairwise(spans):
            assert end is not None
            assert end <= start

    def at(self, time: datetime) -> str | None:
        """Return the rate in force at a time."""
        found = [row.period.tariff.input for row in self.rows if row.period.covers(time)]
        assert len(found) <= 1
        return str(found[0]) if found else None


def test_a_first_price_is_valid_since_ever() -> None:
    """Calls of before the first sync have a cost too."""
    table = Table()
    table.sync(NOON, (None, "0.1"))
    assert [row.period[:2] for row in table.rows] == [(None, None)]


def test_a_changed_price_counts_from_the_sync_on() -> None:
    """What calls of before cost does not change."""
    table = Table()
    table.sync(NOON, (None, "0.1"))
    assert table.sync(NOON + DAY, (None, "0.1")) == 0
    assert table.sync(NOON + 2 * DAY, (None, "0.2")) == 1
    assert (table.at(NOON + DAY), table.at(NOON + 2 * DAY)) == ("0.1", "0.2")
    assert table.sync(NOON + 3 * DAY, (None, "0.2")) == 0
    assert table.sync(NOON + 4 * DAY, (None, "0.1")) == 1
    assert [table.at(NOON + n * DAY) for n in (-99, 1, 3, 5)] == ["0.1", "0.1", "0.2", "0.1"]


def test_a_date_that_the_source_gives_counts() -> None:
    """Synced ten days late, the price is right from its first day on; announced, from then on."""
    table = Table()
    table.sync(NOON, (None, "0.1"))
    said = [(None, "0.1"), (NOON - 10 * DAY, "0.2"), (NOON + 10 * DAY, "0.3")]
    assert table.sync(NOON, *said) == 2
    assert [table.at(NOON + n * DAY) for n in (-11, -10, 0, 9, 10)] == [
        *("0.1", "0.2", "0.2", "0.2", "0.3")
    ]
    for days in (0, 5, 10, 20):
        assert table.sync(NOON + days * DAY, *said) == 0


def test_an_announcement_that_is_withdrawn_never_comes_into_force() -> None:
    """The row stays, and says that it never was in force."""
    table = Table()
    table.sync(NOON, (None, "0.1"), (NOON + 10 * DAY, "0.3"))
    table.sync(NOON + DAY, (None, "0.1"))
    assert table.at(NOON + 11 * DAY) == "0.1"
    assert table.rows[1].period[:2] == (NOON + 10 * DAY, NOON + 10 * DAY)


def test_the_past_is_not_corrected() -> None:
    """A source that says, without a new date, that it always was otherwise, changes no cost of
    before; its price of now counts from now.
    """
    table = Table()
    table.sync(NOON, (None, "0.1"), (NOON - 10 * DAY, "0.2"))
    assert table.sync(NOON, (None, "0.5"), (NOON - 10 * DAY, "0.2")) == 0
    assert table.sync(NOON, (None, "0.5"), (NOON - 10 * DAY, "0.6")) == 1
    assert [table.at(NOON + n * DAY) for n in (-11, -1, 0)] == ["0.1", "0.2", "0.6"]


def test_a_new_name_counts_from_the_sync_on() -> None:
    """Which names a price is for is part of it."""
    table = Table()
    table.sync(NOON, (None, "0.1"))
    assert table.sync(NOON + DAY, (None, "0.1"), name="n") == 1
    assert [row.period.names for row in table.rows] == [("m",), ("n",)]


def test_a_users_prices_may_be_set_in_any_order() -> None:
    """A price set for January does not undo the one that is set for June."""
    table = Table()
    table.set(NOON + 10 * DAY, "0.2")
    table.set(NOON, "0.1")
    assert [table.at(NOON + n * DAY) for n in (-1, 0, 9, 10)] == [None, "0.1", "0.1", "0.2"]
    table.set(NOON + 10 * DAY, "0.3")
    assert [table.at(NOON + n * DAY) for n in (9, 10)] == ["0.1", "0.3"]


_DAYS = st.integers(-20, 20)
_SAID = st.tuples(
    _DAYS.filter(bool),
    st.lists(st.tuples(_DAYS, st.sampled_from("1234")), max_size=4, unique_by=lambda one: one[0]),
    st.sampled_from("1234"),
)


@given(st.lists(_SAID, min_size=1, max_size=6))
def test_whatever_is_said_in_whatever_order(
    syncs: list[tuple[int, list[tuple[int, str]], str]],
) -> None:
    """No two prices hold at once, a second sync changes nothing, and from now on what is said is
    what counts.
    """
    table, now = Table(), NOON
    for days, dated, first in syncs:
        now = max(now, now + days * DAY)
        starts = [(NOON + day * DAY, rate) for day, rate in sorted(dated)]
        said: list[tuple[datetime | None, str]] = [(None, first), *starts]
        before = {n: table.at(now - n * DAY) for n in range(1, 40)} if table.rows else {}
        table.sync(now, *said)
        assert table.sync(now, *said) == 0
        assert table.sync(now + DAY / 2, *said) == 0
        for n in range(40):
            time = now + n * DAY
            assert (
                table.at(time)
                == [rate for start, rate in said if start is None or start <= time][-1]
            )
        if not dated:
            assert {n: table.at(now - n * DAY) for n in before} == before
