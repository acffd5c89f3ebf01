"""Schemas that xAI rejects are relaxed, and the request is sent again."""

import json
from itertools import product
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.core import sync_async
from tests.core.clients import emulator_settings
from xai_lowcode.chat.model import ChatModel
from xai_lowcode.emulator import Emulator, ErrorInStream, Refuse
from xai_lowcode.errors import BadRequestError
from xai_lowcode.json_schema import relax_schema, sanitize_schema
from xai_lowcode.types.messages import Message
from xai_lowcode.types.requests import Api, ChatRequest, ResponseFormat, ToolSpec

Json = dict[str, Any]
REJECTED = "Invalid arguments passed to the model."
APIS: list[Api] = ["responses", "chat_completions", "messages"]

STRICT: list[Json] = [
    {"type": "string", "pattern": "^a/"},
    {"type": "string", "format": "date"},
    {"enum": ["a/b", "c"]},
    {"enum": ["a/b", None]},
    {"type": ["string", "null"], "enum": ["a/b", None], "description": "Kind."},
    {"const": "a/b"},
]
KEPT: list[Json] = [{"enum": ["c", 1]}, {"const": "c"}, {"type": "string", "maxLength": 3}]
VALUES = ["a/b", "a/", "c", "", "2024-01-01", None, 1, [], {}]


def wrap(schema: Json) -> list[Json]:
    """Return schemas of a property that use a schema in each place that changes its meaning."""
    return [
        schema,
        {"not": schema},
        {"oneOf": [schema, {"type": "integer"}]},
        {"anyOf": [schema, {"type": "integer"}]},
        {"if": schema, "then": {"maxLength": 2}, "else": {"type": "null"}},
        {"allOf": [{"not": {"not": schema}}]},
        {"$ref": "#/$defs/x"},
    ]


def as_object(prop: Json, definition: Json) -> Json:
    return {"type": "object", "properties": {"p": prop}, "$defs": {"x": definition}}


@pytest.mark.filterwarnings("ignore:tools. xAI does not accept")
@pytest.mark.parametrize("schema", [*STRICT, *KEPT])
def test_relaxed_schemas_accept_every_valid_value(schema: Json) -> None:
    """Each value that a schema accepts is accepted by the relaxed one, also below ``not``."""
    for prop, value in product(wrap(schema), VALUES):
        whole = as_object(prop, schema)
        relaxed = relax_schema(whole, field="tools", name="f")
        if Draft202012Validator(whole).is_valid({"p": value}):
            assert Draft202012Validator(relaxed).is_valid({"p": value}), (prop, value)


@pytest.mark.parametrize("schema", STRICT)
def test_relaxed_constraints_are_in_the_description(schema: Json) -> None:
    """What is left out of a relaxed schema is in its description, and one warning names it."""
    whole = as_object({"type": "integer"}, schema)
    with pytest.warns(UserWarning, match="at #/.defs/x") as warned:
        text = json.dumps(relax_schema(whole, field="tools", name="f"))
    assert len(warned) == 1
    for keyword in ("pattern", "format", "enum", "const"):
        assert f'"{keyword}":' not in text
    assert "a/" in text or "date" in text
    assert schema.get("description", "") in text


@pytest.mark.parametrize("schema", KEPT)
def test_other_constraints_stay(schema: Json) -> None:
    """A relaxed schema has all constraints that xAI is not known to reject."""
    whole = as_object(schema, schema)
    expected = sanitize_schema(whole, field="tools", name="f")
    assert relax_schema(whole, field="tools", name="f") == expected


def create_request(schema: Json, api: Api, **options: Any) -> ChatRequest:
    messages = (Message.from_text("user", "Say 'x'"),)
    tools = (ToolSpec("f", parameters=as_object(schema, {})), ToolSpec("g"))
    return ChatRequest(model="grok-4.3", messages=messages, tools=tools, api=api, **options)


def get_schemas(emulator: Emulator) -> list[str]:
    """Return the tools of each request, as text."""
    return [json.dumps(request.body["tools"]) for request in emulator.requests]


@pytest.mark.filterwarnings("ignore:tools. xAI does not accept")
@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("schema", STRICT[:3])
def test_rejected_schemas_are_relaxed(emulator: Emulator, api: Api, schema: Json) -> None:
    """A rejected request is sent again with relaxed schemas, which later requests have at once."""
    keyword = next(key for key in ("pattern", "format", "enum") if key in schema)
    for call in (sync_async.generate, sync_async.stream):
        model = ChatModel(emulator_settings(emulator, max_retries=0))
        emulator.reset()
        emulator.inject(Refuse(400, REJECTED))
        call(model, create_request(schema, api))
        first, *others = [f'"{keyword}"' in text for text in get_schemas(emulator)]
        assert first
        assert others == [False] * 2  # the sync request again, and the async one
        model.client.close()


@pytest.mark.filterwarnings("ignore:tools. xAI does not accept")
@pytest.mark.parametrize(
    "error",
    [
        REJECTED,
        "Schema validation failed: [standard_violation] /properties/p: not supported",
        "The grammar is too complex.",
    ],
)
def test_every_error_about_a_schema(emulator: Emulator, error: str) -> None:
    """The request is sent again after each error by which xAI has rejected schemas."""
    model = ChatModel(emulator_settings(emulator, max_retries=0))
    emulator.inject(Refuse(400, error))
    model.generate(create_request(STRICT[0], "responses"))
    assert ['"pattern"' in text for text in get_schemas(emulator)] == [True, False]
    model.client.close()


@pytest.mark.filterwarnings("ignore:response_format. xAI does not accept")
@pytest.mark.parametrize("api", APIS[:2])
@pytest.mark.parametrize("form", ["line", "event"])
def test_errors_in_streams(emulator: Emulator, api: Api, form: Any) -> None:
    """A stream that begins with the error is requested again, here with a response format."""
    model = ChatModel(emulator_settings(emulator, max_retries=0))
    emulator.inject(ErrorInStream(after_chunks=0, form=form))
    schema = as_object({"enum": ["a/b"]}, {})
    request = create_request({}, api, response_format=ResponseFormat(schema))
    assert list(model.stream(request))
    bodies = [json.dumps(sent.body) for sent in emulator.requests]
    assert ['"a/b"' in body for body in bodies] == [True, False]
    model.client.close()


@pytest.mark.filterwarnings("ignore:tools. xAI does not accept")
@pytest.mark.parametrize(
    ("schema", "options", "error", "requests"),
    [
        (STRICT[0], {}, REJECTED, 2),
        (KEPT[0], {}, REJECTED, 1),
        (STRICT[0], {"clean_schemas": False}, REJECTED, 1),
        (STRICT[0], {}, "Another error.", 1),
    ],
)
def test_other_rejections_raise(
    emulator: Emulator, schema: Json, options: Json, error: str, requests: int
) -> None:
    """The error is raised if no schema can be relaxed, and schemas are not relaxed afterwards."""
    model = ChatModel(emulator_settings(emulator, max_retries=0))
    emulator.inject(*[Refuse(400, error)] * requests)
    request = create_request(schema, "responses", **options)
    with pytest.raises(BadRequestError, match=error):
        model.generate(request)
    assert len(emulator.requests) == requests
    model.generate(request)
    schemas = get_schemas(emulator)
    assert schemas[-1] == schemas[0]
    model.client.close()
