"""The Chat Completions dialect renders every option, role and part."""

import json
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.cases import for_each
from xai_lowcode.chat.dialect_selection import RESPONSES_ONLY
from xai_lowcode.chat.dialects.chat_completions import DIALECT as CHAT_COMPLETIONS
from xai_lowcode.errors import UsageError
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
from xai_lowcode.types.requests import (
    OPTIONS,
    ChatRequest,
    NamedTool,
    ResponseFormat,
    ToolSpec,
)
from xai_lowcode.types.requests import has_content as request_has_content

DIALECT = CHAT_COMPLETIONS
HELLO = Message("user", (TextPart("Hello"),))


def render(*messages: Message, stream: bool = False, **options: Any) -> dict[str, Any]:
    request = ChatRequest(model="grok-4.7", messages=messages or (HELLO,), **options)
    return DIALECT.render(request, stream=stream)


TOOL = ToolSpec("look", "Looks.", {"type": "object", "properties": {"a": {"type": "string"}}})
RENDERED_TOOL = {
    "type": "function",
    "function": {"name": "look", "description": "Looks.", "parameters": TOOL.parameters},
}
# Option, value, fields of the request body.
OPTION_TABLE: list[tuple[str, Any, dict[str, Any]]] = [
    ("temperature", 0.0, {"temperature": 0.0}),
    ("temperature", 1, {"temperature": 1}),
    ("top_p", 0.5, {"top_p": 0.5}),
    ("max_tokens", 7, {"max_completion_tokens": 7}),
    ("stop", ("a", "b"), {"stop": ["a", "b"]}),
    ("stop", ["a"], {"stop": ["a"]}),
    ("n", 2, {"n": 2}),
    ("seed", 0, {"seed": 0}),
    ("presence_penalty", 0.0, {"presence_penalty": 0.0}),
    ("frequency_penalty", -1.5, {"frequency_penalty": -1.5}),
    ("logprobs", False, {"logprobs": False}),
    ("top_logprobs", 3, {"top_logprobs": 3}),
    ("reasoning_effort", "low", {"reasoning_effort": "low"}),
    ("user", "u", {"user": "u"}),
    ("service_tier", "priority", {"service_tier": "priority"}),
    ("safety_identifier", "s", {"safety_identifier": "s"}),
    ("tools", [TOOL], {"tools": [RENDERED_TOOL]}),
    ("tool_choice", "required", {}),
    ("parallel_tool_calls", False, {}),
    ("response_format", ResponseFormat(), {"response_format": {"type": "json_object"}}),
    (
        "response_format",
        ResponseFormat({"type": "object"}, "shape"),
        {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "shape", "schema": {"type": "object"}, "strict": True},
            }
        },
    ),
    ("stream_usage", False, {}),
    ("deferred", True, {"deferred": True}),
    ("deferred", False, {}),
]


def test_the_table_has_every_option() -> None:
    """No option is missing from the table, except those of Responses and client-side ones."""
    assert {name for name, _, _ in OPTION_TABLE} == OPTIONS - {
        *RESPONSES_ONLY,
        *DIALECT.unsupported,
        "api",
        "clean_schemas",
        "use_encrypted_content",
    }


@for_each(("name", "value", "body_fields"), OPTION_TABLE)
def test_an_option_adds_its_fields_only(name: str, value: Any, body_fields: dict[str, Any]) -> None:
    """Each option adds its fields, falsy values too, and changes no other field."""
    assert render(**{name: value}) == {**render(), **body_fields}


@for_each(
    ("choice", "rendered"),
    [(c, c) for c in ("auto", "none", "required")]
    + [(NamedTool("look"), {"type": "function", "function": {"name": "look"}})],
)
@for_each("parallel", [None, True, False])
def test_tool_choice_and_parallel_tool_calls(
    choice: Any, rendered: Any, parallel: bool | None
) -> None:
    """With tools, tool_choice and parallel_tool_calls are sent."""
    body = render(tools=[TOOL], tool_choice=choice, parallel_tool_calls=parallel)
    assert body["tool_choice"] == rendered
    assert body.get("parallel_tool_calls") == parallel


def test_streams_request_usage() -> None:
    """A stream requests its usage unless stream_usage is False."""
    assert "stream" not in render()
    assert render(stream=True)["stream_options"] == {"include_usage": True}
    assert "stream_options" not in render(stream=True, stream_usage=False)
    assert render(extra={"deferred": True, "seed": 9}, seed=1)["seed"] == 9


# Part, supported roles, rendered part in a list of content; None if it is a field of its own.
PART_TABLE: list[tuple[Any, set[str], dict[str, Any] | None]] = [
    (TextPart("t"), {"system", "user", "assistant"}, {"type": "text", "text": "t"}),
    (
        ImagePart("https://i"),
        {"system", "user"},
        {"type": "image_url", "image_url": {"url": "https://i"}},
    ),
    (
        ImagePart(file_id="f", detail="low"),
        {"system", "user"},
        {"type": "image_url", "image_url": {"file_id": "f", "detail": "low"}},
    ),
    (FilePart(file_id="f"), {"system", "user"}, {"type": "file", "file": {"file_id": "f"}}),
    (FilePart("https://f"), {"system", "user"}, {"type": "file", "file": {"url": "https://f"}}),
    (ReasoningPart("r"), {"assistant"}, None),
    (ToolCallPart("c", "look", "{}"), {"assistant"}, None),
    (ToolResultPart("c", (TextPart("t"),)), {"tool"}, None),
    ("a text", set(), None),
    (None, set(), None),
]


NAMES: dict[type, str] = {
    TextPart: "a text",
    ImagePart: "an image",
    FilePart: "a file",
    ReasoningPart: "reasoning",
    ToolCallPart: "a tool call",
    ToolResultPart: "a tool result",
}


def test_server_tool_calls_and_images_in_assistant_messages_are_skipped() -> None:
    """A call of a server-side tool is skipped silently, an image with a warning."""
    call = ServerToolPart("web_search_call", "ws_1", arguments="towers")
    text = {"role": "assistant", "content": "x"}
    assert render(HELLO, Message("assistant", (call, TextPart("x"))))["messages"][1] == text
    message = Message("assistant", (ImagePart("https://i"), TextPart("x")))
    with pytest.warns(UserWarning, match=r"messages\[1\]: an image is not sent"):
        assert render(HELLO, message)["messages"][1] == text


@for_each("role", ["system", "user", "assistant", "tool"])
@for_each(("part", "roles", "rendered"), PART_TABLE)
def test_parts_in_roles(role: Any, part: Any, roles: set[str], rendered: Any) -> None:
    """A part is rendered in supported roles; other roles raise an error with part and role."""
    message = Message(role, (TextPart("x"), part) if role != "tool" else (part,))
    messages = (HELLO, message)
    if role == "tool" and isinstance(part, ToolResultPart):
        call = ToolCallPart(part.call_id, "f", "{}")
        messages = (HELLO, Message("assistant", (call,)), message)
    if isinstance(part, ImagePart | FilePart) and role == "assistant":
        pytest.skip("skipped with a warning, see above")
    if role not in roles:
        with pytest.raises(UsageError) as raised:
            render(*messages)
        assert raised.value.field == "messages"
        name = NAMES.get(type(part), type(part).__name__)
        assert str(raised.value).startswith(f"messages[1]: {name} cannot be part of")
        assert f"a {role} message" in str(raised.value)
        return
    sent = render(*messages)["messages"][-1]
    assert sent["role"] == role
    if rendered is not None and not isinstance(part, TextPart):
        assert sent["content"] == [{"type": "text", "text": "x"}, rendered]


@for_each("part", [ImagePart(), ImagePart(url=""), FilePart(), FilePart(data="AA==")])
def test_parts_without_a_url_or_file_id(part: Any) -> None:
    """An image or file without a URL or file id raises an error."""
    with pytest.raises(UsageError, match="messages"):
        render(Message("user", (TextPart("x"), part)))


names = st.text(st.sampled_from("abc_"), min_size=1, max_size=5)
texts = st.text(max_size=8)
users = st.builds(
    Message,
    st.just("user"),
    st.lists(
        st.builds(TextPart, texts) | st.builds(ImagePart, st.just("https://i")), max_size=3
    ).map(tuple),
    st.none() | names,
).filter(request_has_content)
assistants = st.builds(
    lambda reasoning, text, calls: Message("assistant", (*reasoning, *text, *calls)),
    st.lists(st.builds(ReasoningPart, texts), max_size=1),
    st.lists(st.builds(TextPart, texts), max_size=2),
    st.lists(
        st.builds(ToolCallPart, names, names, st.sampled_from(["", "{}", '{"a":1}'])), max_size=2
    ),
)
tools = st.builds(
    Message,
    st.just("tool"),
    st.lists(
        st.builds(
            ToolResultPart, names, st.lists(st.builds(TextPart, texts), max_size=2).map(tuple)
        ),
        max_size=2,
    ).map(tuple),
)
systems = st.builds(
    Message, st.just("system"), st.tuples(st.builds(TextPart, texts)), st.none() | names
)


def has_content(message: Message, results: set[str], *, is_last: bool) -> bool:
    """Return whether an assistant message has text or answered tool calls; xAI rejects others."""
    return any(
        (isinstance(part, ToolCallPart) and (is_last or part.id in results))
        or (isinstance(part, TextPart) and part.text)
        for part in message.parts
    )


@given(st.lists(users | assistants | tools | systems, min_size=1, max_size=6))
def test_any_conversation(messages: list[Message]) -> None:
    """Content is never null, names are sent for users only, each result is one message.

    It follows its call. A result without a call is a message of the user, if it is not empty.
    """
    assume(any(map(request_has_content, messages)))
    body = render(*messages)["messages"]
    results = [part for m in messages for part in m.parts if isinstance(part, ToolResultPart)]
    empty = sum(not request_has_content(Message("user", part.content)) for part in results)
    ids = {part.call_id for part in results}
    others = [
        m
        for position, m in enumerate(messages)
        if m.role == "user"
        or (m.role == "system" and any(part != TextPart("") for part in m.parts))
        or (m.role == "assistant" and has_content(m, ids, is_last=position == len(messages) - 1))
    ]
    assert len(others) + len(results) - empty <= len(body) <= len(others) + len(results)
    called: set[str] = set()
    for sent in body:
        if sent["role"] == "tool":
            called.remove(sent["tool_call_id"])
        else:
            called = {call["id"] for call in sent.get("tool_calls", ())}
        assert isinstance(sent["content"], str | list)
        assert "name" not in sent or sent["role"] == "user"
        for call in sent.get("tool_calls", ()):
            json.loads(call["function"]["arguments"])
    image_count = sum(isinstance(part, ImagePart) for message in messages for part in message.parts)
    assert json.dumps(body).count('"image_url": {') == image_count
    assistant_texts = [
        part.text
        for m in messages
        if m.role == "assistant"
        for part in m.parts
        if isinstance(part, TextPart)
    ]
    assert "".join(sent["content"] for sent in body if sent["role"] == "assistant") == "".join(
        assistant_texts
    )


def test_the_request_has_no_other_fields() -> None:
    """A new field of ChatRequest must be added to the tests above."""
    known = OPTIONS | {"model", "messages", "stored_messages", "extra"}
    assert {field.name for field in fields(ChatRequest)} == known
