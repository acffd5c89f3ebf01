"""The events of a streamed ``/v1/messages`` as ours."""

from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from xai_lowcode import codec
from xai_lowcode.dialects.messages.answer import read_finish, read_usage
from xai_lowcode.events import (
    Began,
    Finished,
    ItemDone,
    ReasoningDelta,
    StreamEvent,
    TextDelta,
    ToolCallDelta,
    Used,
)

Json = dict[str, Any]


class MessagesDecoder:
    """Turns events into ours, and puts the blocks together that are sent back."""

    def __init__(self) -> None:
        self._block: Json = {}
        self._pieces: list[str] = []
        self._calls = 0
        self._usage: Json = {}
        self._finish: Any = None
        self._ended = False

    def feed(self, chunk: Json) -> Iterable[StreamEvent]:
        """Our events of the next one; those of an unknown type are passed over."""
        read = self._READ.get(chunk.get("type", ""))
        return () if read is None else read(self, chunk)

    def done(self) -> Iterable[StreamEvent]:
        """Nothing is left to say: the closing event says all."""
        return ()

    @property
    def complete(self) -> bool:
        """Whether the closing event has come."""
        return self._ended

    def _started(self, chunk: Json) -> Iterable[StreamEvent]:
        message = chunk.get("message") or {}
        self._usage.update(message.get("usage") or {})
        yield Began(message.get("id") or "", message.get("model") or "", raw=chunk)

    def _block_started(self, chunk: Json) -> Iterable[StreamEvent]:
        self._block, self._pieces = dict(chunk.get("content_block") or {}), []
        if self._block.get("type") == "tool_use":
            self._calls += 1
            name, call_id = self._block.get("name") or "", self._block.get("id") or ""
            yield ToolCallDelta(self._calls - 1, call_id, name, raw=chunk)

    def _block_grew(self, chunk: Json) -> Iterable[StreamEvent]:
        # A delta belongs to the block that was begun last; its index has been seen missing.
        delta = chunk.get("delta") or {}
        if text := delta.get("text"):
            self._grow("text", text)
            yield TextDelta(text, raw=chunk)
        if thought := delta.get("thinking"):
            self._grow("thinking", thought)
            yield ReasoningDelta(thought, raw=chunk)
        if signature := delta.get("signature"):
            self._grow("signature", signature)
        if piece := delta.get("partial_json"):
            self._pieces.append(piece)
            yield ToolCallDelta(self._calls - 1, arguments=piece, raw=chunk)

    def _grow(self, member: str, piece: str) -> None:
        self._block[member] = (self._block.get(member) or "") + piece

    def _block_ended(self, chunk: Json) -> Iterable[StreamEvent]:
        if self._block.get("type") == "tool_use":
            written = "".join(self._pieces)
            if not written:
                written = codec.dump(self._block.get("input") or {}).decode()
                yield ToolCallDelta(self._calls - 1, arguments=written, raw=chunk)
            try:
                self._block["input"] = codec.load(written)
            except codec.JSONDecodeError:
                self._block["input"] = {}
        yield ItemDone(self._block, "messages", raw=chunk)

    def _message_grew(self, chunk: Json) -> Iterable[StreamEvent]:
        self._usage.update(chunk.get("usage") or {})
        self._finish = (chunk.get("delta") or {}).get("stop_reason") or self._finish
        return ()

    def _ended_well(self, chunk: Json) -> Iterable[StreamEvent]:
        self._ended = True
        yield Finished(read_finish(self._finish, has_calls=self._calls > 0), raw=chunk)
        if (usage := read_usage(self._usage or None)) is not None:
            yield Used(usage, raw=chunk)

    _READ: ClassVar[dict[str, Callable[[Any, Json], Iterable[StreamEvent]]]] = {
        "message_start": _started,
        "content_block_start": _block_started,
        "content_block_delta": _block_grew,
        "content_block_stop": _block_ended,
        "message_delta": _message_grew,
        "message_stop": _ended_well,
    }
