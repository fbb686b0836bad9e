"""What the operator looks at: health, readiness, metrics."""

from dataclasses import replace

import psycopg
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy.ext.asyncio import create_async_engine

from topcoin.entrypoints.http.app import create_app
from topcoin.infra.database import migrations
from topcoin.infra.database.connect import Role, database_url, session_factory
from topcoin.infra.settings import Environment, Settings


def samples(text: str) -> dict[tuple[str, ...], float]:
    """The figures of a scrape, by name and labels."""
    return {
        (sample.name, *(f"{name}={value}" for name, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def test_a_process_that_answers_is_healthy(client: AsyncClient) -> None:
    answer = await client.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


async def test_a_service_whose_database_is_at_the_newest_revision_is_ready(client: AsyncClient) -> None:
    answer = await client.get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ready", "revision": migrations.head()})


async def test_a_service_whose_database_is_behind_is_not_ready(database: Settings) -> None:
    with psycopg.connect(database_url(database, Role.OWNER)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0001'")
    app = create_app(database)
    async with (
        app.router.lifespan_context(app),
        AsyncClient(transport=ASGITransport(app=app), base_url="http://topcoin.test") as client,
    ):
        answer = await client.get("/readyz")
        assert (answer.status_code, answer.json()["code"]) == (503, "not_ready")
        assert "topcoin migrate" in answer.json()["detail"]
        assert (await client.get("/healthz")).status_code == 200


async def test_a_service_that_could_lose_what_it_confirms_is_not_ready(app: FastAPI, client: AsyncClient) -> None:
    """LED-7. The tests' own server does not sync to disk, which only tests may do."""
    lenient = app.state.resources
    settings = lenient.settings.model_copy(update={"env": Environment.DEVELOPMENT})
    app.state.resources = replace(lenient, settings=settings)
    answer = await client.get("/readyz")
    assert (answer.status_code, answer.json()["code"]) == (503, "not_ready")
    assert "fsync" in answer.json()["detail"]


async def test_requests_are_counted_by_route_and_not_by_path(client: AsyncClient) -> None:
    for path in ("/healthz", "/healthz", "/x/1", "/x/2"):
        await client.get(path)
    found = samples((await client.get("/metrics")).text)
    count = "topcoin_http_requests_total"
    assert found[count, "method=GET", "route=/healthz", "status=200"] == 2
    assert found[count, "method=GET", "route=unmatched", "status=404"] == 2
    assert found["topcoin_http_request_seconds_count", "method=GET", "route=/healthz"] == 2
    assert found["topcoin_http_requests_in_flight",] == 1
    assert found["topcoin_database_up",] == 1
    assert found["topcoin_ledger_entries",] >= 0
    assert {key[1:] for key in found if key[0] == "topcoin_database_connections"} == {
        (f"role={role}", f"state={state}") for role in ("app", "read") for state in ("idle", "in_use")
    }


async def test_a_method_that_nobody_knows_is_not_counted_by_its_name(client: AsyncClient) -> None:
    await client.request("X" * 50, "/healthz")
    assert "XXXX" not in (await client.get("/metrics")).text


async def test_without_the_database_the_operator_still_sees(app: FastAPI, client: AsyncClient) -> None:
    """The service says that it is not ready, goes on answering for itself, and metrics say what is missing."""
    nowhere = create_async_engine("postgresql+psycopg:///nothing?host=/nowhere")
    app.state.resources = replace(app.state.resources, autocommit_sessions=session_factory(nowhere))
    assert (await client.get("/readyz")).json()["code"] == "database_unavailable"
    assert (await client.get("/healthz")).status_code == 200
    assert samples((await client.get("/metrics")).text)["topcoin_database_up",] == 0
