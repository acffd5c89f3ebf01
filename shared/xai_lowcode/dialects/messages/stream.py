"""The events of a streamed ``/v1/messages`` as ours."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar

from xai_lowcode import codec
from xai_lowcode.dialects import UNKNOWN
from xai_lowcode.dialects.interruption import interrupted
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
from xai_lowcode.members import object_of, text_of, written

Json = dict[str, Any]


class MessagesDecoder:
    """Turns events into ours, and puts the blocks together that are sent back."""

    def __init__(self) -> None:
        self._block: Json = {}
        self._pieces: defaultdict[str, list[str]] = defaultdict(list)
        self._calls = 0
        self._usage: Json = {}
        self._finish: Any = None
        self.ended = False

    def feed(self, chunk: Json) -> Iterable[StreamEvent]:
        """Our events of the next one; those of an unknown type are ignored."""
        read = self._READ.get(str(chunk.get("type")))
        return UNKNOWN if read is None else read(self, chunk)

    def done(self) -> Iterable[StreamEvent]:
        """Nothing: the terminal event says all."""
        return ()

    @property
    def complete(self) -> bool:
        """Whether the terminal event has come."""
        return self.ended

    def _started(self, chunk: Json) -> Iterable[StreamEvent]:
        message = object_of(chunk, "message")
        self._usage.update(object_of(message, "usage"))
        self._finish = message.get("stop_reason")
        yield Began(text_of(message, "id"), text_of(message, "model"), raw=chunk)

    def _block_started(self, chunk: Json) -> Iterable[StreamEvent]:
        self._block = dict(object_of(chunk, "content_block"))
        self._pieces.clear()
        if self._block.get("type") == "tool_use":
            self._calls += 1
            name, call_id = text_of(self._block, "name"), text_of(self._block, "id")
            yield ToolCallDelta(self._calls - 1, call_id, name, raw=chunk)
        # What a block begins with is its first piece.
        yield from self._grown(self._block, chunk)

    def _block_grew(self, chunk: Json) -> Iterable[StreamEvent]:
        # A delta belongs to the block that was begun last; its index has been seen missing.
        return self._grown(object_of(chunk, "delta"), chunk)

    def _grown(self, delta: Mapping[str, Any], chunk: Json) -> list[StreamEvent]:
        events: list[StreamEvent] = []
        if text := text_of(delta, "text"):
            self._pieces["text"].append(text)
            events.append(TextDelta(text, 0, (), chunk))
        if thought := text_of(delta, "thinking"):
            self._pieces["thinking"].append(thought)
            events.append(ReasoningDelta(thought, 0, chunk))
        if signature := text_of(delta, "signature"):
            self._pieces["signature"].append(signature)
        if piece := text_of(delta, "partial_json"):
            self._pieces["partial_json"].append(piece)
            events.append(ToolCallDelta(self._calls - 1, arguments=piece, raw=chunk))
        return events

    def _block_ended(self, chunk: Json) -> Iterable[StreamEvent]:
        arguments = "".join(self._pieces.pop("partial_json", ()))
        self._block |= {member: "".join(pieces) for member, pieces in self._pieces.items()}
        if self._block.get("type") == "tool_use":
            if not arguments:
                arguments = written(self._block.get("input") or {})
                yield ToolCallDelta(self._calls - 1, arguments=arguments, raw=chunk)
            try:
                self._block["input"] = codec.load(arguments)
            except codec.JSONDecodeError:
                self._block["input"] = {}
        yield ItemDone(self._block, "messages", raw=chunk)

    def _message_grew(self, chunk: Json) -> Iterable[StreamEvent]:
        self._usage.update(object_of(chunk, "usage"))
        self._finish = object_of(chunk, "delta").get("stop_reason") or self._finish
        return ()

    def _pinged(self, _chunk: Json) -> Iterable[StreamEvent]:
        return ()

    def _ended_well(self, chunk: Json) -> Iterable[StreamEvent]:
        if not self._finish:
            raise interrupted("The stream ended without a stop reason.")
        self.ended = True
        yield Finished(read_finish(self._finish, has_calls=self._calls > 0), raw=chunk)
        if (usage := read_usage(self._usage or None)) is not None:
            yield Used(usage, raw=chunk)

    _READ: ClassVar[dict[str, Callable[[Any, Json], Iterable[StreamEvent]]]] = {
        "ping": _pinged,
        "message_start": _started,
        "content_block_start": _block_started,
        "content_block_delta": _block_grew,
        "content_block_stop": _block_ended,
        "message_delta": _message_grew,
        "message_stop": _ended_well,
    }
