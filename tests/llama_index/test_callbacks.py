"""Callbacks, events and spans: one event per call, token counts, and no secrets."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from llama_index.core.callbacks import CallbackManager, TokenCountingHandler
from llama_index.core.instrumentation import get_dispatcher
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.instrumentation.events.exception import ExceptionEvent
from llama_index.core.instrumentation.events.llm import (
    LLMChatEndEvent,
    LLMChatStartEvent,
    LLMCompletionEndEvent,
    LLMCompletionStartEvent,
    LLMStructuredPredictEndEvent,
    LLMStructuredPredictStartEvent,
)
from llama_index.core.instrumentation.span_handlers import SimpleSpanHandler
from llama_index.core.llms import ChatMessage
from llama_index.core.prompts import PromptTemplate
from llama_index.core.tools import FunctionTool
from pydantic import BaseModel, Field

from llama_index_xai_lowcode import XAILowCode
from xai_lowcode.emulator import ErrorInStream


class EventRecorder(BaseEventHandler):
    """Records all events."""

    events: list[Any]

    def handle(self, event: Any, **_: Any) -> None:
        """Record an event."""
        self.events.append(event)


class SpanRecorder(SimpleSpanHandler):
    """Records arguments and instances of spans, as exporters do."""

    called: list[str] = Field(default_factory=list)

    def new_span(self, id_: str, bound_args: Any, instance: Any = None, **more: Any) -> Any:
        """Record the arguments."""
        self.called.append(f"{bound_args!r} {instance!r} {more!r}")
        return super().new_span(id_, bound_args, instance, **more)


class Value(BaseModel):
    """A value."""

    value: int


@pytest.fixture
def recorded() -> Iterator[tuple[list[Any], SimpleSpanHandler]]:
    """Record events and spans of LlamaIndex's root dispatcher."""
    root, handler, spans = get_dispatcher(), EventRecorder(events=[]), SpanRecorder()
    root.add_event_handler(handler)
    root.add_span_handler(spans)
    yield handler.events, spans
    root.event_handlers.remove(handler)
    root.span_handlers.remove(spans)


@pytest.mark.parametrize("method", ["chat", "stream_chat", "complete", "stream_complete"])
def test_each_call_emits_one_type_of_event(
    sync_async: Any, llm: Any, recorded: Any, method: str
) -> None:
    """A chat emits chat events once, a completion only completion events."""
    events, spans = recorded
    question: Any = [ChatMessage("Hi")] if method.endswith("chat") else "Hi"
    (sync_async.stream if method.startswith("stream") else sync_async.call)(llm, method, question)
    kinds = (
        (LLMChatStartEvent, LLMChatEndEvent)
        if method.endswith("chat")
        else (LLMCompletionStartEvent, LLMCompletionEndEvent)
    )
    assert [type(event) for event in events if not _has_rejected_type(event)] == list(kinds)
    assert events[-1].response.raw["usage"]["total_tokens"] > 0
    assert [span.id_.partition("-")[0] for span in spans.completed_spans] == [
        f"XAILowCode.{'a' if sync_async.is_async else ''}{method}"
    ]


def _has_rejected_type(event: Any) -> bool:
    return "InProgress" in type(event).__name__ or "Span" in type(event).__name__


def test_events_have_no_token(sync_async: Any, llm: Any, gateway: Any, recorded: Any) -> None:
    """Events and spans of tool calls and interrupted streams are JSON without the token."""
    events, spans = recorded
    tool = FunctionTool.from_defaults(lambda x: x, name="f", description="f")
    sync_async.call(llm, "chat_with_tools", [tool], "call f")
    gateway.inject(ErrorInStream())
    with pytest.raises(Exception, match="Invalid"):
        sync_async.stream(llm, "stream_chat", [ChatMessage("Hi")])
    shown = "".join(event.model_dump_json(fallback=repr) for event in events)
    assert "XAILowCode" in shown
    assert gateway.api_token not in shown + repr(events) + repr(spans.completed_spans)


def test_events_of_structured_calls(sync_async: Any, llm: Any, recorded: Any) -> None:
    """A structured call emits its own events once, around those of its chat."""
    events, _ = recorded
    prompt = PromptTemplate("A value of 3")
    sync_async.call(llm, "structured_predict", Value, prompt)
    assert [type(event) for event in events if not _has_rejected_type(event)] == [
        LLMStructuredPredictStartEvent,
        LLMChatStartEvent,
        LLMChatEndEvent,
        LLMStructuredPredictEndEvent,
    ]


def observed_texts(sync_async: Any, llm: Any, recorded: Any) -> str:
    """Return the texts of events and spans of each kind of call."""
    events, spans = recorded
    for method in ("chat", "complete"):
        question: Any = [ChatMessage("Hi")] if method == "chat" else "Hi"
        sync_async.call(llm, method, question)
        sync_async.stream(llm, f"stream_{method}", question)
    sync_async.call(llm, "structured_predict", Value, PromptTemplate("A value of 3"))
    sync_async.call(llm, "predict", PromptTemplate("Hi"))
    observed = (events, spans.called, spans.completed_spans, spans.dropped_spans)
    return "".join(event.model_dump_json(fallback=repr) for event in events) + repr(observed)


@pytest.mark.parametrize("api", ["chat_completions", "responses", "messages"])
def test_no_event_or_span_has_the_token(
    sync_async: Any, model: Any, gateway: Any, recorded: Any, api: str
) -> None:
    """No event or span contains the token, for any API."""
    shown = observed_texts(sync_async, model(api=api), recorded)
    assert len(shown) > 1000
    assert gateway.api_token not in shown


def test_each_channel_detects_a_leak(
    sync_async: Any, model: Any, gateway: Any, recorded: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The test detects a token in a prompt or a response."""
    monkeypatch.setattr(XAILowCode, "to_payload", lambda llm: {"key": llm.api_token._secret_value})
    monkeypatch.setattr(
        XAILowCode, "to_dict", lambda llm, **_: {"key": llm.api_token._secret_value}
    )
    assert gateway.api_token in observed_texts(sync_async, model(), recorded)
    recorded[0].clear()
    monkeypatch.undo()
    assert gateway.api_token in observed_texts(
        sync_async, model(system_prompt=gateway.api_token), recorded
    )


@pytest.mark.parametrize("method", ["chat", "stream_chat", "complete", "stream_complete"])
def test_token_counting(sync_async: Any, model: Any, method: str) -> None:
    """LlamaIndex's token counter reports the usage of the response, once for each call."""
    counter = TokenCountingHandler()
    llm = model("grok-3", callback_manager=CallbackManager([counter]))
    question: Any = [ChatMessage("Hi")] if method.endswith("chat") else "Hi"
    answer = (sync_async.stream if method.startswith("stream") else sync_async.call)(
        llm, method, question
    )
    last = answer[-1] if isinstance(answer, list) else answer
    assert counter.prompt_llm_token_count == last.additional_kwargs["prompt_tokens"]
    assert counter.completion_llm_token_count == last.additional_kwargs["completion_tokens"]
    assert counter.total_llm_token_count == last.raw["usage"]["total_tokens"]
    assert len(counter.llm_token_counts) == 1


@pytest.mark.parametrize("method", ["chat", "stream_chat"])
@pytest.mark.parametrize("api", ["responses", "messages"])
def test_token_counting_with_other_apis(sync_async: Any, model: Any, api: str, method: str) -> None:
    """The token counter includes reasoning tokens and cached tokens."""
    counter = TokenCountingHandler()
    llm = model(api=api, callback_manager=CallbackManager([counter]))
    messages = [ChatMessage("Hi"), ChatMessage("Hello", role="assistant"), ChatMessage("And?")]
    answer = (sync_async.stream if method.startswith("stream") else sync_async.call)(
        llm, method, messages
    )
    counts = (answer[-1] if isinstance(answer, list) else answer).additional_kwargs
    assert counts["cached_tokens"] > 0
    assert counter.prompt_llm_token_count == counts["prompt_tokens"]
    assert counter.completion_llm_token_count == counts["completion_tokens"]
    assert counter.total_llm_token_count == counts["total_tokens"]


def test_token_counting_with_reasoning(sync_async: Any, model: Any, hello: Any) -> None:
    """The token counter counts reasoning tokens, which xAI bills as output."""
    counter = TokenCountingHandler()
    llm = model("grok-4.7", callback_manager=CallbackManager([counter]))
    response = sync_async.call(llm, "chat", hello)
    counts = response.additional_kwargs
    assert counts["reasoning_tokens"] > 0
    assert counter.completion_llm_token_count == counts["completion_tokens"]
    assert counter.total_llm_token_count == counts["total_tokens"]
    assert response.raw["usage"]["total_tokens"] == counts["total_tokens"]


def test_abandoned_streams_emit_an_end_event(llm: Any, recorded: Any) -> None:
    """A stream that is closed early emits an end event, sync and async."""
    events, _ = recorded
    stream = llm.stream_chat([ChatMessage("Tell a long story")])
    next(stream)
    stream.close()
    assert isinstance(events[-1], ExceptionEvent)
    events.clear()

    async def abandon() -> None:
        opened = await llm.astream_chat([ChatMessage("Tell a long story")])
        await anext(opened)
        await opened.aclose()

    asyncio.run(abandon())
    assert isinstance(events[-1], ExceptionEvent)


@pytest.mark.skipif(
    "rate_limiter" not in XAILowCode.model_fields,
    reason="older versions of LlamaIndex have no rate limiter",
)
def test_rate_limiter(sync_async: Any, model: Any, hello: Any) -> None:
    """The rate limiter is called by its sync or async method."""
    asked: list[str] = []

    class Limiter:
        def acquire(self) -> None:
            asked.append("sync")

        async def async_acquire(self) -> None:
            asked.append("async")

    sync_async.call(model(rate_limiter=Limiter()), "chat", hello)
    assert asked == ["async" if sync_async.is_async else "sync"]
