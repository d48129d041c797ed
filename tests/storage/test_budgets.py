"""Budgets: what is stored of them, who changed them, and what is no budget."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from observatory_store import Store
from observatory_store.errors import (
    ConflictError,
    InvalidCursorError,
    InvalidInputError,
    NotFoundError,
)
from observatory_store.repositories import budgets
from observatory_store.repositories.page import encode_cursor, scope_of
from storage.samples import query

HOSTILE = "'; DROP TABLE observatory.budgets; --"
CHANGES = """
    SELECT action, changed_by, old_amount_usd, new_amount_usd, old_terms -> 'period',
        new_terms -> 'filters'
    FROM observatory.budget_changes ORDER BY budget_change_id
"""


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    """A store of the project ``default``."""
    async with Store.open(database_url) as opened:
        yield opened


async def test_a_budget_is_what_it_was_set_to(store: Store, database_url: str) -> None:
    """Changed in part, the rest stays; and each change says who, when, and what it was before."""
    made = await store.budgets.set("team", 100)
    assert [made.amount_usd, made.period, made.tz, made.filters] == [100, "month", "UTC", {}]
    assert made.warn_at == (Decimal("0.5"), Decimal("0.8"), Decimal(1))
    narrowed = await store.budgets.set(
        "team",
        period="week",
        tz="Europe/Berlin",
        filters={"tag": "team=search", "model": ["b", "a", "b"], "user": None},
        warn_at=[1, "0.25", 0.25],
        by="ann",
    )
    assert narrowed.filters == {"tag": ("team=search",), "model": ("b", "a")}
    assert narrowed.warn_at == (Decimal("0.25"), Decimal(1))
    assert [narrowed.amount_usd, narrowed.budget_id] == [100, made.budget_id]
    more = await store.budgets.set("team", "250.55", by="bob")
    assert more.filters == narrowed.filters
    assert await store.budgets.get("team") == more
    assert await store.budgets.set("team", Decimal("250.550"), tz="Europe/Berlin") == more
    assert query(database_url, CHANGES) == [
        ("created", "postgres", None, 100, None, {}),
        ("changed", "ann", 100, 100, "month", {"tag": ["team=search"], "model": ["b", "a"]}),
        ("changed", "bob", 100, Decimal("250.55"), "week", dict(_lists(more.filters))),
    ]
    latest, *_ = await store.budgets.changes("team", limit=1)
    assert (latest.changed_by, latest.new_amount_usd) == ("bob", Decimal("250.55"))
    assert latest.new_terms is not None
    assert latest.new_terms.filters == more.filters
    everything = await store.budgets.set("team", filters={})
    assert everything.filters == {}


def _lists(filters: Any) -> dict[str, list[str]]:
    return {name: list(values) for name, values in filters.items()}


@pytest.mark.editions("postgres")
async def test_a_removed_budget_keeps_its_record(store: Store, database_url: str) -> None:
    """It is gone for all who ask, and one of its name begins anew."""
    await store.budgets.set("team", 5, period="year", by="ann")
    removed = await store.budgets.remove("team", by="bob")
    assert removed.disabled_at is not None
    assert (await store.budgets.list()).items == []
    for gone in (store.budgets.get("team"), store.budgets.remove("team")):
        with pytest.raises(NotFoundError, match="no budget 'team'"):
            await gone
    with pytest.raises(InvalidInputError, match="amount_usd"):
        await store.budgets.set("team", period="day")
    again = await store.budgets.set("team", 7)
    assert (again.period, again.budget_id, again.disabled_at) == ("month", removed.budget_id, None)
    assert [one.action for one in await store.budgets.changes("team")] == [
        "created",
        "removed",
        "created",
    ]
    assert (await store.budgets.changes("team"))[1].new_amount_usd is None
    for statement in (
        "UPDATE observatory.budget_changes SET changed_by = 'nobody'",
        "DELETE FROM observatory.budget_changes",
        "TRUNCATE observatory.budget_changes",
    ):
        with pytest.raises(psycopg.errors.RaiseException, match="never changed"):
            query(database_url, statement)


@pytest.mark.editions("postgres")
async def test_changes_at_once_are_each_recorded(store: Store) -> None:
    """Otherwise the record would say twice that the same amount was before."""
    await asyncio.gather(*(store.budgets.set("team", amount) for amount in range(1, 9)))
    changes = (await store.budgets.changes("team"))[::-1]
    assert changes[0].action == "created"
    before = [one.old_amount_usd for one in changes[1:]]
    assert before == [one.new_amount_usd for one in changes[:-1]]
    assert {one.new_amount_usd for one in changes} == {*map(Decimal, range(1, 9))}


@pytest.mark.editions("postgres")
async def test_projects_have_budgets_of_their_own(store: Store, database_url: str) -> None:
    """The same name twice is two budgets, of which nobody sees the other."""
    other = await store.projects.create("other")
    await store.budgets.set("team", 5)
    async with Store.open(database_url, project="other") as second:
        for gone in (
            second.budgets.get("team"),
            second.budgets.remove("team"),
            second.budgets.changes("team"),
        ):
            with pytest.raises(NotFoundError):
                await gone
        theirs = await second.budgets.set("team", 9)
        assert theirs.project_id == other.project_id
        assert [one.amount_usd for one in (await second.budgets.list()).items] == [9]
    assert [one.amount_usd for one in (await store.budgets.list()).items] == [5]


BAD: tuple[tuple[str, dict[str, Any], str], ...] = (
    *(
        ("b", {"amount_usd": amount}, "amount_usd: US dollars over 0")
        for amount in (0, -1, "NaN", "-0", "Infinity", "x", "1e13", "1e-19", float("nan"), "", "\0")
    ),
    ("b", {}, "amount_usd: a new budget needs"),
    *(
        ("b", {"amount_usd": 1, "period": period}, "period: .* none of day, week, month")
        for period in ("hour", "", "Month", HOSTILE, "\0")
    ),
    *(
        ("b", {"amount_usd": 1, "tz": tz}, "tz: .* no IANA time zone")
        for tz in ("Mars/Olympus", "", "../../etc/passwd", "\0")
    ),
    *(
        ("b", {"amount_usd": 1, "filters": {name: "x"}}, "filters: .* none of provider, model")
        for name in ("tool", "project", "colour", "", HOSTILE)
    ),
    ("b", {"amount_usd": 1, "filters": {"model": []}}, "model: give 1 to 100 values, not 0"),
    (
        "b",
        {"amount_usd": 1, "filters": {"model": [str(n) for n in range(10_000)]}},
        "model: give 1 to 100 values, not 10000",
    ),
    ("b", {"amount_usd": 1, "filters": {"user": "x" * 1001}}, "user: a value has at most 1000"),
    ("b", {"amount_usd": 1, "filters": {"user": "\0"}}, r"user: U\+0000"),
    ("b", {"amount_usd": 1, "filters": {"user": "\ud800"}}, "user: .* surrogates"),
    (
        "b",
        {"amount_usd": 1, "period": "year", "filters": {"user": "ann", "service": "shop"}},
        "period: calls by service and user together",
    ),
    *(
        ("b", {"amount_usd": 1, "warn_at": shares}, "warn_at: up to 10 shares")
        for shares in ([0], [-1], ["NaN"], [10.5], ["x"], [1 / n for n in range(1, 12)])
    ),
    *(
        (name, {"amount_usd": 1}, "name: a budget's name")
        for name in ("", " a", "a\n", "a\0", "a/b", "..", "x" * 101, "\ud800")
    ),
)


@pytest.mark.editions("postgres")
async def test_what_is_no_budget(store: Store, database_url: str) -> None:
    """The error names what is wrong, and what was set before stays."""
    before = await store.budgets.set("kept", 5)
    for name, terms, message in BAD:
        with pytest.raises(InvalidInputError, match=message):
            await store.budgets.set(name, **terms)
        if name == "b" and terms:
            with pytest.raises(InvalidInputError, match=message):
                await store.budgets.set("kept", **terms)
    for name in ("", "\0", "\ud800", "x" * 5000, HOSTILE):
        for asked in (store.budgets.get(name), store.budgets.changes(name)):
            with pytest.raises(NotFoundError):
                await asked
    for limit in (0, 1001):
        with pytest.raises(InvalidInputError, match="limit"):
            await store.budgets.changes("kept", limit=limit)
    assert (await store.budgets.list()).items == [before]
    assert query(database_url, "SELECT count(*) FROM observatory.budget_changes") == [(1,)]


@pytest.mark.editions("postgres")
async def test_hostile_names_are_only_names(store: Store) -> None:
    """Whatever can be printed may be a name or a value, and comes back as it was."""
    names = sorted((HOSTILE, "%s {} $1 %00", "Équipe « recherche » 🔭", "null", "1", "a.b"))
    for name in names:
        await store.budgets.set(name, 1, filters={"user": [name], "tag": f"team={name}"})
    assert sorted(one.name for one in (await store.budgets.list()).items) == names
    for name in names:
        assert (await store.budgets.get(name)).filters == {
            "user": (name,),
            "tag": (f"team={name}",),
        }
        found = await store.analytics.burn(await store.budgets.get(name))
        assert [found.name, found.spent_usd] == [name, 0]


@pytest.mark.editions("postgres")
async def test_page_by_page(store: Store) -> None:
    """Each budget once; a cursor is of one project's list, and not made by hand."""
    for name in ("a", "b", "Ä", "c", "🔭"):
        await store.budgets.set(name, 1)
    everything = await store.budgets.list()
    assert everything.next_cursor is None
    names: list[str] = []
    cursor = None
    while True:
        page = await store.budgets.list(limit=2, cursor=cursor)
        names += [one.name for one in page.items]
        if (cursor := page.next_cursor) is None:
            break
    assert names == [one.name for one in everything.items]
    scope = scope_of("budgets", 1)
    for forged in (
        *("", "x", "\0", encode_cursor(scope, ["ff"]), encode_cursor(scope, ["00"])),
        *(encode_cursor(scope, [7]), encode_cursor(scope_of("budgets", 2), ["61"])),
    ):
        with pytest.raises(InvalidCursorError):
            await store.budgets.list(cursor=forged)
    for limit in (0, 1001):
        with pytest.raises(InvalidInputError, match="limit"):
            await store.budgets.list(limit=limit)


@pytest.mark.editions("postgres")
async def test_not_more_budgets_than_a_list_has(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A list of all would otherwise have no bound; those that are there can still be changed."""
    monkeypatch.setattr(budgets, "MOST_BUDGETS", 2)
    for name in ("a", "b"):
        await store.budgets.set(name, 1)
    with pytest.raises(ConflictError, match="has 2 budgets"):
        await store.budgets.set("c", 1)
    await store.budgets.set("a", 2)
    await store.budgets.remove("b")
    await store.budgets.set("c", 1)


async def test_the_table_refuses_what_is_no_budget(database_url: str) -> None:
    """Who writes SQL is held to the same."""
    insert = (
        "INSERT INTO observatory.budgets (project_id, name, amount_usd, period, filters, warn_at)"
        " VALUES (1, %s, %s, %s, %s, %s)"
    )
    good = ("a", "1", "day", '{"model": ["m"]}', "{1}")
    query(database_url, insert, *good)
    bad = {
        0: ("", "a/b", "x" * 101),
        1: ("0", "-1", "NaN", "Infinity", "1e13"),
        2: ("hour", ""),
        3: (
            *("[]", '"x"', '{"tool": ["x"]}', '{"model": "m"}', '{"model": []}', '{"model": [1]}'),
            *('{"model": [["m"]]}', '{"model": null}', '{"model": ["m", null]}'),
            f'{{"model": [{", ".join(["1"] * 101)}]}}'.replace("1", '"m"'),
        ),
        4: ("{0}", "{-1}", "{NaN}", "{NULL}", "{11}", "{1,1,1,1,1,1,1,1,1,1,1}"),
    }
    for position, values in bad.items():
        for value in values:
            row = ["b", *good[1:]]
            row[position] = value
            with pytest.raises(psycopg.errors.CheckViolation):
                query(database_url, insert, *row)
    with pytest.raises(psycopg.errors.UniqueViolation):
        query(database_url, insert, *good)
