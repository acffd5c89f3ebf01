"""Streams: new text in ``delta``, all so far in ``message``, the last response like a plain one."""

import asyncio
import json
from typing import Any

import httpx
import pytest
from llama_index.core.base.llms.types import TextBlock, ThinkingBlock, ToolCallBlock
from llama_index.core.llms import ChatMessage
from llama_index.core.tools import FunctionTool

from llama_index_xai_lowcode import XAILowCode
from llama_index_xai_lowcode._request import PreparedRequest, prepare_request
from llama_index_xai_lowcode._responses import to_response
from llama_index_xai_lowcode._stream import ResponseBuilder
from tests.llama_index.sent import APIS, get_delta
from xai_lowcode.chat.accumulator import response_to_events
from xai_lowcode.emulator import Heartbeats
from xai_lowcode.types.events import ToolCallDelta
from xai_lowcode.types.messages import ReasoningPart, TextPart, ToolCallPart
from xai_lowcode.types.responses import ChatResponse, Choice, Citation, Usage


@pytest.mark.parametrize("streaming", ["live", "buffered", "wrapped", "string"])
def test_accumulation(
    sync_async: Any, gateway: Any, each_llm: XAILowCode, hello: Any, streaming: str
) -> None:
    """Each response has all text and reasoning so far, however the gateway streams."""
    gateway.streaming = streaming
    responses = sync_async.stream(each_llm, "stream_chat", hello)
    so_far = reasoning = ""
    for response in responses:
        so_far += response.delta
        reasoning += response.additional_kwargs.get("thinking_delta", "")
        *thinking, block = response.message.blocks
        assert isinstance(block, TextBlock)
        assert block.text == so_far
        assert [each.block_type for each in thinking] in ([], ["thinking"])
        assert "".join(each.content or "" for each in thinking) == reasoning
        assert response.message.role == "assistant"
    assert len(responses) > 5


def _without_ids(value: Any) -> Any:
    """Return JSON without ids, times and ciphertexts, which each response has of its own."""
    own = {"id", "created", "completed_at", "encrypted_content", "signature"}
    if isinstance(value, dict):
        return {name: "" if name in own else _without_ids(item) for name, item in value.items()}
    return [_without_ids(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("name", ["grok-4.7", "grok-3-mini"])
def test_the_last_response_is_that_of_a_plain_chat(
    sync_async: Any, model: Any, hello: Any, name: str, api: str
) -> None:
    """The last response has an empty delta, and message, finish reason and usage of ``chat``."""
    llm = model(name, api=api)
    plain, last = (
        sync_async.call(llm, "chat", hello),
        sync_async.stream(llm, "stream_chat", hello)[-1],
    )
    assert last.delta == ""
    for get in (lambda r: r.message.model_dump(), lambda r: r.additional_kwargs):
        assert _without_ids(get(last)) == _without_ids(get(plain))
    for count in ("prompt_tokens", "completion_tokens", "total_tokens"):
        assert last.raw["usage"][count] == plain.raw["usage"][count]
        assert last.raw["usage"][count] == plain.additional_kwargs[count] > 0
    if api == "chat_completions":
        assert last.raw["usage"] == plain.raw["usage"]


def test_no_response_says_nothing(
    sync_async: Any, gateway: Any, llm: XAILowCode, hello: Any
) -> None:
    """Heartbeats yield no response."""
    gateway.inject(Heartbeats(12))
    *pieces, _ = sync_async.stream(llm, "stream_chat", hello)
    assert all(piece.delta for piece in pieces)


def test_raw_is_the_chunk(sync_async: Any, each_llm: XAILowCode, hello: Any) -> None:
    """``raw`` is the chunk as a JSON-serializable dict."""
    *pieces, last = sync_async.stream(each_llm, "stream_chat", hello)
    for piece in pieces:
        assert type(piece.raw) is dict
        assert get_delta(piece.raw) == piece.delta or piece.additional_kwargs["thinking_delta"]
    assert json.loads(json.dumps(last.raw))["usage"]["total_tokens"] > 0


def test_thinking(sync_async: Any, model: Any, hello: Any) -> None:
    """Reasoning is in ``thinking_delta``, and accumulates in one block."""
    responses = sync_async.stream(model("grok-3-mini"), "stream_chat", hello)
    reasoning = [r.additional_kwargs.get("thinking_delta") for r in responses]
    whole = "".join(thought for thought in reasoning if thought)
    assert whole.startswith("First, the user wrote")
    assert all(not r.delta for r in responses if r.additional_kwargs.get("thinking_delta"))
    thinking, text = responses[-1].message.blocks
    assert isinstance(thinking, ThinkingBlock)
    assert isinstance(text, TextBlock)
    assert thinking.content == whole
    assert thinking.num_tokens == responses[-1].additional_kwargs["reasoning_tokens"]


def test_tool_calls_in_streams(sync_async: Any, each_llm: XAILowCode) -> None:
    """A tool call is a block and a dict in ``additional_kwargs``; the text is empty."""

    def weather(city: str) -> str:
        """Weather of a city."""
        return city

    tool = FunctionTool.from_defaults(weather)
    responses = sync_async.stream(
        each_llm, "stream_chat_with_tools", [tool], "What is the weather in Paris?"
    )
    last = responses[-1]
    *thinking, text, block = last.message.blocks
    assert [each.block_type for each in thinking] in ([], ["thinking"])
    assert text == TextBlock(text="")
    assert isinstance(block, ToolCallBlock)
    (call,) = last.message.additional_kwargs["tool_calls"]
    assert json.loads(json.dumps(call)) == {
        "id": block.tool_call_id,
        "type": "function",
        "function": {"name": "weather", "arguments": block.tool_kwargs},
    }
    assert last.additional_kwargs["finish_reason"] == "tool_calls"


def test_usage_can_be_switched_off(sync_async: Any, gateway: Any, model: Any, hello: Any) -> None:
    """Chat Completions: ``stream_options`` is sent for streams only, unless it is switched off."""
    sync_async.stream(model(api="chat_completions"), "stream_chat", hello)
    quiet = model(
        api="chat_completions", additional_kwargs={"stream_options": {"include_usage": False}}
    )
    last = sync_async.stream(quiet, "stream_chat", hello)[-1]
    sync_async.call(quiet, "chat", hello)
    first, second, third = (request.body.get("stream_options") for request in gateway.requests)
    assert (first, second, third) == ({"include_usage": True}, None, None)
    assert "total_tokens" not in last.additional_kwargs
    assert last.message.content


async def test_closing_early_closes_the_connection(model: Any) -> None:
    """Closing a stream early closes the connection, sync and async."""
    answers: list[httpx.Response] = []

    async def note(response: httpx.Response) -> None:
        answers.append(response)

    story = [ChatMessage("Tell a long story")]
    with httpx.Client(event_hooks={"response": [answers.append]}) as client:
        stream = model(http_client=client).stream_chat(story)
        next(stream)
        assert not answers[0].is_closed
        stream.close()
        assert answers[0].is_closed
    async with httpx.AsyncClient(event_hooks={"response": [note]}) as async_client:
        opened = await model(http_async_client=async_client).astream_chat(story)
        await anext(opened)
        assert not answers[1].is_closed
        await opened.aclose()
        # LlamaIndex's wrapper leaves the closing of our generator to the loop.
        async with asyncio.timeout(30):
            while not answers[1].is_closed:  # noqa: ASYNC110 - the loop closes it
                await asyncio.sleep(0.001)


def _question(**options: Any) -> PreparedRequest:
    return prepare_request("grok-4.7", [ChatMessage("Hi")], options)


REPLY = ChatResponse(
    (
        Choice(
            (
                ReasoningPart("Hm."),
                TextPart("So."),
                ToolCallPart("a", "one", '{"x":1}'),
                ToolCallPart("b", "two", '{"y":2}'),
            ),
            "tool_calls",
        ),
    ),
    id="r",
    model="grok-4.7",
    usage=Usage(3, 4, 7, reasoning_tokens=2),
    citations=(Citation("https://x.ai/a", "A"), Citation("https://x.ai/b")),
    raw={"usage": {"prompt_tokens": 3}},
)


@pytest.mark.parametrize("parallel", [None, True, False])
def test_folding_gives_the_plain_response(parallel: bool | None) -> None:
    """The last response of a stream equals that of a response that was not streamed."""
    question = _question(parallel_tool_calls=parallel)
    builder = ResponseBuilder(question)
    responses = [builder.add(event) for event in response_to_events(REPLY)]
    assert builder.build_final() == to_response(REPLY, question, delta="")
    calls = 1 if parallel is False else 2
    seen = [r.message.blocks for r in responses if r is not None]
    assert max(len(blocks) for blocks in seen) == 2 + calls


def test_calls_in_pieces() -> None:
    """Deltas of a tool call are joined, and its arguments can be parsed at any time."""
    builder = ResponseBuilder(_question())
    llm = XAILowCode(api_token="at_rtest")
    arguments = []
    for piece in (ToolCallDelta(0, "a", "one", '{"x": "ab'), ToolCallDelta(0, arguments='cd"}')):
        response = builder.add(piece)
        assert response is not None
        (selection,) = llm.get_tool_calls_from_response(response)
        arguments.append((selection.tool_id, selection.tool_name, selection.tool_kwargs))
    assert arguments == [("a", "one", {"x": "ab"}), ("a", "one", {"x": "abcd"})]


def test_citations_are_blocks() -> None:
    """Citations are LlamaIndex's citation blocks, and URLs in ``additional_kwargs``."""
    response = to_response(REPLY, _question())
    cited = [block for block in response.message.blocks if block.block_type == "citation"]
    assert [(block.source, block.title) for block in cited] == [
        ("https://x.ai/a", "A"),
        ("https://x.ai/b", "https://x.ai/b"),
    ]
    assert response.additional_kwargs["citations"] == ["https://x.ai/a", "https://x.ai/b"]
    assert response.message.content == "So."


def test_refusals() -> None:
    """The refusal is in ``additional_kwargs``, streamed or not."""
    refused = ChatResponse((Choice((), "stop", refusal="No."),))
    builder = ResponseBuilder(_question())
    for event in response_to_events(refused):
        assert builder.add(event) is None
    for response in (builder.build_final(), to_response(refused, _question())):
        assert response.message.additional_kwargs == {"refusal": "No."}
        assert response.message.content == ""
