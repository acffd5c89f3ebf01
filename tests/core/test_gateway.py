"""Each endpoint returns the same response for both URL formats, all envelopes and both clients.

The responses are the emulator's, which shares no code with the package.
"""

import inspect
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, is_dataclass
from itertools import product
from typing import Any

import pytest
from pydantic import BaseModel

from tests.cases import for_each
from tests.core.clients import GATEWAY_CLIENTS, emulator_settings, server_settings
from tests.core.fake_server import Drop, FakeServer, json_reply
from tests.core.sync_async import Delays, open_client
from tests.core.wire import ENVELOPES
from xai_lowcode.api import endpoints as operations
from xai_lowcode.api import files
from xai_lowcode.api import methods as endpoints
from xai_lowcode.api.client import AsyncGateway, Gateway
from xai_lowcode.api.endpoints import (
    CREATE_EMBEDDINGS,
    GATEWAY_ENDPOINTS,
    GET_DEFINITION,
    GET_OPENAPI,
    INITIALIZE_UPLOAD,
    UPLOAD_CHUNK,
)
from xai_lowcode.emulator import Drop as InjectDrop
from xai_lowcode.emulator import Emulator, running
from xai_lowcode.errors import (
    InvalidResponseError,
    NotFoundError,
)
from xai_lowcode.protocol.endpoint import Endpoint
from xai_lowcode.protocol.urls import path_parameters
from xai_lowcode.types.images import ImageRequest

MODEL = "grok-4.3"
MESSAGES: list[dict[str, Any]] = [{"role": "user", "content": "Say hello."}]
URL_FORMATS = ("new", "old")
COMBINATIONS = list(product(URL_FORMATS, ENVELOPES, GATEWAY_CLIENTS))
LEGACY_PROMPT = "\n\nHuman: Hello\n\nAssistant:"
both_clients = pytest.mark.parametrize("kind", GATEWAY_CLIENTS)


@pytest.fixture(scope="module")
def _server() -> Iterator[Emulator]:
    with running(embeddings=True, openapi=True, deferred_polls=0, downloads="intact") as emulator:
        yield emulator


@pytest.fixture
def emulator(_server: Emulator) -> Emulator:
    """The emulator with all endpoints, reset."""
    _server.reset()
    return _server


@dataclass(frozen=True)
class Case:
    """An endpoint, its call, and what creates the resource that the call needs."""

    endpoint: Endpoint[Any]
    send: Callable[[Any, str], Any]
    prepare: Callable[[Any, Emulator], str] = lambda _client, _emulator: ""


def create_response(client: Any, _: Emulator) -> str:
    return str(client.call_method("create_response", model=MODEL, input="Say hello.")["id"])


def create_deferred_completion(client: Any, _: Emulator) -> str:
    response = client.call_method(
        "create_chat_completion", model=MODEL, messages=MESSAGES, deferred=True
    )
    return str(response["request_id"])


def add_file(_: Any, emulator: Emulator) -> str:
    return emulator.add_file("notes.txt", b"Notes.\n", "text/plain")


def initialize_upload(client: Any, _: Emulator) -> str:
    body = {"name": "n.txt", "content_type": "text/plain"}
    return str(client.call(INITIALIZE_UPLOAD, body=body).file_id)


def create_batch(client: Any, _: Emulator) -> str:
    return str(client.call_method("batch_upload", {"files": []}).batch_job_id)


def method_call(method: str, /, *args: Any, **values: Any) -> Callable[[Any, str], Any]:
    return lambda client, _id: client.call_method(method, *args, **values)


def method_call_with_id(method: str, **values: Any) -> Callable[[Any, str], Any]:
    return lambda client, resource_id: client.call_method(method, resource_id, **values)


o = operations
IMAGE = ImageRequest(prompt="A dot.", response_format="b64_json")
UPLOAD = {"name": "n.txt", "content_type": "text/plain"}
CHUNK = {"chunk": "Tm90ZXMuCg=="}
LEGACY_MODEL = "grok-3"
CASES: tuple[Case, ...] = (
    Case(
        o.CREATE_CHAT_COMPLETION,
        method_call("create_chat_completion", model=MODEL, messages=MESSAGES),
    ),
    Case(o.LIST_MODELS, method_call("list_models")),
    Case(o.RETRIEVE_MODEL, method_call("retrieve_model", MODEL)),
    Case(
        o.CREATE_MESSAGE,
        method_call("create_message", model=MODEL, messages=MESSAGES, max_tokens=50),
    ),
    Case(o.CREATE_RESPONSE, method_call("create_response", model=MODEL, input="Say hello.")),
    Case(o.RETRIEVE_RESPONSE, method_call_with_id("retrieve_response"), create_response),
    Case(o.DELETE_RESPONSE, method_call_with_id("delete_response"), create_response),
    Case(o.CREATE_IMAGE_GENERATION, method_call("create_images", IMAGE)),
    Case(o.GET_API_KEY, method_call("get_api_key")),
    Case(o.LIST_LANGUAGE_MODELS, method_call("list_language_models")),
    Case(o.GET_LANGUAGE_MODEL, method_call("get_language_model", MODEL)),
    Case(o.LIST_IMAGE_MODELS, method_call("list_image_models")),
    Case(o.GET_IMAGE_MODEL, method_call("get_image_model", "grok-imagine-image")),
    Case(o.TOKENIZE_TEXT, method_call("tokenize", "Hello world!", model=MODEL)),
    Case(
        o.GET_DEFERRED_COMPLETION,
        method_call_with_id("get_deferred_completion"),
        create_deferred_completion,
    ),
    Case(o.CREATE_COMPLETION, method_call("create_completion", model=LEGACY_MODEL, prompt="1, 2,")),
    Case(
        o.CREATE_LEGACY_COMPLETION,
        method_call(
            "create_legacy_completion",
            model=LEGACY_MODEL,
            prompt=LEGACY_PROMPT,
            max_tokens_to_sample=9,
        ),
    ),
    Case(o.LIST_FILES, method_call("list_files"), add_file),
    Case(o.GET_FILE, method_call_with_id("get_file"), add_file),
    Case(o.DELETE_FILE, method_call_with_id("delete_file"), add_file),
    Case(o.DOWNLOAD_FILE, method_call_with_id("download_file"), add_file),
    Case(o.UPDATE_FILE, method_call_with_id("update_file", filename="other.txt"), add_file),
    Case(o.INITIALIZE_UPLOAD, lambda client, _id: client.call(INITIALIZE_UPLOAD, body=UPLOAD)),
    Case(
        o.UPLOAD_CHUNK,
        lambda client, resource_id: client.call(
            UPLOAD_CHUNK, body={"file_id": resource_id, **CHUNK}
        ),
        initialize_upload,
    ),
    Case(o.BATCH_UPLOAD, method_call("batch_upload", {"files": [UPLOAD]})),
    Case(o.COMPLETE_BATCH_UPLOAD, method_call_with_id("complete_batch_upload"), create_batch),
    Case(CREATE_EMBEDDINGS, method_call("create_embeddings", model=MODEL, input=["one", "two"])),
    Case(GET_DEFINITION, method_call("get_definition")),
    Case(GET_OPENAPI, method_call("get_openapi")),
)
CASE_BY_NAME = {case.endpoint.name: case for case in CASES}
CASES_WITH_ID = [case for case in CASES if path_parameters(case.endpoint)]


def comparable(value: Any) -> Any:
    """Return a response as JSON, without ids, times and headers."""
    if isinstance(value, BaseModel):
        value = value.model_dump()
    elif is_dataclass(value) and not isinstance(value, type):
        value = asdict(value)
    if isinstance(value, Mapping):
        variable = {"id", "created", "created_at", "completed_at", "headers"}
        return {key: comparable(item) for key, item in value.items() if key not in variable}
    return [comparable(item) for item in value] if isinstance(value, list | tuple) else value


def call_endpoint(
    case: Case, emulator: Emulator, url_forms: Any, envelope: Any, kind: type[Any], **options: Any
) -> Any:
    """Return the response for one combination; check the request and whether it has the token."""
    emulator.reset()
    emulator.envelope = envelope
    if url_forms in URL_FORMATS:
        options = {"url_format": url_forms, **options}
    emulator.url_forms = url_forms
    with open_client(kind, emulator_settings(emulator, **options)) as gateway:
        response = case.send(gateway, case.prepare(gateway, emulator))
    request = emulator.requests[-1]
    assert request.method == case.endpoint.method
    if case.endpoint.host == "backend":
        assert request.path == f"/xai{case.endpoint.path}"
    else:
        assert request.upstream_route == case.endpoint.path
    assert request.with_token == (case.endpoint.host == "gateway")
    return response


def test_the_table_is_complete() -> None:
    """The table has all endpoints of the gateway, embeddings and the two definitions."""
    assert {case.endpoint.name for case in CASES} == {
        operation.name
        for operation in (*GATEWAY_ENDPOINTS, CREATE_EMBEDDINGS, GET_DEFINITION, GET_OPENAPI)
    }
    assert len(CASES) == len(GATEWAY_ENDPOINTS) + 3
    assert len(COMBINATIONS) == 12


@for_each("operation", [*GATEWAY_ENDPOINTS, CREATE_EMBEDDINGS, GET_DEFINITION, GET_OPENAPI])
def test_all_combinations_return_the_same_response(
    emulator: Emulator, operation: Endpoint[Any]
) -> None:
    """The response is the same for both URL formats, three envelopes and both clients."""
    case = CASE_BY_NAME[operation.name]
    responses = [call_endpoint(case, emulator, *combination) for combination in COMBINATIONS]
    assert len(responses) == 12
    assert all(responses)
    assert len({type(response) for response in responses}) == 1
    first, *others = [comparable(response) for response in responses]
    assert first
    assert all(other == first for other in others)


@both_clients
@pytest.mark.parametrize("url_forms", ["new", "old", "both", "old_new_drops"])
@pytest.mark.parametrize(
    "case",
    [case for case in CASES_WITH_ID if case.endpoint.method in {"GET", "DELETE"}],
    ids=lambda case: case.endpoint.name,
)
def test_the_url_format_is_selected(
    emulator: Emulator, delays: Delays, case: Case, url_forms: str, kind: type[Any]
) -> None:
    """Idempotent calls find the URL format of a gateway without retries and delays."""
    options = {"url_format": "auto", "max_retries": 0}
    assert call_endpoint(case, emulator, url_forms, "result", kind, **options)
    assert delays == []


@both_clients
def test_one_lost_connection_does_not_change_the_format(
    emulator: Emulator, delays: Delays, kind: type[Any], caplog: pytest.LogCaptureFixture
) -> None:
    """A dropped connection in the new format is an error, and the old format is not recorded."""
    with open_client(kind, emulator_settings(emulator, max_retries=1)) as gateway:
        emulator.inject(InjectDrop())
        with caplog.at_level(logging.INFO, logger="xai_lowcode"):
            assert gateway.call_method("retrieve_model", MODEL).id == MODEL
        assert "model_id" in emulator.requests[1].path
        assert "in the old URL form" not in caplog.text
        assert gateway.call_method("retrieve_model", MODEL).id == MODEL
        assert [request.path for request in emulator.requests].count("/xai/v1/models/model_id") == 1
        assert len(delays) == 1


def get_public_methods(cls: type[Any]) -> dict[str, Any]:
    names = {name for name in dir(cls) if not name.startswith("_")}
    return {name.removeprefix("a"): getattr(cls, name) for name in names if name != "session"}


def test_sync_and_async_methods_are_the_same() -> None:
    """Both classes have the same methods and parameters, among them each endpoint function."""
    sync_methods, async_class = get_public_methods(Gateway), get_public_methods(AsyncGateway)
    assert sync_methods.keys() == async_class.keys()
    for name, method in sync_methods.items():
        parameters_of = [
            inspect.signature(function).parameters for function in (method, async_class[name])
        ]
        assert [str(parameter) for parameter in parameters_of[0].values()] == [
            str(parameter) for parameter in parameters_of[1].values()
        ]
    names = {
        name
        for name, function in vars(endpoints).items()
        if inspect.isfunction(function)
        and function.__module__ == endpoints.__name__
        and not name.startswith("_")
    }
    assert names <= sync_methods.keys()
    assert len(names) > len(GATEWAY_ENDPOINTS)
    for name, function in {**vars(endpoints), "upload_file": files.upload}.items():
        if name in names:
            assert sync_methods[name].__wrapped__ is function is async_class[name].__wrapped__
            assert sync_methods[name].__doc__
            assert inspect.iscoroutinefunction(async_class[name])


@both_clients
@pytest.mark.parametrize("number", [0, 1, 4, 5, 6, 10])
def test_all_files_of_all_pages(emulator: Emulator, kind: type[Any], number: int) -> None:
    """Each file is returned once, also if the last page is full."""
    ids = [emulator.add_file(f"{index}.txt", b"x") for index in range(number)]
    with open_client(kind, emulator_settings(emulator)) as gateway:
        files = gateway.files(limit=5, order="asc")
    assert [record.id for record in files] == ids
    assert len(emulator.requests) == number // 5 + 1


FULL_PAGE = [{"id": f"file_{index}"} for index in range(3)]


@both_clients
@pytest.mark.parametrize(
    ("tokens", "pages"),
    [
        (["a", "a"], 2),  # a repeated token
        ([None], 1),
        ([""], 1),
        (["a", ""], 2),
        (["a", None], 2),
        (["a", "b", "b"], 3),
    ],
)
def test_the_last_page(
    gateway: FakeServer, kind: type[Any], tokens: list[str | None], pages: int
) -> None:
    """A full page without a token, or with the token of its own request, is the last one."""
    gateway.script(json_reply({"data": FULL_PAGE, "pagination_token": token}) for token in tokens)
    with open_client(kind, server_settings(gateway)) as client:
        assert len(client.files(limit=3)) == 3 * pages
    assert len(gateway.requests) == pages


@both_clients
def test_other_parameter_names(emulator: Emulator, kind: type[Any]) -> None:
    """In the old format, the gateway's own parameter names work if they are in the settings."""
    emulator.url_forms = "old"
    emulator.parameter_names = {
        "model_id": "id",
        "response_id": "responseId",
        "file_id": "fid",
        "request_id": "requestId",
        "batch_job_id": "job",
    }
    with open_client(kind, emulator_settings(emulator)) as gateway:
        for case in CASES_WITH_ID:
            with pytest.raises((NotFoundError, InvalidResponseError)):
                case.send(gateway, case.prepare(gateway, emulator))
    names = dict(emulator.parameter_names)
    with open_client(kind, emulator_settings(emulator, parameter_names=names)) as gateway:
        for case in CASES_WITH_ID:
            assert case.send(gateway, case.prepare(gateway, emulator))
            assert emulator.requests[-1].upstream_route == case.endpoint.path


@both_clients
def test_the_error_has_a_note_about_the_other_format(gateway: FakeServer, kind: type[Any]) -> None:
    """An error in the old format has a note about the failure in the new one."""
    not_found = {"message": "no", "provider": "xai", "error": "Response not found", "headers": {}}
    gateway.script([Drop(), json_reply(not_found, 404)])
    with open_client(kind, server_settings(gateway)) as client:
        with pytest.raises(NotFoundError) as raised:
            client.call_method("retrieve_response", "r")
        assert client.client.context.url_formats.initial(o.RETRIEVE_RESPONSE) == "old"
    (note,) = raised.value.__notes__
    assert note.startswith("The new URL format was tried first: No response from the gateway at")
