"""Every published or recorded response of the smaller endpoints is parsed without loss."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.cases import for_each
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
# Bodies of endpoints that the gateway does not have, and one that has a test of its own.
OTHER_BODIES = {
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
RECORD_CLASSES = [
    record_class
    for record_class in vars(records).values()
    if isinstance(record_class, type)
    and issubclass(record_class, Resource)
    and record_class is not Resource
]
needs_recorded_bodies = pytest.mark.skipif(
    not WIRE.exists(), reason="the recorded bodies are missing"
)


def load_body(name: str) -> Any:
    return json.loads((WIRE / f"{name}.json").read_bytes())


@needs_recorded_bodies
def test_the_table_has_every_body() -> None:
    """Every recorded body is in the table, or in the list of other bodies."""
    bodies = {
        f"{folder}/{path.stem}"
        for folder in FOLDERS
        for path in (WIRE / folder).glob("*.json")
        if ".request" not in path.name
    }
    assert bodies == EXAMPLES.keys() | OTHER_BODIES


def assert_has_all_fields(parsed: Any, body: Any) -> None:
    """Assert that a record has each field of the body, by its name, by our name, or as an extra."""
    our_names = {"file_id": "id", "filename": "name", "bytes": "size", "size_bytes": "size"}
    if isinstance(parsed, Resource):
        for name, value in body.items():
            our_name = our_names.get(name, name) if isinstance(parsed, FileRecord) else name
            assert_has_all_fields(getattr(parsed, our_name), value)
        known_names = {our_names.get(name, name) for name in body} | body.keys()
        assert parsed.model_extra is not None
        assert parsed.model_extra.keys() <= known_names
    elif isinstance(parsed, list):
        for item, original in zip(parsed, body, strict=True):
            assert_has_all_fields(item, original)
    else:
        assert parsed == body


@needs_recorded_bodies
@pytest.mark.parametrize("name", EXAMPLES)
def test_every_example_is_parsed(name: str) -> None:
    """The endpoint parses a published or recorded body, and the result has all its fields."""
    operation, body = EXAMPLES[name], load_body(name)
    parsed = operation.parse(body)
    if isinstance(parsed, ImageBatch):
        assert len(parsed.images) == len(body["data"])
        return
    lists = {"data": o.LIST_MODELS, "models": o.LIST_LANGUAGE_MODELS, "token_ids": o.TOKENIZE_TEXT}
    key = next((key for key in lists if isinstance(parsed, list) and key in body), None)
    assert_has_all_fields(parsed, body if key is None else body[key])


@needs_recorded_bodies
def test_a_deferred_completion_is_parsed() -> None:
    """The record of a deferred completion has its request id."""
    body = load_body("official_examples/post-chat-completions-deferred")
    assert parse_resource(records.DeferredCompletion)(body).request_id == body["request_id"]


def test_unknown_fields_are_preserved() -> None:
    """Unknown fields with any value are preserved."""
    for record_class in RECORD_CLASSES:
        body = create_minimal_body(record_class) | {
            "brand_new": {"a": [1]},
            "model_config": 3,
            "copy": None,
        }
        parsed = parse_resource(record_class)(body)
        extra: Any = parsed.model_extra
        assert extra.items() >= {"brand_new": {"a": [1]}, "model_config": 3, "copy": None}.items()
        assert parse_resource(record_class)(parsed.model_dump()) == parsed


REQUIRED_VALUES: dict[str, Any] = {
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


def create_minimal_body(record_class: type[Resource]) -> dict[str, Any]:
    """Return a body with the required fields only."""
    required = [name for name, info in record_class.model_fields.items() if info.is_required()]
    return {name: REQUIRED_VALUES[name] for name in required}


@for_each("record_class", RECORD_CLASSES)
def test_records_are_immutable_values(record_class: type[Resource]) -> None:
    """A record is immutable and comparable; only a missing required field is an error."""
    record = parse_resource(record_class)(create_minimal_body(record_class))
    assert record == parse_resource(record_class)(create_minimal_body(record_class))
    name = next(iter(record_class.model_fields))
    with pytest.raises(ValidationError):
        setattr(record, name, "other")
    for missing in create_minimal_body(record_class):
        body = {
            key: value for key, value in create_minimal_body(record_class).items() if key != missing
        }
        with pytest.raises(InvalidResponseError, match=missing):
            parse_resource(record_class)(body)


@for_each("size", [0, 1, 12_345, 2**53 + 1])
def test_old_and_new_file_records_are_the_same(size: int) -> None:
    """The old record of a file, whose size is a string, and the new one have the same fields."""
    emulator = Emulator()
    file = emulator.create_file("notes.txt", "text/plain")
    file.content += b"x" * min(size, 100)
    old_body = {**file.to_upload_dict(), "size_bytes": str(size)}
    new_body = {**file.to_dict(), "bytes": size}
    old_record, new_record = (
        parse_resource(FileRecord)(old_body),
        parse_resource(FileRecord)(new_body),
    )
    for name in ("id", "name", "size", "expires_at"):
        assert getattr(old_record, name) == getattr(new_record, name)
    assert (old_record.id, old_record.name, old_record.size) == (file.id, "notes.txt", size)
    assert (old_record.upload_status, old_record.processing_status) == ("Initializing", "pending")
    assert (new_record.upload_status, new_record.processing_status) == (None, None)
    for record in (old_record, new_record):
        loaded = FileRecord.model_validate_json(record.model_dump_json())
        assert loaded == record
        assert loaded.size == size


PRICES = [
    ("prompt_text_token_price", 12_500, "input_usd_per_million", 1.25),
    ("cached_prompt_text_token_price", 2_000, "cached_input_usd_per_million", 0.2),
    ("completion_text_token_price", 25_000, "output_usd_per_million", 2.5),
    ("image_price", 200_000_000, "usd_per_image", 0.02),
]


@for_each(("field", "price", "attribute", "dollars"), PRICES)
def test_prices_in_dollars(field: str, price: int, attribute: str, dollars: float) -> None:
    """Prices are converted to dollars for a million tokens or an image; a missing price is None."""
    model = parse_resource(Model)({"id": "m", field: price})
    assert getattr(model, attribute) == pytest.approx(dollars)
    assert getattr(parse_resource(Model)({"id": "m", field: 0}), attribute) == 0
    others = [other for _, _, other, _ in PRICES if other != attribute]
    assert [getattr(model, other) for other in others] == [None] * 3


@needs_recorded_bodies
def test_recorded_prices_are_the_published_prices() -> None:
    """The prices in the recorded list of models are those that xAI publishes in dollars."""
    models = {model.id: model for model in o.LIST_MODELS.parse(load_body("models/list-2026-06"))}
    grok = models["grok-4.3"]
    assert (grok.input_usd_per_million, grok.output_usd_per_million) == (1.25, 2.5)
    assert models["grok-imagine-image"].usd_per_image == 0.02


UNEXPECTED = {"secret": f"hunter2 {TOKEN}"}


@for_each("record_class", RECORD_CLASSES)
def test_errors_name_the_fields_without_their_values(record_class: type[Resource]) -> None:
    """The error for an unexpected body names the fields, and contains none of its content."""
    for name in create_minimal_body(record_class):
        body = {**create_minimal_body(record_class), name: UNEXPECTED}
        with pytest.raises(InvalidResponseError) as raised:
            parse_resource(record_class)(body)
        error = raised.value
        assert name in error.message
        assert record_class.__name__ in error.message
        assert "hunter2" not in str(error)
        assert error.__cause__ is error.__context__ is None
        text = leaks.render_exception(error, skip=(__file__, leaks.__file__, records.__file__))
        assert TOKEN not in text
    for unexpected in (None, "hunter2", ["hunter2"], 5):
        with pytest.raises(InvalidResponseError) as raised:
            parse_resource(record_class)(unexpected)
        assert "the response is missing or of another type" in str(raised.value)
        assert "hunter2" not in str(raised.value)


def test_errors_are_short() -> None:
    """The error for a thousand invalid fields names the first ones only."""
    for parse, body in (
        (parse_resource(records.Embeddings), {"data": [{"embedding": [None] * 1000}]}),
        (parse_resource(records.FilePage), {"data": [{}] * 1000}),
        (parse_resources(Model, "data"), {"data": [{}] * 1000}),
    ):
        with pytest.raises(InvalidResponseError) as raised:
            parse(body)
        assert len(str(raised.value)) < 300


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)


@given(changes=st.lists(st.tuples(st.integers(0, 99), json_values), max_size=4))
@for_each("record_class", {each.__name__: each for each in RECORD_CLASSES})
def test_any_body_is_parsed_or_invalid(
    record_class: type[Resource], changes: list[tuple[int, Any]]
) -> None:
    """Any values of the known fields result in a record or an `InvalidResponseError`."""
    names = [*record_class.model_fields, "filename", "bytes", "size_bytes", "new"]
    body = create_minimal_body(record_class) | {
        names[number % len(names)]: value for number, value in changes
    }
    try:
        parsed = parse_resource(record_class)(body)
    except XAILowCodeError as error:
        assert isinstance(error, InvalidResponseError)  # noqa: PT017 - both results are valid
        return
    assert parsed.model_dump()


def test_every_endpoint_has_an_example() -> None:
    """Each endpoint has a recorded body, except six whose responses are not published."""
    parsed_endpoints = {operation.name for operation in EXAMPLES.values()}
    assert {operation.name for operation in GATEWAY_ENDPOINTS} - parsed_endpoints == {
        "Download File",
        "Update File",
        "Initialize File Upload",
        "Upload File Chunk",
        "Batch Upload Files",
        "Complete Batch Upload",
    }
