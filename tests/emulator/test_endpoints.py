"""Every endpoint in both URL formats and all three envelopes, and its description."""

import base64
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.cases import for_each
from xai_lowcode.emulator import Emulator
from xai_lowcode.emulator.handlers import ROUTES, Route

Json = dict[str, Any]
TURN = [{"role": "user", "content": "Hello"}]
# A request of each endpoint, and a key of its response.
REQUESTS: dict[str, tuple[Json | None, str]] = {
    "Create Chat Completion": ({"model": "grok-4", "messages": TURN}, "choices"),
    "Get Deferred Chat Completion": (None, "choices"),
    "Create a Message": ({"model": "grok-4", "messages": TURN, "max_tokens": 9}, "content"),
    "Create New Response": ({"model": "grok-4", "input": "Hello"}, "output"),
    "Retrieve Previous Response": (None, "output"),
    "Delete Previous Response": (None, "deleted"),
    "List Models": (None, "data"),
    "Retrieve Model": (None, "owned_by"),
    "List Language Models": (None, "models"),
    "Get Language Model": (None, "aliases"),
    "List Image Generation Models": (None, "models"),
    "Get Image Generation Model": (None, "aliases"),
    "Create Image Generation": ({"prompt": "a"}, "data"),
    "Get API Key": (None, "redacted_api_key"),
    "Tokenize Text": ({"model": "grok-4", "text": "a"}, "token_ids"),
    "List Files": (None, "data"),
    "Get File Metadata": (None, "filename"),
    "Delete File": (None, "deleted"),
    "Update File": ({"filename": "b"}, "filename"),
    "Download File": (None, "inside"),
    "Initialize File Upload": ({"name": "a", "content_type": "b"}, "file_id"),
    "Upload File Chunk": ({"chunk": base64.b64encode(b"x").decode()}, "size_bytes"),
    "Batch Upload Files": ({}, "batch_job_id"),
    "Complete Batch Upload": ({}, "status"),
    "Create Completion": ({"model": "grok-3", "prompt": "a"}, "choices"),
    "Create Completion (Anthropic Compatible)": (
        {"model": "grok-3", "prompt": "a", "max_tokens_to_sample": 9},
        "completion",
    ),
}
NAMES = [route.name for route in ROUTES if route.option is None]


def test_the_table_has_each_endpoint() -> None:
    """The table has every endpoint once."""
    assert sorted(NAMES) == sorted(REQUESTS)


def ids(gateway: Emulator, http: httpx.Client, route: Route) -> dict[str, str]:
    """Create the objects whose ids the requests of a route have."""
    gateway.envelope = "bare"

    def create(path: str, body: Json, key: str) -> str:
        return str(http.post(path, json=body).json()[key])

    chat = {"model": "grok-4", "messages": TURN, "deferred": True}
    make = {
        "model_id": lambda: "grok-imagine-image" if "Image" in route.name else "grok-4.3",
        "request_id": lambda: create("/v1/chat/completions", chat, "request_id"),
        "response_id": lambda: create("/v1/responses", {"model": "grok-4", "input": "a"}, "id"),
        "file_id": lambda: gateway.add_file("a", b'{"inside": 1}', "application/json"),
        "batch_job_id": lambda: create("/v1/files/batch_upload", {}, "batch_job_id"),
    }
    return {key: make[key]() for key in make if f"{{{key}}}" in route.path or key == "file_id"}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("url_format", ["new", "old"])
def test_endpoint(gateway: Emulator, http: httpx.Client, name: str, url_format: Any) -> None:
    """An endpoint works in each URL format and envelope, and its route is recorded."""
    route = next(route for route in ROUTES if route.name == name)
    body, field = REQUESTS[name]
    envelopes: list[tuple[Any, list[str]]] = [
        ("result", ["result"]),
        ("data", ["data"]),
        ("bare", []),
    ]
    for envelope, keys in envelopes:
        known = ids(gateway, http, route)
        gateway.envelope, gateway.url_forms = envelope, url_format
        gateway.deferred_polls = 0
        named = {key: value for key, value in known.items() if f"{{{key}}}" in route.path}
        path = route.path.format(**named if url_format == "new" else {key: key for key in named})
        query = named if url_format == "old" else {}
        sent = {**body, "file_id": known["file_id"]} if body and "chunk" in body else body
        response = http.request(route.method, path, params=query, json=sent)
        assert response.status_code == 200, response.text
        found = response.json()
        for key in keys:
            found = found[key]
        assert field in found
        request = gateway.requests[-1]
        assert (request.route, request.upstream_route) == (route.path, route.path)
        gateway.url_forms = "new"


@for_each("name", NAMES)
def test_other_method(http: httpx.Client, name: str) -> None:
    """An unknown method gets the gateway's 404."""
    route = next(route for route in ROUTES if route.name == name)
    path = route.path.replace("{", "").replace("}", "")
    assert http.put(path, json={}).json() == {"message": "Not Found"}


@pytest.fixture
def describe(gateway: Emulator) -> Callable[..., Any]:
    """Get a description, without a token."""

    def read(name: str, **query: str) -> httpx.Response:
        return httpx.get(f"{gateway.base_url}/{name}", params=query, trust_env=False)

    return read


def test_definition(gateway: Emulator, describe: Callable[..., Any]) -> None:
    """The definition has every endpoint in the old URL format, and needs no token."""
    body = describe("definition").json()
    assert (body["openapi"], body["servers"]) == ("3.0.0", [{"url": gateway.base_url}])
    operations = [one for path in body["paths"].values() for one in path.values()]
    assert sorted(one["summary"] for one in operations) == sorted(NAMES)
    one = body["paths"]["/v1/models/model_id"]["get"]
    assert one["externalDocs"]["api_endpoint"] == "https://api.x.ai/v1/models/{model_id}"
    assert [(name["name"], name["in"]) for name in one["parameters"]] == [("model_id", "query")]
    assert not any("{" in path for path in body["paths"])
    assert not gateway.requests[-1].with_token


def test_definition_filter(gateway: Emulator, describe: Callable[..., Any]) -> None:
    """The definition can be filtered by `paths`; a filter in a body matches nothing."""
    body = describe("definition", paths="v1-models-model_id~get").json()
    assert {path: list(found) for path, found in body["paths"].items()} == {
        "/v1/models/model_id": ["get"]
    }
    response = httpx.post(f"{gateway.base_url}/definition", json={"intents": []}, trust_env=False)
    assert response.json()["paths"] == {}


def test_definition_of_embeddings(gateway: Emulator, describe: Callable[..., Any]) -> None:
    """A disabled endpoint is not described."""
    assert "/v1/embeddings" not in describe("definition").json()["paths"]
    gateway.embeddings = True
    assert "/v1/embeddings" in describe("definition").json()["paths"]


def test_openapi(gateway: Emulator, describe: Callable[..., Any]) -> None:
    """The document in the new format exists only with the option `openapi`."""
    response = describe("openapi")
    assert (response.status_code, response.json()) == (404, {"message": "Not Found"})
    gateway.openapi = True
    one = describe("openapi").json()["paths"]["/v1/models/{model_id}"]["get"]
    assert [name["in"] for name in one["parameters"]] == ["path"]


def test_metadata(describe: Callable[..., Any]) -> None:
    """The paths are listed by category."""
    found = describe("metadata").json()["res"]
    assert {name: len(entry["paths"]) // 2 for name, entry in found.items()} == {
        "Chat": 2,
        "Message": 1,
        "Responses": 3,
        "Models": 6,
        "Images": 1,
        "API Key": 1,
        "Text": 1,
        "Files": 9,
        "Completions": 2,
    }


def test_parameter_names(
    gateway: Emulator, http: httpx.Client, describe: Callable[..., Any]
) -> None:
    """Parameters can have other names in the old URL format; the definition has them."""
    gateway.url_forms, gateway.parameter_names = "old", {"model_id": "id"}
    assert http.get("/v1/models/model_id", params={"model_id": "grok-4"}).status_code == 404
    assert http.get("/v1/models/id", params={"id": "grok-4"}).status_code == 200
    one = describe("definition").json()["paths"]["/v1/models/id"]["get"]
    assert one["parameters"][0]["name"] == "id"
