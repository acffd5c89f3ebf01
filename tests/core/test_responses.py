"""The Responses dialect: requests, responses and streams."""

import json
from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest

from tests.cases import for_each
from xai_lowcode.chat.accumulator import ResponseAccumulator
from xai_lowcode.chat.dialects.base import UNKNOWN
from xai_lowcode.chat.dialects.responses import DIALECT as RESPONSES
from xai_lowcode.chat.dialects.responses.response import parse_server_side_parts
from xai_lowcode.chat.model import ChatModel
from xai_lowcode.emulator import running
from xai_lowcode.errors import InternalServerError, InvalidResponseError, UsageError
from xai_lowcode.settings import Settings
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
from xai_lowcode.types.requests import ChatRequest, NamedTool, ResponseFormat, ServerTool, ToolSpec

QUESTION = Message("user", (TextPart("?"),))
SCHEMA = {"type": "object", "properties": {}}
ADD = ToolSpec("add", "Adds.", SCHEMA)
MESSAGE = {"type": "message", "content": [{"type": "output_text", "text": "hi"}]}
CALL = {"type": "function_call", "call_id": "c", "name": "add", "arguments": "{}"}


def render(*, stream: bool = False, **options: Any) -> dict[str, Any]:
    """Return the body of a request."""
    request = ChatRequest(**{"model": "grok-4.7", "messages": (QUESTION,), **options})
    return RESPONSES.render(request, stream=stream)


@for_each(
    ("message", "items"),
    [
        (Message("system", (TextPart("be"),)), [{"role": "system", "content": "be"}]),
        (
            Message("user", (TextPart("a"), ImagePart("https://x/a.png", detail="low"))),
            [
                {
                    "role": "user",
                    "content": [
                        {"type": "input_text", "text": "a"},
                        {"type": "input_image", "image_url": "https://x/a.png", "detail": "low"},
                    ],
                }
            ],
        ),
        (
            Message(
                "user", (ImagePart(file_id="f"), FilePart(file_id="g"), FilePart("https://x/b"))
            ),
            [
                {
                    "role": "user",
                    "content": [
                        {"type": "input_image", "file_id": "f"},
                        {"type": "input_file", "file_id": "g"},
                        {"type": "input_file", "file_url": "https://x/b"},
                    ],
                }
            ],
        ),
        (
            Message(
                "user", (FilePart(data="QQ==", mime_type="application/pdf", filename="a.pdf"),)
            ),
            [
                {
                    "role": "user",
                    "content": [
                        {
                            "type": "input_file",
                            "filename": "a.pdf",
                            "file_data": "data:application/pdf;base64,QQ==",
                        }
                    ],
                }
            ],
        ),
        (
            Message(
                "assistant", (ReasoningPart("hm"), TextPart("yes"), ToolCallPart("c", "add", ""))
            ),
            [{"role": "assistant", "content": "yes"}, CALL],
        ),
        (
            Message("tool", (ToolResultPart("c", (TextPart("5"),)),)),
            [{"type": "function_call_output", "call_id": "c", "output": "5"}],
        ),
        (
            Message(
                "assistant",
                (TextPart("hi"), ToolCallPart("c", "add", "{}")),
                items=(MESSAGE, CALL),
                dialect="responses",
            ),
            [MESSAGE, CALL],
        ),
        (
            Message("assistant", (TextPart("x"),), items=({"type": "text"},), dialect="messages"),
            [{"role": "assistant", "content": "x"}],
        ),
    ],
)
def test_messages_are_rendered_as_items(message: Message, items: list[Any]) -> None:
    """Roles and parts are sent as input items; items of Responses are sent unchanged."""
    # The call of the result is in a stored response.
    options = {"previous_response_id": "r"} if message.role == "tool" else {}
    assert render(messages=(message,), **options)["input"] == items


@for_each(
    ("options", "fields"),
    [
        ({"temperature": 0.5, "top_p": 0.1}, {"temperature": 0.5, "top_p": 0.1}),
        ({"max_tokens": 7}, {"max_output_tokens": 7}),
        (
            {"reasoning_effort": "low", "reasoning_summary": "auto"},
            {"reasoning": {"effort": "low", "summary": "auto"}},
        ),
        ({"store": False, "max_turns": 2}, {"max_turns": 2}),
        ({"store": True}, {"store": True, "include": None}),
        (
            {"previous_response_id": "r"},
            {"previous_response_id": "r", "store": True, "include": None},
        ),
        ({"previous_response_id": "r", "store": False}, {"previous_response_id": "r"}),
        ({"include": ["reasoning.encrypted_content"]}, {}),
        ({"include": ["x"]}, {"include": ["x", "reasoning.encrypted_content"]}),
        ({"include": ["x"], "use_encrypted_content": False}, {"include": ["x"]}),
        ({"use_encrypted_content": False}, {"include": None}),
        (
            {"no_inline_citations": True},
            {"include": ["reasoning.encrypted_content", "no_inline_citations"]},
        ),
        (
            {"seed": 0, "top_k": 3, "min_p": 0.1, "safety_identifier": "s", "guidelines": "g"},
            {"seed": 0, "top_k": 3, "min_p": 0.1, "safety_identifier": "s", "guidelines": "g"},
        ),
        ({"response_format": ResponseFormat()}, {"text": {"format": {"type": "json_object"}}}),
        (
            {"response_format": ResponseFormat(SCHEMA, "sum")},
            {
                "text": {
                    "format": {
                        "type": "json_schema",
                        "name": "sum",
                        "schema": SCHEMA,
                        "strict": True,
                    }
                }
            },
        ),
        (
            {"tools": [ADD], "tool_choice": NamedTool("add"), "parallel_tool_calls": False},
            {
                "tools": [
                    {
                        "type": "function",
                        "name": "add",
                        "description": "Adds.",
                        "parameters": SCHEMA,
                    }
                ],
                "tool_choice": {"type": "function", "name": "add"},
                "parallel_tool_calls": False,
            },
        ),
        (
            {"server_tools": [ServerTool("web_search", {"allowed_domains": ["x.ai"]})]},
            {"tools": [{"type": "web_search", "allowed_domains": ["x.ai"]}]},
        ),
        ({"stream": True}, {"stream": True}),
        ({"extra": {"top_k": 3}}, {"top_k": 3}),
    ],
)
def test_options(options: dict[str, Any], fields: dict[str, Any]) -> None:
    """An option is sent under the name in this API; unset options are not sent."""
    body = render(**options)
    del body["input"], body["model"]
    unstored = {"store": False, "include": ["reasoning.encrypted_content"]}
    expected = {**unstored, **fields}
    assert body == {name: value for name, value in expected.items() if value is not None}


@for_each(
    ("options", "field"),
    [
        ({"n": 2}, "n"),
        ({"deferred": True}, "deferred"),
        ({"messages": (Message("user", (ToolCallPart("c", "a", ""),)),)}, "messages"),
        ({"messages": (Message("tool", (TextPart("x"),)),)}, "messages"),
        ({"messages": (Message("user", (FilePart(),)),)}, "messages"),
    ],
)
def test_unsupported_options_and_parts(options: dict[str, Any], field: str) -> None:
    """Options and parts that the API does not support raise an error that names the field."""
    with pytest.raises(UsageError) as raised:
        render(**options)
    assert raised.value.field == field


@for_each(
    ("body", "finish_reason"),
    [
        ({"output": [MESSAGE], "status": "completed"}, "stop"),
        ({"output": [MESSAGE, CALL], "status": "completed"}, "tool_calls"),
        (
            {
                "output": [MESSAGE],
                "status": "incomplete",
                "incomplete_details": {"reason": "max_output_tokens"},
            },
            "length",
        ),
        (
            {
                "output": [MESSAGE],
                "status": "incomplete",
                "incomplete_details": {"reason": "content_filter"},
            },
            "content_filter",
        ),
    ],
)
def test_finish_reasons(body: dict[str, Any], finish_reason: str) -> None:
    """Tool calls take precedence over the status; an incomplete response has a reason."""
    assert RESPONSES.parse(body).finish_reason == finish_reason


def test_failed_responses_raise() -> None:
    """A failed response, streamed or not, raises xAI's error."""
    failed = {
        "status": "failed",
        "error": {"code": "server_error", "message": "Oops"},
        "output": [],
    }
    decoder = RESPONSES.decoder
    for read in (
        lambda: RESPONSES.parse(failed),
        lambda: list(decoder().feed({"type": "response.failed", "response": failed})),
    ):
        with pytest.raises(InternalServerError, match="Oops") as raised:
            read()
        assert raised.value.code == "server_error"
    with pytest.raises(InvalidResponseError):
        RESPONSES.parse({"output": "hi"})


def _text(number: int) -> dict[str, Any]:
    content = [{"type": "output_text", "text": f"text {number}", "annotations": []}]
    return {"type": "message", "id": f"m{number}", "role": "assistant", "content": content}


def _call(number: int) -> dict[str, Any]:
    arguments = json.dumps({"x": number})
    return {**CALL, "id": f"f{number}", "call_id": f"c{number}", "arguments": arguments}


SEARCH = {"type": "web_search_call", "id": "w", "status": "completed", "action": {"query": "q"}}
REASONING = {"type": "reasoning", "id": "r", "summary": [], "encrypted_content": "E"}
OUTPUTS = {
    "text": [_text(1)],
    "texts": [_text(1), _text(2)],
    "call": [_call(1)],
    "calls": [REASONING, _call(1), _call(2)],
    "text and call": [_text(1), _call(1)],
    "search": [REASONING, SEARCH, _text(1)],
}
KINDS = ("output_item.added", "delta", "output_item.done")


def _item_events(index: int, item: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the events of an item with the data that xAI sends in each of them."""
    fields = {"output_index": index, "item_id": item["id"], "content_index": 0}
    start = {**item, **({"content": []} if "content" in item else {})}
    start |= {"arguments": ""} if "arguments" in item else {}
    yield {"type": "response.output_item.added", **fields, "item": start}
    if item["type"] == "message":
        text = item["content"][0]["text"]
        for part in (text[:2], text[2:]):
            yield {"type": "response.output_text.delta", **fields, "delta": part}
    elif item["type"] == "function_call":
        kind = "response.function_call_arguments"
        yield {"type": f"{kind}.delta", **fields, "delta": item["arguments"]}
        yield {"type": f"{kind}.done", **fields, "arguments": item["arguments"]}
    yield {"type": "response.output_item.done", **fields, "item": item}


@for_each("omitted", [*product((False, True), repeat=len(KINDS))])
@for_each("name", [*OUTPUTS])
def test_a_stream_with_omitted_events_is_complete(name: str, omitted: tuple[bool, ...]) -> None:
    """Text, calls and items of omitted events are taken from the terminal event."""
    output = OUTPUTS[name]
    body = {"id": "r", "model": "grok-4.7", "status": "completed", "output": output}
    kinds = tuple(kind for kind, is_omitted in zip(KINDS, omitted, strict=True) if is_omitted)
    events = [
        event
        for index, item in enumerate(output)
        for event in _item_events(index, item)
        if not event["type"].endswith(kinds)
    ]
    accumulator, decoder = ResponseAccumulator(), RESPONSES.decoder()
    for event in [*events, {"type": "response.completed", "response": body}]:
        decoded = decoder.feed(event)
        for result in () if decoded is UNKNOWN else decoded:
            accumulator.add(result)
    streamed, plain = accumulator.build_response().choices[0], RESPONSES.parse(body).choices[0]
    assert streamed.text == plain.text
    assert streamed.tool_calls == plain.tool_calls
    assert list(streamed.items) == list(plain.items)
    assert streamed.finish_reason == plain.finish_reason


def test_unknown_events_items_and_fields() -> None:
    """Unknown events and fields are ignored; unknown items are preserved."""
    unknown_item = {"type": "telepathy", "aura": 1}
    body = {"id": "r", "output": [unknown_item, MESSAGE], "status": "completed", "new": True}
    chunks: list[dict[str, Any]] = [
        {"type": "response.created", "response": {"id": "r"}},
        {"type": "response.telepathy.delta", "delta": "hm"},
        {"type": "response.output_item.done", "output_index": 0, "item": unknown_item},
        {"type": "response.output_text.delta", "delta": "hi"},
        {"type": "response.output_item.done", "output_index": 1, "item": MESSAGE},
        {"type": "response.completed", "response": body},
    ]
    decoder, accumulator = RESPONSES.decoder(), ResponseAccumulator()
    for chunk in chunks:
        for event in decoder.feed(chunk):
            accumulator.add(event)
    assert decoder.complete
    assert accumulator.build_response().choices == RESPONSES.parse(body).choices
    assert accumulator.build_response().choices[0].items == (unknown_item, MESSAGE)


@for_each(
    "arguments",
    [
        "{}",
        '{"a": 1}',
        ' {"a": 1e999}',
        "",
        " ",
        "[1]",
        "null",
        '{"a": ',
        "not JSON",
        '"\\ud800"',
        None,
    ],
)
def test_calls_are_sent_back_with_arguments_that_xai_accepts(arguments: str | None) -> None:
    """Invalid arguments are replaced, also in items: xAI would reject each later request."""
    call = {**CALL, "id": "f", "arguments": arguments}
    (part,) = RESPONSES.parse({"output": [call]}).choices[0].parts
    assert isinstance(part, ToolCallPart)
    answer = Message("assistant", (part,), items=(call,), dialect="responses")
    result = Message("tool", (ToolResultPart("c", (TextPart("?"),)),))
    _, sent, _ = render(messages=(QUESTION, answer, result))["input"]
    assert isinstance(json.loads(sent["arguments"]), dict)
    assert (sent["id"], sent["call_id"]) == ("f", "c")
    if arguments in {"{}", '{"a": 1}'}:
        assert sent == call
    assert call["arguments"] == arguments


def test_an_api_that_is_set_is_not_replaced() -> None:
    """An option that the API does not support raises an error that names the field."""
    model = ChatModel(Settings.create(api_token="at_r0123456789", base_url="http://127.0.0.1/xai"))
    request = ChatRequest(
        model="grok-4.7", messages=(QUESTION,), api="chat_completions", store=True
    )
    with pytest.raises(UsageError) as raised:
        model.generate(request)
    assert raised.value.field == "store"


async def test_unsupported_options_are_dropped() -> None:
    """Options without a field are dropped with a warning; stop is applied client-side."""
    with running() as gateway:
        settings = Settings.create(api_token=gateway.api_token, base_url=gateway.base_url)
        model = ChatModel(settings)
        request = ChatRequest(
            model="grok-4.20-0309-non-reasoning",
            messages=(Message("user", (TextPart("Hello"),)),),
            api="responses",
            presence_penalty=1,
            stop=("wrote",),
        )
        with pytest.warns(UserWarning, match="presence_penalty: not supported by responses"):
            response = model.generate(request)
        streamed = ResponseAccumulator()
        for event in model.stream(request):
            streamed.add(event)
        async_response = await model.agenerate(request)
        sent = gateway.requests[0].body
    assert response.text == async_response.text == streamed.build_response().text == "Hello! You "
    assert (response.api, response.finish_reason) == ("responses", "stop")
    assert sent.keys() == {"model", "input", "store"}


@for_each(
    ("item", "failed"),
    [
        ({"type": "mcp_call", "error": "no such tool", "status": "completed"}, True),
        ({"type": "web_search_call", "status": "failed"}, True),
        ({"type": "mcp_call", "error": None, "output": "found", "status": "completed"}, False),
        ({"type": "web_search_call", "action": {"query": "towers"}}, False),
    ],
)
def test_failed_server_tool_calls(item: dict[str, Any], *, failed: bool) -> None:
    """An error or a failed status marks the call of a server-side tool as failed."""
    parsed = RESPONSES.parse({"output": [item]})
    streamed = ResponseAccumulator()
    for event in RESPONSES.decoder().feed({"type": "response.output_item.done", "item": item}):
        streamed.add(event)
    for response in (parsed, streamed.build_response()):
        part = response.choices[0].parts[0]
        assert isinstance(part, ServerToolPart)
        assert part.failed is failed


def test_conversations_continue_from_items_and_stored_responses() -> None:
    """A tool call is continued with its items, and a response by its id."""
    with running() as gateway:
        settings = Settings.create(api_token=gateway.api_token, base_url=gateway.base_url)
        model = ChatModel(settings)
        question = Message("user", (TextPart("Use add for 2."),))
        tool = ToolSpec(
            "add",
            "Adds.",
            {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]},
        )
        first = model.generate(
            ChatRequest(model="grok-4.7", messages=(question,), tools=(tool,), api="responses")
        )
        (call,) = first.tool_calls
        result = Message("tool", (ToolResultPart(call.id, (TextPart("5"),)),))
        history = (question, first.choices[0].message, result)
        second = model.generate(
            ChatRequest(model="grok-4.7", messages=history, tools=(tool,), store=True)
        )
        third = model.generate(
            ChatRequest(model="grok-4.7", messages=(QUESTION,), previous_response_id=second.id)
        )
        replayed = gateway.requests[1].body["input"]
    assert "5" in second.text
    assert replayed[1:-1] == list(first.choices[0].items)
    assert third.text
    assert third.api == "responses"


@for_each(
    ("fields", "arguments", "result"),
    [
        (
            {"code": "print(6 * 7)", "outputs": [{"logs": "42"}]},
            {"code": "print(6 * 7)"},
            [{"logs": "42"}],
        ),
        ({"action": {"type": "search", "query": "x"}}, "x", None),
        (
            {"action": {"type": "find_in_page", "url": "https://x.ai", "pattern": "Grok"}},
            {"url": "https://x.ai", "pattern": "Grok", "action": "find_in_page"},
            None,
        ),
        ({"queries": ["a", "b"], "results": []}, "a, b", []),
        (
            {"server_label": "s", "name": "f", "arguments": '{"q": 1}', "output": "o"},
            {"server_label": "s", "q": 1},
            "o",
        ),
        ({"input": "patch", "error": "e", "output": "o"}, "patch", {"error": "e", "output": "o"}),
        ({"new": {"field": 1}}, {"new": {"field": 1}}, None),
    ],
)
def test_all_fields_of_a_server_tool_item_are_returned(
    fields: dict[str, Any], arguments: Any, result: Any
) -> None:
    """Each field of an item is in the arguments or in the result."""
    (part,) = parse_server_side_parts(
        {"type": "some_call", "id": "i", "status": "completed", **fields}
    )
    assert part is not None
    shown = part.arguments if isinstance(arguments, str) else json.loads(part.arguments)
    assert (shown, part.result) == (arguments, result)
