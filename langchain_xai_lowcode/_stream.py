"""Convert stream events to LangChain's chunks.

LangChain concatenates strings, adds counts and appends lists when it merges chunks. Each value is
therefore in exactly one chunk.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, ClassVar

from langchain_core.messages import AIMessageChunk
from langchain_core.messages.tool import ToolCallChunk, tool_call_chunk
from langchain_core.outputs import ChatGenerationChunk

from langchain_xai_lowcode._output import (
    OUTPUT_BLOCKS,
    Block,
    build_citations,
    build_finish_metadata,
    build_items,
    build_output_blocks,
    build_response_metadata,
    build_usage_metadata,
    stored_metadata,
    to_usage,
)
from xai_lowcode.chat.accumulator import ResponseAccumulator
from xai_lowcode.chat.stored_responses import describe_stored
from xai_lowcode.chat.tool_calls import ParsedToolCall, invalidating_suffix, parse_tool_calls
from xai_lowcode.types.events import (
    ChoiceFinished,
    CitationAdded,
    ImageGenerated,
    OutputItemDone,
    ReasoningDelta,
    RefusalDelta,
    ResponseCompleted,
    ResponseStarted,
    ServerToolCalled,
    StreamEvent,
    TextDelta,
    ToolCallDelta,
    UsageReported,
)
from xai_lowcode.types.messages import MODEL_PROVIDER, ImagePart, ServerToolPart

if TYPE_CHECKING:
    from langchain_core.messages.ai import UsageMetadata

    from xai_lowcode.types.requests import ChatRequest

# Validating each chunk takes longer than everything else in its conversion. Chunks of strings are
# copies of a validated one; tool calls and usage are validated.
_EMPTY_MESSAGE = AIMessageChunk(content="")
_EMPTY_CHUNK = ChatGenerationChunk(message=_EMPTY_MESSAGE)
_UNVALIDATED_FIELDS = frozenset({"additional_kwargs", "response_metadata"})

_BLANK = "\ufeff \t\r\n"


class StreamState:
    """What the events of one stream say of the whole message; for the last chunk or event.

    Args:
        request: The request of the stream.
    """

    def __init__(self, request: "ChatRequest") -> None:
        self._request = request
        self._response = ResponseAccumulator()  # Without the deltas of text and reasoning.
        self._first_metadata: dict[str, Any] = {}
        self._block_count = 0
        self._has_refusal = False

    @property
    def _id(self) -> str | None:
        return self._response.started.id or None

    def _build_blocks(self, part: ServerToolPart | ImagePart) -> list[Block]:
        blocks = list(build_output_blocks([part], self._block_count))
        self._block_count += len(blocks)
        return blocks

    def _accumulate(self, event: StreamEvent) -> None:
        self._response.add(event)

    def _on_response_started(self, event: ResponseStarted) -> None:
        self._response.add(event)
        self._first_metadata = build_response_metadata(event)
        self._first_metadata.pop("service_tier", None)  # It may change.

    STATE_HANDLERS: ClassVar[dict[type, Callable[[Any, Any], None]]] = {
        ResponseStarted: _on_response_started,
        **dict.fromkeys(
            (ResponseCompleted, OutputItemDone, CitationAdded, ChoiceFinished, UsageReported),
            _accumulate,
        ),
    }

    def _parse_tool_calls(self) -> dict[int, ParsedToolCall]:
        """Parse the tool calls, at the end of the stream; return them by their index."""
        choice = self._response.choice
        calls = choice.tool_calls
        parsed_calls = parse_tool_calls(calls.values(), choice.finish_reason)
        return dict(zip(calls, parsed_calls, strict=True))

    def _build_items(self) -> dict[str, Any]:
        choice = self._response.choice
        return build_items(choice.items, choice.dialect)

    def _build_last_metadata(self) -> dict[str, Any]:
        """Build the part of ``response_metadata`` that is known at the end of the stream."""
        response, choice = self._response, self._response.choice
        stored = describe_stored(self._request, response.started.id, choice.dialect, choice.items)
        tier = response.service_tier
        return {
            **stored_metadata(stored),
            **response.completed.extra,
            "model_provider": MODEL_PROVIDER,
            **({"service_tier": tier} if tier else {}),
            **build_usage_metadata(response.usage),
            **build_finish_metadata(choice.finish_reason or None, has_refusal=self._has_refusal),
        }

    def _build_usage(self, *, with_cost: bool = False) -> "UsageMetadata | None":
        response = self._response
        return to_usage(response.usage, response.service_tier, with_cost=with_cost)


class ChunkBuilder(StreamState):
    """Converts the events of one stream to chunks.

    Args:
        request: The request of the stream.
    """

    def __init__(self, request: "ChatRequest") -> None:
        super().__init__(request)
        self._calls_with_arguments: set[int] = set()

    def feed(self, event: StreamEvent) -> ChatGenerationChunk | None:
        """Return the chunk of an event, or None if its data belongs in a later chunk."""
        handler = self._HANDLERS.get(type(event))
        return None if handler is None else handler(self, event)

    def _on_text_delta(self, event: TextDelta) -> ChatGenerationChunk:
        chunk = self._build_chunk(content=event.text)
        if event.logprobs:
            chunk.message.response_metadata["logprobs"] = {"content": list(event.logprobs)}
        return chunk

    def _on_reasoning_delta(self, event: ReasoningDelta) -> ChatGenerationChunk:
        return self._build_chunk(additional_kwargs={"reasoning_content": event.text})

    def _on_refusal_delta(self, event: RefusalDelta) -> ChatGenerationChunk:
        self._has_refusal |= bool(event.text)
        return self._build_chunk(additional_kwargs={"refusal": event.text})

    def _on_tool_call_delta(self, event: ToolCallDelta) -> ChatGenerationChunk:
        self._response.add(event)
        index, arguments = event.index, event.arguments
        if index not in self._calls_with_arguments:
            # LangChain would parse neither blank arguments nor any after a byte order mark.
            arguments = arguments.lstrip(_BLANK)
            if arguments:
                self._calls_with_arguments.add(index)
        call = tool_call_chunk(
            name=event.name or None, args=arguments, id=event.id or None, index=index
        )
        return self._build_chunk(tool_call_chunks=[call])

    def _on_server_tool(self, event: ServerToolCalled) -> ChatGenerationChunk:
        return self._build_block_chunk(event.part)

    def _on_image(self, event: ImageGenerated) -> ChatGenerationChunk:
        return self._build_block_chunk(event.image)

    _HANDLERS: ClassVar[dict[type, Callable[[Any, Any], ChatGenerationChunk | None]]] = {
        **StreamState.STATE_HANDLERS,
        TextDelta: _on_text_delta,
        ReasoningDelta: _on_reasoning_delta,
        RefusalDelta: _on_refusal_delta,
        ToolCallDelta: _on_tool_call_delta,
        ServerToolCalled: _on_server_tool,
        ImageGenerated: _on_image,
    }

    def end(self) -> Iterator[ChatGenerationChunk]:
        """Yield the last chunks, with everything that is known at the end of the stream only."""
        if citations := self._response.citations:
            # Not in the last chunk, whose content blocks are those of a whole message.
            yield self._build_chunk(additional_kwargs=build_citations(citations))
        yield self._build_last_chunk()

    def _build_last_chunk(self) -> ChatGenerationChunk:
        calls: dict[str, Any] = {}
        if invalid_calls := self._build_invalid_calls():
            calls["tool_call_chunks"] = invalid_calls
        chunk = self._build_chunk(
            additional_kwargs=self._build_items(), usage_metadata=self._build_usage(), **calls
        )
        message = chunk.message
        message.response_metadata |= self._build_last_metadata()
        if isinstance(message, AIMessageChunk):
            message.chunk_position = "last"
        finish_reason = self._response.choice.finish_reason or None
        chunk.generation_info = {"finish_reason": finish_reason}
        return chunk

    def _build_invalid_calls(self) -> list[ToolCallChunk]:
        """Build chunks that make LangChain parse invalid calls as such."""
        return [
            tool_call_chunk(args=invalidating_suffix(parsed.call.arguments), index=index)
            for index, parsed in self._parse_tool_calls().items()
            if parsed.arguments is None
        ]

    def _build_block_chunk(self, part: ServerToolPart | ImagePart) -> ChatGenerationChunk:
        return self._build_chunk(additional_kwargs={OUTPUT_BLOCKS: self._build_blocks(part)})

    def _build_chunk(self, *, content: str = "", **fields: Any) -> ChatGenerationChunk:
        # The metadata of the response is in the first chunk, without a chunk of its own.
        first_metadata, self._first_metadata = self._first_metadata, {}
        fields["response_metadata"] = {**first_metadata, "model_provider": MODEL_PROVIDER}
        if fields.keys() <= _UNVALIDATED_FIELDS:
            update = {"additional_kwargs": {}, **fields, "content": content, "id": self._id}
            # model_copy is shallow: without lists of its own, each copy would share these.
            update |= {"tool_calls": [], "invalid_tool_calls": [], "tool_call_chunks": []}
            message = _EMPTY_MESSAGE.model_copy(update=update)
            return _EMPTY_CHUNK.model_copy(update={"text": content, "message": message})
        message = AIMessageChunk(content=content, id=self._id, **fields)
        return ChatGenerationChunk(message=message)
