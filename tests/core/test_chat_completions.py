"""Law: everything that can be asked has its place on the wire."""

import json
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
from xai_lowcode.types.requests import OPTIONS, ChatRequest, NamedTool, ResponseFormat, ToolSpec

DIALECT = CHAT_COMPLETIONS
HELLO = Message("user", (TextPart("Hello"),))


def render(*messages: Message, stream: bool = False, **options: Any) -> dict[str, Any]:
    request = ChatRequest(model="grok-4.7", messages=messages or (HELLO,), **options)
    return DIALECT.render(request, stream=stream)


TOOL = ToolSpec("look", "Looks.", {"type": "object", "properties": {"a": {"type": "string"}}})
WIRE_TOOL = {
    "type": "function",
    "function": {"name": "look", "description": "Looks.", "parameters": TOOL.parameters},
}
# Option of a request, value: members of the body.
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
    ("prompt_cache_key", "k", {"prompt_cache_key": "k"}),
    ("tools", [TOOL], {"tools": [WIRE_TOOL]}),
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


def test_the_table_names_every_option() -> None:
    """No option is missing from the table of what is sent; some are for responses, or for us."""
    assert {name for name, _, _ in OPTION_TABLE} == OPTIONS - {
        *RESPONSES_ONLY,
        "api",
        "clean_schemas",
    }


@pytest.mark.parametrize(("name", "value", "members"), OPTION_TABLE)
def test_an_option_alone_adds_its_members_and_no_others(
    name: str, value: Any, members: dict[str, Any]
) -> None:
    """Each option has its place on the wire, falsy values too, and touches no other member."""
    assert render(**{name: value}) == {**render(), **members}


@pytest.mark.parametrize(
    ("choice", "wire"),
    [(c, c) for c in ("auto", "none", "required")]
    + [(NamedTool("look"), {"type": "function", "function": {"name": "look"}})],
)
@pytest.mark.parametrize("parallel", [None, True, False])
def test_choices_go_with_tools(choice: Any, wire: Any, parallel: bool | None) -> None:
    """With tools, the choice and the word on parallel calls are sent as given."""
    body = render(tools=[TOOL], tool_choice=choice, parallel_tool_calls=parallel)
    assert body["tool_choice"] == wire
    assert body.get("parallel_tool_calls") == parallel


def test_streams_ask_for_their_usage() -> None:
    """A stream is asked for as one, with its usage unless unwanted; a plain answer is not."""
    assert "stream" not in render()
    assert render(stream=True)["stream_options"] == {"include_usage": True}
    assert "stream_options" not in render(stream=True, stream_usage=False)
    assert render(extra={"deferred": True, "seed": 9}, seed=1)["seed"] == 9


# Part: its form in a list of content, or None where it has its own place.
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


def test_what_was_done_at_xai_is_left_out_and_a_picture_with_a_word() -> None:
    """An answer that came in another form goes back as its text and its calls."""
    done = ServerToolPart("web_search_call", "ws_1", arguments="towers")
    text = {"role": "assistant", "content": "x"}
    assert render(HELLO, Message("assistant", (done, TextPart("x"))))["messages"][1] == text
    made = Message("assistant", (ImagePart("https://i"), TextPart("x")))
    with pytest.warns(UserWarning, match=r"messages\[1\]: a picture"):
        assert render(HELLO, made)["messages"][1] == text


@pytest.mark.parametrize("role", ["system", "user", "assistant", "tool"])
@pytest.mark.parametrize(
    ("part", "roles", "wire"), PART_TABLE, ids=lambda value: type(value).__name__
)
def test_parts_in_roles(role: Any, part: Any, roles: set[str], wire: Any) -> None:
    """A part is rendered where it belongs, and refused elsewhere, naming part, role and place."""
    messages = (HELLO, Message(role, (TextPart("x"), part) if role != "tool" else (part,)))
    if isinstance(part, ImagePart) and role == "assistant":
        pytest.skip("left out with a word, see above")
    if role not in roles:
        with pytest.raises(UsageError) as refusal:
            render(*messages)
        assert refusal.value.field == "messages"
        assert f"messages[1]: a {type(part).__name__}" in str(refusal.value)
        assert f"a {role} message" in str(refusal.value)
        return
    said = render(*messages)["messages"][1]
    assert said["role"] == role
    if wire is not None and not isinstance(part, TextPart):
        assert said["content"] == [{"type": "text", "text": "x"}, wire]


@pytest.mark.parametrize(
    "part", [ImagePart(), ImagePart(url=""), FilePart(), FilePart(data="AA==")]
)
def test_a_part_without_a_place_is_refused(part: Any) -> None:
    """A picture or document that is nowhere to be found is refused before it is sent."""
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
)
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


def says_something(message: Message) -> bool:
    """An answer without text and calls is refused when it goes back."""
    return any(
        isinstance(part, ToolCallPart) or (isinstance(part, TextPart) and part.text)
        for part in message.parts
    )


@given(st.lists(users | assistants | tools | systems, min_size=1, max_size=6))
def test_any_conversation_is_what_xai_takes(messages: list[Message]) -> None:
    """Never a null content, names on users only, one message a result, nothing lost."""
    body = render(*messages)["messages"]
    results = sum(len(message.parts) for message in messages if message.role == "tool")
    spoken = [m for m in messages if m.role not in {"tool", "assistant"} or says_something(m)]
    assert len(body) == len(spoken) + results
    for said in body:
        assert isinstance(said["content"], str | list)
        assert "name" not in said or said["role"] == "user"
        for call in said.get("tool_calls", ()):
            json.loads(call["function"]["arguments"])
    pictures = sum(isinstance(part, ImagePart) for message in messages for part in message.parts)
    assert json.dumps(body).count('"image_url": {') == pictures
    texts_said = [
        part.text
        for m in messages
        if m.role == "assistant"
        for part in m.parts
        if isinstance(part, TextPart)
    ]
    assert "".join(said["content"] for said in body if said["role"] == "assistant") == "".join(
        texts_said
    )


def test_the_request_has_no_field_outside_the_tables() -> None:
    """A new field of a request must be added to the laws above."""
    known = OPTIONS | {"model", "messages", "stored_messages", "extra"}
    assert {field.name for field in fields(ChatRequest)} == known
