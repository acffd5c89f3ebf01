"""The gateway's own descriptions of its endpoints, which anybody may read without a token."""

from collections.abc import Iterator, Mapping
from typing import Any

from xai_lowcode.emulator.rooms import ROOMS, Room
from xai_lowcode.emulator.routes import PARAMETER, old_path
from xai_lowcode.emulator.switchboard import Emulator

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
