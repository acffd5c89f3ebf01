"""The shape of messages that LlamaIndex relies on: a text block, small kwargs, joined text."""

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from llama_index.core.base.llms.types import ChatMessage, TextBlock, ThinkingBlock, ToolCallBlock
from llama_index.core.chat_engine import SimpleChatEngine
from llama_index.core.memory import Memory

from llama_index_xai_lowcode._messages import to_messages
from llama_index_xai_lowcode._responses import to_response
from llama_index_xai_lowcode._stream import ResponseBuilder
from tests.llama_index.test_round_trips import QUESTION, choices
from xai_lowcode.chat.accumulator import response_to_events
from xai_lowcode.types.messages import ReasoningPart
from xai_lowcode.types.responses import ChatResponse, Choice

APIS = ("chat_completions", "messages", "responses")
REASONING = "e" * 20_000
ITEMS = (
    {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": REASONING},
    {"type": "web_search_call", "id": "ws_1", "action": {"type": "search", "query": "x"}},
)


@settings(max_examples=40)
# The arguments of the generated tool calls are any text.
@pytest.mark.filterwarnings("ignore:Tool call:UserWarning")
@given(choices)
def test_every_response_has_one_text_block(choice: Choice) -> None:
    """Plain, in every chunk and at the end: ``content`` is never None."""
    reply, builder = ChatResponse((choice,), id="resp_1"), ResponseBuilder(QUESTION)
    chunks = [builder.add(event) for event in response_to_events(reply)]
    responses = [*filter(None, chunks), builder.build_final(), to_response(reply, QUESTION)]
    for response in responses:
        texts = [b for b in response.message.blocks if isinstance(b, TextBlock)]
        assert [block.text for block in texts] == [response.message.content]
    assert responses[-1].message.content == responses[-2].message.content == choice.text


def test_reasoning_alone_is_empty_text() -> None:
    """A chat engine shows an empty response, not None."""
    reply = ChatResponse((Choice((ReasoningPart("Hm."),), "length"),))
    message = to_response(reply, QUESTION).message
    assert str(message) == "assistant: "
    assert to_messages([message])[0].parts == (ReasoningPart("Hm."),)


@pytest.mark.parametrize("dialect", ["messages", "responses"])
def test_memory_does_not_count_output_items(dialect: str) -> None:
    """Output items are in the thinking block; the text of ``additional_kwargs`` is short."""
    reply = ChatResponse((Choice((), "stop", items=ITEMS, dialect=dialect),), id="resp_1")
    message = to_response(reply, QUESTION).message
    assert len(str(message.additional_kwargs)) < 150
    (thinking,) = (block for block in message.blocks if isinstance(block, ThinkingBlock))
    assert thinking.content is None
    memory = Memory.from_defaults(session_id="m", token_limit=2000, chat_history_token_ratio=0.9)

    async def remember() -> list[ChatMessage]:
        for number in range(8):
            await memory.aput_messages([ChatMessage(f"Question {number}"), message])
        kept = await memory.aget()
        await memory.sql_store._async_engine.dispose()
        return kept

    kept = asyncio.run(remember())
    assert [m.content for m in kept if m.role == "user"] == [f"Question {n}" for n in range(8)]
    assert all(m.items == ITEMS for m in to_messages(kept) if m.role == "assistant")


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("role", ["system", "user", "assistant"])
@pytest.mark.parametrize("blocks", [["a"], ["a", "b"], ["a", "", "b c"], [" a", "b ", "c"]])
def test_text_blocks_are_joined_as_content(
    model: Any, gateway: Any, api: str, role: str, blocks: list[str]
) -> None:
    """What xAI gets is ``ChatMessage.content`` (without empty blocks), whatever the role."""
    message = ChatMessage(role=role, blocks=[TextBlock(text=text) for text in blocks])
    asked = [ChatMessage("Hi"), message] if role == "assistant" else [message]
    model(api=api).chat([*asked, ChatMessage("And?")])
    body = gateway.requests[-1].body
    sent = body.get("messages") or body["input"]
    if role == "system" and api == "messages":
        content = body["system"]
    else:
        content = sent[len(asked) - 1]["content"]
    parts = [content] if isinstance(content, str) else [part["text"] for part in content]
    assert "\n".join(parts) == "\n".join(filter(None, blocks))


def test_text_around_a_tool_call_is_joined_too() -> None:
    """Text blocks before and after a tool call are one text, at the place of the first."""
    call = ToolCallBlock(tool_call_id="c", tool_name="f", tool_kwargs={})
    blocks = [TextBlock(text="a"), call, TextBlock(text="b")]
    (message,) = to_messages([ChatMessage(role="assistant", blocks=blocks)])
    assert [getattr(part, "text", "call") for part in message.parts] == ["a\nb", "call"]


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("text", ["Fine.", " Fine.\n"])
def test_a_chat_engine_continues_stored_responses(
    model: Any, gateway: Any, text: str, *, streamed: bool
) -> None:
    """Also a streaming engine, which replaces the blocks by the stripped text."""
    engine = SimpleChatEngine.from_defaults(
        llm=model(use_previous_response_id=True), system_prompt="Be brief."
    )
    gateway.reply(text)
    for question in ("One?", "Two?"):
        if streamed:
            "".join(engine.stream_chat(question).response_gen)
        else:
            engine.chat(question)
    body = gateway.requests[-1].body
    assert body["previous_response_id"]
    assert body["input"] == [{"role": "user", "content": "Two?"}]
