"""The live API as its own OpenAPI describes it: requests that a machine makes up of it, and what they are answered."""

import pathlib
from collections.abc import Iterator
from typing import Any

import httpx
import openapi_spec_validator
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import checks

from exporter.server.live_api import create_app
from exporter.server.platform_api import ENDPOINTS, ROOT, openapi
from tests.server.test_live_api import serving, tree  # noqa: F401

EXISTING = {"run": 60, "test": 1, "sample": 1, "output": 1}
"""Ids of the test data."""


@pytest.fixture(scope="module")
def client(tree: pathlib.Path) -> Iterator[httpx.Client]:  # noqa: F811
    with serving(create_app(str(tree))) as client:
        yield client


@pytest.mark.parametrize("mode", list(schemathesis.GenerationMode), ids=lambda mode: mode.name)
@pytest.mark.parametrize("path", ENDPOINTS)
def test_requests_made_of_the_description_are_answered_as_it_says(
    client: httpx.Client, path: str, mode: schemathesis.GenerationMode
) -> None:
    operation = schemathesis.openapi.from_dict(client.get("/openapi.json").json())[ROOT + path]["GET"]
    if mode is schemathesis.GenerationMode.NEGATIVE and not ENDPOINTS[path].parameters:
        return  # nothing in it can be wrong but a path that is another one then

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    def ask(case: Any) -> None:
        _check(case, str(client.base_url))
        case.path_parameters.update({name: EXISTING[name] for name in case.path_parameters})
        _check(case, str(client.base_url))

    ask()


CHECKS = ("not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance")


def _check(case: Any, base: str) -> None:
    """Ask, and hold the answer against the description; empty values are none, so not all that is odd is refused."""
    answer = case.call(base_url=base)
    if answer.status_code != 501:  # what no tree holds: a path that is none of the described ones
        case.validate_response(answer, checks=checks.CHECKS.get_by_names(CHECKS))


def test_the_description_is_valid_openapi() -> None:
    openapi_spec_validator.validate(openapi(), cls=openapi_spec_validator.OpenAPIV31SpecValidator)


def test_each_endpoint_reads_what_it_declares_and_declares_what_the_docs_say(client: httpx.Client) -> None:
    page = (pathlib.Path(__file__).parents[2] / "docs/live-api.md").read_text()
    for path, endpoint in ENDPOINTS.items():
        filled = path.format(**EXISTING)
        answer = client.get(ROOT + filled, params={one.name: "1" for one in endpoint.parameters})
        assert answer.status_code in (200, 400, 404), path
        for one in endpoint.parameters:
            assert f"`{one.name}`" in page, (path, one.name)
            if "enum" in one.schema or one.schema["type"] == "integer":
                refused = client.get(ROOT + filled, params={one.name: "\u0661x"})
                assert (refused.status_code, refused.json()["details"]) == (400, {"parameter": one.name}), path


@pytest.mark.parametrize("value", ["2026-13-01", "yesterday", "9" * 400, "\u0661"])
def test_a_time_is_one(client: httpx.Client, value: str) -> None:
    assert client.get(f"{ROOT}/runs", params={"created_after": value}).status_code == 400


@pytest.mark.parametrize("ids", ["9" * 12, "9" * 300, "2147483648", "9" * 5000])
@pytest.mark.parametrize("path", ["/runs/{}", "/samples/{}/history", "/regression-tests/{}", "/runs/74/samples/{}"])
def test_ids_that_nothing_can_have_are_not_found(client: httpx.Client, path: str, ids: str) -> None:
    answer = client.get(ROOT + path.format(ids))
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
