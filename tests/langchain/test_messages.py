"""Conversion of LangChain's messages and content blocks to core messages."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)

from langchain_xai_lowcode._input import to_messages
from tests.cases import for_each
from xai_lowcode.errors import UsageError
from xai_lowcode.types.messages import (
    FilePart,
    ImagePart,
    Message,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)

CALL = {"name": "add", "args": {"a": 2, "b": "ü"}, "id": "call_1"}

PDF = "application/pdf"

BLOCKS: list[tuple[Any, Any]] = [
    ("plain", TextPart("plain")),
    ({"type": "text", "text": "hi"}, TextPart("hi")),
    ({"type": "text", "text": "hi", "cache_control": {"type": "ephemeral"}}, TextPart("hi")),
    (
        {"type": "image_url", "image_url": "https://x.example/a.png"},
        ImagePart("https://x.example/a.png"),
    ),
    (
        {"type": "image_url", "image_url": {"url": "https://x.example/a.png", "detail": "low"}},
        ImagePart("https://x.example/a.png", None, "low"),
    ),
    ({"type": "image", "url": "https://x.example/a.png"}, ImagePart("https://x.example/a.png")),
    (
        {"type": "image", "base64": "QUJD", "mime_type": "image/png"},
        ImagePart("data:image/png;base64,QUJD"),
    ),
    ({"type": "image", "file_id": "file_1"}, ImagePart(None, "file_1")),
    (
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "QUJD"}},
        ImagePart("data:image/png;base64,QUJD"),
    ),
    (
        {"type": "image", "source": {"type": "url", "url": "https://x.example/a.png"}},
        ImagePart("https://x.example/a.png"),
    ),
    (
        {"type": "image", "source_type": "base64", "data": "QUJD", "mime_type": "image/png"},
        ImagePart("data:image/png;base64,QUJD"),
    ),
    ({"type": "file", "file_id": "file_1"}, FilePart(None, "file_1")),
    ({"type": "file", "url": "https://x.example/a.pdf"}, FilePart("https://x.example/a.pdf")),
    (
        {"type": "file", "base64": "QUJD", "mime_type": "application/pdf", "filename": "a.pdf"},
        FilePart(None, None, "QUJD", "application/pdf", "a.pdf"),
    ),
    ({"type": "file", "file": {"file_id": "file_1"}}, FilePart(None, "file_1")),
    ({"type": "text-plain", "text": "body", "title": "T"}, TextPart("T\n\nbody")),
    (
        {"type": "text-plain", "base64": "QUJD", "mime_type": "text/plain"},
        FilePart(None, None, "QUJD", "text/plain"),
    ),
    ({"type": "input_text", "text": "hi"}, TextPart("hi")),
    (
        {"type": "input_image", "image_url": "https://x.example/a.png", "detail": "high"},
        ImagePart("https://x.example/a.png", None, "high"),
    ),
    ({"type": "input_image", "file_id": "file_1"}, ImagePart(None, "file_1")),
    ({"type": "input_file", "file_id": "file_1"}, FilePart(None, "file_1")),
    (
        {"type": "input_file", "file_url": "https://x.example/a.pdf"},
        FilePart("https://x.example/a.pdf"),
    ),
    (
        {"type": "input_file", "file_data": f"data:{PDF};base64,QUJD", "filename": "a.pdf"},
        FilePart(None, None, "QUJD", PDF, "a.pdf"),
    ),
    (
        {"type": "file", "file": {"file_data": f"data:{PDF};base64,QUJD", "filename": "a.pdf"}},
        FilePart(None, None, "QUJD", PDF, "a.pdf"),
    ),
    (
        {"type": "file", "source_type": "base64", "data": "QUJD", "mime_type": PDF},
        FilePart(None, None, "QUJD", PDF),
    ),
    (
        {"type": "file", "source_type": "url", "url": "https://x.example/a.pdf"},
        FilePart("https://x.example/a.pdf"),
    ),
    ({"type": "file", "source_type": "id", "id": "file_1"}, FilePart(None, "file_1")),
    ({"type": "file", "source_type": "text", "url": "body"}, TextPart("body")),
    (
        {"type": "document", "source": {"type": "base64", "media_type": PDF, "data": "QUJD"}},
        FilePart(None, None, "QUJD", PDF),
    ),
    (
        {"type": "document", "source": {"type": "url", "url": "https://x.example/a.pdf"}},
        FilePart("https://x.example/a.pdf"),
    ),
    (
        {"type": "document", "source": {"type": "file", "file_id": "file_1"}, "title": "T"},
        FilePart(None, "file_1", filename="T"),
    ),
    (
        {"type": "document", "source": {"type": "text", "data": "body"}, "title": "T"},
        TextPart("T\n\nbody"),
    ),
    (
        {"type": "non_standard", "value": {"type": "image", "url": "https://x.example/a.png"}},
        ImagePart("https://x.example/a.png"),
    ),
]


@for_each(("block", "part"), BLOCKS)
def test_each_content_block_is_converted(block: Any, part: Any) -> None:
    """A block is converted to its part, in human, system and tool messages."""
    for message in (HumanMessage([block]), SystemMessage([block])):
        assert to_messages([message])[0].parts == (part,)
    result = to_messages([ToolMessage([block], tool_call_id="call_1")])[0]
    assert result.parts == (ToolResultPart("call_1", (part,)),)


# The formats of embedded data: LangChain's v1 and v0, Anthropic's, MCP's.
DATA_FORMATS: list[Callable[[str, Any, str], Any]] = [
    lambda kind, data, mime: {"type": kind, "base64": data, "mime_type": mime},
    lambda kind, data, mime: {
        "type": kind,
        "source_type": "base64",
        "data": data,
        "mime_type": mime,
    },
    lambda kind, data, mime: {
        "type": kind,
        "source": {"type": "base64", "data": data, "media_type": mime},
    },
    lambda kind, data, mime: {"type": kind, "data": data, "mimeType": mime},
]


@for_each("kind", ["image", "file"])
@for_each("data_format", DATA_FORMATS)
def test_data_is_base64_or_a_data_url(data_format: Any, kind: str) -> None:
    """Both are the same part in every format, also in results of tools; bytes are refused."""
    mime = "image/png" if kind == "image" else PDF
    part = (
        ImagePart(f"data:{mime};base64,QUJD")
        if kind == "image"
        else FilePart(None, None, "QUJD", mime)
    )
    for data in ("QUJD", f"data:{mime};base64,QUJD", f"DATA:{mime};name=a;base64,QUJD"):
        block = data_format(kind, data, mime)
        for message in (HumanMessage([block]), SystemMessage([block])):
            assert to_messages([message])[0].parts == (part,)
        result = to_messages([ToolMessage([block], tool_call_id="call_1")])[0]
        assert result.parts == (ToolResultPart("call_1", (part,)),)
    with pytest.raises(UsageError, match=f"{kind!r} must be a base64 string, not bytes"):
        to_messages([HumanMessage([data_format(kind, b"ABC", mime)])])


def test_the_type_of_an_image_is_that_of_its_data() -> None:
    """Without a MIME type, a data URL or the first bytes of the image tell it."""
    for data, mime in (
        ("data:image/webp;base64,QUJD", "image/webp"),
        ("iVBORw0KGgo=", "image/png"),
        ("QUJD", "image/jpeg"),
    ):
        (part,) = to_messages([HumanMessage([{"type": "image", "base64": data}])])[0].parts
        assert part == ImagePart(f"data:{mime};base64,{data.rpartition(',')[2]}")


@for_each(
    "block",
    [
        {"type": "audio", "base64": "QUJD", "mime_type": "audio/wav"},
        {"type": "video", "url": "https://x.example/a.mp4"},
        {"type": "input_audio", "input_audio": {"data": "QUJD", "format": "wav"}},
        {"type": "unheard-of"},
        {"no": "type"},
        {"type": "text"},
        {"type": "image"},
        {"type": "image_url", "image_url": {}},
        {"type": "input_image"},
        {"type": "input_file"},
        {"type": "file", "file": {}},
        {"type": "document", "source": {}},
        {"type": "non_standard", "value": {"type": "input_audio"}},
        {"type": "non_standard"},
        {"type": "reasoning", "reasoning": "hm"},
        {"type": "server_tool_call", "id": "1", "name": "web_search", "args": {}},
        {"type": "file"},
        {"type": "image", "url": True},
        {"type": "image_url", "image_url": {"url": ["x"]}},
        {"type": "input_file", "file_data": 5},
        {"type": "file", "url": "https://x.example/a.pdf", "filename": 5},
    ],
)
def test_unsupported_content_blocks_are_rejected(block: Any) -> None:
    """The error of an unsupported or invalid block names its path."""
    with pytest.raises(UsageError, match=r"messages\[1\]\.content\[1\]") as caught:
        to_messages([HumanMessage("hi"), HumanMessage(["text", block])])
    assert caught.value.field == "messages[1].content[1]"


@for_each(
    ("message", "expected"),
    [
        (HumanMessage("hi", name="ada"), Message("user", (TextPart("hi"),), "ada")),
        (SystemMessage("be kind"), Message("system", (TextPart("be kind"),))),
        (ChatMessage("hi", role="user"), Message("user", (TextPart("hi"),))),
        (ChatMessage("hi", role="developer"), Message("system", (TextPart("hi"),))),
        (ChatMessage("hi", role="human"), Message("user", (TextPart("hi"),))),
        (ChatMessage("hi", role="ai"), Message("assistant", (TextPart("hi"),))),
        (AIMessage("yes"), Message("assistant", (TextPart("yes"),))),
        (
            AIMessage([{"type": "output_text", "text": "yes", "annotations": []}]),
            Message("assistant", (TextPart("yes"),)),
        ),
        (AIMessage(""), Message("assistant", ())),
        (HumanMessage([]), Message("user", (TextPart(""),))),
        (
            AIMessage(
                "yes",
                additional_kwargs={"reasoning_content": "hm"},
                response_metadata={"model_provider": "xai-lowcode"},
            ),
            Message("assistant", (ReasoningPart("hm"), TextPart("yes"))),
        ),
        (
            AIMessage("", tool_calls=[CALL]),
            Message("assistant", (ToolCallPart("call_1", "add", '{"a":2,"b":"ü"}'),)),
        ),
    ],
)
def test_each_message_is_converted(message: BaseMessage, expected: Message) -> None:
    """A message is converted with its role, name, text, reasoning and tool calls."""
    assert to_messages([message]) == [expected]


def test_unknown_blocks_of_ai_messages_are_omitted() -> None:
    """Content blocks of other models in an AI message are omitted; text and tool calls are kept."""
    content: Any = [
        {"type": "thinking", "thinking": "…", "signature": "s"},
        {"type": "reasoning", "reasoning": "hm"},
        {"type": "text", "text": "yes"},
        {"type": "tool_use", "id": "call_1", "name": "add", "input": {}},
        {"type": "tool_call", **CALL},
        {"type": "server_tool_call", "id": "ws_1", "name": "web_search", "args": {}},
        {"type": "non_standard", "value": {}},
    ]
    (message,) = to_messages([AIMessage(content, tool_calls=[CALL])])
    assert [type(part) for part in message.parts] == [TextPart, ToolCallPart]


def test_tool_calls_in_the_content_only_are_sent() -> None:
    """Tool calls that are only content blocks, LangChain's or Anthropic's, are converted."""
    content: Any = [
        {"type": "text", "text": "I look."},
        {"type": "tool_call", "id": "call_1", "name": "add", "args": {"a": 1}},
        {"type": "tool_use", "id": "call_2", "name": "add", "input": {"a": 2}},
    ]
    (message,) = to_messages([AIMessage(content)])
    assert message.parts[1:] == (
        ToolCallPart("call_1", "add", '{"a":1}'),
        ToolCallPart("call_2", "add", '{"a":2}'),
    )
    known = {"type": "tool_call", "id": "call_1", "name": "add", "args": {"a": 3}}
    (message,) = to_messages([AIMessage(content, tool_calls=[known])])
    assert sorted(message.parts[1:], key=str) == [
        ToolCallPart("call_1", "add", '{"a":3}'),
        ToolCallPart("call_2", "add", '{"a":2}'),
    ]


IMAGE_URL = "data:image/png;base64,QUJD"


@pytest.mark.parametrize(
    "block",
    [
        {"type": "image", "base64": "QUJD", "mime_type": "image/png"},
        {"type": "image_url", "image_url": {"url": IMAGE_URL}},
        {"type": "input_image", "image_url": IMAGE_URL},
    ],
)
def test_images_of_ai_messages_are_converted(block: Any) -> None:
    """An image of an AI message is a part of the message; one without data is left out."""
    (message,) = to_messages([AIMessage([block, "Here."])])
    assert message.parts == (ImagePart(IMAGE_URL), TextPart("Here."))
    (message,) = to_messages([AIMessage([{"type": block["type"]}, "Here."])])
    assert message.parts == (TextPart("Here."),)


def test_invalid_tool_calls_are_sent_back_unchanged() -> None:
    """An invalid tool call keeps the text of its arguments."""
    broken = {"name": "add", "args": "{oops", "id": "call_1", "error": "no JSON"}
    (message,) = to_messages([AIMessage("", invalid_tool_calls=[broken])])
    assert message.parts == (ToolCallPart("call_1", "add", "{oops"),)


@pytest.mark.parametrize(
    "message",
    [
        FunctionMessage("3", name="add"),
        ChatMessage("hi", role="pirate"),
    ],
)
def test_unsupported_messages_are_rejected(message: BaseMessage) -> None:
    """The error of an unsupported message names its path."""
    with pytest.raises(UsageError, match=r"messages\[0\]"):
        to_messages([message])


def test_messages_are_not_mutated() -> None:
    """The conversion does not change the caller's messages."""
    messages = [HumanMessage([block for block, _ in BLOCKS]), AIMessage("x", tool_calls=[CALL])]
    before = copy.deepcopy(messages)
    to_messages(messages)
    assert messages == before
