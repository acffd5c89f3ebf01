"""What is no call of the API: health, pictures, the web page, and definitions of endpoints."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from xai_lowcode.emulator import envelope as wrapping
from xai_lowcode.emulator import pages as definition
from xai_lowcode.emulator.fault_injection import Raw
from xai_lowcode.emulator.handlers import ROOMS, Room
from xai_lowcode.emulator.request import Arrival
from xai_lowcode.emulator.routing import PARAMETER, PREFIX, old_path
from xai_lowcode.emulator.state import Emulator

Json = dict[str, Any]
PROVIDER_ORIGIN = "https://api.x.ai"
TITLE = "xAI API for chat completions and AI model interactions"


def old_format(desk: Emulator, query: Mapping[str, str]) -> Json:
    """Describes the endpoints by their addresses in the old form, with `paths` as a filter."""
    wanted = query.get("paths")
    paths: Json = {}
    for room in _served(desk):
        alias = old_path(room.path, desk.parameter_names)
        if wanted is None or wanted == f"{alias.strip('/').replace('/', '-')}~{_method(room)}":
            parameters = [_parameter(name, "query") for name in _names(room, desk)]
            paths.setdefault(alias, {})[_method(room)] = _operation(room, parameters)
    return _document(desk, paths)


def new_format(desk: Emulator) -> Json:
    """Describes the endpoints by their addresses in the new form."""
    paths: Json = {}
    for room in _served(desk):
        parameters = [_parameter(name, "path") for name in PARAMETER.findall(room.path)]
        paths.setdefault(room.path, {})[_method(room)] = _operation(room, parameters)
    return _document(desk, paths)


def metadata(desk: Emulator) -> Json:
    """Lists the addresses by category."""
    categories: dict[str, Json] = {}
    for room in _served(desk):
        alias = old_path(room.path, desk.parameter_names)
        entry = categories.setdefault(room.category, {"id": room.category, "paths": []})
        entry["paths"] += [alias, f"{alias}~{_method(room)}"]
    return {"message": "Metadata", "res": categories}


def _served(desk: Emulator) -> Iterator[Room]:
    return (room for room in ROOMS if room.switch is None or getattr(desk, room.switch))


def _method(room: Room) -> str:
    return room.method.lower()


def _names(room: Room, desk: Emulator) -> list[str]:
    return [desk.parameter_names.get(name, name) for name in PARAMETER.findall(room.path)]


def _document(desk: Emulator, paths: Json) -> Json:
    scheme = {"type": "apiKey", "in": "query", "name": "api_token"}
    return {
        "openapi": "3.0.0",
        "info": {"title": "xai", "description": TITLE, "version": "1.0.0"},
        "servers": [{"url": desk.base_url}],
        "paths": paths,
        "components": {"securitySchemes": {"ApiToken": scheme}},
    }


def _operation(room: Room, parameters: list[Json]) -> Json:
    return {
        "summary": room.name,
        "tags": [room.category],
        "parameters": parameters,
        "externalDocs": {"api_endpoint": PROVIDER_ORIGIN + room.path},
        "security": [{"ApiToken": []}],
        "responses": {"200": {"description": "OK"}},
    }


def _parameter(name: str, place: str) -> Json:
    return {"name": name, "in": place, "required": True, "schema": {"type": "string"}}


WEB_PAGE = "https://lowcodeapi.com/xai"
JSON_HEADERS = {"content-type": "application/json; charset=utf-8"}
UNKNOWN_PROVIDER = {"message": "Invalid request for OpenAPI specs"}


def page(arrival: Arrival, desk: Emulator) -> Raw | None:
    """Makes the page at an address, or says that the address is one of the API."""
    path = arrival.path.rstrip("/").lower()
    described = DESCRIPTIONS.get(path)
    if described is not None:
        return described(arrival, desk)
    if path == PREFIX:
        return Raw(302, {"location": WEB_PAGE})
    if path.startswith(PREFIX + "/"):
        return None
    return _elsewhere(arrival, desk)


def _elsewhere(arrival: Arrival, desk: Emulator) -> Raw:
    name = arrival.path.rpartition("/")[2].removesuffix(".png")
    if arrival.path == "/health-check":
        return _json({"status": "ok"})
    if arrival.path.startswith("/pictures/") and name in desk.store.pictures:
        return Raw(200, {"content-type": "image/png"}, desk.store.pictures[name])
    if arrival.path.endswith("/definition"):
        return _json(UNKNOWN_PROVIDER, 422)
    return _json(wrapping.NOT_FOUND, 404)


def _definition(arrival: Arrival, desk: Emulator) -> Raw:
    if arrival.method == "POST":
        # Filtering by a body was seen to filter out everything.
        return _json(definition.old_format(desk, {"paths": "none"}))
    return _json(definition.old_format(desk, arrival.query))


def _openapi(_: Arrival, desk: Emulator) -> Raw:
    if not desk.openapi:
        return _json(wrapping.NOT_FOUND, 404)
    return _json(definition.new_format(desk))


def _metadata(_: Arrival, desk: Emulator) -> Raw:
    return _json(definition.metadata(desk))


def _json(body: Any, status: int = 200) -> Raw:
    return Raw(status, JSON_HEADERS, wrapping.encoded(body))


DESCRIPTIONS: dict[str, Callable[[Arrival, Emulator], Raw]] = {
    f"{PREFIX}/definition": _definition,
    f"{PREFIX}/openapi": _openapi,
    f"{PREFIX}/metadata": _metadata,
}
