"""Law: what frameworks hand over becomes ours or a UsageError; what came becomes theirs.

The core refuses what it cannot read, so the adapters get values of the right types. What xAI tells
beside them is passed on as it came, and looked at by nobody: figures, probabilities, images.
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
from tests.fuzz.bodies import QUESTIONS, bodies
from tests.fuzz.invalid_values import MISSING, json_values, odd_versions
from tests.fuzz.parsing import (
    as_langchain,
    as_langchain_chunks,
    as_llama_index,
    as_llama_index_stream,
    read_plain,
    read_stream,
    written_out,
)
from tests.fuzz.test_streams import chunks_of, sse
from xai_lowcode.errors import InvalidResponseError, UsageError

pytestmark = pytest.mark.slow

forms = pytest.mark.parametrize("form", QUESTIONS)
words = st.text(max_size=6)
KINDS = [
    *langchain_messages._BLOCK_CONVERTERS,
    "reasoning",
    "tool_use",
    "tool_call",
    "non_standard",
    "?",
]
members = st.sampled_from(
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
# What the core reads is odd in few ways.
FEW = (MISSING, -1, "x", [{}])
blocks = st.builds(
    lambda kind, more: {**more, "type": kind},
    st.sampled_from(KINDS),
    st.dictionaries(members, words | json_values, max_size=4),
)
content = words | st.lists(words | blocks, max_size=3)


@pytest.fixture(autouse=True)
def _quiet() -> Any:
    """Ignore the warnings about omitted parts."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@forms
def test_any_reply_becomes_theirs(form: str) -> None:
    """Each answer with an odd member that the core reads: in both frameworks, there and back."""
    read = 0
    seen: set[Any] = set()
    for body in bodies().plain[form]:
        for document in odd_versions(json.loads(body), seen, values=FEW):
            reply = read_plain(form, json.dumps(document).encode())
            if reply is not None:
                read += 1
                as_langchain(reply)
                # Invalid image data is only detected where it is decoded.
                with suppress(InvalidResponseError):
                    as_llama_index(reply)
    assert read > 20


@pytest.mark.parametrize("form", QUESTIONS)
def test_any_stream_becomes_theirs(form: str) -> None:
    """The same for the first stream of each form."""
    chunks = chunks_of(bodies().streams[form][-1])
    read = 0
    seen: set[Any] = set()
    for position, chunk in enumerate(chunks):
        for odd in odd_versions(chunk, seen, values=FEW):
            events, _ = read_stream(form, [sse([*chunks[:position], odd, *chunks[position + 1 :]])])
            read += bool(events)
            as_langchain_chunks(events)
            with suppress(InvalidResponseError):
                as_llama_index_stream(events)
    assert read > 20


additional = st.dictionaries(
    st.sampled_from(["xai_items", "reasoning_content", "refusal", "tool_calls", "x"]),
    json_values | st.dictionaries(st.sampled_from(["responses", "messages"]), json_values),
    max_size=2,
)


@given(st.sampled_from([HumanMessage, SystemMessage, AIMessage, ToolMessage]), content, additional)
def test_any_langchain_message_is_ours_or_refused(kind: Any, said: Any, more: Any) -> None:
    """Any content blocks and any kept members, in every kind of message."""
    try:
        fields = {"tool_call_id": "c1"} if kind is ToolMessage else {}
        message = kind(content=said, additional_kwargs=more, **fields)
    except (ValueError, TypeError, AttributeError, KeyError):
        # LangChain itself does not take it.
        return
    with suppress(UsageError):
        written_out(langchain_messages.to_messages([message]))


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
def test_any_llama_index_message_is_ours_or_refused(role: Any, said: Any, more: Any) -> None:
    """Any blocks in any role."""
    message = ChatMessage(role=role, blocks=said, additional_kwargs=more)
    with suppress(UsageError):
        written_out(llama_index_messages.to_messages([message]))
