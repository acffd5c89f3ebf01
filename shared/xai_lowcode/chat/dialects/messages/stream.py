"""The events of a streamed ``/v1/messages`` as ours."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar

from xai_lowcode._internal import json
from xai_lowcode._internal.parsing import dump_arguments, get_dict, get_str
from xai_lowcode.chat.dialects.base import UNKNOWN
from xai_lowcode.chat.dialects.common import interrupted_error
from xai_lowcode.chat.dialects.messages.response import parse_finish_reason, parse_usage
from xai_lowcode.types.events import (
    ChoiceFinished,
    OutputItemDone,
    ReasoningDelta,
    ResponseStarted,
    StreamEvent,
    TextDelta,
    ToolCallDelta,
    UsageReported,
)

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
        message = get_dict(chunk, "message")
        self._usage.update(get_dict(message, "usage"))
        self._finish = message.get("stop_reason")
        yield ResponseStarted(get_str(message, "id"), get_str(message, "model"), raw=chunk)

    def _block_started(self, chunk: Json) -> Iterable[StreamEvent]:
        self._block = dict(get_dict(chunk, "content_block"))
        self._pieces.clear()
        if self._block.get("type") == "tool_use":
            self._calls += 1
            name, call_id = get_str(self._block, "name"), get_str(self._block, "id")
            yield ToolCallDelta(self._calls - 1, call_id, name, raw=chunk)
        # What a block begins with is its first piece.
        yield from self._grown(self._block, chunk)

    def _block_grew(self, chunk: Json) -> Iterable[StreamEvent]:
        # A delta belongs to the block that was begun last; its index has been seen missing.
        return self._grown(get_dict(chunk, "delta"), chunk)

    def _grown(self, delta: Mapping[str, Any], chunk: Json) -> list[StreamEvent]:
        events: list[StreamEvent] = []
        if text := get_str(delta, "text"):
            self._pieces["text"].append(text)
            events.append(TextDelta(text, 0, (), chunk))
        if thought := get_str(delta, "thinking"):
            self._pieces["thinking"].append(thought)
            events.append(ReasoningDelta(thought, 0, chunk))
        if signature := get_str(delta, "signature"):
            self._pieces["signature"].append(signature)
        if piece := get_str(delta, "partial_json"):
            self._pieces["partial_json"].append(piece)
            events.append(ToolCallDelta(self._calls - 1, arguments=piece, raw=chunk))
        return events

    def _block_ended(self, chunk: Json) -> Iterable[StreamEvent]:
        arguments = "".join(self._pieces.pop("partial_json", ()))
        self._block |= {member: "".join(pieces) for member, pieces in self._pieces.items()}
        if self._block.get("type") == "tool_use":
            if not arguments:
                arguments = dump_arguments(self._block.get("input") or {})
                yield ToolCallDelta(self._calls - 1, arguments=arguments, raw=chunk)
            try:
                self._block["input"] = json.loads(arguments)
            except json.JSONDecodeError:
                self._block["input"] = {}
        yield OutputItemDone(self._block, "messages", raw=chunk)

    def _message_grew(self, chunk: Json) -> Iterable[StreamEvent]:
        self._usage.update(get_dict(chunk, "usage"))
        self._finish = get_dict(chunk, "delta").get("stop_reason") or self._finish
        return ()

    def _pinged(self, _chunk: Json) -> Iterable[StreamEvent]:
        return ()

    def _ended_well(self, chunk: Json) -> Iterable[StreamEvent]:
        if not self._finish:
            raise interrupted_error("The stream ended without a stop reason.")
        self.ended = True
        yield ChoiceFinished(
            parse_finish_reason(self._finish, has_calls=self._calls > 0), raw=chunk
        )
        if (usage := parse_usage(self._usage or None)) is not None:
            yield UsageReported(usage, raw=chunk)

    _READ: ClassVar[dict[str, Callable[[Any, Json], Iterable[StreamEvent]]]] = {
        "ping": _pinged,
        "message_start": _started,
        "content_block_start": _block_started,
        "content_block_delta": _block_grew,
        "content_block_stop": _block_ended,
        "message_delta": _message_grew,
        "message_stop": _ended_well,
    }
