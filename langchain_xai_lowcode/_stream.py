"""Our stream events as LangChain's chunks.

LangChain merges chunks by rules of its own: texts are joined, counts added, lists appended. Each
fact is therefore put into exactly one chunk.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from langchain_core.messages import AIMessageChunk
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.outputs import ChatGenerationChunk

from langchain_xai_lowcode._output import (
    MODEL_PROVIDER,
    TEXT_INDEX,
    build_additional_kwargs,
    build_response_metadata,
    server_side_blocks,
    stored_response_id,
    to_usage,
)
from xai_lowcode._internal.pydantic_copies import Blank
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

if TYPE_CHECKING:
    from langchain_core.messages.ai import UsageMetadata

    from xai_lowcode.types.responses import Citation

Content = str | list[str | dict[Any, Any]]


class ChunkBuilder:
    """Turns the events of one stream into chunks; ``last`` makes the closing one.

    Args:
        stored: Whether xAI was allowed to keep the answer.
    """

    def __init__(self, *, stored: bool) -> None:
        self._stored = stored
        self._id: str | None = None
        self._opening: dict[str, Any] = {}
        self._closing: dict[str, Any] = {"model_provider": MODEL_PROVIDER}
        self._citations: list[Citation] = []
        self._items: list[Mapping[str, Any]] = []
        self._form = ""
        self._made = 0
        self._usage: UsageMetadata | None = None

    def feed(self, event: StreamEvent) -> ChatGenerationChunk | None:
        """The chunk of an event; None if what it says belongs into a later one."""
        take = self._TAKE.get(type(event))
        return None if take is None else take(self, event)

    def _text(self, event: TextDelta) -> ChatGenerationChunk:
        # A text after blocks is one: LangChain would append each piece as a text of its own.
        content: Content = event.text
        if self._made:
            content = [{"type": "text", "text": event.text, "index": TEXT_INDEX}]
        chunk = self._chunk(content=content)
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

    def _used_tool(self, event: ServerToolCalled) -> ChatGenerationChunk:
        return self._making(event.part)

    def _drew(self, event: ImageGenerated) -> ChatGenerationChunk:
        return self._making(event.image)

    def _making(self, part: ServerToolPart | ImagePart) -> ChatGenerationChunk:
        # Each has a number of its own: LangChain would join two pictures in a row.
        blocks: list[str | dict[Any, Any]] = []
        for block in server_side_blocks(part):
            blocks.append({**block, "index": f"lc_made_{self._made}"})
            self._made += 1
        return self._chunk(content=blocks)

    def _began(self, event: ResponseStarted) -> None:
        self._id, self._opening = event.id or None, build_response_metadata(event)

    def _cited(self, event: CitationAdded) -> None:
        self._citations.append(event.citation)

    def _item(self, event: OutputItemDone) -> None:
        self._items.append(event.item)
        self._form = event.dialect

    def _finished(self, event: ChoiceFinished) -> None:
        self._closing["finish_reason"] = event.reason

    def _used(self, event: UsageReported) -> None:
        self._usage = to_usage(event.usage)
        if event.usage.cost_usd is not None:
            self._closing["cost_usd"] = event.usage.cost_usd

    _TAKE: ClassVar[dict[type, Callable[[Any, Any], ChatGenerationChunk | None]]] = {
        TextDelta: _text,
        ReasoningDelta: _reasoning,
        RefusalDelta: _refusal,
        ToolCallDelta: _call,
        ServerToolCalled: _used_tool,
        ImageGenerated: _drew,
        OutputItemDone: _item,
        ResponseStarted: _began,
        CitationAdded: _cited,
        ChoiceFinished: _finished,
        UsageReported: _used,
    }

    def last(self) -> ChatGenerationChunk:
        """The chunk with all that is certain only at the end."""
        more = build_additional_kwargs(self._citations, self._items, self._form)
        chunk = self._chunk(additional_kwargs=more, usage_metadata=self._usage)
        message = chunk.message
        stored = stored_response_id(self._id or "", self._form) if self._stored else {}
        message.response_metadata = {**message.response_metadata, **stored, **self._closing}
        if isinstance(message, AIMessageChunk):
            message.chunk_position = "last"
        chunk.generation_info = {"finish_reason": self._closing.get("finish_reason")}
        return chunk

    def _chunk(self, *, content: Content = "", **fields: Any) -> ChatGenerationChunk:
        # The reply's facts go with the first chunk, so that none is sent for them alone.
        opening, self._opening = self._opening, {}
        fields["response_metadata"] = {**opening, "model_provider": MODEL_PROVIDER}
        if isinstance(content, str) and fields.keys() <= _UNCHECKED:
            message = _MESSAGE.filled(content=content, id=self._id, **fields)
            return _CHUNK.filled(text=content, message=message)
        message = AIMessageChunk(content=content, id=self._id, **fields)
        return ChatGenerationChunk(message=message)


# What is text is filled in unchecked; calls and counts are left to be checked.
_MESSAGE = Blank(AIMessageChunk(content=""))
_CHUNK = Blank(ChatGenerationChunk(message=AIMessageChunk(content="")))
_UNCHECKED = frozenset({"additional_kwargs", "response_metadata"})
