"""OpenAPI 3.1 of the routes, from the routes."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from commhub import __version__
from commhub.api.problems import TYPE
from commhub.api.routes import PUBLIC, Route

PREFIX = "/api/v1"
_REF = "#/components/schemas/{model}"
_PROBLEM = {
    "type": "object",
    "description": "RFC 9457. `code` is for programs, `detail` for people, in the language asked for.",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["where", "text"],
                "properties": {"where": {"type": "string"}, "text": {"type": "string"}},
            },
        },
    },
}


def document(routes: list[Route]) -> dict[str, Any]:
    models: list[type[BaseModel]] = []
    for route in routes:
        models += [model for model in (route.body, route.query) if model is not None]
        if _is_model(route.result):
            models.append(route.result)
    inputs = {route.body for route in routes} | {route.query for route in routes}
    references, definitions = models_json_schema(
        [(model, "validation" if model in inputs else "serialization") for model in dict.fromkeys(models)],
        ref_template=_REF,
    )
    schemas = dict(definitions.get("$defs", {}))
    known = {model: reference for (model, _), reference in references.items()}
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        operation = _operation(route, known, schemas)
        paths.setdefault(PREFIX + route.path, {})[route.method.lower()] = operation
    for route in routes:  # their fields stand as parameters
        if route.query is not None:
            schemas.pop(_name(known, route.query), None)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "CommHub",
            "version": __version__,
            "description": "What happens, instructions to terminals and presence come by WebSocket: /events (docs/terminals.md).",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": {**schemas, "Problem": _PROBLEM},
            "securitySchemes": {
                "session": {"type": "apiKey", "in": "cookie", "name": "__Host-commhub"},
                "csrf": {"type": "apiKey", "in": "header", "name": "X-CSRF-Token"},
            },
        },
    }


def _name(known: dict[Any, dict[str, Any]], model: Any) -> str:
    """What it is called here: of two classes with one name each gets its module's, too."""
    return str(known[model]["$ref"]).rpartition("/")[2]


def _operation(route: Route, known: dict[Any, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "summary": route.summary,
        "operationId": f"{route.method.lower()}{_camel(route.path)}",
        "tags": [route.path.split("/")[1]],
        "x-permission": route.permission,
        "security": [],
        "parameters": [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
            for name in route.parameters
        ],
        "responses": {
            str(route.status): _success(route, known),
            "default": {
                "description": "What went wrong.",
                "content": {TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
            },
        },
    }
    if route.permission != PUBLIC:
        operation["security"] = [{"session": []} if route.method == "GET" else {"session": [], "csrf": []}]
    operation["parameters"] += [
        {"name": name, "in": "header", "required": name == "If-Match", "description": text, "schema": {"type": "string"}}
        for name, text in route.headers.items()
    ]
    if route.query is not None:
        operation["parameters"] += _query(schemas[_name(known, route.query)])
    if route.body is not None:
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": known[route.body]}},
        }
    if route.takes:
        schema = {"type": "string", "format": "binary"}
        operation["requestBody"] = {"required": True, "content": {media: {"schema": schema} for media in route.takes}}
    return operation


def _success(route: Route, known: dict[Any, Any]) -> dict[str, Any]:
    if route.media:
        schema = {"type": "string", "format": "binary"}
        return {"description": "The bytes.", "content": {"*/*": {"schema": schema}}}
    if _is_model(route.result):
        return {"description": "Done.", "content": {"application/json": {"schema": known[route.result]}}}
    return {"description": "Done."}


def _query(schema: dict[str, Any]) -> list[dict[str, Any]]:
    required = schema.get("required", [])
    return [
        {"name": name, "in": "query", "required": name in required, "schema": _plain(field)}
        for name, field in schema.get("properties", {}).items()
    ]


def _plain(field: dict[str, Any]) -> dict[str, Any]:
    """A parameter that is not given is not null: the null alternative and its default go."""
    options = [one for one in field.get("anyOf", []) if one != {"type": "null"}]
    kept = {name: value for name, value in field.items() if name not in ("anyOf", "title")}
    if kept.get("default", "") is None:
        del kept["default"]
    return {**kept, **options[0]} if len(options) == 1 else {**kept, **({"anyOf": options} if options else {})}


def _is_model(value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, BaseModel)


def _camel(path: str) -> str:
    return "".join(part.strip("{}").title().replace("_", "") for part in path.split("/"))
