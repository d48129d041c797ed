"""``budgets``: what people set and see."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from observatory_store import Store
from observatory_store.cli.budget_tables import bar
from storage.samples import now, query, span

from .conftest import Command

pytestmark = pytest.mark.editions("postgres")


def _spend(url: str) -> None:
    async def write() -> None:
        async with Store.open(url) as store:
            await store.write_spans(
                [
                    span(1, start_time=now(), cost_usd=Decimal("0.75"), tags=("team=search",)),
                    span(2, start_time=now(), cost_usd=None, request_model="?", input_tokens=1),
                ]
            )

    asyncio.run(write())


def test_a_budget_from_its_making_to_its_end(on_database: Command, database_url: str) -> None:
    """Said in part, the rest stays; and the record knows who it was."""
    new = ("search", "--amount", "300.50", "--period", "week", "--tz", "Europe/Berlin")
    filters = ("--tag", "team=search", "--model", "gpt-4o", "--model", "o9")
    made = on_database("budgets", "set", *new, *filters, "--warn-at", "0.9", "--json")
    assert (made.code, made.json["amount_usd"], made.json["period"]) == (0, "300.50", "week")
    changed = on_database("budgets", "set", "search", "--amount", "12").out
    for part in ("$12.0000", "week", "Europe/Berlin", "tag team=search", "gpt-4o, o9", "90%"):
        assert part in changed
    assert on_database("budgets", "set", "search", "--unfiltered", "--json").json["filters"] == {}
    shown = on_database("budgets", "show", "search", "--json").json
    assert [one["action"] for one in shown["changes"]] == ["changed", "changed", "created"]
    assert shown["changes"][0]["old_terms"]["filters"]["model"] == ["gpt-4o", "o9"]
    assert shown["budget"]["amount_usd"] == "12"
    assert "$300.5000" in on_database("budgets", "show", "search").out
    listed = on_database("budgets", "list", "--json").json
    assert listed == [shown["budget"]]
    assert on_database("budgets", "remove", "search").out == "removed budget search\n"
    assert on_database("budgets", "list").out.startswith("No budgets.")
    assert query(database_url, "SELECT count(*) FROM observatory.budget_changes") == [(4,)]


@pytest.mark.usefixtures("within_a_day")
def test_burn_tells_by_its_exit_code(on_database: Command, database_url: str) -> None:
    """A timer needs to read nothing to know that a budget is exceeded."""
    assert on_database("budgets", "burn").code == 0
    _spend(database_url)
    on_database("budgets", "set", "enough", "--amount", "1", "--tag", "team=search")
    on_database("budgets", "set", "all", "--amount", "0.7", "--period", "day")
    assert on_database("budgets", "burn", "enough", "--at", "now").code == 0
    exceeded, enough = (outcome := on_database("budgets", "burn", "--json")).json
    assert outcome.code == 1
    assert (exceeded["name"], exceeded["spent_usd"]) == ("all", "0.75")
    assert (exceeded["is_exceeded"], exceeded["remaining_usd"]) == (True, "-0.05")
    assert exceeded["crossed"] == ["0.5", "0.8", "1"]
    assert (exceeded["requests"], exceeded["unpriced_requests"]) == (2, 1)
    assert (enough["requests"], enough["is_exceeded"], enough["problem"]) == (1, False, None)
    table = on_database("budgets", "burn")
    assert table.code == 1
    assert f"{bar(0.75)} 75%" in table.out
    assert f"{bar(1)} 107%" in table.out
    assert on_database("budgets", "burn", "--at", "1970-01-10T00:00:00Z").code == 1
    assert "all cannot be told" in on_database("budgets", "burn", "--at", "1970-01-10T00:00Z").out


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("set", "b"), "amount_usd"),
        (("set", "b", "--amount", "0"), "amount_usd"),
        (("set", "b", "--amount=-1"), "amount_usd"),
        (("set", "b", "--amount", "NaN"), "amount_usd"),
        (("set", "b", "--amount", "1", "--period", "hour"), "period"),
        (("set", "b", "--amount", "1", "--tz", "Mars/Olympus"), "tz"),
        (("set", "b", "--amount", "1", "--tool", "x"), "--tool"),
        (("set", "b", "--amount", "1", "--warn-at", "x"), "warn_at"),
        (("set", "b", "--amount", "1", "--user", "x", "--unfiltered"), "--unfiltered"),
        (("set", "b", "--amount", "1", "--user", "\udc80"), "user"),
        (("set", "a/b", "--amount", "1"), "name"),
        (("show", "b"), "no budget 'b'"),
        (("remove", "b"), "no budget 'b'"),
        (("burn", "b"), "no budget 'b'"),
        (("burn", "--at", "soon"), "soon"),
        (("list", "--project", "nobody"), "nobody"),
    ],
    ids=lambda value: " ".join(value).encode("ascii", "replace").decode(),
)
def test_what_is_refused(
    on_database: Command, database_url: str, arguments: tuple[str, ...], named: str
) -> None:
    """One line on standard error, exit code 2, and nothing stored."""
    outcome = on_database("budgets", *arguments)
    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (2, "", 1)
    assert named in outcome.err
    assert query(database_url, "SELECT count(*) FROM observatory.budgets") == [(0,)]


def test_a_bar_is_full_when_all_is_spent() -> None:
    """Not before, by rounding; and what is over fits the table too."""
    assert [bar(share).count("█") for share in (0, 0.001, 0.5, 0.999, 1, 7)] == [
        0,
        1,
        10,
        19,
        20,
        20,
    ]
    assert {len(bar(share / 7)) for share in range(20)} == {20}
