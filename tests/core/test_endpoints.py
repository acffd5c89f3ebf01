"""Law: what a method is given reaches the gateway as it is, or is refused and nothing is sent."""

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
ASKED: list[dict[str, Any]] = [{"role": "user", "content": "Say hello."}]
ALL = [value for value in vars(operations).values() if isinstance(value, Endpoint)]
both = pytest.mark.parametrize("kind", GATEWAY_CLIENTS)
Ask = Callable[[Any], Any]


def asking(method: str, /, *args: Any, **values: Any) -> Ask:
    return lambda client: client.call_method(method, *args, **values)


MADE_UP = {"made_up": {"a": [1, None, "é"]}, "other": 0.5}
POSTING = [
    asking("create_chat_completion", model=MODEL, messages=ASKED, **MADE_UP),
    asking("create_message", model=MODEL, messages=ASKED, max_tokens=5, **MADE_UP),
    asking("create_response", model=MODEL, input="x", **MADE_UP),
    asking("tokenize", "x", model=MODEL, **MADE_UP),
    asking("create_images", ImageRequest(prompt="x", extra=MADE_UP)),
    asking("create_completion", model=OLD, prompt="x", **MADE_UP),
    asking("create_legacy_completion", model=OLD, prompt="x", max_tokens_to_sample=1, **MADE_UP),
    asking("create_embeddings", model=MODEL, input="x", **MADE_UP),
    asking("update_file", "f", **MADE_UP),
    asking("batch_upload", MADE_UP),
    asking("complete_batch_upload", "b", MADE_UP),
]


@both
@pytest.mark.parametrize("ask", POSTING)
def test_unknown_members_pass_through(gateway: FakeServer, kind: type[Any], ask: Ask) -> None:
    """What the package has no name for reaches the gateway as it was given."""
    gateway.respond = lambda _request: json_reply({"error": {"message": "no"}}, 400)
    with open_client(kind, server_settings(gateway)) as client, pytest.raises(APIStatusError):
        ask(client)
    (request,) = gateway.requests
    assert request.json.items() >= MADE_UP.items()


@both
def test_names_of_our_own_are_members_too(gateway: FakeServer, kind: type[Any]) -> None:
    """A member called like a parameter of ours goes into the body; one that is None does not."""
    gateway.respond = lambda _request: json_reply({"choices": []})
    names = {"session": 1, "client": 2, "operation": 3, "self": 4, "body": 5}
    with open_client(kind, server_settings(gateway)) as client:
        speak = asking("create_chat_completion", model=MODEL, messages=[], user=None, **names)
        speak(client)
    assert gateway.requests[0].json == {"model": MODEL, "messages": [], **names}


@both
def test_further_query_goes_along(gateway: FakeServer, kind: type[Any]) -> None:
    """Order, filter and token of a list of files stand in its query."""
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


@both
@pytest.mark.parametrize(
    "ask",
    [
        asking("create_chat_completion", model=MODEL, messages=ASKED, stream=True),
        asking("create_message", model=MODEL, messages=ASKED, max_tokens=5, stream=True),
        asking("create_response", model=MODEL, input="x", stream=True),
        asking("create_completion", model=OLD, prompt="x", stream=True),
    ],
)
def test_no_stream_is_paid_for_that_nobody_reads(
    gateway: FakeServer, kind: type[Any], ask: Ask
) -> None:
    """A method that returns the whole answer refuses to ask for a stream."""
    with (
        open_client(kind, server_settings(gateway)) as client,
        pytest.raises(UsageError) as refusal,
    ):
        ask(client)
    assert refusal.value.field == "stream"
    assert gateway.requests == []


@both
@pytest.mark.parametrize("method", ["get_definition", "get_openapi"])
@pytest.mark.parametrize("status", [200, 404, 500])
def test_the_backend_gets_no_token(
    gateway: FakeServer, delays: Delays, kind: type[Any], method: str, status: int
) -> None:
    """Neither address nor headers of a request to another host hold the token, or errors."""
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


BAD_IDS = ["/", "a/b", "..", ".", "%2f", "..%2Fapi-key", "a?b", "$&", "", "x" * 513, " ", "a#b"]
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


@both
@pytest.mark.parametrize("bad", BAD_IDS, ids=lambda bad: bad[:9])
def test_bad_ids_go_nowhere(gateway: FakeServer, delays: Delays, kind: type[Any], bad: str) -> None:
    """An id that could leave its place is refused by every endpoint that takes one, at once."""
    with open_client(kind, server_settings(gateway)) as client:
        for method, values in BY_ID:
            with pytest.raises(UsageError):
                client.call_method(method, bad, **values)
        for operation in ALL:
            for name in path_parameters(operation):
                with pytest.raises(UsageError) as refusal:
                    client.call(operation, ids={name: bad})
                assert refusal.value.field == name
        upload = files.Upload(b"x", "n.txt", file_id=bad or "/", size=1)
        with pytest.raises(UsageError):
            client.call_method("upload_file", upload)
    assert gateway.requests == []
    assert delays == []


def test_every_method_with_an_id_is_among_them() -> None:
    """The list above has every method whose first parameter is an id."""
    methods = {
        name
        for name, method in vars(Gateway).items()
        if not name.startswith("_")
        and [*inspect.signature(method).parameters, "", ""][1].endswith("_id")
    }
    assert methods == {method for method, _ in BY_ID}


BAD_BODIES: list[tuple[Any, str]] = [
    (float("nan"), ""),
    (b"bytes", ""),
    ({1: "a key"}, ".1"),
    ([{"deep": float("inf")}], "[0].deep"),
]


def by_row(operation: Endpoint[Any]) -> Callable[[Any, Any], Any]:
    return lambda client, bad: client.call(operation, body={"q": bad})


UNWRITABLE: list[tuple[Callable[[Any, Any], Any], str]] = [
    (lambda c, bad: c.call_method("tokenize", "x", model=MODEL, user=bad), "user"),
    (
        lambda c, bad: c.call_method("create_chat_completion", model=MODEL, messages=[bad]),
        "messages[0]",
    ),
    (lambda c, bad: c.call_method("create_chat_completion", model=MODEL, messages=[], x=bad), "x"),
    (
        lambda c, bad: c.call_method(
            "create_message", model=MODEL, messages=[], max_tokens=5, x=bad
        ),
        "x",
    ),
    (lambda c, bad: c.call_method("create_response", model=MODEL, input=bad), "input"),
    (
        lambda c, bad: c.call_method("create_images", ImageRequest(prompt="x", extra={"y": bad})),
        "y",
    ),
    (lambda c, bad: c.call_method("create_completion", model=MODEL, prompt=bad), "prompt"),
    (
        lambda c, bad: c.call_method(
            "create_legacy_completion", model=MODEL, prompt=bad, max_tokens_to_sample=1
        ),
        "prompt",
    ),
    (lambda c, bad: c.call_method("create_embeddings", model=MODEL, input=bad), "input"),
    (lambda c, bad: c.call_method("update_file", "f", filename=bad), "filename"),
    (lambda c, bad: c.call_method("batch_upload", {"z": bad}), "z"),
    (lambda c, bad: c.call_method("complete_batch_upload", "b", {"z": bad}), "z"),
    (lambda c, bad: c.call_method("upload_file", b"x", name="n", content_type=bad), "content_type"),
    *((by_row(operation), "q") for operation in ALL if operation.method in {"POST", "PATCH"}),
]


@both
@pytest.mark.parametrize(("bad", "place"), BAD_BODIES, ids=lambda value: ascii(value)[:20])
def test_what_has_no_json_form_goes_nowhere(
    gateway: FakeServer, kind: type[Any], bad: Any, place: str
) -> None:
    """A body that cannot be written is refused by every endpoint, and the place is named."""
    with open_client(kind, server_settings(gateway)) as client:
        for ask, member in UNWRITABLE:
            with pytest.raises(UsageError) as refusal:
                ask(client, bad)
            assert refusal.value.field == member + place
            assert member + place in str(refusal.value)
    assert gateway.requests == []


@both
def test_an_endpoint_that_is_missing_is_told(gateway: FakeServer, kind: type[Any]) -> None:
    """Without that endpoint, embeddings end with the gateway's own 404."""
    gateway.respond = lambda _request: json_reply({"message": "Not Found"}, 404)
    with open_client(kind, server_settings(gateway)) as client, pytest.raises(RouteNotFoundError):
        client.call_method("create_embeddings", model=MODEL, input="x")


@both
def test_a_deferred_completion_begins_with_a_ticket(gateway: FakeServer, kind: type[Any]) -> None:
    """Asked for later, a completion answers with its ticket; asked for now, with its choices."""
    ticket: dict[str, Any] = {"request_id": "r", "new": 1}
    done: dict[str, Any] = {"choices": [], "id": "c"}
    with open_client(kind, server_settings(gateway)) as client:
        for body, wish in ((ticket, {"deferred": True}), (done, {}), (done, {"deferred": False})):
            gateway.script([json_reply(body), json_reply({"id": "c"})])
            ask = asking("create_chat_completion", model=MODEL, messages=ASKED, **wish)
            assert ask(client) == body
            assert gateway.requests[-1].json.get("deferred") == wish.get("deferred")
            with pytest.raises(InvalidResponseError):
                ask(client)
