"""Arguments of the methods are sent unchanged, or raise an error and nothing is sent."""

import inspect
from collections.abc import Callable
from typing import Any

import pytest

from tests.core.clients import GATEWAY_CLIENTS, server_settings
from tests.core.fake_server import TOKEN, FakeServer, json_reply
from tests.core.sync_async import Delays, open_client
from xai_lowcode.api import endpoints as operations
from xai_lowcode.api import files
from xai_lowcode.api.client import Gateway
from xai_lowcode.errors import (
    APIStatusError,
    InvalidResponseError,
    RouteNotFoundError,
    UsageError,
)
from xai_lowcode.protocol.endpoint import Endpoint
from xai_lowcode.protocol.urls import path_parameters
from xai_lowcode.types.images import ImageRequest

MODEL = "grok-4.3"
OLD = "grok-3"
MESSAGES: list[dict[str, Any]] = [{"role": "user", "content": "Say hello."}]
ALL = [value for value in vars(operations).values() if isinstance(value, Endpoint)]
both_clients = pytest.mark.parametrize("kind", GATEWAY_CLIENTS)
Call = Callable[[Any], Any]


def method_call(method: str, /, *args: Any, **values: Any) -> Call:
    return lambda client: client.call_method(method, *args, **values)


UNKNOWN_KEYS = {"made_up": {"a": [1, None, "é"]}, "other": 0.5}
CALLS = [
    method_call("create_chat_completion", model=MODEL, messages=MESSAGES, **UNKNOWN_KEYS),
    method_call("create_message", model=MODEL, messages=MESSAGES, max_tokens=5, **UNKNOWN_KEYS),
    method_call("create_response", model=MODEL, input="x", **UNKNOWN_KEYS),
    method_call("tokenize", "x", model=MODEL, **UNKNOWN_KEYS),
    method_call("create_images", ImageRequest(prompt="x", extra=UNKNOWN_KEYS)),
    method_call("create_completion", model=OLD, prompt="x", **UNKNOWN_KEYS),
    method_call(
        "create_legacy_completion", model=OLD, prompt="x", max_tokens_to_sample=1, **UNKNOWN_KEYS
    ),
    method_call("create_embeddings", model=MODEL, input="x", **UNKNOWN_KEYS),
    method_call("update_file", "f", **UNKNOWN_KEYS),
    method_call("batch_upload", UNKNOWN_KEYS),
    method_call("complete_batch_upload", "b", UNKNOWN_KEYS),
]


@both_clients
@pytest.mark.parametrize("call", CALLS)
def test_unknown_keys_are_sent(gateway: FakeServer, kind: type[Any], call: Call) -> None:
    """Keys that the package does not know are sent unchanged."""
    gateway.respond = lambda _request: json_reply({"error": {"message": "no"}}, 400)
    with open_client(kind, server_settings(gateway)) as client, pytest.raises(APIStatusError):
        call(client)
    (request,) = gateway.requests
    assert request.json.items() >= UNKNOWN_KEYS.items()


@both_clients
def test_keys_with_the_names_of_parameters_are_sent(gateway: FakeServer, kind: type[Any]) -> None:
    """Keys that are named like internal parameters are sent; a key that is None is not."""
    gateway.respond = lambda _request: json_reply({"choices": []})
    names = {"session": 1, "client": 2, "operation": 3, "self": 4, "body": 5}
    with open_client(kind, server_settings(gateway)) as client:
        call = method_call("create_chat_completion", model=MODEL, messages=[], user=None, **names)
        call(client)
    assert gateway.requests[0].json == {"model": MODEL, "messages": [], **names}


@both_clients
def test_query_parameters_are_sent(gateway: FakeServer, kind: type[Any]) -> None:
    """Order, filter and pagination token of a list of files are sent in the query."""
    gateway.respond = lambda _request: json_reply({"data": []})
    with open_client(kind, server_settings(gateway)) as client:
        client.call_method(
            "list_files", limit=3, pagination_token="t/1", order="asc", filter="a = 'é&'"
        )
        with pytest.raises(UsageError):
            client.call_method("list_files", api_token="x")
        with pytest.raises(UsageError):
            client.call_method("list_files", filter="\ud800")
    (request,) = gateway.requests
    query = "limit=3&order=asc&filter=a+%3D+%27%C3%A9%26%27&pagination_token=t%2F1"
    assert request.target == f"/xai/v1/files?{query}&api_token={TOKEN}"


@both_clients
@pytest.mark.parametrize(
    "call",
    [
        method_call("create_chat_completion", model=MODEL, messages=MESSAGES, stream=True),
        method_call("create_message", model=MODEL, messages=MESSAGES, max_tokens=5, stream=True),
        method_call("create_response", model=MODEL, input="x", stream=True),
        method_call("create_completion", model=OLD, prompt="x", stream=True),
    ],
)
def test_methods_reject_stream(gateway: FakeServer, kind: type[Any], call: Call) -> None:
    """A method that returns a complete response raises an error for ``stream=True``."""
    with (
        open_client(kind, server_settings(gateway)) as client,
        pytest.raises(UsageError) as raised,
    ):
        call(client)
    assert raised.value.field == "stream"
    assert gateway.requests == []


@both_clients
@pytest.mark.parametrize("method", ["get_definition", "get_openapi"])
@pytest.mark.parametrize("status", [200, 404, 500])
def test_the_backend_receives_no_token(
    gateway: FakeServer, delays: Delays, kind: type[Any], method: str, status: int
) -> None:
    """A request to the backend, and its error, do not contain the token."""
    del delays
    with FakeServer() as backend:
        backend.respond = lambda _request: json_reply({"paths": {}, "said": TOKEN}, status)
        settings = server_settings(gateway, backend_url=backend.base_url)
        with open_client(kind, settings) as client:
            if status == 200:
                client.call_method(method)
            else:
                with pytest.raises(APIStatusError) as raised:
                    client.call_method(method)
                assert TOKEN not in f"{raised.value} {vars(raised.value)}"
        assert backend.requests
        for request in backend.requests:
            assert TOKEN.encode() not in request.head
            assert b"api_token" not in request.head
            assert request.target in {"/xai/definition", "/xai/openapi"}
    assert gateway.requests == []


INVALID_IDS = ["/", "a/b", "..", ".", "%2f", "..%2Fapi-key", "a?b", "$&", "", "x" * 513, " ", "a#b"]
BY_ID: list[tuple[str, dict[str, Any]]] = [
    ("retrieve_model", {}),
    ("get_language_model", {}),
    ("get_image_model", {}),
    ("get_deferred_completion", {}),
    ("poll_deferred_completion", {}),
    ("retrieve_response", {}),
    ("delete_response", {}),
    ("get_file", {}),
    ("update_file", {"filename": "x"}),
    ("delete_file", {}),
    ("download_file", {}),
    ("download_file", {"as_text": True}),
    ("complete_batch_upload", {}),
]


@both_clients
@pytest.mark.parametrize("invalid", INVALID_IDS, ids=lambda invalid: invalid[:9])
def test_invalid_ids_are_not_sent(
    gateway: FakeServer, delays: Delays, kind: type[Any], invalid: str
) -> None:
    """An id that would change the path raises an error for every endpoint with an id."""
    with open_client(kind, server_settings(gateway)) as client:
        for method, values in BY_ID:
            with pytest.raises(UsageError):
                client.call_method(method, invalid, **values)
        for operation in ALL:
            for name in path_parameters(operation):
                with pytest.raises(UsageError) as raised:
                    client.call(operation, ids={name: invalid})
                assert raised.value.field == name
        upload = files.Upload(b"x", "n.txt", file_id=invalid or "/", size=1)
        with pytest.raises(UsageError):
            client.call_method("upload_file", upload)
    assert gateway.requests == []
    assert delays == []


def test_the_list_has_every_method_with_an_id() -> None:
    """Every method whose first parameter is an id is in the list above."""
    methods = {
        name
        for name, method in vars(Gateway).items()
        if not name.startswith("_")
        and [*inspect.signature(method).parameters, "", ""][1].endswith("_id")
    }
    assert methods == {method for method, _ in BY_ID}


INVALID_BODIES: list[tuple[Any, str]] = [
    (float("nan"), ""),
    (b"bytes", ""),
    ({1: "a key"}, ".1"),
    ([{"deep": float("inf")}], "[0].deep"),
]


def endpoint_call(operation: Endpoint[Any]) -> Callable[[Any, Any], Any]:
    return lambda client, invalid: client.call(operation, body={"q": invalid})


CALLS_WITH_VALUE: list[tuple[Callable[[Any, Any], Any], str]] = [
    (
        lambda client, invalid: client.call_method("tokenize", "x", model=MODEL, user=invalid),
        "user",
    ),
    (
        lambda client, invalid: client.call_method(
            "create_chat_completion", model=MODEL, messages=[invalid]
        ),
        "messages[0]",
    ),
    (
        lambda client, invalid: client.call_method(
            "create_chat_completion", model=MODEL, messages=[], x=invalid
        ),
        "x",
    ),
    (
        lambda client, invalid: client.call_method(
            "create_message", model=MODEL, messages=[], max_tokens=5, x=invalid
        ),
        "x",
    ),
    (
        lambda client, invalid: client.call_method("create_response", model=MODEL, input=invalid),
        "input",
    ),
    (
        lambda client, invalid: client.call_method(
            "create_images", ImageRequest(prompt="x", extra={"y": invalid})
        ),
        "y",
    ),
    (
        lambda client, invalid: client.call_method(
            "create_completion", model=MODEL, prompt=invalid
        ),
        "prompt",
    ),
    (
        lambda client, invalid: client.call_method(
            "create_legacy_completion", model=MODEL, prompt=invalid, max_tokens_to_sample=1
        ),
        "prompt",
    ),
    (
        lambda client, invalid: client.call_method("create_embeddings", model=MODEL, input=invalid),
        "input",
    ),
    (lambda client, invalid: client.call_method("update_file", "f", filename=invalid), "filename"),
    (lambda client, invalid: client.call_method("batch_upload", {"z": invalid}), "z"),
    (lambda client, invalid: client.call_method("complete_batch_upload", "b", {"z": invalid}), "z"),
    *(
        (endpoint_call(operation), "q")
        for operation in ALL
        if operation.method in {"POST", "PATCH"}
    ),
]


@both_clients
@pytest.mark.parametrize(("invalid", "path"), INVALID_BODIES, ids=lambda value: ascii(value)[:20])
def test_values_that_are_not_json_are_not_sent(
    gateway: FakeServer, kind: type[Any], invalid: Any, path: str
) -> None:
    """A value that is not JSON raises an error with its path, for every endpoint."""
    with open_client(kind, server_settings(gateway)) as client:
        for call, field in CALLS_WITH_VALUE:
            with pytest.raises(UsageError) as raised:
                call(client, invalid)
            assert raised.value.field == field + path
            assert field + path in str(raised.value)
    assert gateway.requests == []


@both_clients
def test_a_missing_endpoint_raises(gateway: FakeServer, kind: type[Any]) -> None:
    """Without the endpoint of embeddings the gateway's 404 is raised."""
    gateway.respond = lambda _request: json_reply({"message": "Not Found"}, 404)
    with open_client(kind, server_settings(gateway)) as client, pytest.raises(RouteNotFoundError):
        client.call_method("create_embeddings", model=MODEL, input="x")


@both_clients
def test_a_deferred_completion_has_a_request_id(gateway: FakeServer, kind: type[Any]) -> None:
    """A deferred completion returns its request id, another one its choices."""
    deferred: dict[str, Any] = {"request_id": "r", "new": 1}
    completed: dict[str, Any] = {"choices": [], "id": "c"}
    with open_client(kind, server_settings(gateway)) as client:
        for body, options in (
            (deferred, {"deferred": True}),
            (completed, {}),
            (completed, {"deferred": False}),
        ):
            gateway.script([json_reply(body), json_reply({"id": "c"})])
            call = method_call("create_chat_completion", model=MODEL, messages=MESSAGES, **options)
            assert call(client) == body
            assert gateway.requests[-1].json.get("deferred") == options.get("deferred")
            with pytest.raises(InvalidResponseError):
                call(client)
