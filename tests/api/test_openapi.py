"""What /openapi.json shows can be believed: its examples run, and are what the service answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from api.service import serving
from observatory_store.api.answers.comparison import Comparison
from observatory_store.api.answers.cost import Forecast
from observatory_store.api.answers.errors import Errors
from observatory_store.api.answers.latency import Latency
from observatory_store.api.answers.price import UnpricedModels
from observatory_store.api.answers.problem import Problem
from observatory_store.api.answers.session import SessionPage
from observatory_store.api.answers.usage import Usage
from observatory_store.database import open_pool
from observatory_store.repositories import KeyRepository, ProjectRepository
from observatory_store.settings import AuthMode

if TYPE_CHECKING:
    from api.service import Service
    from observatory_store.api.answers.base import Answer

pytestmark = pytest.mark.editions("postgres")

ANSWERS: dict[str, type[Answer]] = {
    "usage": Usage,
    "usage/comparison": Comparison,
    "latency": Latency,
    "errors": Errors,
    "sessions": SessionPage,
    "costs/forecast": Forecast,
    "prices/unpriced": UnpricedModels,
}
ECHOED = ("from", "to", "before_from", "before_to", "interval", "tz", "confidence", "method")


async def _operations(service: Service) -> dict[str, Any]:
    document = (await service.http.get("/openapi.json")).json()
    return {
        path: operations["get"]
        for path, operations in document["paths"].items()
        if path.startswith("/api/v1/")
    }


async def test_examples_are_answers(service: Service) -> None:
    """A reader writes a program by the example; each runs, and says what its request asks for."""
    operations = await _operations(service)
    for path, model in ANSWERS.items():
        (content,) = operations[f"/api/v1/{path}"]["responses"]["200"]["content"].values()
        assert content["schema"]["$ref"].endswith(f"/{model.__name__}")
        (example,) = content["examples"].values()
        model.model_validate(example["value"], strict=True)
        method, request = example["description"].strip("`").split(" ")
        assert request.partition("?")[0] == f"/api/v1/{path}"
        response = await service.http.request(method, request)
        assert response.status_code == 200, response.text
        found = response.json()
        assert found.keys() == example["value"].keys()
        for name in set(ECHOED) & found.keys():
            assert found[name] == example["value"][name], (path, name)


async def test_examples_of_parameters_are_taken(service: Service) -> None:
    """Whoever tries a parameter with the value that is shown gets an answer."""
    tried = 0
    for path, operation in (await _operations(service)).items():
        if path.removeprefix("/api/v1/") not in ANSWERS:
            continue
        for parameter in operation["parameters"]:
            if parameter["name"] in {"from", "to"}:
                # They make sense together, as in the requests above.
                continue
            schema = parameter["schema"]
            for part in (schema, *schema.get("anyOf", ())):
                for value in part.get("examples", ()):
                    response = await service.http.get(path, params={parameter["name"]: value})
                    assert response.status_code == 200, (path, parameter["name"], response.text)
                    tried += 1
    assert tried > len(ANSWERS)


async def test_problems_are_described_as_they_are_sent(database_url: str) -> None:
    """A client that is generated from the description understands what it did wrong."""
    async with serving(database_url, auth=AuthMode.REQUIRED) as service:
        for operation in (await _operations(service)).values():
            assert {"400", "401", "403", "422", "503"} <= operation["responses"].keys()
            for status, response in operation["responses"].items():
                if status == "200":
                    continue
                (media_type,) = response["content"]
                assert media_type == "application/problem+json"
                content = response["content"][media_type]
                assert content["schema"]["$ref"] == "#/components/schemas/Problem"
                shown = Problem.model_validate(content["example"], strict=True)
                assert str(shown.status) == status
        async with open_pool(database_url) as pool:
            project = await ProjectRepository(pool).create("p")
            _, writing = await KeyRepository(pool).create(project.project_id, "w", ["write"])
        for key, status in (("obs_wrong", 401), (writing, 403)):
            shown = operation["responses"][str(status)]["content"][media_type]["example"]
            for path in ANSWERS:
                refused = await service.http.get(f"/api/v1/{path}", headers={"x-api-key": key})
                assert (refused.status_code, refused.json()) == (status, shown)
                assert refused.headers["content-type"] == media_type
