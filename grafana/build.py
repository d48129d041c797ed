"""Builds grafana/dashboards/*.json from grafana/queries/*.sql: `make dashboards`.

A file of queries begins with `-- dashboard: title | default range`. Each query stands below
`-- panel: title | kind | unit | width x height` and, if it needs one, `-- about: explanation`.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
DATASOURCE = {"type": "grafana-postgresql-datasource", "uid": "observatory"}
COLUMNS = 24
INTERVALS = ("15m", "1h", "6h", "1d")

CURVES = {"drawStyle": "line", "showPoints": "auto", "spanNulls": True}
STACKED = {
    "drawStyle": "bars",
    "fillOpacity": 70,
    "lineWidth": 0,
    "stacking": {"mode": "normal", "group": "A"},
}
LEGEND = {
    "legend": {"displayMode": "list", "placement": "bottom"},
    "tooltip": {"mode": "multi", "sort": "desc"},
}
# The kind's panel, format of its rows, options, and how its fields are drawn.
KINDS: dict[str, tuple[str, str, dict[str, Any], dict[str, Any]]] = {
    "stat": ("stat", "table", {"reduceOptions": {"calcs": ["lastNotNull"]}}, {}),
    "lines": ("timeseries", "time_series", LEGEND, CURVES),
    "bars": ("timeseries", "time_series", LEGEND, STACKED),
    "barchart": ("barchart", "table", {"legend": {"showLegend": False}}, {}),
    "table": ("table", "table", {"showHeader": True}, {"filterable": True}),
}
UNITS_OF_COLUMNS = {
    "usd$": "currencyUSD",
    "_ms$": "ms",
    "percent$": "percent",
    "^bytes$": "bytes",
    "seconds$": "s",
}

PROJECTS = (
    "SELECT name AS __text, project_id AS __value FROM observatory.projects ORDER BY project_id"
)
# `:sqlstring` quotes each value of a variable, in every version of Grafana.
KNOWN = """
SELECT DISTINCT <column> AS __value, coalesce(nullif(<column>, ''), '(none)') AS __text
FROM observatory.<rollup>
WHERE project_id = ${project:sqlstring}
    AND bucket BETWEEN date_trunc('day', $__timeFrom()::timestamptz, 'UTC') AND $__timeTo()
ORDER BY 2 LIMIT 1000
""".strip()


def main(target: Path) -> None:
    """Write a dashboard for each file of queries."""
    for source in sorted((HERE / "queries").glob("*.sql")):
        built = json.dumps(dashboard(source.stem, source.read_text()), indent=1, ensure_ascii=False)
        (target / f"{source.stem}.json").write_text(built + "\n")


def dashboard(name: str, text: str) -> dict[str, Any]:
    """Return the dashboard that the queries describe; its uid is the name's, for ever."""
    [(title, first)] = re.findall(r"^-- dashboard: (.+) \| (.+)$", text, re.MULTILINE)
    found = re.split(r"^-- panel: ", text, flags=re.MULTILINE)[1:]
    used = set(re.findall(r"\$\{?([a-z]+)", text))
    return {
        "uid": f"observatory-{name}",
        "title": title,
        "tags": ["observatory"],
        "schemaVersion": 39,
        "editable": True,
        "timezone": "utc",
        "time": {"from": first, "to": "now"},
        "refresh": "1m",
        "graphTooltip": 1,
        "links": [
            {
                "type": "dashboards",
                "tags": ["observatory"],
                "title": "observatory",
                "asDropdown": True,
                "keepTime": True,
                "includeVars": True,
            }
        ],
        "templating": {"list": [v for v in variables() if v["name"] in used]},
        "panels": _placed([panel(number, part) for number, part in enumerate(found, 1)]),
    }


def variables() -> list[dict[str, Any]]:
    """Return what a viewer may choose."""
    return [
        _query_variable("project", PROJECTS),
        _filter("service", "service_name", "service_spans_1h"),
        _filter("environment", "coalesce(environment, '')", "service_spans_1h"),
        _filter("model", "coalesce(model, '')", "llm_usage_1d"),
        {
            "name": "interval",
            "type": "interval",
            "query": ",".join(INTERVALS),
            "current": {"text": "1h", "value": "1h"},
            "options": [{"text": i, "value": i, "selected": i == "1h"} for i in INTERVALS],
            "auto": False,
            "refresh": 2,
        },
    ]


def _filter(name: str, column: str, rollup: str) -> dict[str, Any]:
    query = KNOWN.replace("<column>", column).replace("<rollup>", rollup)
    # "All" puts the column itself into `IN (…)`: every row, also those of a value not listed.
    every = {"multi": True, "includeAll": True, "allValue": column}
    return _query_variable(name, query) | every | {"current": {"text": "All", "value": "$__all"}}


def _query_variable(name: str, query: str) -> dict[str, Any]:
    return {
        "name": name,
        "type": "query",
        "datasource": DATASOURCE,
        "query": query,
        "refresh": 2,
        "sort": 0,
    }


def panel(number: int, part: str) -> dict[str, Any]:
    """Return one panel, of which only the place is not known yet."""
    heading, _, body = part.partition("\n")
    title, kind, unit, size = heading.split(" | ")
    [(about, query)] = re.findall(r"\A(?:-- about: (.+)\n)?([\s\S]+)", body.strip())
    type_, form, options, drawing = KINDS[kind]
    width, height = map(int, size.split("x"))
    overrides = [
        {
            "matcher": {"id": "byRegexp", "options": f"/{pattern}/"},
            "properties": [{"id": "unit", "value": value}],
        }
        for pattern, value in UNITS_OF_COLUMNS.items()
    ]
    return {
        "id": number,
        "type": type_,
        "title": title,
        **({"description": about} if about else {}),
        "gridPos": {"w": width, "h": height},
        "datasource": DATASOURCE,
        "fieldConfig": {
            "defaults": {"unit": unit, "custom": drawing},
            "overrides": overrides if kind == "table" else [],
        },
        "options": options,
        "targets": [
            {
                "refId": "A",
                "datasource": DATASOURCE,
                "editorMode": "code",
                "rawQuery": True,
                "format": form,
                "rawSql": query,
            }
        ],
    }


def _placed(panels: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Put them side by side, and into the next row where one does not fit."""
    x = y = height = 0
    for one in panels:
        place = one["gridPos"]
        if x + place["w"] > COLUMNS:
            x, y, height = 0, y + height, 0
        place |= {"x": x, "y": y}
        x, height = x + place["w"], max(height, place["h"])
    return panels


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "dashboards")
