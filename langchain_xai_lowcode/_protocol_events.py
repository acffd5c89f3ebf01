"""Convert stream events to LangChain's protocol events (``stream_events(version="v3")``).

LangChain can produce them from the chunks of ``_stream``, too. Without a chunk for each event this
takes less time, and nothing is lost that chunks cannot express: all log probabilities, whole
refusals, and tool calls that are parsed as in a message that was not streamed.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, cast

from langchain_core.callbacks import (
    AsyncCallbackHandler,
    AsyncCallbackManagerForLLMRun,
    BaseCallbackHandler,
    CallbackManagerForLLMRun,
)
from langchain_core.tracers._streaming import _V2StreamingCallbackHandler
from langchain_core.utils.utils import LC_ID_PREFIX

from langchain_xai_lowcode._output import (
    OUTPUT_BLOCKS,
    REASONING_INDEX,
    REFUSAL_INDEX,
    TEXT_INDEX,
    Block,
    build_citations,
)
from langchain_xai_lowcode._output_blocks import get_annotations, with_index
from langchain_xai_lowcode._stream import StreamState
from xai_lowcode.chat.tool_calls import ParsedToolCall
from xai_lowcode.types.events import (
    ImageGenerated,
    ReasoningDelta,
    RefusalDelta,
    ServerToolCalled,
    StreamEvent,
    TextDelta,
    ToolCallDelta,
)
from xai_lowcode.types.messages import MODEL_PROVIDER, ImagePart, ServerToolPart

if TYPE_CHECKING:
    from langchain_protocol.protocol import MessagesData

    from xai_lowcode.types.requests import ChatRequest

_FINISH_FIELDS = ("finish_reason", "normalized_finish_reason")
# Fields that LangChain leaves out of the start of a block, with their empty values.
_EMPTY_FIELDS: Mapping[str, Block] = {"server_tool_call": {"args": {}}}
_HEAVY_FIELDS = frozenset({"args", "output"})

# A handler of protocol events has ``on_llm_new_token`` as well, which does nothing.
_UNUSED = (BaseCallbackHandler.on_llm_new_token, AsyncCallbackHandler.on_llm_new_token)

Events = Sequence["MessagesData"]
RunManager = CallbackManagerForLLMRun | AsyncCallbackManagerForLLMRun


def reads_chunks(run_manager: RunManager | None) -> bool:
    """Return whether a callback handler of the run reads chunks, in ``on_llm_new_token``."""
    handlers = run_manager.handlers if run_manager is not None else ()
    return any(
        type(handler).on_llm_new_token not in _UNUSED
        for handler in handlers
        if not handler.ignore_llm and not isinstance(handler, _V2StreamingCallbackHandler)
    )


class ProtocolEventBuilder(StreamState):
    """Converts the events of one stream to protocol events.

    Args:
        request: The request of the stream.
        run_manager: Callback manager of the run, whose id is the id of the message.
        with_cost: Add the cost to the usage.
    """

    def __init__(
        self,
        request: "ChatRequest",
        run_manager: RunManager | None = None,
        *,
        with_cost: bool = False,
    ) -> None:
        super().__init__(request)
        self._run_id = "" if run_manager is None else f"{LC_ID_PREFIX}-{run_manager.run_id}"
        self._with_cost = with_cost
        self._is_started = False
        self._logprobs: list[Mapping[str, Any]] = []
        # Indices of blocks that have pieces, and the pieces.
        self._indices: dict[str, int] = {}
        self._pieces: dict[str, list[str]] = {}
        self._blocks: list[Block] = []
        self._output_blocks: list[Block] = []

    def feed(self, event: StreamEvent) -> Events:
        """Return the protocol events of an event; none if its data belongs in a later one."""
        handler = self._HANDLERS.get(type(event))
        return () if handler is None else handler(self, event) or ()

    def _on_text_delta(self, event: TextDelta) -> Events:
        text = event.text
        if event.logprobs:
            self._logprobs += event.logprobs
        index = self._indices.get("text")
        if index is None or not text:
            return self._add_piece("text", TEXT_INDEX, text, {"type": "text-delta", "text": text})
        # The event of which there are most.
        self._pieces["text"].append(text)
        delta: Any = {"type": "text-delta", "text": text}
        return ({"event": "content-block-delta", "index": index, "delta": delta},)

    def _on_reasoning_delta(self, event: ReasoningDelta) -> Events:
        delta = {"type": "reasoning-delta", "reasoning": event.text}
        return self._add_piece("reasoning", REASONING_INDEX, event.text, delta)

    def _on_refusal_delta(self, event: RefusalDelta) -> Events:
        self._has_refusal |= bool(event.text)
        return self._add_piece("refusal", REFUSAL_INDEX, event.text, None)

    def _on_tool_call_delta(self, event: ToolCallDelta) -> Events:
        self._response.add(event)
        name = f"lc_tc_{event.index}"
        events: list[MessagesData] = []
        if name not in self._indices:
            self._indices[name] = len(self._blocks)
            start = {"type": "tool_call_chunk", "id": event.id or None, "name": event.name or None}
            events = self._open({"index": event.index}, {**start, "args": "", "index": name})
        if event.arguments:
            delta = {"type": "tool-call-delta", "args": event.arguments}
            events.append(_delta(self._indices[name], delta))
        return events

    def _on_server_tool(self, event: ServerToolCalled) -> Events:
        return self._add_blocks(event.part)

    def _on_image(self, event: ImageGenerated) -> Events:
        return self._add_blocks(event.image)

    _HANDLERS: ClassVar[dict[type, Callable[[Any, Any], Events | None]]] = {
        **StreamState.STATE_HANDLERS,
        TextDelta: _on_text_delta,
        ReasoningDelta: _on_reasoning_delta,
        RefusalDelta: _on_refusal_delta,
        ToolCallDelta: _on_tool_call_delta,
        ServerToolCalled: _on_server_tool,
        ImageGenerated: _on_image,
    }

    def end(self) -> Events:
        """Return the last events: the end of each block, and of the message."""
        citations = build_citations(self._response.citations)
        annotations = get_annotations(citations)
        events = self._start()
        if annotations:
            events += self._add_piece("text", TEXT_INDEX, "", None, is_open=True)
            self._blocks[self._indices["text"]]["annotations"] = annotations
        calls = self._parse_tool_calls()
        for index, block in enumerate(self._blocks):
            content: Any = self._complete(block, calls)
            events.append({"event": "content-block-finish", "index": index, "content": content})
        events.append(self._build_finish(citations))
        return events

    # --- blocks ---------------------------------------------------------------------------------

    def _start(self) -> "list[MessagesData]":
        if self._is_started:
            return []
        self._is_started = True
        metadata: Any = {"provider": MODEL_PROVIDER}
        if model := self._first_metadata.get("model_name"):
            metadata["model"] = model
        start_id = self._run_id or self._id or ""
        return [{"event": "message-start", "role": "ai", "id": start_id, "metadata": metadata}]

    def _open(self, block: Block, start: Block) -> "list[MessagesData]":
        """Add a block; its content is completed at the end of the stream."""
        events = self._start()
        content: Any = start
        index = len(self._blocks)
        events.append({"event": "content-block-start", "index": index, "content": content})
        self._blocks.append(block)
        return events

    def _add_piece(
        self, kind: str, name: str, piece: str, delta: Block | None, *, is_open: bool = False
    ) -> "list[MessagesData]":
        """Add a piece to the block of its kind, of which there is one in a message."""
        if not piece and not is_open:
            return self._start()
        events: list[MessagesData] = []
        if kind not in self._indices:
            self._indices[kind] = len(self._blocks)
            self._pieces[kind] = []
            # LangChain has no deltas of refusals.
            start = {"type": kind, kind: ""} if delta or is_open else _refusal(piece)
            events = self._open({"type": kind, "index": name}, start)
        self._pieces[kind].append(piece)
        if delta:
            events.append(_delta(self._indices[kind], delta))
        return events

    def _add_blocks(self, part: ServerToolPart | ImagePart) -> "list[MessagesData]":
        events: list[MessagesData] = []
        output_blocks = self._build_blocks(part)
        self._output_blocks += output_blocks
        for block in map(with_index, output_blocks):
            start = {key: value for key, value in block.items() if key not in _HEAVY_FIELDS}
            events += self._open(block, {**start, **_EMPTY_FIELDS.get(block["type"], {})})
        return events

    def _complete(self, block: Block, calls: Mapping[int, ParsedToolCall]) -> Block:
        kind = block.get("type")
        if kind is None:
            return _call_block(calls[block["index"]])
        if kind in self._pieces:
            return {**block, kind: "".join(self._pieces[kind])}
        return block

    # --- the end of the message -----------------------------------------------------------------

    def _build_finish(self, citations: Mapping[str, Any]) -> "MessagesData":
        metadata = {**self._first_metadata, **self._build_last_metadata()}
        if self._logprobs:
            metadata["logprobs"] = {"content": self._logprobs}
        finish: dict[str, Any] = {
            "event": "message-finish",
            **{name: metadata[name] for name in _FINISH_FIELDS if name in metadata},
            "metadata": metadata,
        }
        if usage := self._build_usage(with_cost=self._with_cost):
            finish["usage"] = usage
        if additional_kwargs := self._build_additional_kwargs(citations):
            finish["additional_kwargs"] = additional_kwargs
        return cast("MessagesData", finish)

    def _build_additional_kwargs(self, citations: Mapping[str, Any]) -> dict[str, Any]:
        additional_kwargs = {**citations, **self._build_items()}
        if self._output_blocks:
            additional_kwargs[OUTPUT_BLOCKS] = self._output_blocks
        for kind, key in (("reasoning", "reasoning_content"), ("refusal", "refusal")):
            if pieces := self._pieces.get(kind):
                additional_kwargs[key] = "".join(pieces)
        return additional_kwargs


def _delta(index: int, delta: Block) -> "MessagesData":
    content: Any = delta
    return {"event": "content-block-delta", "index": index, "delta": content}


def _refusal(text: str) -> Block:
    return {"type": "refusal", "refusal": text, "index": REFUSAL_INDEX}


def _call_block(parsed: ParsedToolCall) -> Block:
    """Build the block of a complete tool call."""
    call, arguments, error = parsed
    if arguments is not None:
        return {"type": "tool_call", "id": call.id, "name": call.name, "args": arguments}
    fields = {"id": call.id or None, "name": call.name or None, "args": call.arguments}
    return {"type": "invalid_tool_call", **fields, "error": error}
