"""Any message of a framework is converted or raises `UsageError`; any response is converted.

The core rejects invalid responses, so that the adapters get values of the right types. Usage
details, logprobs and image data are passed on unchanged.
"""

import json
import warnings
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from llama_index.core.base.llms.types import (
    ChatMessage,
    DocumentBlock,
    ImageBlock,
    MessageRole,
    TextBlock,
    ThinkingBlock,
    ToolCallBlock,
)

from langchain_xai_lowcode import _input as langchain_messages
from llama_index_xai_lowcode import _messages as llama_index_messages
from tests.fuzz.bodies import REQUESTS, bodies
from tests.fuzz.invalid_values import MISSING, invalid_versions, json_values
from tests.fuzz.parsing import (
    as_langchain,
    as_langchain_chunks,
    as_llama_index,
    as_llama_index_stream,
    read_plain,
    read_stream,
    render_in_each_api,
)
from tests.fuzz.test_streams import chunks_of, sse
from xai_lowcode.errors import InvalidResponseError, UsageError

pytestmark = pytest.mark.slow

each_api = pytest.mark.parametrize("api", REQUESTS)
words = st.text(max_size=6)
KINDS = [
    *langchain_messages._BLOCK_CONVERTERS,
    "reasoning",
    "tool_use",
    "tool_call",
    "non_standard",
    "?",
]
keys = st.sampled_from(
    [
        "text",
        "image_url",
        "url",
        "file_id",
        "base64",
        "mime_type",
        "source",
        "source_type",
        "data",
        "file",
        "file_data",
        "extras",
        "title",
        "filename",
        "id",
        "name",
        "args",
        "input",
        "value",
    ]
)
# The core rejects most invalid values, so that few are needed.
FEW = (MISSING, -1, "x", [{}])
blocks = st.builds(
    lambda kind, more: {**more, "type": kind},
    st.sampled_from(KINDS),
    st.dictionaries(keys, words | json_values, max_size=4),
)
content = words | st.lists(words | blocks, max_size=3)


@pytest.fixture(autouse=True)
def _quiet() -> Any:
    """Ignore the warnings about omitted parts."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@each_api
def test_any_response_is_converted(api: str) -> None:
    """Each response with an invalid field that the core accepts is converted, and back."""
    converted = 0
    visited: set[Any] = set()
    for body in bodies().plain[api]:
        for document in invalid_versions(json.loads(body), visited, values=FEW):
            response = read_plain(api, json.dumps(document).encode())
            if response is not None:
                converted += 1
                as_langchain(response)
                # Invalid image data is only detected where it is decoded.
                with suppress(InvalidResponseError):
                    as_llama_index(response)
    assert converted > 20


@pytest.mark.parametrize("api", REQUESTS)
def test_any_stream_is_converted(api: str) -> None:
    """A stream with an invalid chunk is converted, and its message is converted back."""
    chunks = chunks_of(bodies().streams[api][-1])
    converted = 0
    visited: set[Any] = set()
    for position, chunk in enumerate(chunks):
        for version in invalid_versions(chunk, visited, values=FEW):
            events, _ = read_stream(
                api, [sse([*chunks[:position], version, *chunks[position + 1 :]])]
            )
            converted += bool(events)
            as_langchain_chunks(events)
            with suppress(InvalidResponseError):
                as_llama_index_stream(events)
    assert converted > 20


additional = st.dictionaries(
    st.sampled_from(["xai_items", "reasoning_content", "refusal", "tool_calls", "x"]),
    json_values | st.dictionaries(st.sampled_from(["responses", "messages"]), json_values),
    max_size=2,
)


@given(st.sampled_from([HumanMessage, SystemMessage, AIMessage, ToolMessage]), content, additional)
def test_any_langchain_message_is_converted_or_rejected(
    kind: Any, blocks_or_text: Any, more: Any
) -> None:
    """Any content blocks and any `additional_kwargs`, in each class of message."""
    try:
        fields = {"tool_call_id": "c1"} if kind is ToolMessage else {}
        message = kind(content=blocks_or_text, additional_kwargs=more, **fields)
    except (ValueError, TypeError, AttributeError, KeyError):
        # LangChain itself rejects it.
        return
    with suppress(UsageError):
        render_in_each_api(langchain_messages.to_messages([message]))


llama_blocks = (
    st.builds(TextBlock, text=words)
    | st.builds(ThinkingBlock, content=st.none() | words)
    | st.builds(
        ToolCallBlock,
        tool_call_id=st.none() | words,
        tool_name=words,
        tool_kwargs=words | st.dictionaries(words, json_values, max_size=2),
    )
    | st.builds(ImageBlock, image=st.binary(min_size=1, max_size=8), detail=st.none() | words)
    | st.builds(
        DocumentBlock,
        data=st.binary(min_size=1, max_size=8),
        title=st.none() | words,
        document_mimetype=st.sampled_from([None, "text/plain", "application/pdf", "x"]),
    )
)


@given(
    st.sampled_from(list(MessageRole)),
    st.lists(llama_blocks, max_size=3),
    st.dictionaries(st.sampled_from(["name", "tool_call_id", "x"]), st.none() | words, max_size=2),
)
def test_any_llama_index_message_is_converted_or_rejected(
    role: Any, blocks_or_text: Any, more: Any
) -> None:
    """Any content blocks in any role."""
    message = ChatMessage(role=role, blocks=blocks_or_text, additional_kwargs=more)
    with suppress(UsageError):
        render_in_each_api(llama_index_messages.to_messages([message]))
