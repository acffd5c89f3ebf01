"""What is no call of the API: health, pictures, the web page, and definitions of endpoints."""

from collections.abc import Callable
from typing import Any

from xai_lowcode.emulator import definition, wrapping
from xai_lowcode.emulator.arrival import Arrival
from xai_lowcode.emulator.mishaps import Raw
from xai_lowcode.emulator.routes import PREFIX
from xai_lowcode.emulator.switchboard import Emulator

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
