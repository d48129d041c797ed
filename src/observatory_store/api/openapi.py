"""What ``/openapi.json`` says beyond types: worked examples, and problems in their media type."""

from __future__ import annotations

import json
from collections.abc import Sequence
from http import HTTPStatus
from importlib import resources
from typing import Any, Final

from fastapi import FastAPI

from observatory_store.api.answers.problem import PROBLEM, FieldError, Problem

_JSON: Final = "application/json"


def _problem(
    status: HTTPStatus, description: str, detail: str, errors: Sequence[FieldError] = ()
) -> dict[int | str, dict[str, Any]]:
    shown = Problem(
        title=status.phrase, status=status, detail=detail, errors=list(errors) or None
    ).model_dump(exclude_none=True)
    content = {PROBLEM: {"example": shown}}
    return {int(status): {"model": Problem, "description": description, "content": content}}


DOCUMENTED: Final = (
    _problem(
        HTTPStatus.BAD_REQUEST,
        "A value cannot be used, or the query takes too long: narrow its range or filter.",
        "the range is empty: its start (from) must be before its end (to)",
    )
    | _problem(HTTPStatus.UNAUTHORIZED, "No valid API key.", "the API key is not valid")
    | _problem(
        HTTPStatus.FORBIDDEN,
        "The key lacks the scope `read`.",
        "the API key lacks the scope 'read'",
    )
    | _problem(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "A parameter is unknown, malformed or out of its range.",
        "modell: There is no such parameter.",
        [FieldError(parameter="modell", message="There is no such parameter.")],
    )
    | _problem(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "The database cannot answer now; `Retry-After` says when to try again.",
        "the database cannot take the request now; try again later",
    )
)
"""The problems that every query may meet."""
NOT_FOUND: Final = _problem(
    HTTPStatus.NOT_FOUND,
    "The project has nothing of that name or id.",
    f"there is no trace {'1' * 32}",
)


class DescribedAPI(FastAPI):
    """An application whose description has problems as they are sent, and worked examples.

    An example is a file of the folder ``examples``: a request, and a response to it.
    """

    def openapi(self) -> dict[str, Any]:
        """Return the description."""
        if self.openapi_schema is None:
            paths = super().openapi()["paths"]
            _mend_problems(paths)
            _add_examples(paths)
        return super().openapi()


def _mend_problems(paths: dict[str, Any]) -> None:
    # FastAPI describes every model as plain JSON.
    for operations in paths.values():
        for operation in operations.values():
            for response in operation["responses"].values():
                content = response.get("content", {})
                schema = content.get(_JSON, {}).get("schema")
                if schema == {"$ref": "#/components/schemas/Problem"}:
                    content[PROBLEM] = content.pop(_JSON) | content.get(PROBLEM, {})


def _add_examples(paths: dict[str, Any]) -> None:
    # Not by the routes themselves: FastAPI drops every null of what they say.
    for file in resources.files("observatory_store.api").joinpath("examples").iterdir():
        example = json.loads(file.read_text("utf-8"))
        method, request = example["request"].split(" ")
        operation = paths[request.partition("?")[0]][method.lower()]
        operation["responses"]["200"]["content"][_JSON]["examples"] = {
            file.name.removesuffix(".json"): {
                "summary": example["summary"],
                "description": f"`{example['request']}`",
                "value": example["response"],
            }
        }
