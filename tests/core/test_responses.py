"""The responses dialect: our requests on the wire, its answers and streams as ours."""

from typing import Any

import pytest

from xai_lowcode.chat.accumulator import ResponseAccumulator
from xai_lowcode.chat.dialects.responses import DIALECT as RESPONSES
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


def rendered(*, stream: bool = False, **options: Any) -> dict[str, Any]:
    """The body of a request."""
    request = ChatRequest(**{"model": "grok-4.7", "messages": (QUESTION,), **options})
    return RESPONSES.render(request, stream=stream)


@pytest.mark.parametrize(
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
def test_every_message_has_its_items(message: Message, items: list[Any]) -> None:
    """Roles and parts go as input items; what came from this form goes back as it was."""
    assert rendered(messages=(message,))["input"] == items


@pytest.mark.parametrize(
    ("options", "sent"),
    [
        ({"temperature": 0.5, "top_p": 0.1}, {"temperature": 0.5, "top_p": 0.1}),
        ({"max_tokens": 7}, {"max_output_tokens": 7}),
        (
            {"reasoning_effort": "low", "reasoning_summary": "auto"},
            {"reasoning": {"effort": "low", "summary": "auto"}},
        ),
        ({"store": False, "max_turns": 2}, {"store": False, "max_turns": 2}),
        ({"previous_response_id": "r"}, {"previous_response_id": "r"}),
        (
            {"include": ["reasoning.encrypted_content"]},
            {"include": ["reasoning.encrypted_content"]},
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
def test_every_option_has_its_member(options: dict[str, Any], sent: dict[str, Any]) -> None:
    """An option is sent under xAI's name; nothing unset is sent."""
    body = rendered(**options)
    del body["input"], body["model"]
    assert body == sent


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"n": 2}, "n"),
        ({"deferred": True}, "deferred"),
        ({"messages": (Message("user", (ToolCallPart("c", "a", ""),)),)}, "messages"),
        ({"messages": (Message("tool", (TextPart("x"),)),)}, "messages"),
        ({"messages": (Message("user", (FilePart(),)),)}, "messages"),
    ],
)
def test_what_has_no_place_is_refused(options: dict[str, Any], field: str) -> None:
    """What responses cannot carry is an error that names the field."""
    with pytest.raises(UsageError) as refusal:
        rendered(**options)
    assert refusal.value.field == field


@pytest.mark.parametrize(
    ("body", "finish"),
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
def test_the_finish_is_derived(body: dict[str, Any], finish: str) -> None:
    """Calls waiting count before the status; an incomplete answer says why."""
    assert RESPONSES.parse(body).finish_reason == finish


def test_failures_are_raised() -> None:
    """A failed response, plain or streamed, raises with xAI's words."""
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


def test_unknown_events_items_and_members_are_no_obstacle() -> None:
    """What appears over time is passed over in events, and kept in items."""
    odd = {"type": "telepathy", "aura": 1}
    body = {"id": "r", "output": [odd, MESSAGE], "status": "completed", "new": True}
    chunks: list[dict[str, Any]] = [
        {"type": "response.created", "response": {"id": "r"}},
        {"type": "response.telepathy.delta", "delta": "hm"},
        {"type": "response.output_item.done", "output_index": 0, "item": odd},
        {"type": "response.output_text.delta", "delta": "hi"},
        {"type": "response.output_item.done", "output_index": 1, "item": MESSAGE},
        {"type": "response.completed", "response": body},
    ]
    decoder, assembler = RESPONSES.decoder(), ResponseAccumulator()
    for chunk in chunks:
        for event in decoder.feed(chunk):
            assembler.add(event)
    assert decoder.complete
    assert assembler.build_response().choices == RESPONSES.parse(body).choices
    assert assembler.build_response().choices[0].items == (odd, MESSAGE)


def test_chat_completions_refuse_what_they_cannot_carry() -> None:
    """A form that was asked for is not left silently."""
    model = ChatModel(Settings.create(api_token="at_r0123456789", base_url="http://127.0.0.1/xai"))
    request = ChatRequest(
        model="grok-4.7", messages=(QUESTION,), api="chat_completions", store=True
    )
    with pytest.raises(UsageError) as refusal:
        model.generate(request)
    assert refusal.value.field == "store"


async def test_what_responses_lack_is_left_out_with_a_word() -> None:
    """Options without a member are dropped with one warning each; stop strings are cut here."""
    with running() as gateway:
        settings = Settings.create(api_token=gateway.api_token, base_url=gateway.base_url)
        model = ChatModel(settings)
        request = ChatRequest(
            model="grok-4.20-0309-non-reasoning",
            messages=(Message("user", (TextPart("Hello"),)),),
            api="responses",
            seed=3,
            stop=("wrote",),
        )
        with pytest.warns(UserWarning, match="seed: not supported by responses"):
            reply = model.generate(request)
        streamed = ResponseAccumulator()
        for event in model.stream(request):
            streamed.add(event)
        again = await model.agenerate(request)
        sent = gateway.requests[0].body
    assert reply.text == again.text == streamed.build_response().text == "Hello! You "
    assert (reply.api, reply.finish_reason) == ("responses", "stop")
    assert sent.keys() == {"model", "input"}


@pytest.mark.parametrize(
    ("item", "failed"),
    [
        ({"type": "mcp_call", "error": "no such tool", "status": "completed"}, True),
        ({"type": "web_search_call", "status": "failed"}, True),
        ({"type": "mcp_call", "error": None, "output": "found", "status": "completed"}, False),
        ({"type": "web_search_call", "action": {"query": "towers"}}, False),
    ],
)
def test_a_tool_that_failed_is_told_apart(item: dict[str, Any], *, failed: bool) -> None:
    """An error, or a status that says so, marks the use of a tool; the answer is whole."""
    plain = RESPONSES.parse({"output": [item]})
    streamed = ResponseAccumulator()
    for event in RESPONSES.decoder().feed({"type": "response.output_item.done", "item": item}):
        streamed.add(event)
    for reply in (plain, streamed.build_response()):
        part = reply.choices[0].parts[0]
        assert isinstance(part, ServerToolPart)
        assert part.failed is failed


def test_a_conversation_goes_on_from_items_and_from_a_stored_response() -> None:
    """A tool round works by replay, and a second turn by the id of the first response."""
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
            ChatRequest(model="grok-4.7", messages=history, tools=(tool,), api="responses")
        )
        third = model.generate(
            ChatRequest(model="grok-4.7", messages=(QUESTION,), previous_response_id=second.id)
        )
        replayed = gateway.requests[1].body["input"]
    assert "5" in second.text
    assert replayed[1:-1] == list(first.choices[0].items)
    assert third.text
    assert third.api == "responses"
