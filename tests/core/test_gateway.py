"""Law: each endpoint answers alike in both URL forms, in every envelope, and from both clients.

The world is the emulator, which shares no code with the package.
"""

import inspect
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, is_dataclass
from itertools import product
from typing import Any

import pytest
from pydantic import BaseModel

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
from xai_lowcode.emulator import Drop as Dropped
from xai_lowcode.emulator import Emulator, running
from xai_lowcode.errors import (
    InvalidResponseError,
    NotFoundError,
)
from xai_lowcode.protocol.endpoint import Endpoint
from xai_lowcode.protocol.urls import path_parameters
from xai_lowcode.types.images import ImageRequest

MODEL = "grok-4.3"
ASKED: list[dict[str, Any]] = [{"role": "user", "content": "Say hello."}]
FORMS = ("new", "old")
CELLS = list(product(FORMS, ENVELOPES, GATEWAY_CLIENTS))
TURN = "\n\nHuman: Hello\n\nAssistant:"
both = pytest.mark.parametrize("kind", GATEWAY_CLIENTS)


@pytest.fixture(scope="module")
def _server() -> Iterator[Emulator]:
    with running(embeddings=True, openapi=True, deferred_polls=0, downloads="intact") as emulator:
        yield emulator


@pytest.fixture
def emulator(_server: Emulator) -> Emulator:
    """A gateway with xAI behind it, as good as new."""
    _server.reset()
    return _server


@dataclass(frozen=True)
class Row:
    """How an endpoint is asked: by which method, with what, after which preparation."""

    endpoint: Endpoint[Any]
    ask: Callable[[Any, str], Any]
    before: Callable[[Any, Emulator], str] = lambda _hands, _emulator: ""


def a_response(client: Any, _: Emulator) -> str:
    return str(client.call_method("create_response", model=MODEL, input="Say hello.")["id"])


def a_ticket(client: Any, _: Emulator) -> str:
    ticket = client.call_method(
        "create_chat_completion", model=MODEL, messages=ASKED, deferred=True
    )
    return str(ticket["request_id"])


def a_file(_: Any, emulator: Emulator) -> str:
    return emulator.add_file("notes.txt", b"Notes.\n", "text/plain")


def an_upload(client: Any, _: Emulator) -> str:
    body = {"name": "n.txt", "content_type": "text/plain"}
    return str(client.call(INITIALIZE_UPLOAD, body=body).file_id)


def a_batch(client: Any, _: Emulator) -> str:
    return str(client.call_method("batch_upload", {"files": []}).batch_job_id)


def asking(method: str, /, *args: Any, **values: Any) -> Callable[[Any, str], Any]:
    return lambda client, _id: client.call_method(method, *args, **values)


def asking_of(method: str, **values: Any) -> Callable[[Any, str], Any]:
    return lambda client, found: client.call_method(method, found, **values)


o = operations
IMAGE = ImageRequest(prompt="A dot.", response_format="b64_json")
INITIAL = {"name": "n.txt", "content_type": "text/plain"}
PIECE = {"chunk": "Tm90ZXMuCg=="}
OLD = "grok-3"
TABLE: tuple[Row, ...] = (
    Row(o.CREATE_CHAT_COMPLETION, asking("create_chat_completion", model=MODEL, messages=ASKED)),
    Row(o.LIST_MODELS, asking("list_models")),
    Row(o.RETRIEVE_MODEL, asking("retrieve_model", MODEL)),
    Row(o.CREATE_MESSAGE, asking("create_message", model=MODEL, messages=ASKED, max_tokens=50)),
    Row(o.CREATE_RESPONSE, asking("create_response", model=MODEL, input="Say hello.")),
    Row(o.RETRIEVE_RESPONSE, asking_of("retrieve_response"), a_response),
    Row(o.DELETE_RESPONSE, asking_of("delete_response"), a_response),
    Row(o.CREATE_IMAGE_GENERATION, asking("create_images", IMAGE)),
    Row(o.GET_API_KEY, asking("get_api_key")),
    Row(o.LIST_LANGUAGE_MODELS, asking("list_language_models")),
    Row(o.GET_LANGUAGE_MODEL, asking("get_language_model", MODEL)),
    Row(o.LIST_IMAGE_MODELS, asking("list_image_models")),
    Row(o.GET_IMAGE_MODEL, asking("get_image_model", "grok-imagine-image")),
    Row(o.TOKENIZE_TEXT, asking("tokenize", "Hello world!", model=MODEL)),
    Row(o.GET_DEFERRED_COMPLETION, asking_of("get_deferred_completion"), a_ticket),
    Row(o.CREATE_COMPLETION, asking("create_completion", model=OLD, prompt="1, 2,")),
    Row(
        o.CREATE_LEGACY_COMPLETION,
        asking("create_legacy_completion", model=OLD, prompt=TURN, max_tokens_to_sample=9),
    ),
    Row(o.LIST_FILES, asking("list_files"), a_file),
    Row(o.GET_FILE, asking_of("get_file"), a_file),
    Row(o.DELETE_FILE, asking_of("delete_file"), a_file),
    Row(o.DOWNLOAD_FILE, asking_of("download_file"), a_file),
    Row(o.UPDATE_FILE, asking_of("update_file", filename="other.txt"), a_file),
    Row(o.INITIALIZE_UPLOAD, lambda client, _id: client.call(INITIALIZE_UPLOAD, body=INITIAL)),
    Row(
        o.UPLOAD_CHUNK,
        lambda client, found: client.call(UPLOAD_CHUNK, body={"file_id": found, **PIECE}),
        an_upload,
    ),
    Row(o.BATCH_UPLOAD, asking("batch_upload", {"files": [INITIAL]})),
    Row(o.COMPLETE_BATCH_UPLOAD, asking_of("complete_batch_upload"), a_batch),
    Row(CREATE_EMBEDDINGS, asking("create_embeddings", model=MODEL, input=["one", "two"])),
    Row(GET_DEFINITION, asking("get_definition")),
    Row(GET_OPENAPI, asking("get_openapi")),
)
BY_OPERATION = {row.endpoint.name: row for row in TABLE}
WITH_IDS = [row for row in TABLE if path_parameters(row.endpoint)]


def plain(value: Any) -> Any:
    """An answer as JSON, without ids and times."""
    if isinstance(value, BaseModel):
        value = value.model_dump()
    elif is_dataclass(value) and not isinstance(value, type):
        value = asdict(value)
    if isinstance(value, Mapping):
        passing = {"id", "created", "created_at", "completed_at", "headers"}
        return {key: plain(member) for key, member in value.items() if key not in passing}
    return [plain(item) for item in value] if isinstance(value, list | tuple) else value


def answered(
    row: Row, emulator: Emulator, form: Any, envelope: Any, kind: type[Any], **options: Any
) -> Any:
    """What the endpoint answers in one cell; it was really asked, with the right token or none."""
    emulator.reset()
    emulator.envelope = envelope
    if form in FORMS:
        options = {"url_format": form, **options}
    emulator.url_forms = form
    with open_client(kind, emulator_settings(emulator, **options)) as gateway:
        answer = row.ask(gateway, row.before(gateway, emulator))
    asked = emulator.requests[-1]
    assert asked.method == row.endpoint.method
    if row.endpoint.host == "backend":
        assert asked.path == f"/xai{row.endpoint.path}"
    else:
        assert asked.upstream_route == row.endpoint.path
    assert asked.with_token == (row.endpoint.host == "gateway")
    return answer


def test_the_table_is_whole() -> None:
    """No endpoint and no cell is missing: the gateway's rows, embeddings, two definitions."""
    assert {row.endpoint.name for row in TABLE} == {
        operation.name
        for operation in (*GATEWAY_ENDPOINTS, CREATE_EMBEDDINGS, GET_DEFINITION, GET_OPENAPI)
    }
    assert len(TABLE) == len(GATEWAY_ENDPOINTS) + 3
    assert len(CELLS) == 12


@pytest.mark.parametrize(
    "operation",
    [*GATEWAY_ENDPOINTS, CREATE_EMBEDDINGS, GET_DEFINITION, GET_OPENAPI],
    ids=lambda operation: operation.name,
)
def test_every_cell_of_a_row_answers_alike(emulator: Emulator, operation: Endpoint[Any]) -> None:
    """Both forms, three envelopes and two clients give one answer, ids and times apart."""
    row = BY_OPERATION[operation.name]
    answers = [answered(row, emulator, *cell) for cell in CELLS]
    assert len(answers) == 12
    assert all(answers)
    assert len({type(answer) for answer in answers}) == 1
    first, *others = [plain(answer) for answer in answers]
    assert first
    assert all(other == first for other in others)


@both
@pytest.mark.parametrize("served", ["new", "old", "both", "old_new_drops"])
@pytest.mark.parametrize(
    "row",
    [row for row in WITH_IDS if row.endpoint.method in {"GET", "DELETE"}],
    ids=lambda row: row.endpoint.name,
)
def test_the_form_is_found(
    emulator: Emulator, delays: Delays, row: Row, served: str, kind: type[Any]
) -> None:
    """Whatever form a gateway serves, what may be repeated finds it without a wait."""
    options = {"url_format": "auto", "max_retries": 0}
    assert answered(row, emulator, served, "result", kind, **options)
    assert delays == []


@both
def test_one_lost_connection_changes_no_form(
    emulator: Emulator, delays: Delays, kind: type[Any], caplog: pytest.LogCaptureFixture
) -> None:
    """A dropped connection in the new format is an error, and the old format is not recorded."""
    with open_client(kind, emulator_settings(emulator, max_retries=1)) as gateway:
        emulator.inject(Dropped())
        with caplog.at_level(logging.INFO, logger="xai_lowcode"):
            assert gateway.call_method("retrieve_model", MODEL).id == MODEL
        assert "model_id" in emulator.requests[1].path
        assert "in the old URL form" not in caplog.text
        assert gateway.call_method("retrieve_model", MODEL).id == MODEL
        assert [request.path for request in emulator.requests].count("/xai/v1/models/model_id") == 1
        assert len(delays) == 1


def public(cls: type[Any]) -> dict[str, Any]:
    names = {name for name in dir(cls) if not name.startswith("_")}
    return {name.removeprefix("a"): getattr(cls, name) for name in names if name != "session"}


def test_the_twins_have_the_same_methods() -> None:
    """Names and parameters of all public methods agree, and each endpoint's word is one of them."""
    sync, twin = public(Gateway), public(AsyncGateway)
    assert sync.keys() == twin.keys()
    for name, method in sync.items():
        parameters_of = [inspect.signature(one).parameters for one in (method, twin[name])]
        assert [str(one) for one in parameters_of[0].values()] == [
            str(one) for one in parameters_of[1].values()
        ]
    words = {
        name
        for name, word in vars(endpoints).items()
        if inspect.isfunction(word)
        and word.__module__ == endpoints.__name__
        and not name.startswith("_")
    }
    assert words <= sync.keys()
    assert len(words) > len(GATEWAY_ENDPOINTS)
    for name, word in {**vars(endpoints), "upload_file": files.upload}.items():
        if name in words:
            assert sync[name].__wrapped__ is word is twin[name].__wrapped__
            assert sync[name].__doc__
            assert inspect.iscoroutinefunction(twin[name])


@both
@pytest.mark.parametrize("number", [0, 1, 4, 5, 6, 10])
def test_all_files_of_all_pages(emulator: Emulator, kind: type[Any], number: int) -> None:
    """Every file comes once, also when the last page is exactly full."""
    made = [emulator.add_file(f"{index}.txt", b"x") for index in range(number)]
    with open_client(kind, emulator_settings(emulator)) as gateway:
        found = gateway.files(limit=5, order="asc")
    assert [record.id for record in found] == made
    assert len(emulator.requests) == number // 5 + 1


FULL = [{"id": f"file_{index}"} for index in range(3)]


@both
@pytest.mark.parametrize(
    ("tokens", "pages"),
    [
        (["a", "a"], 2),  # a token that repeats
        ([None], 1),
        ([""], 1),
        (["a", ""], 2),
        (["a", None], 2),
        (["a", "b", "b"], 3),
    ],
)
def test_pages_end(
    gateway: FakeServer, kind: type[Any], tokens: list[str | None], pages: int
) -> None:
    """A full page without a token, or with the one that led to it, is the last."""
    gateway.script(json_reply({"data": FULL, "pagination_token": token}) for token in tokens)
    with open_client(kind, server_settings(gateway)) as client:
        assert len(client.files(limit=3)) == 3 * pages
    assert len(gateway.requests) == pages


@both
def test_foreign_parameter_names(emulator: Emulator, kind: type[Any]) -> None:
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
        for row in WITH_IDS:
            with pytest.raises((NotFoundError, InvalidResponseError)):
                row.ask(gateway, row.before(gateway, emulator))
    names = dict(emulator.parameter_names)
    with open_client(kind, emulator_settings(emulator, parameter_names=names)) as gateway:
        for row in WITH_IDS:
            assert row.ask(gateway, row.before(gateway, emulator))
            assert emulator.requests[-1].upstream_route == row.endpoint.path


@both
def test_a_fallback_is_visible(gateway: FakeServer, kind: type[Any]) -> None:
    """What was tried in the first form stands by the error that the second one brought."""
    gone = {"message": "no", "provider": "xai", "error": "Response not found", "headers": {}}
    gateway.script([Drop(), json_reply(gone, 404)])
    with open_client(kind, server_settings(gateway)) as client:
        with pytest.raises(NotFoundError) as raised:
            client.call_method("retrieve_response", "r")
        assert client.client.context.url_formats.initial(o.RETRIEVE_RESPONSE) == "old"
    (note,) = raised.value.__notes__
    assert note.startswith("The new URL format was tried first: No response from the gateway at")
