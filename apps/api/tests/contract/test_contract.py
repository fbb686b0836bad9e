"""The API keeps to its description, whatever it is sent: no 5xx, every answer as declared; signed in and not.

Schemathesis makes the requests from the OpenAPI document, sound ones and unsound ones.
"""

import asyncio
from collections.abc import Coroutine, Generator
from contextlib import AsyncExitStack
from typing import Any, TypeVar

import psycopg
import pytest
import requests
import schemathesis
from httpx import ASGITransport, AsyncClient, Response
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from schemathesis import Case, GenerationMode
from schemathesis.checks import CheckFunction, not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from support.factories import NOW, insert_now, user_row

from topcoin.entrypoints.http.app import create_app
from topcoin.infra.database.connect import Role, database_url
from topcoin.infra.settings import Settings, load_settings
from topcoin.kernel.access import StaffRole
from topcoin.kernel.ids import new_id

Result = TypeVar("Result")

EXAMPLES = 6
"""For each operation, each way of making requests, and each caller."""

CHECKS: list[CheckFunction] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    allow_header_conformance,
]

SLOW_MACHINES = (HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large)
UNHURRIED = hypothesis_settings(
    max_examples=EXAMPLES, deadline=None, derandomize=True, suppress_health_check=SLOW_MACHINES
)

PASSWORD = "correct horse battery staple"  # noqa: S105 - of the tests' own
URL = "https://topcoin.test"

SCHEMA = schemathesis.openapi.from_dict(create_app(load_settings(env="test")).openapi())
OPERATIONS = [found.ok() for found in SCHEMA.get_all_operations() if isinstance(found, Ok)]


class Caller:
    """Calls the application from tests that know nothing of event loops, signed in or not."""

    def __init__(self, runner: asyncio.Runner, client: AsyncClient, email: str | None) -> None:
        self.runner = runner
        self.client = client
        self.email = email

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Do some work in the application's event loop."""
        return self.runner.run(work)

    def sign_in(self) -> None:
        """Start a session anew, as the requests before may have ended it."""
        self.client.cookies.clear()
        if self.email is not None:
            body = {"email": self.email, "password": PASSWORD}
            answer = self.run(self.client.post("/api/v1/auth/login", json=body))
            assert answer.status_code == 200, answer.text
            self.client.headers["X-CSRF-Token"] = answer.json()["csrf_token"]

    def send(self, case: Case) -> Response:
        """Send a request that schemathesis has made; what signs in is ours."""
        made = requests.Request(**case.as_transport_kwargs(base_url=URL)).prepare()
        ours = {"x-csrf-token", "cookie", "authorization", "content-length"}
        headers = [(_bytes(name), _bytes(value)) for name, value in made.headers.items() if name.lower() not in ours]
        body = b"" if made.body is None else made.body
        assert made.method is not None
        assert isinstance(body, str | bytes)
        return self.run(self.client.request(made.method, str(made.url), headers=headers, content=body))


def _bytes(text: str | bytes) -> bytes:
    """A header as it goes over the wire."""
    return text if isinstance(text, bytes) else text.encode("latin-1")


@pytest.fixture(params=[None, "customer", StaffRole.AUDITOR])
def caller(request: pytest.FixtureRequest, database: Settings) -> Generator[Caller]:
    """Nobody, a customer, a member of the staff."""
    role: str | None = request.param
    email = None if role is None else f"{role}@example.com"
    if role is not None and email is not None:
        with psycopg.connect(database_url(database, Role.OWNER)) as connection:
            insert_person(connection, email, role)
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        app = create_app(database)
        runner.run(stack.enter_async_context(app.router.lifespan_context(app)))
        client = AsyncClient(transport=ASGITransport(app=app, raise_app_exceptions=False), base_url=URL)
        runner.run(stack.enter_async_context(client))
        yield Caller(runner, client, email)
        runner.run(stack.aclose())


def insert_person(connection: psycopg.Connection, email: str, role: str) -> None:
    """A customer, or a member of the staff."""
    hashed = PasswordHash((Argon2Hasher(time_cost=1, memory_cost=8, parallelism=1),)).hash(PASSWORD)
    is_staff = role in set(StaffRole)
    user = user_row(email=email, hashed_password=hashed, is_admin=is_staff)
    insert_now(connection, "users", user)
    if is_staff:
        grant = {"user_id": user["id"], "role": role, "granted_by": new_id(), "granted_at": NOW}
        insert_now(connection, "user_roles", grant)


def takes_input(operation: APIOperation) -> bool:
    """Whether there is anything about a request that could be unsound."""
    described: dict[str, Any] = operation.definition.raw
    return bool(described.get("parameters") or described.get("requestBody"))


def test_answers_are_as_described(caller: Caller) -> None:
    assert len(OPERATIONS) >= 3
    for operation in OPERATIONS:
        for mode in GenerationMode if takes_input(operation) else (GenerationMode.POSITIVE,):
            caller.sign_in()

            @given(case=operation.as_strategy(generation_mode=mode))
            @UNHURRIED
            def check(case: Case) -> None:
                case.validate_response(caller.send(case), checks=CHECKS)

            check()
