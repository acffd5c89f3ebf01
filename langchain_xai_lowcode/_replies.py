"""Our replies and stream events as LangChain's messages and chunks.

LangChain merges chunks by rules of its own: texts are joined, counts added, lists appended. Each
fact is therefore put into exactly one chunk.
"""

from collections.abc import Callable
from typing import Any, ClassVar

from langchain_core.messages import AIMessage, AIMessageChunk, InvalidToolCall, ToolCall
from langchain_core.messages.ai import InputTokenDetails, OutputTokenDetails, UsageMetadata
from langchain_core.messages.tool import (
    invalid_tool_call,
    tool_call,
    tool_call_chunk,
)
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult

from xai_lowcode import codec
from xai_lowcode.conversation import ToolCallPart
from xai_lowcode.events import (
    Began,
    Cited,
    Finished,
    ReasoningDelta,
    RefusalDelta,
    StreamEvent,
    TextDelta,
    ToolCallDelta,
    Used,
)
from xai_lowcode.reply import Choice, Reply, Usage

MODEL_PROVIDER = "xai-lowcode"


def to_result(reply: Reply, *, with_headers: bool) -> ChatResult:
    """A reply as a result: one generation for each choice."""
    usage = to_usage(reply.usage)
    return ChatResult(
        generations=[
            ChatGeneration(
                message=_to_message(reply, choice, usage if i == 0 else None, with_headers),
                generation_info={"finish_reason": choice.finish_reason},
            )
            for i, choice in enumerate(reply.choices)
        ],
        llm_output={"model_name": reply.model, "token_usage": dict(reply.raw.get("usage") or {})},
    )


def _to_message(
    reply: Reply, choice: Choice, usage: UsageMetadata | None, with_headers: bool
) -> AIMessage:
    calls, broken = _to_calls(choice.tool_calls)
    more: dict[str, Any] = {}
    if choice.reasoning:
        more["reasoning_content"] = choice.reasoning
    if choice.refusal:
        more["refusal"] = choice.refusal
    if reply.citations:
        more["citations"] = [citation.url for citation in reply.citations]
    metadata = {
        **_facts(reply),
        "finish_reason": choice.finish_reason,
        "model_provider": MODEL_PROVIDER,
    }
    if choice.logprobs:
        metadata["logprobs"] = {"content": list(choice.logprobs)}
    if reply.usage is not None and reply.usage.cost_usd is not None:
        metadata["cost_usd"] = reply.usage.cost_usd
    if with_headers:
        metadata["headers"] = dict(reply.headers)
    return AIMessage(
        content=choice.text,
        additional_kwargs=more,
        response_metadata=metadata,
        tool_calls=calls,
        invalid_tool_calls=broken,
        usage_metadata=usage,
        id=reply.id or None,
    )


def _facts(reply: Reply | Began) -> dict[str, Any]:
    facts = {
        "model_name": reply.model,
        "created": reply.created,
        "system_fingerprint": reply.system_fingerprint,
        "service_tier": reply.service_tier,
    }
    return {name: fact for name, fact in facts.items() if fact}


def _to_calls(calls: tuple[ToolCallPart, ...]) -> tuple[list[ToolCall], list[InvalidToolCall]]:
    good, broken = [], []
    for call in calls:
        try:
            arguments = codec.load(call.arguments or "{}")
        except codec.JSONDecodeError as error:
            arguments, said = None, f"The arguments are not JSON: {error}"
        else:
            said = "The arguments are not a JSON object."
        if isinstance(arguments, dict):
            good.append(tool_call(name=call.name, args=arguments, id=call.id))
        else:
            broken.append(
                invalid_tool_call(name=call.name, args=call.arguments, id=call.id, error=said)
            )
    return good, broken


def to_usage(usage: Usage | None) -> UsageMetadata | None:
    """Usage in LangChain's form, details included where the service gave them."""
    if usage is None:
        return None
    metadata = UsageMetadata(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        total_tokens=usage.total_tokens,
    )
    if usage.cached_input_tokens is not None:
        metadata["input_token_details"] = InputTokenDetails(cache_read=usage.cached_input_tokens)
    if usage.reasoning_tokens is not None:
        metadata["output_token_details"] = OutputTokenDetails(reasoning=usage.reasoning_tokens)
    return metadata


class ChunkMaker:
    """Turns the events of one stream into chunks; ``last`` makes the closing one."""

    def __init__(self) -> None:
        self._id: str | None = None
        self._opening: dict[str, Any] = {}
        self._closing: dict[str, Any] = {"model_provider": MODEL_PROVIDER}
        self._citations: list[str] = []
        self._usage: UsageMetadata | None = None

    def feed(self, event: StreamEvent) -> ChatGenerationChunk | None:
        """The chunk of an event; None if what it says belongs into a later one."""
        take = self._TAKE.get(type(event))
        return None if take is None else take(self, event)

    def _text(self, event: TextDelta) -> ChatGenerationChunk:
        chunk = self._chunk(content=event.text)
        if event.logprobs:
            chunk.message.response_metadata["logprobs"] = {"content": list(event.logprobs)}
        return chunk

    def _reasoning(self, event: ReasoningDelta) -> ChatGenerationChunk:
        return self._chunk(additional_kwargs={"reasoning_content": event.text})

    def _refusal(self, event: RefusalDelta) -> ChatGenerationChunk:
        return self._chunk(additional_kwargs={"refusal": event.text})

    def _call(self, event: ToolCallDelta) -> ChatGenerationChunk:
        call = tool_call_chunk(
            name=event.name or None, args=event.arguments, id=event.id or None, index=event.index
        )
        return self._chunk(tool_call_chunks=[call])

    def _began(self, event: Began) -> None:
        self._id, self._opening = event.id or None, _facts(event)

    def _cited(self, event: Cited) -> None:
        self._citations.append(event.citation.url)

    def _finished(self, event: Finished) -> None:
        self._closing["finish_reason"] = event.reason

    def _used(self, event: Used) -> None:
        self._usage = to_usage(event.usage)
        if event.usage.cost_usd is not None:
            self._closing["cost_usd"] = event.usage.cost_usd

    _TAKE: ClassVar[dict[type, Callable[[Any, Any], ChatGenerationChunk | None]]] = {
        TextDelta: _text,
        ReasoningDelta: _reasoning,
        RefusalDelta: _refusal,
        ToolCallDelta: _call,
        Began: _began,
        Cited: _cited,
        Finished: _finished,
        Used: _used,
    }

    def last(self) -> ChatGenerationChunk:
        """The chunk with all that is certain only at the end."""
        more = {"citations": self._citations} if self._citations else {}
        chunk = self._chunk(additional_kwargs=more, usage_metadata=self._usage)
        message = chunk.message
        message.response_metadata = {**message.response_metadata, **self._closing}
        if isinstance(message, AIMessageChunk):
            message.chunk_position = "last"
        chunk.generation_info = {"finish_reason": self._closing.get("finish_reason")}
        return chunk

    def _chunk(self, *, content: str = "", **fields: Any) -> ChatGenerationChunk:
        # The reply's facts go with the first chunk, so that none is sent for them alone.
        opening, self._opening = self._opening, {}
        message = AIMessageChunk(
            content=content,
            id=self._id,
            response_metadata={**opening, "model_provider": MODEL_PROVIDER},
            **fields,
        )
        return ChatGenerationChunk(message=message)
