"""The API's description: OpenAPI, with every problem that a route may answer, and both ways of signing in."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from topcoin.http.authentication import SESSION_COOKIE
from topcoin.http.problems import PROBLEM_SCHEMA, Problem
from topcoin.http.request_ids import REQUEST_ID_HEADER
from topcoin.http.routing import API_KEY_SECURITY, SESSION_SECURITY


def describe(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document of an application."""
    document = get_openapi(title=app.title, version=app.version, summary=app.summary, routes=app.routes)
    components: dict[str, Any] = document.setdefault("components", {})
    schemas: dict[str, Any] = components.setdefault("schemas", {})
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(problem.pop("$defs"))
    schemas[PROBLEM_SCHEMA] = problem
    components["securitySchemes"] = {
        SESSION_SECURITY: {"type": "apiKey", "in": "cookie", "name": SESSION_COOKIE},
        API_KEY_SECURITY: {"type": "http", "scheme": "bearer"},
    }
    components["headers"] = {
        REQUEST_ID_HEADER: {"description": "The request's name in our logs.", "schema": {"type": "string"}}
    }
    for operations in document["paths"].values():
        for operation in operations.values():
            for response in operation["responses"].values():
                response.setdefault("headers", {})[REQUEST_ID_HEADER] = {
                    "$ref": f"#/components/headers/{REQUEST_ID_HEADER}"
                }
    return document
