"""URLs outside the API: the health check, generated images and descriptions of the endpoints."""

from typing import Any

from xai_lowcode.emulator import envelope as envelopes
from xai_lowcode.emulator.handlers import Route
from xai_lowcode.emulator.json_values import Json, encode_json
from xai_lowcode.emulator.request import ReceivedRequest
from xai_lowcode.emulator.response_channel import JSON_TYPE, RawResponse
from xai_lowcode.emulator.routing import PARAMETER, PREFIX, Form, enabled_routes, old_path
from xai_lowcode.emulator.state import Emulator

PROVIDER_ORIGIN = "https://api.x.ai"
TITLE = "xAI API for chat completions and AI model interactions"
WEB_PAGE = "https://lowcodeapi.com/xai"
UNKNOWN_PROVIDER = {"message": "Invalid request for OpenAPI specs"}


def render_page(request: ReceivedRequest, emulator: Emulator) -> RawResponse | None:
    """Return the response to a URL outside the API; None for a path of the API."""
    path = request.path.rstrip("/").lower()
    if path == f"{PREFIX}/definition":
        # A POST filters by its body; the gateway was observed to return no path then.
        query = {"paths": "none"} if request.method == "POST" else request.query
        return _json_response(_describe(emulator, query.get("paths")))
    if path == f"{PREFIX}/openapi":
        if emulator.openapi:
            return _json_response(_describe(emulator, form="new"))
        return _json_response(envelopes.NOT_FOUND, 404)
    if path == f"{PREFIX}/metadata":
        return _json_response(_list_categories(emulator))
    if path == PREFIX:
        return RawResponse(302, {"location": WEB_PAGE})
    return None if path.startswith(PREFIX + "/") else _render_other(request, emulator)


def _render_other(request: ReceivedRequest, emulator: Emulator) -> RawResponse:
    name = request.path.rpartition("/")[2].removesuffix(".png")
    if request.path == "/health-check":
        return _json_response({"status": "ok"})
    if request.path.startswith("/images/") and name in emulator.store.images:
        return RawResponse(200, {"content-type": "image/png"}, emulator.store.images[name])
    if request.path.endswith("/definition"):
        return _json_response(UNKNOWN_PROVIDER, 422)
    return _json_response(envelopes.NOT_FOUND, 404)


def _json_response(body: Any, status: int = 200) -> RawResponse:
    return RawResponse(status, {"content-type": JSON_TYPE}, encode_json(body))


def _describe(emulator: Emulator, wanted: str | None = None, form: Form = "old") -> Json:
    """Return the OpenAPI document of all routes, or of the wanted one, in a URL format."""
    names = emulator.parameter_names
    paths: Json = {}
    for route in enabled_routes(emulator):
        path, method, parameters = route.path, route.method.lower(), PARAMETER.findall(route.path)
        if form == "old":
            path = old_path(path, names)
            parameters = [names.get(name, name) for name in parameters]
        if wanted is None or wanted == f"{path.strip('/').replace('/', '-')}~{method}":
            location = "query" if form == "old" else "path"
            paths.setdefault(path, {})[method] = _operation(route, parameters, location)
    scheme = {"type": "apiKey", "in": "query", "name": "api_token"}
    return {
        "openapi": "3.0.0",
        "info": {"title": "xai", "description": TITLE, "version": "1.0.0"},
        "servers": [{"url": emulator.base_url}],
        "paths": paths,
        "components": {"securitySchemes": {"ApiToken": scheme}},
    }


def _list_categories(emulator: Emulator) -> Json:
    categories: dict[str, Json] = {}
    for route in enabled_routes(emulator):
        path = old_path(route.path, emulator.parameter_names)
        category = categories.setdefault(route.category, {"id": route.category, "paths": []})
        category["paths"] += [path, f"{path}~{route.method.lower()}"]
    return {"message": "Metadata", "res": categories}


def _operation(route: Route, parameters: list[str], location: str) -> Json:
    return {
        "summary": route.name,
        "tags": [route.category],
        "parameters": [
            {"name": name, "in": location, "required": True, "schema": {"type": "string"}}
            for name in parameters
        ],
        "externalDocs": {"api_endpoint": PROVIDER_ORIGIN + route.path},
        "security": [{"ApiToken": []}],
        "responses": {"200": {"description": "OK"}},
    }
