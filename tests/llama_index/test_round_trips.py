"""Responses of every API are preserved by LlamaIndex's messages and stores, and sent back."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.base.llms.types import (
    ChatMessage,
    ImageBlock,
    TextBlock,
    ThinkingBlock,
    ToolCallBlock,
)
from llama_index.core.memory import ChatMemoryBuffer, Memory
from llama_index.core.tools import FunctionTool
from llama_index.core.workflow import Context, JsonSerializer

from llama_index_xai_lowcode import XAILowCode
from llama_index_xai_lowcode._messages import to_messages
from llama_index_xai_lowcode._request import prepare_request
from llama_index_xai_lowcode._responses import to_response
from llama_index_xai_lowcode._stream import ResponseBuilder
from xai_lowcode.chat.accumulator import response_to_events
from xai_lowcode.types.messages import (
    ImagePart,
    ReasoningPart,
    ServerToolPart,
    TextPart,
    ToolCallPart,
)
from xai_lowcode.types.responses import ChatResponse, Choice, Citation

ENCRYPTED = "reasoning.encrypted_content"
PRODUCT = "multiply 6 and 7"


def multiply(a: int, b: int) -> int:
    """Multiply two numbers."""
    return a * b


MULTIPLY = FunctionTool.from_defaults(multiply)

# --- the law ------------------------------------------------------------------------------------

plain_json = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
names = st.from_regex(r"[a-zA-Z0-9_-]{1,9}", fullmatch=True)
items = st.dictionaries(st.sampled_from(["id", "type", "summary", "x"]), plain_json, min_size=1)
used = st.builds(
    ServerToolPart,
    st.sampled_from(["web_search_call", "mcp_call"]),
    st.text(max_size=5),
    st.text(max_size=5),
    st.text(max_size=5),
    plain_json,
    st.booleans(),
)
images = st.sampled_from([
    ImagePart("data:image/png;base64,iVBORw0KGgo="), ImagePart("https://x.ai/a.png"),
])  # fmt: skip
choices = st.builds(
    lambda reasoning, tools, images, text, calls, kept, form: Choice(
        (*tools, *reasoning, *images, *text, *calls),
        "stop",
        items=kept,
        dialect=form if kept else "",
    ),
    st.lists(st.builds(ReasoningPart, st.text(min_size=1)), max_size=1).map(tuple),
    st.lists(used, max_size=2).map(tuple),
    st.lists(images, max_size=2).map(tuple),
    st.lists(st.builds(TextPart, st.text(min_size=1)), max_size=1).map(tuple),
    st.lists(st.builds(ToolCallPart, st.text(min_size=1), names, st.text()), max_size=2).map(tuple),
    st.lists(items, max_size=3).map(tuple),
    st.sampled_from(["responses", "messages"]),
)
QUESTION = prepare_request("grok-4.7", [ChatMessage("Hi")])


@settings(max_examples=40)
# The arguments of the generated tool calls are any text.
@pytest.mark.filterwarnings("ignore:Tool call:UserWarning")
@given(choices)
def test_an_answer_survives_message_and_json(choice: Choice) -> None:
    """Parts, items and dialect of a response are preserved by ``ChatMessage`` and JSON."""
    message = to_response(ChatResponse((choice,), id="resp_1"), QUESTION).message
    restored = ChatMessage.model_validate_json(message.model_dump_json())
    assert to_messages([message]) == to_messages([restored]) == (choice.message,)


@settings(max_examples=40)
# The arguments of the generated tool calls are any text.
@pytest.mark.filterwarnings("ignore:Tool call:UserWarning")
@given(choices, st.lists(st.builds(Citation, st.just("https://x.ai"), st.none(), st.integers())))
def test_a_stream_ends_like_the_plain_answer(choice: Choice, citations: list[Citation]) -> None:
    """The last response of a stream has items, server-side tool calls, images and citations."""
    reply = ChatResponse((choice,), id="resp_1", citations=tuple(citations))
    builder = ResponseBuilder(QUESTION)
    seen = [builder.add(event) for event in response_to_events(reply)]
    last = builder.build_final()
    assert last == to_response(reply, QUESTION, delta="")
    shown = [r.additional_kwargs.get("built_in_tool_calls", []) for r in seen if r]
    assert max(map(len, shown), default=0) == len(
        [part for part in choice.parts if isinstance(part, ServerToolPart)]
    )


# --- what xAI receives --------------------------------------------------------------------------


def dump_items(items_: Any) -> list[str]:
    """Return items as JSON, with keys in their order."""
    return [json.dumps(item) for item in items_]


def answered(response: Any, form: str) -> list[Any]:
    body = response.raw
    return list(body["output"] if form == "responses" else body["content"])


def sent(gateway: Any, form: str) -> list[Any]:
    """Return the first response as the last request sent it back."""
    body = gateway.requests[-1].body
    if form == "responses":
        return [item for item in body["input"] if item.get("role") != "user"]
    return [part for m in body["messages"] if m["role"] == "assistant" for part in m["content"]]


FORMS = {
    "responses": {"api": "responses", "store": False, "include": [ENCRYPTED]},
    "messages": {"api": "messages"},
}


def dumped(message: ChatMessage) -> ChatMessage:
    return ChatMessage.model_validate(message.model_dump())


def through_json(message: ChatMessage) -> ChatMessage:
    return ChatMessage.model_validate_json(message.model_dump_json())


def through_memory(message: ChatMessage) -> ChatMessage:
    async def keep() -> ChatMessage:
        memory = Memory.from_defaults(session_id="s", token_limit=100_000)
        await memory.aput(message)
        (restored,) = await memory.aget()
        await memory.sql_store._async_engine.dispose()
        return restored

    return asyncio.run(keep())


def through_buffer(message: ChatMessage) -> ChatMessage:
    buffer = ChatMemoryBuffer.from_defaults(chat_history=[ChatMessage("Hi"), message])
    return ChatMemoryBuffer.from_string(buffer.to_string()).get_all()[1]


def through_context(message: ChatMessage) -> ChatMessage:
    async def keep() -> ChatMessage:
        agent = FunctionAgent(tools=[multiply], llm=XAILowCode(api_token="at_r" + "0" * 32))
        context = Context(agent)
        await context.store.set("kept", message)
        told = json.loads(json.dumps(context.to_dict(JsonSerializer())))
        restored: ChatMessage = await Context.from_dict(agent, told).store.get("kept")
        return restored

    return asyncio.run(keep())


broken_store = pytest.mark.skipif(
    tuple(map(int, pydantic.VERSION.split(".")[:2])) >= (2, 14),
    reason="LlamaIndex's own chat store cannot be saved with this pydantic",
)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "kept",
    [
        lambda message: message,
        dumped,
        through_json,
        through_memory,
        pytest.param(through_buffer, marks=broken_store),
        pytest.param(through_context, marks=pytest.mark.filterwarnings("ignore")),
    ],
    ids=["itself", "dump", "json", "memory", "buffer", "context"],
)
def test_a_tool_loop_replays_the_answer(
    sync_async: Any, model: Any, gateway: Any, form: str, kept: Callable[[ChatMessage], ChatMessage]
) -> None:
    """The second request contains the items of the first response, byte for byte."""
    llm = model(**FORMS[form])
    question = ChatMessage(PRODUCT)
    first = sync_async.call(llm, "chat_with_tools", [MULTIPLY], question)
    (call,) = llm.get_tool_calls_from_response(first)
    message = kept(first.message)
    result = ChatMessage("42", role="tool", additional_kwargs={"tool_call_id": call.tool_id})
    second = sync_async.call(
        llm, "chat_with_tools", [MULTIPLY], chat_history=[question, message, result]
    )
    assert "The tools found: 42" in second.message.content
    replayed = dump_items(answered(first, form))
    assert dump_items(sent(gateway, form))[: len(replayed)] == replayed
    if form == "responses":
        assert "encrypted_content" in replayed[0]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("streaming", [True, False])
@pytest.mark.parametrize("form", FORMS)
def test_an_agent_replays_encrypted_reasoning(
    model: Any, gateway: Any, form: str, streaming: bool
) -> None:
    """In the loop of an agent, the second request contains the whole first response."""
    agent = FunctionAgent(tools=[multiply], llm=model(**FORMS[form]), streaming=streaming)
    seen: list[Any] = []

    async def talk() -> Any:
        handler = agent.run(PRODUCT)
        seen.extend([event async for event in handler.stream_events()])
        return await handler

    assert "The tools found: 42" in str(asyncio.run(talk()))
    outputs = [event for event in seen if type(event).__name__ == "AgentOutput"]
    (thinking,) = (b for b in outputs[0].response.blocks if isinstance(b, ThinkingBlock))
    kept = thinking.additional_information["xai"]
    assert kept["dialect"] == form
    assert dump_items(sent(gateway, form))[: len(kept["items"])] == dump_items(kept["items"])
    if form == "responses":
        completed = outputs[0].raw if not streaming else outputs[0].raw["response"]
        assert dump_items(kept["items"]) == dump_items(completed["output"])


def test_a_corrected_call_wins(sync_async: Any, model: Any, gateway: Any) -> None:
    """If a person changed a tool call, the changed call is sent."""
    llm = model(**FORMS["responses"])
    question = ChatMessage(PRODUCT)
    message = through_json(sync_async.call(llm, "chat_with_tools", [MULTIPLY], question).message)
    (block,) = (block for block in message.blocks if isinstance(block, ToolCallBlock))
    block.tool_kwargs = {"a": 1, "b": 2}
    result = ChatMessage("2", role="tool", additional_kwargs={"tool_call_id": block.tool_call_id})
    sync_async.call(llm, "chat", [question, message, result])
    (called,) = (i for i in sent(gateway, "responses") if i.get("type") == "function_call")
    assert json.loads(called["arguments"]) == {"a": 1, "b": 2}


def test_a_conversation_keeps_its_form_unless_told(
    sync_async: Any, model: Any, gateway: Any
) -> None:
    """A conversation stays on Responses, unless ``api`` is set."""
    first = sync_async.call(model(store=False), "chat", [ChatMessage("Hi")]).message
    assert gateway.requests[-1].path == "/xai/v1/responses"
    talk = [ChatMessage("Hi"), first, ChatMessage("And?")]
    sync_async.call(model(), "chat", talk)
    assert gateway.requests[-1].path == "/xai/v1/responses"
    sync_async.call(model(api="chat_completions"), "chat", talk)
    assert gateway.requests[-1].path == "/xai/v1/chat/completions"
    told = gateway.requests[-1].body["messages"][1]
    assert told == {"role": "assistant", "content": first.content}


def test_previous_response_ids(sync_async: Any, model: Any, gateway: Any) -> None:
    """With stored responses only new messages are sent; the id can also be set by the caller."""
    llm = model(api="responses", use_previous_response_id=True)
    talk = [ChatMessage("s", role="system"), ChatMessage("Say 'one'")]
    first = sync_async.call(llm, "chat", talk)
    assert "previous_response_id" not in gateway.requests[-1].body
    second = sync_async.stream(
        llm, "stream_chat", [*talk, first.message, ChatMessage("Say 'two'")]
    )[-1]
    assert second.message.content == "two"
    body = gateway.requests[-1].body
    assert body["previous_response_id"] == first.additional_kwargs["id"] == first.raw["id"]
    assert body["input"] == [{"role": "user", "content": "Say 'two'"}]
    sync_async.call(
        model(), "chat", [ChatMessage("Say 'three'")],
        previous_response_id=second.additional_kwargs["id"],
    )  # fmt: skip
    body = gateway.requests[-1].body
    assert body["previous_response_id"] == second.additional_kwargs["id"]


def test_what_is_not_stored_or_was_corrected_is_sent(
    sync_async: Any, model: Any, gateway: Any
) -> None:
    """Responses that are not stored, or were changed, have no previous_response_id."""
    talk = [ChatMessage("Say 'one'")]
    for fields in ({"store": False}, {}):
        llm = model(api="responses", use_previous_response_id=True, **fields)
        first = sync_async.call(llm, "chat", talk).message
        if not fields:
            first.blocks = [TextBlock(text="none")]
        sync_async.call(llm, "chat", [*talk, first, ChatMessage("Say 'two'")])
        body = gateway.requests[-1].body
        assert "previous_response_id" not in body
        assert body["input"][0] == {"role": "user", "content": "Say 'one'"}
    assert body["input"][1] == {"role": "assistant", "content": "none"}


def test_plain_message_has_no_additional_kwargs() -> None:
    """A response of text only has a text block and empty ``additional_kwargs``."""
    message = to_response(ChatResponse((Choice((TextPart("a"),), "stop"),)), QUESTION).message
    assert message == ChatMessage(role="assistant", blocks=[TextBlock(text="a")])
    assert not any(isinstance(block, ImageBlock) for block in message.blocks)
