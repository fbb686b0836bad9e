"""Every route there is: what it declares, and that its description is sound (HTT-5)."""

from collections import Counter
from collections.abc import Iterator
from itertools import chain
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts
from httpx import ASGITransport, AsyncClient

from topcoin.entrypoints.http.app import create_app
from topcoin.http.json_bodies import BIGINT_MAX
from topcoin.http.routing import API_PREFIX, Route
from topcoin.infra.settings import Environment, Settings, load_settings

APP = create_app(load_settings(env="test"))
DOCUMENT: dict[str, Any] = APP.openapi()
OF_THE_FRAMEWORK = {"openapi", "swagger_ui_html"}


def routes(app: FastAPI) -> list[Any]:
    """Every route of an application."""
    return [context.original_route for context in iter_route_contexts(app.routes)]


OURS = [route for route in routes(APP) if isinstance(route, Route)]


def schemas_within(value: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401 - a JSON document
    """Every object in a document, at any depth."""
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from schemas_within(inner)


def test_every_route_declares_its_access_and_its_errors() -> None:
    assert len(OURS) >= 3
    others = {route.name for route in routes(APP) if not isinstance(route, Route)}
    assert others == OF_THE_FRAMEWORK


def test_a_route_that_went_around_the_router_would_be_found() -> None:
    app = create_app(load_settings(env="test"))
    app.add_api_route("/around", lambda: None)
    found = [route for route in routes(app) if isinstance(route, APIRoute) and not isinstance(route, Route)]
    assert [route.path for route in found] == ["/around"]


@pytest.mark.parametrize("route", OURS, ids=lambda route: f"{route.path}:{'-'.join(route.methods)}")
async def test_who_has_not_signed_in_is_let_into_public_routes_alone(client: AsyncClient, route: Route) -> None:
    path = route.path_format.format_map(dict.fromkeys(route.param_convertors, "0" * 32))
    (method,) = route.methods or {"GET"}
    answer = await client.request(method, path)
    assert (answer.status_code == 401) is route.access.needs_sign_in, answer.text


def test_operations_have_names_of_their_own() -> None:
    names = Counter(route.operation_id for route in OURS)
    assert [name for name, times in names.items() if times > 1] == []


def test_the_api_lies_under_its_prefix() -> None:
    outside = {route.path for route in OURS if not route.path.startswith(f"{API_PREFIX}/")}
    assert outside <= {"/", "/healthz", "/readyz", "/metrics", "/webhooks/nowpayments"}


def test_every_number_that_a_client_sends_is_bounded() -> None:
    """A larger one would reach a column that cannot hold it."""
    operations = [operation for path in DOCUMENT["paths"].values() for operation in path.values()]
    sent = [operation.get("parameters", []) for operation in operations]
    for schema in chain.from_iterable(map(schemas_within, sent)):
        if schema.get("type") == "integer":
            assert schema["minimum"] >= -BIGINT_MAX - 1, schema
            assert schema["maximum"] <= BIGINT_MAX, schema


def test_numbers_and_times_are_written_in_one_way() -> None:
    """Decimals and times have the types of `http.schemas`; pydantic's own write exponents, and keep other zones."""
    for schema in schemas_within(DOCUMENT["components"]["schemas"]):
        assert schema.get("type") != "number", schema
        assert not str(schema.get("pattern", "")).startswith("^(?!^[-+.]*$)"), schema
        if schema.get("format") == "date-time":
            assert "examples" in schema, schema


def test_every_refused_answer_is_a_problem() -> None:
    for path, operations in DOCUMENT["paths"].items():
        for operation in operations.values():
            refused = {s: r for s, r in operation["responses"].items() if int(s) >= 400}
            assert {"500", "503"} <= set(refused), path
            assert all(set(answer["content"]) == {"application/problem+json"} for answer in refused.values()), path


def test_production_shows_no_pages_of_its_own() -> None:
    production = load_settings(env="test").model_copy(update={"env": Environment.PRODUCTION})
    assert "swagger_ui_html" in {route.name for route in routes(APP)}
    assert "swagger_ui_html" not in {route.name for route in routes(create_app(production))}


async def test_production_tells_browsers_to_keep_to_https(client: AsyncClient, worker_database: Settings) -> None:
    production = create_app(worker_database.model_copy(update={"env": Environment.PRODUCTION}))
    async with AsyncClient(transport=ASGITransport(app=production), base_url="https://topcoin.test") as secure:
        assert (await secure.get("/healthz")).headers["Strict-Transport-Security"].startswith("max-age=63072000")
    assert "Strict-Transport-Security" not in (await client.get("/healthz")).headers
