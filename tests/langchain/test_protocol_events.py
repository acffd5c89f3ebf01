"""Native protocol events equal those that LangChain makes of chunks."""

from collections.abc import AsyncIterator, Iterator
from itertools import product
from typing import Any

import pytest
from langchain_core.callbacks import AsyncCallbackHandler, BaseCallbackHandler
from langchain_core.messages import AIMessage

from langchain_xai_lowcode import ChatXAILowCode
from langchain_xai_lowcode._output import to_result
from tests.cases import for_each
from tests.langchain.helpers import APIS, SYNC_AND_ASYNC, Chat, create_chat, get_weather
from tests.langchain.protocol_events import (
    NATIVE,
    from_chunks,
    message_of,
    native,
    request,
    without_lost_data,
)
from xai_lowcode.chat.accumulator import ResponseAccumulator
from xai_lowcode.types.events import (
    ChoiceFinished,
    CitationAdded,
    ImageGenerated,
    OutputItemDone,
    ReasoningDelta,
    RefusalDelta,
    ResponseStarted,
    ServerToolCalled,
    StreamEvent,
    TextDelta,
    ToolCallDelta,
    UsageReported,
)
from xai_lowcode.types.messages import ImagePart, ServerToolPart
from xai_lowcode.types.responses import Citation, Usage

BETA = pytest.mark.filterwarnings("ignore::langchain_core._api.LangChainBetaWarning")
START = ResponseStarted("r1", "grok-4.7", 1, "fp", "priority")
USAGE = UsageReported(Usage(3, 4, 7, cached_input_tokens=1, reasoning_tokens=2, cost_ticks=5))
ALPHABET: tuple[StreamEvent, ...] = (
    TextDelta("Hi "),
    TextDelta("", logprobs=({"token": "a"},)),
    ReasoningDelta("Hm."),
    RefusalDelta("No."),
    ToolCallDelta(0, "c1", "f", '{"a": '),
    ToolCallDelta(0, "c1", "f", "1}"),
    ToolCallDelta(1, "c2", "g", "[1]"),
    ServerToolCalled(ServerToolPart("s1", "web_search_call", "web_search", '{"query": "a"}')),
    ImageGenerated(ImagePart(url="https://x.ai/fox.png")),
    CitationAdded(Citation("https://x.ai", "xAI", 0, 2)),
    OutputItemDone({"type": "message"}, "responses"),
)


def sequences(reason: str) -> Iterator[list[StreamEvent]]:
    """Yield streams of up to three events of the alphabet, in every order.

    As in the streams of every API, "stop" is "tool_calls" if there are any.
    """
    for length in range(4):
        for events in product(ALPHABET, repeat=length):
            has_calls = any(isinstance(event, ToolCallDelta) for event in events)
            end = "tool_calls" if has_calls and reason == "stop" else reason
            yield [START, *events, ChoiceFinished(end), USAGE]


@NATIVE
def test_native_events_equal_those_of_chunks() -> None:
    """Native events equal those of chunks; invalid tool calls equal those of a plain message."""
    for events in sequences("stop"):
        native_events = native(events)
        if not message_of(native_events).invalid_tool_calls:
            assert without_lost_data(native_events) == without_lost_data(from_chunks(events))


@pytest.mark.parametrize("reason", ["stop", "length", "content_filter"])
def test_the_message_of_native_events_is_the_plain_message(reason: str) -> None:
    """Native events lose nothing: log probabilities, refusals and invalid tool calls included."""
    for events in sequences(reason):
        message, plain = message_of(native(events)), plain_message(events)
        metadata = {**plain.response_metadata, "output_version": "v1"}
        assert message.response_metadata == metadata
        assert message.additional_kwargs == plain.additional_kwargs
        assert message.usage_metadata == plain.usage_metadata
        assert message.tool_calls == in_order(plain.tool_calls, events)
        assert message.invalid_tool_calls == in_order(plain.invalid_tool_calls, events)
        assert message.text == plain.text


def in_order(calls: list[Any], events: list[StreamEvent]) -> list[Any]:
    """Return calls in the order in which they started."""
    ids = [event.id for event in events if isinstance(event, ToolCallDelta)]
    return sorted(calls, key=lambda call: ids.index(call["id"]))


def plain_message(events: list[StreamEvent]) -> AIMessage:
    """Return the message of a stream as if it had not been streamed."""
    accumulator = ResponseAccumulator()
    for event in events:
        accumulator.add(event)
    result = to_result(accumulator.build_response(), request(), with_headers=False)
    message = result.generations[0].message
    assert isinstance(message, AIMessage)
    return message


def test_each_block_has_a_start_and_an_end() -> None:
    """Indices count from 0; deltas are between start and end of their block."""
    for events in sequences("stop"):
        found = native(events)
        assert found[0]["event"] == "message-start"
        assert found[-1]["event"] == "message-finish"
        opened = [e["index"] for e in found if e["event"] == "content-block-start"]
        closed = [e["index"] for e in found if e["event"] == "content-block-finish"]
        assert opened == closed == list(range(len(opened)))


# --- events of a model ---------------------------------------------------------------------------


class ModelWithStreams(ChatXAILowCode):
    """A model with its own stream methods, whose chunks LangChain converts."""

    def _stream(self, *args: Any, **kwargs: Any) -> Iterator[Any]:
        yield from super()._stream(*args, **kwargs)

    async def _astream(self, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        async for chunk in super()._astream(*args, **kwargs):
            yield chunk


class Tokens(BaseCallbackHandler):
    """Records tokens."""

    def __init__(self) -> None:
        self.tokens: list[str] = []

    def on_llm_new_token(self, token: str, **_: Any) -> None:
        """Record a token."""
        self.tokens.append(token)


class AsyncTokens(AsyncCallbackHandler):
    """Records tokens."""

    def __init__(self) -> None:
        self.tokens: list[str] = []

    async def on_llm_new_token(self, token: str, **_: Any) -> None:
        """Record a token."""
        self.tokens.append(token)


async def protocol_events(llm: Any, question: str, config: Any, *, use_async: bool) -> list[Any]:
    """Return the events of version 3, without the ids of runs and responses."""
    if use_async:
        stream = await llm.astream_events(question, config, version="v3")
        events = [event async for event in stream]
    else:
        events = list(llm.stream_events(question, config, version="v3"))
    assert events[0].pop("id").startswith("lc_run--")
    for name in ("response_id", "created", "completed_at"):
        events[-1]["metadata"].pop(name, None)
    events[-1].get("additional_kwargs", {}).pop("xai_items", None)
    return without_lost_data(events)


@BETA
@NATIVE
@SYNC_AND_ASYNC
@pytest.mark.parametrize("question", ["Say 'Grüße, 世界 🦊'.", "How is the weather in 'Vienna'?"])
@pytest.mark.parametrize("api", APIS)
async def test_a_subclass_with_stream_methods_has_the_same_events(
    gateway: Any, chat: Chat, api: str, question: str, *, use_async: bool
) -> None:
    """LangChain converts its chunks to the same events, and handlers get the same tokens."""
    found = []
    for model in (chat, ModelWithStreams):
        gateway.reset()
        tokens = AsyncTokens() if use_async else Tokens()
        llm = create_chat(model, api).bind_tools([get_weather])
        events = await protocol_events(llm, question, {"callbacks": [tokens]}, use_async=use_async)
        quiet = await protocol_events(llm, question, None, use_async=use_async)
        found.append((without_call_ids(events), without_call_ids(quiet), tokens.tokens))
    assert found[0] == found[1]
    assert found[0][0] == found[0][1]
    assert found[0][2]


def without_call_ids(events: list[Any]) -> list[Any]:
    """Return events without the ids of tool calls."""
    for event in events:
        event.get("content", {}).pop("id", None)
    return events


@BETA
@NATIVE
def test_events_have_the_cost_on_request(gateway: Any, chat: Chat) -> None:
    """LangChain adds nothing to the usage of events, which may therefore have the cost."""
    gateway.reset()
    message = chat(include_total_cost=True).stream_events("Hello", version="v3").output
    cost = message.response_metadata["cost_usd"]
    assert message.usage_metadata["total_cost"] == cost > 0


# --- metadata of the message ---------------------------------------------------------------------


@for_each(
    ("reason", "normalized"),
    [
        ("stop", "stop"),
        ("length", "length"),
        ("tool_calls", "tool_call"),
        ("content_filter", "content_filter"),
        ("max_turns", None),
    ],
)
def test_finish_reasons_have_langchains_values(reason: str, normalized: str | None) -> None:
    """`normalized_finish_reason` is in plain messages, chunks and events; None if unknown."""
    events = [START, TextDelta("Hi"), ChoiceFinished(reason)]
    for message in (plain_message(events), message_of(native(events))):
        assert message.response_metadata["finish_reason"] == reason
        assert message.response_metadata.get("normalized_finish_reason") == normalized
    refused = [START, RefusalDelta("No."), ChoiceFinished(reason)]
    for message in (plain_message(refused), message_of(native(refused))):
        assert message.response_metadata["normalized_finish_reason"] == "refusal"


def test_details_of_the_priority_tier_have_its_prices() -> None:
    """Details of the priority tier have the names of langchain-openai; each token is in one."""
    usage = plain_message([START, ChoiceFinished("stop"), USAGE]).usage_metadata
    assert usage is not None
    assert usage["input_token_details"] == {"priority": 2, "priority_cache_read": 1}
    assert usage["output_token_details"] == {"priority": 2, "priority_reasoning": 2}
    default = plain_message([ResponseStarted("r1"), ChoiceFinished("stop"), USAGE]).usage_metadata
    assert default is not None
    assert default["input_token_details"] == {"cache_read": 1}
    assert default["output_token_details"] == {"reasoning": 2}
