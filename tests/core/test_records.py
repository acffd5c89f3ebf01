"""Law: every published or recorded answer of the smaller endpoints is read, and none of it lost."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.core import leaks
from tests.core.fake_server import TOKEN
from tests.core.wire import WIRE
from xai_lowcode.api import endpoints as operations
from xai_lowcode.api.endpoints import GATEWAY_ENDPOINTS
from xai_lowcode.emulator import Emulator
from xai_lowcode.errors import InvalidResponseError, XAILowCodeError
from xai_lowcode.protocol.endpoint import Endpoint
from xai_lowcode.types import resources as records
from xai_lowcode.types.images import ImageBatch
from xai_lowcode.types.resources import FileRecord, Model, Resource, parse_resource, parse_resources

o = operations
EXAMPLES: dict[str, Endpoint[Any]] = {
    "official_examples/delete-files-file-id": o.DELETE_FILE,
    "official_examples/delete-responses-response-id": o.DELETE_RESPONSE,
    "official_examples/get-api-key": o.GET_API_KEY,
    "official_examples/get-chat-deferred-completion-request-id": o.GET_DEFERRED_COMPLETION,
    "official_examples/get-embedding-models": o.LIST_LANGUAGE_MODELS,
    "official_examples/get-embedding-models-model-id": o.RETRIEVE_MODEL,
    "official_examples/get-files": o.LIST_FILES,
    "official_examples/get-image-generation-models": o.LIST_IMAGE_MODELS,
    "official_examples/get-image-generation-models-model-id": o.GET_IMAGE_MODEL,
    "official_examples/get-language-models": o.LIST_LANGUAGE_MODELS,
    "official_examples/get-language-models-model-id": o.GET_LANGUAGE_MODEL,
    "official_examples/get-models": o.LIST_MODELS,
    "official_examples/get-models-2026-09": o.LIST_MODELS,
    "official_examples/get-models-model-id": o.RETRIEVE_MODEL,
    "official_examples/get-responses-response-id": o.RETRIEVE_RESPONSE,
    "official_examples/get-video-generation-models": o.LIST_LANGUAGE_MODELS,
    "official_examples/get-video-generation-models-model-id": o.RETRIEVE_MODEL,
    "official_examples/post-chat-completions": o.CREATE_CHAT_COMPLETION,
    "official_examples/post-complete": o.CREATE_LEGACY_COMPLETION,
    "official_examples/post-completions": o.CREATE_COMPLETION,
    "official_examples/post-embeddings": o.CREATE_EMBEDDINGS,
    "official_examples/post-files": o.GET_FILE,
    "official_examples/post-images-edits": o.CREATE_IMAGE_GENERATION,
    "official_examples/post-images-generations": o.CREATE_IMAGE_GENERATION,
    "official_examples/post-messages": o.CREATE_MESSAGE,
    "official_examples/post-responses": o.CREATE_RESPONSE,
    "official_examples/post-tokenize-text": o.TOKENIZE_TEXT,
    "api_key/live-2026-06": o.GET_API_KEY,
    "files/upload": o.GET_FILE,
    "images/b64": o.CREATE_IMAGE_GENERATION,
    "images/edit-url": o.CREATE_IMAGE_GENERATION,
    "images/url": o.CREATE_IMAGE_GENERATION,
    "models/list-2026-06": o.LIST_MODELS,
}
# Of endpoints that the gateway has not; a ticket is read apart.
OUTSIDE = {
    "official_examples/get-me",
    "me/live-2026-06",
    "official_examples/get-videos-request-id",
    "official_examples/post-chat-completions-deferred",
    "official_examples/post-documents-search",
    "official_examples/post-videos-edits",
    "official_examples/post-videos-extensions",
    "official_examples/post-videos-generations",
}
FOLDERS = ("official_examples", "api_key", "files", "images", "models", "me")
KINDS = [
    kind
    for kind in vars(records).values()
    if isinstance(kind, type) and issubclass(kind, Resource) and kind is not Resource
]
here = pytest.mark.skipif(not WIRE.exists(), reason="the recorded bodies are not here")


def body_of(name: str) -> Any:
    return json.loads((WIRE / f"{name}.json").read_bytes())


@here
def test_no_example_is_left_out() -> None:
    """Every body of the kinds of this file is in the table, or of an endpoint that is not here."""
    bodies = {
        f"{folder}/{path.stem}"
        for folder in FOLDERS
        for path in (WIRE / folder).glob("*.json")
        if ".request" not in path.name
    }
    assert bodies == EXAMPLES.keys() | OUTSIDE


def same(parsed: Any, body: Any) -> None:
    """Each member of the body is in the record: under its name, ours, or among the extra ones."""
    ours = {"file_id": "id", "filename": "name", "bytes": "size", "size_bytes": "size"}
    if isinstance(parsed, Resource):
        for name, value in body.items():
            renamed = ours.get(name, name) if isinstance(parsed, FileRecord) else name
            same(getattr(parsed, renamed), value)
        known = {ours.get(name, name) for name in body} | body.keys()
        assert parsed.model_extra is not None
        assert parsed.model_extra.keys() <= known
    elif isinstance(parsed, list):
        for item, original in zip(parsed, body, strict=True):
            same(item, original)
    else:
        assert parsed == body


@here
@pytest.mark.parametrize("name", EXAMPLES)
def test_every_example_is_read(name: str) -> None:
    """What xAI publishes or sent is read by the endpoint's row, with nothing lost."""
    operation, body = EXAMPLES[name], body_of(name)
    parsed = operation.parse(body)
    if isinstance(parsed, ImageBatch):
        assert len(parsed.images) == len(body["data"])
        return
    lists = {"data": o.LIST_MODELS, "models": o.LIST_LANGUAGE_MODELS, "token_ids": o.TOKENIZE_TEXT}
    key = next((key for key in lists if isinstance(parsed, list) and key in body), None)
    same(parsed, body if key is None else body[key])


@here
def test_a_ticket_is_read() -> None:
    """The published ticket has its id."""
    body = body_of("official_examples/post-chat-completions-deferred")
    assert parse_resource(records.DeferredCompletion)(body).request_id == body["request_id"]


def test_what_is_new_is_kept() -> None:
    """Members that nobody has heard of stay, whatever they hold."""
    for kind in KINDS:
        body = whole(kind) | {"brand_new": {"a": [1]}, "model_config": 3, "copy": None}
        parsed = parse_resource(kind)(body)
        extra: Any = parsed.model_extra
        assert extra.items() >= {"brand_new": {"a": [1]}, "model_config": 3, "copy": None}.items()
        assert parse_resource(kind)(parsed.model_dump()) == parsed


NEEDED: dict[str, Any] = {
    "id": "x",
    "redacted_api_key": "xai-...x",
    "token_id": 5,
    "string_token": "a",
    "request_id": "r",
    "deleted": True,
    "file_id": "f",
    "data": [],
    "embedding": [0.5],
    "text": "t",
    "choices": [],
    "completion": "c",
}


def whole(kind: type[Resource]) -> dict[str, Any]:
    """The shortest body that a record is made of."""
    needed = [name for name, info in kind.model_fields.items() if info.is_required()]
    return {name: NEEDED[name] for name in needed}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_records_are_values(kind: type[Resource]) -> None:
    """A record cannot be changed, and equals its like; all but what it must have may be absent."""
    record = parse_resource(kind)(whole(kind))
    assert record == parse_resource(kind)(whole(kind))
    name = next(iter(kind.model_fields))
    with pytest.raises(ValidationError):
        setattr(record, name, "other")
    for missing in whole(kind):
        body = {key: value for key, value in whole(kind).items() if key != missing}
        with pytest.raises(InvalidResponseError, match=missing):
            parse_resource(kind)(body)


@pytest.mark.parametrize("size", [0, 1, 12_345, 2**53 + 1])
def test_both_generations_of_a_file_agree(size: int) -> None:
    """The older record, with its size as a text, and the newer one tell the same of a file."""
    emulator = Emulator()
    file = emulator.create_file("notes.txt", "text/plain")
    file.content += b"x" * min(size, 100)
    old = {**file.to_upload_dict(), "size_bytes": str(size)}
    new = {**file.to_dict(), "bytes": size}
    older, newer = parse_resource(FileRecord)(old), parse_resource(FileRecord)(new)
    for name in ("id", "name", "size", "expires_at"):
        assert getattr(older, name) == getattr(newer, name)
    assert (older.id, older.name, older.size) == (file.id, "notes.txt", size)
    assert (older.upload_status, older.processing_status) == ("Initializing", "pending")
    assert (newer.upload_status, newer.processing_status) == (None, None)
    for record in (older, newer):
        again = FileRecord.model_validate_json(record.model_dump_json())
        assert again == record
        assert again.size == size


PRICES = [
    ("prompt_text_token_price", 12_500, "input_usd_per_million", 1.25),
    ("cached_prompt_text_token_price", 2_000, "cached_input_usd_per_million", 0.2),
    ("completion_text_token_price", 25_000, "output_usd_per_million", 2.5),
    ("image_price", 200_000_000, "usd_per_image", 0.02),
]


@pytest.mark.parametrize(("field", "price", "member", "usd"), PRICES)
def test_prices_in_dollars(field: str, price: int, member: str, usd: float) -> None:
    """12500 is 1.25 dollars for a million tokens, 200000000 is 0.02 for an image; none is none."""
    model = parse_resource(Model)({"id": "m", field: price})
    assert getattr(model, member) == pytest.approx(usd)
    assert getattr(parse_resource(Model)({"id": "m", field: 0}), member) == 0
    others = [other for _, _, other, _ in PRICES if other != member]
    assert [getattr(model, other) for other in others] == [None] * 3


@here
def test_recorded_prices_are_those_of_the_price_list() -> None:
    """The recorded list of models gives the dollars that xAI publishes for them."""
    models = {model.id: model for model in o.LIST_MODELS.parse(body_of("models/list-2026-06"))}
    grok = models["grok-4.3"]
    assert (grok.input_usd_per_million, grok.output_usd_per_million) == (1.25, 2.5)
    assert models["grok-imagine-image"].usd_per_image == 0.02


ODD = {"secret": f"hunter2 {TOKEN}"}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_errors_name_places_and_repeat_nothing(kind: type[Resource]) -> None:
    """The error for an unexpected body names the fields, and contains none of its content."""
    for name in whole(kind):
        body = {**whole(kind), name: ODD}
        with pytest.raises(InvalidResponseError) as raised:
            parse_resource(kind)(body)
        error = raised.value
        assert name in error.message
        assert kind.__name__ in error.message
        assert "hunter2" not in str(error)
        assert error.__cause__ is error.__context__ is None
        seen = leaks.render_exception(error, skip=(__file__, leaks.__file__, records.__file__))
        assert TOKEN not in seen
    for odd in (None, "hunter2", ["hunter2"], 5):
        with pytest.raises(InvalidResponseError) as raised:
            parse_resource(kind)(odd)
        assert "the response is missing or of another type" in str(raised.value)
        assert "hunter2" not in str(raised.value)


def test_errors_are_short() -> None:
    """Of a thousand places that do not fit the first few are named."""
    for parse, body in (
        (parse_resource(records.Embeddings), {"data": [{"embedding": [None] * 1000}]}),
        (parse_resource(records.FilePage), {"data": [{}] * 1000}),
        (parse_resources(Model, "data"), {"data": [{}] * 1000}),
    ):
        with pytest.raises(InvalidResponseError) as raised:
            parse(body)
        assert len(str(raised.value)) < 300


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@given(data=st.data())
def test_any_body_is_read_or_unreadable(kind: type[Resource], data: st.DataObject) -> None:
    """Whatever stands in the known members, reading it ends in a record or in our own error."""
    names = st.sampled_from([*kind.model_fields, "filename", "bytes", "size_bytes", "new"])
    body = whole(kind) | data.draw(st.dictionaries(names, values, max_size=4))
    try:
        parsed = parse_resource(kind)(body)
    except XAILowCodeError as error:
        assert isinstance(error, InvalidResponseError)  # noqa: PT017 - both ends are lawful
        return
    assert parsed.model_dump()


def test_every_row_has_an_example() -> None:
    """Each endpoint of the gateway's list has one, but for six whose answers nobody published."""
    read = {operation.name for operation in EXAMPLES.values()}
    assert {operation.name for operation in GATEWAY_ENDPOINTS} - read == {
        "Download File",
        "Update File",
        "Initialize File Upload",
        "Upload File Chunk",
        "Batch Upload Files",
        "Complete Batch Upload",
    }
