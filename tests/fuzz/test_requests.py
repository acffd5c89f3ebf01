"""Any input of a caller gives a request or a `UsageError`, and no other exception."""

import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.invalid_values import json_values, scalars
from tests.fuzz.parsing import DIALECTS, render_in_each_api
from xai_lowcode import settings
from xai_lowcode._internal import json
from xai_lowcode.api.embeddings import EmbeddingRequest
from xai_lowcode.api.endpoints import GATEWAY_ENDPOINTS
from xai_lowcode.chat import openai_format
from xai_lowcode.errors import UsageError
from xai_lowcode.json_schema import sanitize_schema
from xai_lowcode.json_schema.keywords import SUBSCHEMA_KEYWORDS
from xai_lowcode.protocol.urls import build_path, path_parameters
from xai_lowcode.redaction import redact
from xai_lowcode.types.images import ImageRequest
from xai_lowcode.types.messages import (
    FilePart,
    ImagePart,
    Message,
    ReasoningPart,
    ServerToolPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from xai_lowcode.types.requests import OPTIONS, ChatRequest, ServerTool, ToolSpec

pytestmark = pytest.mark.slow

words = st.text(max_size=6)
optional = st.none() | words
contents = (
    st.builds(TextPart, words)
    | st.builds(ImagePart, optional, optional, optional)
    | st.builds(FilePart, optional, optional, optional, optional, optional)
)
parts = (
    contents
    | st.builds(ReasoningPart, words)
    | st.builds(ToolCallPart, words, words, words)
    | st.builds(ToolResultPart, words, st.lists(contents, max_size=2).map(tuple))
    | st.builds(ServerToolPart, words, words, words, words, json_values, st.booleans())
)
items = st.lists(st.dictionaries(words, json_values, max_size=3), max_size=2).map(tuple)
messages = st.builds(
    Message,
    st.sampled_from(["system", "user", "assistant", "tool"]),
    st.lists(parts, max_size=3).map(tuple),
    optional,
    items,
    st.sampled_from(["", "responses", "messages"]),
)
PARSERS = [
    openai_format.parse_tool,
    openai_format.parse_tool_choice,
    openai_format.parse_response_format,
    openai_format.is_server_tool,
]
tool_documents = st.recursive(
    scalars | st.sampled_from(["function", "auto", "any", "web_search", "json_schema"]),
    lambda inner: st.dictionaries(
        st.sampled_from(["type", "function", "name", "parameters", "json_schema", "schema"]), inner
    ),
    max_leaves=8,
)
schemas = st.recursive(
    scalars | st.sampled_from(["object", "#", "#/$defs/a", "#/properties/a", "null"]),
    lambda inner: (
        st.dictionaries(
            st.sampled_from(
                [*SUBSCHEMA_KEYWORDS, "$ref", "type", "enum", "const", "definitions", "a", "items"]
            ),
            inner,
            max_size=5,
        )
        | st.lists(inner, max_size=3)
    ),
    max_leaves=15,
)


@pytest.fixture(autouse=True)
def _quiet() -> Any:
    """Ignore the warnings about omitted parts."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@given(st.lists(messages, min_size=1, max_size=3))
def test_any_conversation_is_rendered_or_rejected(conversation: list[Message]) -> None:
    """Any parts in any role, with any items to send back, in each API."""
    with suppress(UsageError):
        render_in_each_api(conversation)


@given(st.dictionaries(st.sampled_from(sorted(OPTIONS)), json_values, max_size=3))
def test_any_option_is_accepted_or_rejected(options: dict[str, Any]) -> None:
    """Any JSON as the value of any option of a request."""
    # The adapters convert tools and formats with the parsers below.
    parsed_options = {"tools", "server_tools", "tool_choice", "response_format"}
    given_ = {name: value for name, value in options.items() if name not in parsed_options}
    with suppress(UsageError):
        request = ChatRequest(
            model="grok-4.3", messages=(Message("user", (TextPart("x"),)),), **given_
        )
        for dialect in DIALECTS.values():
            with suppress(UsageError):
                json.dumps(dialect.render(request, stream=True))


@given(st.sampled_from(PARSERS), json_values | tool_documents)
def test_any_tool_is_parsed_or_rejected(parse: Callable[[Any], Any], document: Any) -> None:
    """Any JSON as a tool, a tool choice or a response format; a server-side tool is unchanged."""
    with suppress(UsageError):
        parse(document)
    if openai_format.is_server_tool(document):
        tool = openai_format.parse_server_tool(document)
        assert openai_format.render_server_tool(tool) == document


@given(schemas)
def test_any_schema_is_sanitized_or_rejected(schema: Any) -> None:
    """Any JSON with keywords of schemas as parameters of a tool; sanitizing is idempotent."""
    try:
        clean = sanitize_schema(schema, field="tools", name="look")
    except UsageError as refusal:
        field = refusal.field
    else:
        field = "tools"
        assert sanitize_schema(dict(clean), field="tools", name="look") == clean
    assert field == "tools"


@given(st.sampled_from([ImageRequest, EmbeddingRequest]), st.data())
def test_any_image_or_embedding_request_is_rendered_or_rejected(kind: Any, data: Any) -> None:
    """Any JSON as any field of an image or embedding request."""
    names = sorted(kind.__dataclass_fields__.keys() - {"extra"})
    required = {"prompt": "x"} if kind is ImageRequest else {"texts": ["x"]}
    fields = data.draw(st.dictionaries(st.sampled_from(names), json_values, max_size=2))
    with suppress(UsageError):
        rendered = kind(**{**required, **fields}).render()
        json.dumps(rendered if isinstance(rendered, dict) else [body for _, body in rendered])


objects = st.recursive(
    scalars | st.binary(max_size=3) | st.just(object()) | st.text(st.characters(), max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text() | st.integers(), inner, max_size=3)
        | st.tuples(inner, inner)
    ),
    max_leaves=8,
)


@given(objects, st.integers(0, 400))
def test_any_object_is_serialized_or_rejected(document: Any, depth: int) -> None:
    """Bytes, non-string keys, lone surrogates, NaN and any depth: valid JSON or a `UsageError`."""
    for _ in range(depth):
        document = [document]
    serialized = b""
    with suppress(UsageError):
        serialized = json.dumps(document)
    if serialized:
        assert json.dumps(orjson.loads(serialized)) == serialized
    redact(document, "token")


@given(
    st.sampled_from(GATEWAY_ENDPOINTS),
    st.sampled_from(["new", "old"]),
    json_values | st.text(st.characters()),
    st.dictionaries(st.text(st.characters()), st.text(st.characters()), max_size=3),
)
def test_any_path_is_built_or_rejected(
    operation: Any, url_format: Any, value: Any, query: Any
) -> None:
    """Any value as an id, any text as a parameter: a printable ASCII path or a `UsageError`."""
    with suppress(UsageError):
        path = build_path(
            operation, url_format, dict.fromkeys(path_parameters(operation), value), query
        )
        assert path.isascii()
        assert path.isprintable()
        assert " " not in path


@given(st.text() | json_values, st.booleans())
def test_any_base_url_or_token_is_accepted_or_rejected(given_: Any, insecure: bool) -> None:
    """Any value as base URL or token is accepted or raises `UsageError`."""
    for check in (
        lambda: settings.check_base_url(given_, allow_insecure_http=insecure),
        lambda: settings.check_token(given_),
    ):
        with suppress(UsageError):
            check()


def test_server_tools_are_unchanged() -> None:
    """A server-side tool is sent unchanged; its parameters are not sanitized as a schema."""
    tool = ServerTool("web_search", {"x": 1})
    assert openai_format.parse_server_tool(tool) is tool
    with pytest.raises(UsageError):
        ToolSpec("x", parameters=[])  # type: ignore[arg-type]  # is rejected
