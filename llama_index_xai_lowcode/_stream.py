"""Convert stream events to LlamaIndex's responses.

The sync and async methods share ``ResponseBuilder``. The last response of a stream is converted
from the accumulated response by the same function as a response that was not streamed.
"""

from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import aclosing, closing
from dataclasses import replace
from typing import Any

from llama_index.core.base.llms.types import (
    ChatResponse,
    ChatResponseAsyncGen,
    ChatResponseGen,
    CompletionResponseAsyncGen,
    CompletionResponseGen,
)

from llama_index_xai_lowcode._messages import (
    SERVER_TOOL_CALLS,
    from_parts,
    from_server_tool_parts,
    to_thinking_block,
)
from llama_index_xai_lowcode._request import PreparedRequest
from llama_index_xai_lowcode._responses import (
    build_message,
    to_completion,
    to_logprobs,
    to_response,
)
from xai_lowcode.chat.accumulator import ResponseAccumulator
from xai_lowcode.types.events import (
    ImageGenerated,
    ReasoningDelta,
    ServerToolCalled,
    StreamEvent,
    TextDelta,
    ToolCallDelta,
)
from xai_lowcode.types.messages import ImagePart


class ResponseBuilder:
    """Builds LlamaIndex's responses from the events of one stream."""

    def __init__(self, prepared: PreparedRequest) -> None:
        self._prepared = prepared
        self._accumulator = ResponseAccumulator()
        self._server_tool_calls: list[dict[str, Any]] = []
        self._raw: Mapping[str, Any] = {}

    def add(self, event: StreamEvent) -> ChatResponse | None:
        """Add an event; return its response, or None if only the final response shows it."""
        self._accumulator.add(event)
        self._raw = event.raw or self._raw
        match event:
            case TextDelta(choice=0):
                return self._build(event.text, logprobs=to_logprobs(event.logprobs))
            case ReasoningDelta(choice=0):
                return self._build("", additional_kwargs={"thinking_delta": event.text})
            case ServerToolCalled(choice=0):
                self._server_tool_calls += from_server_tool_parts([event.part])
                calls = list(self._server_tool_calls)
                return self._build("", additional_kwargs={SERVER_TOOL_CALLS: calls})
            case ToolCallDelta(choice=0) | ImageGenerated(choice=0):
                return self._build("")
            case _:
                return None

    def build_final(self) -> ChatResponse:
        """Return the complete response, with an empty ``delta``."""
        response = replace(self._accumulator.build_response(), raw=self._raw)
        return to_response(response, self._prepared, delta="")

    def _build(self, delta: str, **fields: Any) -> ChatResponse:
        choice = self._accumulator.choice
        blocks: list[Any] = to_thinking_block(
            choice.reasoning, server_tool_calls=self._server_tool_calls
        )
        if choice.server_side_parts:
            blocks += from_parts(
                part for part in choice.server_side_parts if isinstance(part, ImagePart)
            )
        calls = list(choice.tool_calls.values())
        if calls:
            calls = self._prepared.restore_tool_calls(calls)
        message = build_message(blocks, choice.text, calls, {})
        return ChatResponse(message=message, delta=delta, raw=self._raw, **fields)


def iter_responses(
    events: Generator[StreamEvent, None, None], builder: ResponseBuilder
) -> ChatResponseGen:
    """Yield the responses of a stream; closing the generator closes the stream."""
    with closing(events):
        for event in events:
            if (response := builder.add(event)) is not None:
                yield response
    yield builder.build_final()


async def aiter_responses(
    events: AsyncGenerator[StreamEvent, None], builder: ResponseBuilder
) -> ChatResponseAsyncGen:
    """Yield the responses of a stream; see ``iter_responses``."""
    async with aclosing(events):
        async for event in events:
            if (response := builder.add(event)) is not None:
                yield response
    yield builder.build_final()


def iter_completions(responses: ChatResponseGen) -> CompletionResponseGen:
    """Convert a stream of chat responses to completion responses."""
    with closing(responses):
        for response in responses:
            yield to_completion(response)


async def aiter_completions(responses: ChatResponseAsyncGen) -> CompletionResponseAsyncGen:
    """Convert a stream of chat responses to completion responses."""
    async with aclosing(responses):
        async for response in responses:
            yield to_completion(response)
