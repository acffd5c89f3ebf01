"""Our replies and stream events as LlamaIndex's responses.

A stream is folded by one class, which the sync and the async methods share. Its last response is
made of the whole reply exactly as that of a plain answer is.
"""

from collections.abc import AsyncGenerator, Generator, Iterable, Mapping
from contextlib import aclosing, closing
from dataclasses import replace
from typing import Any

from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    ChatResponseAsyncGen,
    ChatResponseGen,
    CitationBlock,
    CompletionResponse,
    CompletionResponseAsyncGen,
    CompletionResponseGen,
    LogProb,
    MessageRole,
    TextBlock,
    ThinkingBlock,
)

from llama_index_xai_lowcode._messages import SERVER_TOOLS, from_parts, to_additional_kwargs
from llama_index_xai_lowcode._request import PreparedRequest
from llama_index_xai_lowcode._tools import to_plain_calls
from xai_lowcode._internal.pydantic_copies import Blank
from xai_lowcode.chat.accumulator import ResponseAccumulator
from xai_lowcode.types.events import (
    ImageGenerated,
    ReasoningDelta,
    ServerToolCalled,
    StreamEvent,
    TextDelta,
    ToolCallDelta,
)
from xai_lowcode.types.messages import ImagePart, Part, ServerToolPart, ToolCallPart
from xai_lowcode.types.responses import ChatResponse as XAIResponse
from xai_lowcode.types.responses import Citation, Usage


def to_response(
    reply: XAIResponse, question: PreparedRequest, *, delta: str | None = None
) -> ChatResponse:
    """A reply as a response: the first answer, with usage, reason of its end and sources."""
    choice, usage = reply.choices[0], reply.usage
    thinking = [
        ThinkingBlock(
            content=choice.reasoning, num_tokens=usage.reasoning_tokens if usage else None
        )
    ]
    made = _image_blocks(choice.parts)
    message = _message(
        [*(thinking if choice.reasoning else ()), *from_parts(made)],
        choice.text,
        question.calls(choice.tool_calls),
        to_additional_kwargs(made, choice.items, choice.dialect, _stored_id(reply, question)),
    )
    message.blocks.extend(map(_to_citation, reply.citations))
    if choice.refusal:
        message.additional_kwargs["refusal"] = choice.refusal
    return ChatResponse(
        message=message,
        raw=_with_token_counts(reply.raw, usage),
        delta=delta,
        logprobs=_to_logprobs(choice.logprobs),
        additional_kwargs={**_token_counts(usage), **_metadata(reply), **_server_tools(message)},
    )


def _stored_id(reply: XAIResponse, question: PreparedRequest) -> str:
    """The id by which xAI has kept the answer; empty if it has not."""
    kept = reply.choices[0].dialect == "responses" and question.request.store is not False
    return reply.id if kept else ""


def _image_blocks(parts: Iterable[Part]) -> list[Part]:
    """What xAI did besides thinking, speaking and calling: tools that it ran, pictures."""
    return [part for part in parts if isinstance(part, ServerToolPart | ImagePart)]


def _server_tools(message: ChatMessage) -> dict[str, Any]:
    used = message.additional_kwargs.get(SERVER_TOOLS)
    return {SERVER_TOOLS: used} if used else {}


def to_completion(response: ChatResponse) -> CompletionResponse:
    """A response of a chat as that of a completion."""
    return CompletionResponse(
        text=response.message.content or "",
        additional_kwargs=response.additional_kwargs,
        raw=response.raw,
        logprobs=response.logprobs,
        delta=response.delta,
    )


class ResponseBuilder:
    """Turns the events of one stream into responses; ``last`` makes the closing one."""

    def __init__(self, question: PreparedRequest) -> None:
        self._question = question
        self._assembler = ResponseAccumulator()
        self._text = ""
        self._thought = ""
        self._made: list[Part] = []
        self._calls: dict[int, ToolCallPart] = {}
        self._raw: Mapping[str, Any] = {}

    def feed(self, event: StreamEvent) -> ChatResponse | None:
        """The response of an event; None if what it says belongs into the last one."""
        self._assembler.add(event)
        self._raw = event.raw or self._raw
        match event:
            case TextDelta(choice=0):
                self._text += event.text
                return self._response(event.text, logprobs=_to_logprobs(event.logprobs))
            case ReasoningDelta(choice=0):
                self._thought += event.text
                return self._response("", additional_kwargs={"thinking_delta": event.text})
            case ToolCallDelta(choice=0):
                self._add(event)
                return self._response("")
            case ServerToolCalled(choice=0, part=part) | ImageGenerated(choice=0, image=part):
                self._made.append(part)
                return self._response("")
            case _:
                return None

    def last(self) -> ChatResponse:
        """The response with everything, and no new text."""
        reply = replace(self._assembler.reply(), raw=self._raw)
        return to_response(reply, self._question, delta="")

    def _add(self, piece: ToolCallDelta) -> None:
        begun = self._calls.get(piece.index, ToolCallPart("", "", ""))
        self._calls[piece.index] = ToolCallPart(
            begun.id or piece.id, begun.name or piece.name, begun.arguments + piece.arguments
        )

    def _response(self, delta: str, **more: Any) -> ChatResponse:
        thinking = [ThinkingBlock(content=self._thought)] if self._thought else []
        calls = [self._calls[index] for index in sorted(self._calls)]
        message = _message(
            [*thinking, *from_parts(self._made)] if self._made else thinking,
            self._text,
            self._question.calls(calls),
            to_additional_kwargs(self._made) if self._made else {},
        )
        return _RESPONSE.filled(message=message, delta=delta, raw=self._raw, **more)


def iter_responses(
    events: Generator[StreamEvent, None, None], fold: ResponseBuilder
) -> ChatResponseGen:
    """The responses of a stream; closing them closes it."""
    with closing(events):
        for event in events:
            if (response := fold.feed(event)) is not None:
                yield response
    yield fold.last()


async def aiter_responses(
    events: AsyncGenerator[StreamEvent, None], fold: ResponseBuilder
) -> ChatResponseAsyncGen:
    """The responses of a stream; see ``iter_responses``."""
    async with aclosing(events):
        async for event in events:
            if (response := fold.feed(event)) is not None:
                yield response
    yield fold.last()


def iter_completions(responses: ChatResponseGen) -> CompletionResponseGen:
    """The responses of a chat's stream as those of a completion's."""
    with closing(responses):
        for response in responses:
            yield to_completion(response)


async def aiter_completions(responses: ChatResponseAsyncGen) -> CompletionResponseAsyncGen:
    """The responses of a chat's stream as those of a completion's; see ``iter_completions``."""
    async with aclosing(responses):
        async for response in responses:
            yield to_completion(response)


def _message(
    blocks: list[Any], text: str, calls: list[ToolCallPart], more: dict[str, Any]
) -> ChatMessage:
    """An answer; one that says nothing has an empty text, so that its content is not None."""
    if text or not (calls or blocks):
        blocks.append(TextBlock(text=text))
    if calls:
        blocks.extend(from_parts(calls))
        more = {**more, "tool_calls": to_plain_calls(calls)}
    return _MESSAGE.filled(blocks=blocks, additional_kwargs=more)


_MESSAGE = Blank(ChatMessage(role=MessageRole.ASSISTANT, blocks=[]))
_RESPONSE = Blank(ChatResponse(message=ChatMessage(role=MessageRole.ASSISTANT, blocks=[])))


def _to_citation(citation: Citation) -> CitationBlock:
    place = {"start_index": citation.start, "end_index": citation.end}
    # xAI names its sources without quoting them.
    return CitationBlock(
        cited_content=TextBlock(text=""),
        source=citation.url,
        title=citation.title or citation.url,
        additional_location_info={k: v for k, v in place.items() if v is not None},
    )


def _with_token_counts(raw: Mapping[str, Any], usage: Usage | None) -> Mapping[str, Any]:
    """The body, with usage as LlamaIndex's handler counts it: by the body alone.

    The ends of some streams hold none, and messages leave what was cached out of the input.
    """
    said = raw.get("usage")
    if usage is None or not isinstance(said, dict | None):
        return raw
    said = said or {}
    if said.get("prompt_tokens", said.get("input_tokens")) == usage.input_tokens:
        return raw
    counts = {"prompt_tokens": usage.input_tokens, "completion_tokens": usage.output_tokens}
    return {**raw, "usage": {**said, **counts, "total_tokens": usage.total_tokens}}


def _token_counts(usage: Usage | None) -> dict[str, Any]:
    """The counts, which add up: reasoning is part of the completion."""
    if usage is None:
        return {}
    counts = {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.total_tokens,
        "cached_tokens": usage.cached_input_tokens,
        "reasoning_tokens": usage.reasoning_tokens,
        "cost_usd": usage.cost_usd,
    }
    return {name: count for name, count in counts.items() if count is not None}


def _metadata(reply: XAIResponse) -> dict[str, Any]:
    facts = {
        "finish_reason": reply.finish_reason,
        "model": reply.model,
        "id": reply.id,
        "citations": [citation.url for citation in reply.citations],
    }
    return {name: fact for name, fact in facts.items() if fact}


def _to_logprobs(tokens: Iterable[Mapping[str, Any]]) -> list[list[LogProb]] | None:
    """For each token the one that was written, then its alternatives."""
    return [_alternatives(token) for token in tokens] or None


def _alternatives(token: Mapping[str, Any]) -> list[LogProb]:
    others = token.get("top_logprobs") or ()
    return [
        _to_logprob(token),
        *(_to_logprob(other) for other in others if other.get("token") != token.get("token")),
    ]


def _to_logprob(token: Mapping[str, Any]) -> LogProb:
    return LogProb(
        token=token.get("token") or "",
        logprob=token.get("logprob") or 0.0,
        bytes=token.get("bytes") or [],
    )
