"""grafana/: every query of every panel runs on every edition, by the role that Grafana has."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml

from analysts.grafana import Every, Value, expand

GRAFANA = Path(__file__).parents[2] / "grafana"
DASHBOARDS = {
    path.stem: json.loads(path.read_text()) for path in sorted(GRAFANA.glob("dashboards/*.json"))
}
PANELS = {
    f"{name}: {panel['title']}": panel
    for name, dashboard in DASHBOARDS.items()
    for panel in dashboard["panels"]
}
VARIABLES = {
    variable["name"]: variable
    for dashboard in DASHBOARDS.values()
    for variable in dashboard["templating"]["list"]
}
QUERIES = {name: panel["targets"][0]["rawSql"] for name, panel in PANELS.items()}
COLUMNS = 24

EVERYTHING: dict[str, Value] = {
    "project": "1",
    "interval": "1h",
    **{name: Every(VARIABLES[name]["allValue"]) for name in ("service", "environment", "model")},
}
CHOSEN: dict[str, Value] = {
    **EVERYTHING,
    "service": ["search", "o'neill"],
    "environment": ["", "production"],
    "model": ["gpt-4o-2024-08-06", "tiny-1"],
}


def _of_the_last(days: float) -> tuple[datetime, datetime]:
    end = datetime.now(UTC)
    return end - timedelta(days=days), end


def test_the_files_are_in_step(tmp_path: Path) -> None:
    """Whoever changes a query and forgets `make dashboards` would see the old one in Grafana."""
    subprocess.run([sys.executable, GRAFANA / "build.py", tmp_path], check=True)
    built = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert built == {path.name: path.read_text() for path in GRAFANA.glob("dashboards/*")}


def test_dashboards() -> None:
    """They are found by an id that stays, and their panels lie side by side within the page."""
    assert set(DASHBOARDS) == {"usage", "cost", "latency", "errors", "ingest"}
    for name, dashboard in DASHBOARDS.items():
        assert dashboard["uid"] == f"observatory-{name}"
        assert "id" not in dashboard
        panels = dashboard["panels"]
        assert [panel["id"] for panel in panels] == list(range(1, len(panels) + 1))
        places = [panel["gridPos"] for panel in panels]
        cells = [
            (x, y)
            for place in places
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        ]
        assert len(cells) == len(set(cells))
        assert max(x for x, _ in cells) < COLUMNS
    for path in GRAFANA.glob("dashboards/*"):
        assert path.stat().st_size < 20_000


def test_provisioning() -> None:
    """The panels name the data source that is provisioned, and it connects as the reader."""
    provisioned = yaml.safe_load(
        (GRAFANA / "provisioning/datasources/observatory.yaml").read_text()
    )
    [source] = provisioned["datasources"]
    for panel in PANELS.values():
        for one in (panel, *panel["targets"]):
            assert one["datasource"] == {"type": source["type"], "uid": source["uid"]}
    assert f"ROLE {source['user']} " in (GRAFANA / "reader.sql").read_text()
    compose = yaml.safe_load((GRAFANA.parent / "docker-compose.yml").read_text())
    mounted = dict(volume.split(":")[:2] for volume in compose["services"]["grafana"]["volumes"])
    boards = yaml.safe_load((GRAFANA / "provisioning/dashboards/observatory.yaml").read_text())
    assert mounted["./grafana/dashboards"] == boards["providers"][0]["options"]["path"]


@pytest.mark.parametrize("name", PANELS)
@pytest.mark.parametrize("days", [0.05, 12.5])
@pytest.mark.parametrize("values", [EVERYTHING, CHOSEN], ids=["everything", "chosen"])
def test_a_panel_gets_what_it_draws(
    reader: psycopg.Connection[dict[str, Any]], name: str, days: float, values: dict[str, Value]
) -> None:
    """Grafana draws a series from a time, at most a text named metric, and numbers, in the order of
    time; a table from columns with names of their own.
    """
    panel = PANELS[name]
    cursor = reader.execute(expand(QUERIES[name], *_of_the_last(days), values).encode())
    assert cursor.description is not None
    columns = [column.name for column in cursor.description]
    rows = cursor.fetchall()
    assert "?column?" not in columns
    assert len(columns) == len(set(columns))
    if days > 1:
        assert rows
        assert any(value is not None for value in rows[0].values())
    if panel["type"] == "stat":
        assert len(rows) <= 1
        assert all(_is_number(value) for row in rows for value in row.values())
    elif panel["targets"][0]["format"] == "time_series":
        assert columns[0] == "time"
        metric, numbers = ["metric"] * ("metric" in columns), set(columns[1:]) - {"metric"}
        assert numbers
        assert not metric or len(numbers) == 1
        times = [row["time"] for row in rows]
        assert times == sorted(times)
        keys = [(row["time"], row.get("metric")) for row in rows]
        assert len(keys) == len(set(keys))
        assert all(isinstance(row[column], str) for row in rows for column in metric)
        assert all(_is_number(row[column]) for row in rows for column in numbers)
    else:
        assert not any(isinstance(value, list | dict) for row in rows for value in row.values())


COUNT = "SELECT count(*)::numeric AS value FROM calls"
COST = "SELECT sum(cost_usd) AS value FROM calls"
ERRORS = "SELECT count(*)::numeric AS value FROM calls WHERE status = 'error'"
SPANS = "SELECT count(*)::numeric AS value FROM spans"
SUMS = {
    "usage: Calls": ("calls", COUNT),
    "usage: Tokens": ("tokens", "SELECT sum(input_tokens + output_tokens) AS value FROM calls"),
    "usage: Cost": ("cost_usd", COST),
    "usage: Calls by model": ("calls", COUNT),
    "usage: Tokens by class": (
        "input from cache",
        "SELECT sum(cache_read_tokens) AS value FROM calls",
    ),
    "usage: Services": ("calls", COUNT),
    "usage: Agents": ("cost_usd", f"{COST} WHERE agent_name IS NOT NULL"),
    "cost: Cost": ("cost_usd", COST),
    "cost: Calls without a price": (
        "calls",
        "SELECT count(*) AS value FROM calls WHERE cost_usd IS NULL AND status <> 'error'",
    ),
    "cost: Cost by model": ("cost_usd", COST),
    "cost: Cost by service": ("cost_usd", COST),
    "cost: Models": ("cost_usd", COST),
    "cost: Tags": (
        "cost_usd",
        "SELECT sum(cost_usd * cardinality(tags)) AS value FROM calls",
    ),
    "cost: Users": ("cost_usd", f"{COST} WHERE user_id IS NOT NULL"),
    "cost: Sessions": ("cost_usd", f"{COST} WHERE session_id IS NOT NULL"),
    "latency: Distribution": ("calls", COUNT),
    "latency: Models": ("calls", COUNT),
    "errors: Calls that failed": ("errors", ERRORS),
    "errors: Errors by type": ("errors", ERRORS),
    "errors: Commonest errors": ("errors", ERRORS),
    "errors: Tools": ("executions", f"{SPANS} WHERE tool_name IS NOT NULL"),
    "errors: Spans that failed, by service": ("errors", f"{SPANS} WHERE status = 'error'"),
    "ingest: Spans": ("spans", SPANS),
    "ingest: Spans by service": ("spans", SPANS),
    "ingest: Log records": ("records", "SELECT 29 AS value"),
    "ingest: Calls without a price": (
        "calls",
        "SELECT count(*) AS value FROM calls WHERE cost_usd IS NULL AND status <> 'error'",
    ),
}
"""A column of a panel, and what its sum must be of all the data."""


@pytest.mark.parametrize("name", SUMS)
def test_a_panel_equals_a_recount(reader: psycopg.Connection[dict[str, Any]], name: str) -> None:
    """The right columns of the wrong rows would look as convincing."""
    column, recount = SUMS[name]
    query = expand(QUERIES[name], *_of_the_last(14), EVERYTHING)
    shown = reader.execute(query.encode()).fetchall()
    both = (
        "WITH spans AS (SELECT * FROM observatory.spans WHERE project_id = 1),"
        f" calls AS (SELECT * FROM spans WHERE is_inference) {recount}"
    )
    counted = reader.execute(both.encode()).fetchone()
    assert counted is not None
    assert math.isclose(sum(row[column] for row in shown), counted["value"])


@pytest.mark.parametrize(
    ("panel", "column"),
    [
        ("latency: Latency", "duration_us / 1000.0"),
        ("latency: Time to the first token", "time_to_first_token_ms"),
    ],
)
def test_percentiles(reader: psycopg.Connection[dict[str, Any]], panel: str, column: str) -> None:
    """Within the 1 % that the panel promises of the exact ones, also of chosen models."""
    models = "coalesce(response_model, request_model) IN ('gpt-4o-2024-08-06', 'tiny-1')"
    where = f"service_name = 'search' AND coalesce(environment, '') <> 'test' AND {models}"
    for values, chosen in ((EVERYTHING, "true"), (CHOSEN, where)):
        query = expand(QUERIES[panel], *_of_the_last(14), values)
        shown = reader.execute(query.encode()).fetchone()
        found = reader.execute(
            f"SELECT {column} AS value FROM observatory.spans WHERE project_id = 1 AND is_inference"
            f" AND {column} IS NOT NULL AND {chosen} ORDER BY 1".encode()
        ).fetchall()
        assert shown is not None
        for name, q in {"p50": 0.5, "p95": 0.95, "p99": 0.99}.items():
            exact = float(found[math.floor(q * (len(found) - 1))]["value"])
            assert math.isclose(float(shown[name]), exact, rel_tol=0.0101)


def test_variables(reader: psycopg.Connection[dict[str, Any]]) -> None:
    """What a viewer may choose is what there is; an environment that was not sent has a name."""
    offered = {}
    for name, variable in VARIABLES.items():
        if variable["type"] == "query":
            query = expand(variable["query"], *_of_the_last(14), {"project": "1"})
            rows = reader.execute(query.encode()).fetchall()
            offered[name] = {str(row["__value"]): row["__text"] for row in rows}
    assert offered["project"] == {"1": "default"}
    assert offered["service"] == {"gateway": "gateway", "search": "search"}
    assert offered["environment"] == {"": "(none)", "production": "production", "test": "test"}
    assert "tiny-1" in offered["model"]
    assert VARIABLES["interval"]["query"].split(",") == ["15m", "1h", "6h", "1d"]


@pytest.mark.parametrize("interval", VARIABLES["interval"]["query"].split(","))
def test_intervals(reader: psycopg.Connection[dict[str, Any]], interval: str) -> None:
    """Each is made of whole quarter-hours, so that none is drawn twice or not at all."""
    values = {**EVERYTHING, "interval": interval}
    totals = {
        sum(row["calls"] for row in reader.execute(query.encode()).fetchall())
        for query in (
            expand(QUERIES["usage: Calls by model"], *_of_the_last(14), one)
            for one in (values, EVERYTHING)
        )
    }
    assert len(totals) == 1


def _is_number(value: Any) -> bool:
    return value is None or isinstance(value, int | float | Decimal)
