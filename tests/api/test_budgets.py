"""The routes of budgets: what they show, what they change, and for whom."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from api.service import serving
from api.telemetry import llm_attributes, span, traces
from observatory_store.database import open_pool
from observatory_store.otlp import Signal
from observatory_store.repositories import KeyRepository, ProjectRepository
from observatory_store.settings import AuthMode

if TYPE_CHECKING:
    from api.service import Service

HOSTILE = "'; DROP TABLE observatory.budgets; --"


async def test_a_budget_and_its_burn(service: Service) -> None:
    """What was sent is in the burn of the budgets that count it, and in no other."""
    await service.send(Signal.TRACES, traces(*(span(attributes=llm_attributes()) for _ in "abc")))
    usage = (await service.get("usage", group_by="model"))["rows"][0]
    # Spans may begin a moment ahead, and a day may begin amid the test.
    at = datetime.now(UTC) + timedelta(minutes=1)
    budgets = {"all": {}, "ours": {"model": usage["model"]}, "none": {"user": ["x"]}}
    for name, filters in budgets.items():
        terms = {"amount_usd": "0.001", "period": "year", "tz": "Asia/Kolkata", "filters": filters}
        put = await service.http.put(f"/api/v1/budgets/{name}", json=terms)
        assert put.status_code == 200, put.text
        assert put.json()["filters"] == {
            key: [value] if isinstance(value, str) else value for key, value in filters.items()
        }
    found = await service.get("budgets", at=at.isoformat())
    burns = {one["name"]: one["burn"] for one in found["budgets"]}
    assert list(burns) == ["all", "none", "ours"]
    assert burns["all"]["spent_usd"] == burns["ours"]["spent_usd"] == usage["cost_usd"]
    assert [burns[name]["requests"] for name in burns] == [3, 0, 3]
    assert (burns["all"]["is_exceeded"], burns["none"]["is_exceeded"]) == (True, False)
    assert burns["all"]["crossed"] == [0.5, 0.8, 1.0]
    assert burns["all"]["exhausted_at"] == burns["all"]["at"]
    assert "weekdays" in burns["none"]["expected"]["method"]
    page = await service.get("budgets", limit=1)
    page = await service.get("budgets", limit=2, cursor=page["next_cursor"])
    assert [one["name"] for one in page["budgets"]] == ["none", "ours"]
    assert page["next_cursor"] is None
    one = await service.get("budgets/ours", at=at.isoformat())
    assert one["burn"] == burns["ours"]
    assert (one["problem"], one["warn_at"]) == (None, [0.5, 0.8, 1.0])


@pytest.mark.editions("postgres")
async def test_a_budget_is_replaced_and_removed(service: Service) -> None:
    """`PUT` twice is the same as once; what it leaves out is as of a new budget."""
    url = f"/api/v1/budgets/{quote(HOSTILE, safe='')}"
    first = {
        "amount_usd": 12.5,
        "period": "day",
        "filters": {"tag": ["a=1", "b=2"]},
        "warn_at": [1],
    }
    for terms in (first, first, {"amount_usd": "7"}):
        response = await service.http.put(url, json=terms)
        assert response.status_code == 200, response.text
        assert response.json()["name"] == HOSTILE
    stored = await service.fetch(
        "SELECT name, amount_usd, period, filters FROM observatory.budgets"
    )
    assert [tuple(record) for record in stored] == [(HOSTILE, 7, "month", "{}")]
    records = await service.fetch(
        "SELECT action, changed_by = current_user FROM observatory.budget_changes ORDER BY 1"
    )
    assert [tuple(one) for one in records] == [("changed", True), ("created", True)]
    assert (await service.http.delete(url)).status_code == 204
    for method in ("GET", "DELETE"):
        response = await service.http.request(method, url)
        assert response.status_code == 404
        assert "no budget" in response.json()["detail"]
    assert (await service.get("budgets"))["budgets"] == []


@pytest.mark.editions("postgres")
@pytest.mark.parametrize(
    ("terms", "named"),
    [
        ({}, "amount_usd"),
        ({"amount_usd": 0}, "amount_usd"),
        ({"amount_usd": "-1"}, "amount_usd"),
        ({"amount_usd": "NaN"}, "amount_usd"),
        ({"amount_usd": "Infinity"}, "amount_usd"),
        ({"amount_usd": None}, "amount_usd"),
        ({"amount_usd": "1e13"}, "amount_usd"),
        ({"amount_usd": HOSTILE}, "amount_usd"),
        ({"period": "hour"}, "period"),
        ({"period": 7}, "period"),
        ({"tz": "Mars/Olympus"}, "tz"),
        ({"tz": "\0"}, "tz"),
        ({"warn_at": [0]}, "warn_at"),
        ({"warn_at": [0.5] * 11}, "warn_at"),
        ({"warn_at": "x"}, "warn_at"),
        ({"filters": {"tool": "x"}}, "filters.tool"),
        ({"filters": {"model": []}}, "filters.model"),
        ({"filters": {"model": ""}}, "filters.model"),
        ({"filters": {"model": 7}}, "filters.model"),
        ({"filters": {"model": None}}, "filters.model"),
        ({"filters": {"model": [str(n) for n in range(10_000)]}}, "filters.model"),
        ({"filters": {"user": "x" * 1001}}, "filters.user"),
        ({"filters": {"user": "\0"}}, "filters.user"),
        ({"filters": {"user": "\ud800"}}, "body"),
        ({"filters": []}, "filters"),
        ({"period": "quarter", "filters": {"user": "a", "service": "b"}}, "period"),
        ({"budget_id": 7}, "budget_id"),
    ],
    ids=lambda value: str(value)[:40].encode("ascii", "backslashreplace").decode(),
)
async def test_what_is_no_budget(service: Service, terms: dict[str, Any], named: str) -> None:
    """The problem names the part that is wrong, and nothing is stored."""
    body = terms if named == "amount_usd" else {"amount_usd": 1, **terms}
    response = await service.http.put("/api/v1/budgets/b", content=json.dumps(body))
    assert response.status_code in {400, 422}, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert named in response.json()["detail"]
    assert await service.count("budgets") == 0


@pytest.mark.editions("postgres")
async def test_what_is_no_request(service: Service) -> None:
    """Bodies, names and times that are none: an error that says so, never a fault."""
    put = service.http.put
    good = json.dumps({"amount_usd": 1})
    for name in ("%00", "a%0A", "%20a", "x" * 101, "..%20"):
        response = await put(f"/api/v1/budgets/{name}", content=good)
        assert response.status_code in {400, 422}, name
        assert "name" in response.json()["detail"]
        assert (await service.http.get(f"/api/v1/budgets/{name}")).status_code in {404, 422}
    assert (await put("/api/v1/budgets/a%2Fb", content=good)).status_code == 404
    for body in (b"", b"[]", b"{", b"null", b"\xff", b"[" * 100_000, good.encode() + b"x"):
        response = await put("/api/v1/budgets/b", content=body)
        assert (response.status_code, response.json()["title"]) == (422, "Unprocessable Entity")
    response = await put("/api/v1/budgets/b", content=b" " * (4 * 1024 * 1024 + 1))
    assert response.status_code == 413
    for query in (
        "at=now",
        "at=%00",
        "project=1",
        "at=2026-01-01T00:00:00Z&at=2026-01-01T00:00:00Z",
    ):
        response = await service.http.get(f"/api/v1/budgets?{query}")
        assert response.status_code in {400, 422}, query
    assert (await service.http.post("/api/v1/budgets", content=good)).status_code == 405
    assert await service.count("budgets") == 0


@pytest.mark.editions("postgres")
async def test_who_may_do_what(database_url: str) -> None:
    """A key reads its own project's budgets, and changes them only with the scope `admin`."""
    async with (
        open_pool(database_url) as pool,
        serving(database_url, auth=AuthMode.REQUIRED) as service,
    ):
        keys, headers = KeyRepository(pool), {}
        for project in ("mine", "theirs"):
            project_id = (await ProjectRepository(pool).create(project)).project_id
            for scope in ("read", "write", "admin"):
                key, text = await keys.create(project_id, scope, [scope])
                headers[project, scope] = {"x-api-key": text}
                if (project, scope) == ("mine", "admin"):
                    administrator = key.api_key_id
        http, url = service.http, "/api/v1/budgets/team"
        terms = {"amount_usd": "5"}
        for scope in ("read", "write"):
            for method in ("PUT", "DELETE"):
                response = await http.request(
                    method, url, json=terms, headers=headers["mine", scope]
                )
                assert response.status_code == 403
                assert "admin" in response.json()["detail"]
        # Without a key the body is not even read.
        assert (await http.put(url, content=b"x" * 10_000_000)).status_code == 401
        assert await service.count("budgets") == 0
        put = await http.put(url, json=terms, headers=headers["mine", "admin"])
        assert put.status_code == 200
        (record,) = await service.fetch("SELECT changed_by FROM observatory.budget_changes")
        assert record[0] == f"API key {administrator}"
        for scope, status in (("read", 200), ("admin", 200), ("write", 403)):
            response = await http.get(url, headers=headers["mine", scope])
            assert response.status_code == status
        theirs = headers["theirs", "admin"]
        assert (await http.get(url, headers=theirs)).status_code == 404
        assert (await http.delete(url, headers=theirs)).status_code == 404
        assert (await http.get("/api/v1/budgets", headers=theirs)).json()["budgets"] == []
        assert (await http.get(url, headers=headers["mine", "read"])).status_code == 200


@pytest.mark.editions("postgres")
async def test_one_that_cannot_be_told_hides_no_other(service: Service) -> None:
    """As once spans are kept no more that only they could tell of; here of a time too old."""
    for name, tz in (("a", "UTC"), ("b", "Asia/Kolkata")):
        terms = {"amount_usd": 1, "period": "year", "tz": tz}
        await service.http.put(f"/api/v1/budgets/{name}", json=terms)
    told, untold = (await service.get("budgets", at="1970-02-10T00:00:00Z"))["budgets"]
    assert (told["burn"]["requests"], told["problem"]) == (0, None)
    assert untold["burn"] is None
    assert "1970" in untold["problem"]
