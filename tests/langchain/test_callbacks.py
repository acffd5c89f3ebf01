"""Callbacks, ``astream_events`` of both versions, and usage metadata."""

import asyncio
from functools import reduce
from operator import add
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.callbacks import (
    AsyncCallbackHandler,
    BaseCallbackHandler,
    get_usage_metadata_callback,
)
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.output_parsers import StrOutputParser

from langchain_xai_lowcode import image_generation, web_search
from tests.langchain.helpers import (
    APIS,
    QUESTION,
    SYNC_AND_ASYNC,
    Chat,
    collect_stream,
    create_chat,
    get_weather,
    run,
)
from xai_lowcode.emulator import EndStreamEarly, Refuse
from xai_lowcode.errors import BadRequestError, StreamInterruptedError

BETA = pytest.mark.filterwarnings("ignore::langchain_core._api.LangChainBetaWarning")


# --- events, version 2 ---------------------------------------------------------------------------


@pytest.mark.parametrize("api", APIS)
async def test_stream_events_have_the_message_of_invoke(chat: Chat, api: str) -> None:
    """The chunks of the stream events add up to the message of the end event and of invoke."""
    llm = create_chat(chat, api, tags=["mine"])
    events = [event async for event in (llm | StrOutputParser()).astream_events("Hello")]
    of_model = [event for event in events if event["event"].startswith("on_chat_model")]
    assert {tag for event in of_model for tag in event["tags"]} >= {"mine"}
    chunks = [e["data"]["chunk"] for e in of_model if e["event"] == "on_chat_model_stream"]
    end: Any = of_model[-1]
    assert end["event"] == "on_chat_model_end"
    whole = reduce(add, chunks)
    assert whole.text == end["data"]["output"].text
    assert whole.usage_metadata == end["data"]["output"].usage_metadata
    assert end["metadata"]["ls_provider"] == "xai"
    assert events[-1]["data"]["output"] == whole.text


async def test_events_of_an_agent_have_its_tool_calls(chat: Chat) -> None:
    """The events of tools are between those of two runs of the model."""
    agent: Any = create_agent(chat(), [get_weather])
    names = [e["event"] async for e in agent.astream_events(QUESTION, version="v2")]
    names = [e for e in names if e.startswith(("on_chat_model", "on_tool")) and "stream" not in e]
    model = ["on_chat_model_start", "on_chat_model_end"]
    assert names == [*model, "on_tool_start", "on_tool_end", *model]


# --- events, version 3 ---------------------------------------------------------------------------


CASES: dict[str, tuple[str, list[Any]]] = {
    "text": ("Say 'Grüße, 世界 🦊'.", []),
    "call": ("How is the weather in 'Vienna'?", [get_weather]),
    "search": ("Search the web for foxes.", [web_search()]),
    "image": ("Draw an image of a fox.", [image_generation()]),
}


@BETA
@SYNC_AND_ASYNC
@pytest.mark.parametrize(
    ("api", "case"),
    [
        (api, case)
        for api in APIS
        for case in CASES
        if api == "responses" or case in {"text", "call"}
    ],
)
async def test_version_3_events_give_the_same_message(
    gateway: Any, chat: Chat, api: str, case: str, *, use_async: bool
) -> None:
    """Text, reasoning, tool calls, usage and output items equal those of a plain message."""
    question, tools = CASES[case]
    llm: Any = create_chat(chat, api, output_version="v1")
    llm = llm.bind_tools(tools) if tools else llm
    plain = llm.invoke(question)
    gateway.reset()
    message = await message_of_events(llm, question, use_async=use_async)
    assert message.text == plain.text
    assert message.usage_metadata == plain.usage_metadata
    assert message.tool_calls == plain.tool_calls
    assert [b["type"] for b in message.content_blocks] == [b["type"] for b in plain.content_blocks]
    sent = []
    for answer in (plain, message):
        results = [ToolMessage("Sunny", tool_call_id=call["id"]) for call in answer.tool_calls]
        llm.invoke([HumanMessage(question), answer, *results, HumanMessage("Go on.")])
        sent.append(gateway.requests[-1].body)
    assert sent[0] == sent[1]


async def message_of_events(llm: Any, question: str, *, use_async: bool) -> AIMessage:
    """Return the message of version 3 events; check that their texts are its text."""
    if use_async:
        events = await llm.astream_events(question, version="v3")
        texts = [chunk async for chunk in events.text]
        message: AIMessage = await events.output
    else:
        events = llm.stream_events(question, version="v3")
        texts = list(events.text)
        message = events.output
    assert "".join(texts) == message.text
    return message


@BETA
@SYNC_AND_ASYNC
async def test_version_3_events_of_an_interrupted_stream_raise(
    gateway: Any, chat: Chat, *, use_async: bool
) -> None:
    """An interrupted stream raises while version 3 events are read."""
    gateway.inject(EndStreamEarly(after_chunks=12))
    with pytest.raises(StreamInterruptedError):
        await message_of_events(chat(max_retries=0), "Hello", use_async=use_async)


# --- callbacks -----------------------------------------------------------------------------------


class TokenRecorder(BaseCallbackHandler):
    """Records tokens, ends and errors."""

    def __init__(self) -> None:
        self.tokens: list[str] = []
        self.ends: list[Any] = []
        self.errors: list[BaseException] = []

    def on_llm_new_token(self, token: str, **_: Any) -> None:
        self.tokens.append(token)

    def on_llm_end(self, response: Any, **_: Any) -> None:
        self.ends.append(response)

    def on_llm_error(self, error: BaseException, **_: Any) -> None:
        self.errors.append(error)


class AsyncTokenRecorder(AsyncCallbackHandler):
    """Records tokens, and lets other tasks run meanwhile."""

    def __init__(self) -> None:
        self.tokens: list[str] = []

    async def on_llm_new_token(self, token: str, **_: Any) -> None:
        await asyncio.sleep(0)
        self.tokens.append(token)


@SYNC_AND_ASYNC
@pytest.mark.parametrize("api", APIS)
async def test_callbacks_get_tokens_and_the_end(chat: Chat, api: str, *, use_async: bool) -> None:
    """The tokens add up to the text, and the end has usage and model."""
    recorder = TokenRecorder()
    config: Any = {"callbacks": [recorder]}
    chunks = await collect_stream(
        create_chat(chat, api), "Hello", use_async=use_async, config=config
    )
    assert "".join(recorder.tokens) == "".join(chunk.text for chunk in chunks)
    (end,) = recorder.ends
    message = end.generations[0][0].message
    assert message.usage_metadata["total_tokens"] > 0
    assert message.response_metadata["model_name"] == "grok-4.3"


async def test_async_callbacks_get_tokens(chat: Chat) -> None:
    """An async handler gets each token once, in order."""
    recorder = AsyncTokenRecorder()
    text = "".join([p.text async for p in chat().astream("Hello", {"callbacks": [recorder]})])
    assert "".join(recorder.tokens) == text


@SYNC_AND_ASYNC
async def test_callbacks_get_errors(gateway: Any, chat: Chat, *, use_async: bool) -> None:
    """A handler gets the error that is raised, once."""
    for ask in (run, collect_stream):
        recorder = TokenRecorder()
        gateway.inject(Refuse(400, "No."))
        with pytest.raises(BadRequestError) as caught:
            await ask(chat(), "Hello", use_async=use_async, config={"callbacks": [recorder]})
        assert recorder.errors == [caught.value]


@SYNC_AND_ASYNC
async def test_usage_is_summed_by_model(chat: Chat, *, use_async: bool) -> None:
    """LangChain's counter adds plain, streamed and agents' responses, each once."""
    with get_usage_metadata_callback() as counter:
        first = await run(chat(model="grok-4.3"), "Hello", use_async=use_async)
        second = reduce(
            add, await collect_stream(chat(model="grok-4.3"), "Hello", use_async=use_async)
        )
        third = await run(chat(model="grok-4.7", n=2), "Hello", use_async=use_async)
        agent: Any = create_agent(chat(model="grok-4.5"), [get_weather])
        messages = (await run(agent, QUESTION, use_async=use_async))["messages"]
    total = {name: usage["total_tokens"] for name, usage in counter.usage_metadata.items()}
    assert total["grok-4.3"] == (
        first.usage_metadata["total_tokens"] + second.usage_metadata["total_tokens"]
    )
    assert total["grok-4.7"] == third.usage_metadata["total_tokens"]
    assert total["grok-4.5"] == sum(
        m.usage_metadata["total_tokens"] for m in messages if isinstance(m, AIMessage)
    )


@SYNC_AND_ASYNC
async def test_total_cost(chat: Chat, *, use_async: bool) -> None:
    """``total_cost`` is in the usage if requested; LangChain could not merge chunks with it."""
    for with_cost in (False, True):
        llm = chat(model="grok-4.3", include_total_cost=with_cost)
        plain = await run(llm, "Hello", use_async=use_async)
        streamed = reduce(add, await collect_stream(llm, "Hello", use_async=use_async))
        cost = plain.response_metadata["cost_usd"]
        assert cost > 0
        assert plain.usage_metadata.get("total_cost") == (cost if with_cost else None)
        assert streamed.response_metadata["cost_usd"] > 0
        assert "total_cost" not in streamed.usage_metadata


@SYNC_AND_ASYNC
async def test_the_first_of_several_choices_has_usage_and_cost(
    chat: Chat, *, use_async: bool
) -> None:
    """Usage and cost are those of the call, so that they are in one message only."""
    llm, conversations = chat(model="grok-4.3", n=3), [[HumanMessage("Hello")]]
    result = await llm.agenerate(conversations) if use_async else llm.generate(conversations)
    messages: list[Any] = [generation.message for generation in result.generations[0]]  # type: ignore[union-attr] # chats
    for name in ("token_usage", "cost_usd"):
        assert [name in m.response_metadata for m in messages] == [True, False, False]
    assert [m.usage_metadata is None for m in messages] == [False, True, True]


@SYNC_AND_ASYNC
async def test_generate_sums_the_usage_of_its_conversations(chat: Chat, *, use_async: bool) -> None:
    """``generate`` adds up the usage of its conversations, including details."""
    llm, conversations = (
        chat(model="grok-4.3"),
        [[HumanMessage("Hello")], [HumanMessage("And you?")]],
    )
    result = await llm.agenerate(conversations) if use_async else llm.generate(conversations)
    output: Any = result.llm_output
    answers = [generations[0].message.usage_metadata for generations in result.generations]  # type: ignore[union-attr] # chats
    assert output["model_name"] == "grok-4.3"
    usage = output["token_usage"]
    assert usage["total_tokens"] == sum(answer["total_tokens"] for answer in answers)
    thought = sum(answer["output_token_details"]["reasoning"] for answer in answers)
    assert usage["completion_tokens_details"]["reasoning_tokens"] == thought
