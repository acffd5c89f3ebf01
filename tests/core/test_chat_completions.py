"""Law: everything that can be asked has its place on the wire; everything the wire says is read."""

import json
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xai_lowcode.choosing import RESPONSES_ONLY
from xai_lowcode.conversation import (
    OPTIONS,
    ChatRequest,
    FilePart,
    ImagePart,
    Message,
    NamedTool,
    ReasoningPart,
    ResponseFormat,
    ServerToolPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    ToolSpec,
)
from xai_lowcode.dialects.chat_completions import ChatCompletions
from xai_lowcode.dialects.chat_completions.answer import read_usage
from xai_lowcode.errors import UnreadableAnswerError, UsageError
from xai_lowcode.events import Assembler, TextDelta
from xai_lowcode.reply import Reply, finish_reason

DIALECT = ChatCompletions()
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


counts = st.integers(0, 500)


def usage_of(
    prompt: int, visible: int, reasoning: int | None, cached: int | None
) -> dict[str, Any]:
    return {
        "prompt_tokens": prompt,
        "completion_tokens": visible,
        "total_tokens": prompt + visible + (reasoning or 0),
        **({} if cached is None else {"prompt_tokens_details": {"cached_tokens": cached}}),
        **(
            {}
            if reasoning is None
            else {"completion_tokens_details": {"reasoning_tokens": reasoning}}
        ),
    }


@given(counts, counts, st.none() | counts, st.none() | counts)
def test_usage_adds_up(
    prompt: int, visible: int, reasoning: int | None, cached: int | None
) -> None:
    """Output is what was seen and thought, input and output are the total, None is not zero."""
    usage = read_usage({**usage_of(prompt, visible, reasoning, cached), "cost_in_usd_ticks": 10**9})
    assert usage is not None
    assert usage.output_tokens == visible + (reasoning or 0)
    assert usage.input_tokens + usage.output_tokens == usage.total_tokens
    assert (usage.reasoning_tokens, usage.cached_input_tokens) == (reasoning, cached)
    assert usage.cost_usd == 0.1


def body_of(
    text: str, reasoning: str, calls: list[tuple[str, str]], said: Any, **facts: Any
) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": text, "refusal": None}
    if reasoning:
        message["reasoning_content"] = reasoning
    if calls:
        message["tool_calls"] = [
            {
                "id": f"c{index}",
                "type": "function",
                "function": {"name": name, "arguments": arguments},
            }
            for index, (name, arguments) in enumerate(calls)
        ]
    choice = {"index": 0, "message": message, "finish_reason": said}
    return {
        "id": "r",
        "object": "chat.completion",
        "created": 5,
        "model": "m",
        "choices": [choice],
        **facts,
    }


bodies = st.builds(
    body_of,
    texts,
    texts,
    st.lists(st.tuples(names, st.sampled_from(["{}", '{"a": "é"}'])), max_size=3),
    st.sampled_from(["stop", "length", "tool_calls", "", None, "end_turn"]),
    usage=st.none() | st.builds(usage_of, counts, counts, counts, counts),
    citations=st.none() | st.lists(st.sampled_from(["u1", "u2", "u3"]), max_size=4),
    system_fingerprint=st.none() | names,
)


def chunks_of(body: dict[str, Any], size: int) -> list[dict[str, Any]]:
    """A plain answer as xAI would stream it, its texts in pieces, with heartbeats between."""
    facts = {
        key: value for key, value in body.items() if key not in {"choices", "usage", "citations"}
    }
    facts["object"] = "chat.completion.chunk"

    def chunk(delta: dict[str, Any], said: Any = None) -> dict[str, Any]:
        return {**facts, "choices": [{"index": 0, "delta": delta, "finish_reason": said}]}

    (choice,) = body["choices"]
    message = choice["message"]
    chunks = [chunk({"role": "assistant"}), chunk({})]
    for key in ("reasoning_content", "content"):
        text = message.get(key) or ""
        chunks += [chunk({key: text[i : i + size]}) for i in range(0, len(text), size)] + [
            chunk({})
        ]
    chunks += [
        chunk({"tool_calls": [{**call, "index": index}]})
        for index, call in enumerate(message.get("tool_calls", ()))
    ]
    # Citations come with the last chunks, each time all of them.
    chunks.append({**chunk({}, choice["finish_reason"]), "citations": body["citations"]})
    last = {**facts, "choices": [], "usage": body["usage"], "citations": body["citations"]}
    return [*chunks, last]


def fold(chunks: list[dict[str, Any]]) -> Reply:
    decoder, assembler = DIALECT.decoder(), Assembler()
    for chunk in chunks:
        for event in decoder.feed(chunk):
            assembler.add(event)
    for event in decoder.done():
        assembler.add(event)
    return assembler.reply()


@given(bodies, st.integers(1, 4))
def test_folding_a_stream_gives_the_plain_reply(body: dict[str, Any], size: int) -> None:
    """Events of an answer in any pieces fold into the reply that the plain answer is."""
    assert fold(chunks_of(body, size)) == DIALECT.parse(body)


@given(bodies, st.integers(1, 3))
def test_tool_calls_in_pieces_are_put_together_by_index(body: dict[str, Any], size: int) -> None:
    """Arguments cut into many chunks, all calls side by side, give the same calls."""
    calls = body["choices"][0]["message"].get("tool_calls", ())
    whole = chunks_of(body, 4)
    pieces: list[dict[str, Any]] = []
    for index, call in enumerate(calls):
        function = call["function"]
        begun = {**call, "index": index, "function": {"name": function["name"], "arguments": ""}}
        pieces.append({**whole[0], "choices": [{"delta": {"tool_calls": [begun]}}]})
        for at in range(0, len(function["arguments"]), size):
            more = {
                "index": index,
                "function": {"arguments": function["arguments"][at : at + size]},
            }
            pieces.append({**whole[0], "choices": [{"delta": {"tool_calls": [more]}}]})
    assert fold([*pieces, *whole[-2:]]).tool_calls == DIALECT.parse(body).tool_calls


@given(bodies)
def test_a_reply_can_be_sent_back(body: dict[str, Any]) -> None:
    """A reply as a turn of the next request repeats text, thoughts and calls unchanged."""
    said = body["choices"][0]["message"]
    sent = render(DIALECT.parse(body).choices[0].message)["messages"]
    if not (said["content"] or said.get("tool_calls")):
        assert sent == []
        return
    (again,) = sent
    assert again["content"] == said["content"]
    assert again.get("reasoning_content", "") == said.get("reasoning_content", "")
    assert again.get("tool_calls", []) == said.get("tool_calls", [])


@pytest.mark.parametrize(
    "said", ["stop", "length", "tool_calls", "content_filter", "", None, "end_turn", 5]
)
def test_waiting_calls_are_the_reason(said: Any) -> None:
    """With calls the reason is tool_calls whatever is said; without, the wire's word or stop."""
    assert finish_reason(said, has_calls=True) == "tool_calls"
    expected = said if isinstance(said, str) and said not in {"", "end_turn"} else "stop"
    assert finish_reason(said, has_calls=False) == expected


def strewn(value: Any) -> Any:
    """The document with unknown members in every object."""
    if isinstance(value, dict):
        return {**{key: strewn(member) for key, member in value.items()}, "new_in_2031": {"x": [1]}}
    return [strewn(item) for item in value] if isinstance(value, list) else value


@given(bodies)
def test_unknown_members_change_nothing(body: dict[str, Any]) -> None:
    """Whatever new members xAI adds, anywhere, the reply is the same, and raw keeps them."""
    reply = DIALECT.parse(strewn(body))
    assert reply == DIALECT.parse(body)
    assert reply.raw["new_in_2031"] == {"x": [1]}
    assert fold([strewn(chunk) for chunk in chunks_of(body, 3)]) == fold(chunks_of(body, 3))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "choices",
                    "message",
                    "delta",
                    "content",
                    "tool_calls",
                    "function",
                    "arguments",
                    "usage",
                    "index",
                    "finish_reason",
                    "logprobs",
                    "citations",
                    "id",
                    "prompt_tokens",
                    "refusal",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(
    st.dictionaries(
        st.sampled_from(["choices", "usage", "citations", "id", "model", "created"]), json_values
    )
)
def test_any_object_is_read_or_unreadable(body: dict[str, Any]) -> None:
    """No body or chunk, however odd, fails in another way than with our own error."""
    for read in (DIALECT.parse, lambda chunk: fold([chunk])):
        try:
            reply = read(body)
        except UnreadableAnswerError:
            continue
        assert isinstance(reply.text, str)
        assert isinstance(reply.finish_reason, str)


@pytest.mark.parametrize("choices", [None, [], {}, "x", [None], ["x"]])
def test_without_choices_there_is_no_reply(choices: Any) -> None:
    """A body without a list of choices is unreadable, not an empty reply."""
    with pytest.raises(UnreadableAnswerError):
        DIALECT.parse({"id": "c", "choices": choices})


def test_several_answers_keep_apart() -> None:
    """Chunks of several answers in turn give each its own text and reason."""
    chunks: list[dict[str, Any]] = [
        {"choices": [{"index": i, "delta": {"content": f"{i}{word}"}}]}
        for word in "ab"
        for i in (1, 0, 2)
    ]
    chunks.append(
        {"choices": [{"index": i, "delta": {}, "finish_reason": "stop"} for i in range(3)]}
    )
    reply = fold(chunks)
    assert [choice.text for choice in reply.choices] == ["0a0b", "1a1b", "2a2b"]
    assert {choice.finish_reason for choice in reply.choices} == {"stop"}


def test_usage_that_comes_with_every_chunk_is_not_summed() -> None:
    """Of a running usage the last counts."""
    chunks: list[dict[str, Any]] = [
        {"choices": [{"delta": {"content": "a"}}], "usage": usage_of(5, n, 0, 0)} for n in (1, 2, 3)
    ]
    usage = fold(chunks).usage
    assert usage is not None
    assert usage.output_tokens == 3


def test_probabilities_come_with_their_text() -> None:
    """Log probabilities are kept, plain and streamed, also of a chunk without text."""
    odds = [{"token": "a", "logprob": -0.1}]
    chunk = {"choices": [{"delta": {"content": "a"}, "logprobs": {"content": odds}}]}
    late = {"choices": [{"delta": {}, "logprobs": {"content": odds}}]}
    events = [event for event in DIALECT.decoder().feed(chunk) if isinstance(event, TextDelta)]
    assert events[0].logprobs == tuple(odds)
    assert fold([chunk, late]).choices[0].logprobs == (*odds, *odds)


def test_the_request_has_no_field_outside_the_tables() -> None:
    """A new field of a request must be added to the laws above."""
    known = OPTIONS | {"model", "messages", "extra"}
    assert {field.name for field in fields(ChatRequest)} == known


def test_calls_without_a_number_are_told_apart_by_their_ids() -> None:
    """Where the wire gives no index, an id begins a call and pieces without one go on with it."""
    decoder = ChatCompletions().decoder()
    pieces = [
        {"id": "a", "function": {"name": "add", "arguments": "{"}},
        {"function": {"arguments": "}"}},
        {"id": "b", "function": {"name": "mul", "arguments": "{}"}},
    ]
    assembler = Assembler()
    for piece in pieces:
        chunk = {"choices": [{"index": 0, "delta": {"tool_calls": [piece]}}]}
        for event in decoder.feed(chunk):
            assembler.add(event)
    calls = assembler.reply().tool_calls
    assert [(call.id, call.name, call.arguments) for call in calls] == [
        ("a", "add", "{}"),
        ("b", "mul", "{}"),
    ]


def test_choices_come_in_the_order_of_their_numbers() -> None:
    """Several answers are sorted as the wire numbers them, not as it lists them."""
    body = {
        "choices": [
            {"index": 1, "message": {"content": "second"}},
            {"index": 0, "message": {"content": "first"}},
        ]
    }
    assert [choice.text for choice in ChatCompletions().parse(body).choices] == ["first", "second"]
