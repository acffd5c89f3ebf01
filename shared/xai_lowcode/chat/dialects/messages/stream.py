"""Decode streams of Messages (``/v1/messages``)."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar

from xai_lowcode._internal import json
from xai_lowcode._internal.parsing import dump_arguments, get_dict, get_str
from xai_lowcode.chat.dialects.base import UNKNOWN
from xai_lowcode.chat.dialects.common import interrupted_error, parse_extra
from xai_lowcode.chat.dialects.messages.response import (
    KNOWN_FIELDS,
    parse_finish_reason,
    parse_usage,
)
from xai_lowcode.chat.tool_calls import ToolCallIds
from xai_lowcode.types.events import (
    ChoiceFinished,
    OutputItemDone,
    ReasoningDelta,
    ResponseCompleted,
    ResponseStarted,
    StreamEvent,
    TextDelta,
    ToolCallDelta,
    UsageReported,
)

Json = dict[str, Any]


class MessagesDecoder:
    """Decodes events of Messages, and assembles the content blocks."""

    def __init__(self) -> None:
        self._block: Json = {}
        self._deltas: defaultdict[str, list[str]] = defaultdict(list)
        self._call_ids, self._response_id = ToolCallIds(), ""
        self._call_count = 0
        self._usage: Json = {}
        self._extra: Json = {}
        self._stop_reason: Any = None
        self.ended = False

    def feed(self, chunk: Json) -> Iterable[StreamEvent]:
        """Return the events of the next chunk."""
        decode = self._DECODERS.get(str(chunk.get("type")))
        return UNKNOWN if decode is None else decode(self, chunk)

    def finish(self) -> Iterable[StreamEvent]:
        """Return no events: the terminal event contains all data."""
        return ()

    @property
    def complete(self) -> bool:
        """Whether the terminal event was received."""
        return self.ended

    def _decode_ping(self, _chunk: Json) -> Iterable[StreamEvent]:
        return ()

    def _decode_message_start(self, chunk: Json) -> Iterable[StreamEvent]:
        message = get_dict(chunk, "message")
        self._usage.update(get_dict(message, "usage"))
        self._extra.update(message)
        self._stop_reason = message.get("stop_reason")
        self._response_id = get_str(message, "id")
        yield ResponseStarted(self._response_id, get_str(message, "model"), raw=chunk)

    def _decode_block_start(self, chunk: Json) -> Iterable[StreamEvent]:
        self._block = dict(get_dict(chunk, "content_block"))
        self._deltas.clear()
        if self._block.get("type") == "tool_use":
            self._call_count += 1
            name = get_str(self._block, "name")
            call_id = self._call_ids.assign(get_str(self._block, "id"), self._response_id)
            yield ToolCallDelta(self._call_count - 1, call_id, name, raw=chunk)
        # The first event of a block may have content, too.
        yield from self._add_delta(self._block, chunk)

    def _decode_block_delta(self, chunk: Json) -> Iterable[StreamEvent]:
        # A delta belongs to the last block that was started: its index can be missing.
        return self._add_delta(get_dict(chunk, "delta"), chunk)

    def _add_delta(self, delta: Mapping[str, Any], chunk: Json) -> list[StreamEvent]:
        events: list[StreamEvent] = []
        if text := get_str(delta, "text"):
            self._deltas["text"].append(text)
            events.append(TextDelta(text, 0, (), chunk))
        if reasoning := get_str(delta, "thinking"):
            self._deltas["thinking"].append(reasoning)
            events.append(ReasoningDelta(reasoning, 0, chunk))
        if signature := get_str(delta, "signature"):
            self._deltas["signature"].append(signature)
        if arguments := get_str(delta, "partial_json"):
            self._deltas["partial_json"].append(arguments)
            events.append(ToolCallDelta(self._call_count - 1, arguments=arguments, raw=chunk))
        return events

    def _decode_block_stop(self, chunk: Json) -> Iterable[StreamEvent]:
        arguments = "".join(self._deltas.pop("partial_json", ()))
        self._block |= {key: "".join(deltas) for key, deltas in self._deltas.items()}
        if self._block.get("type") == "tool_use":
            if not arguments:
                arguments = dump_arguments(self._block.get("input") or {})
                yield ToolCallDelta(self._call_count - 1, arguments=arguments, raw=chunk)
            try:
                self._block["input"] = json.parse_arguments(arguments)
            except json.JSONDecodeError:
                self._block["input"] = {}
        yield OutputItemDone(self._block, "messages", raw=chunk)

    def _decode_message_delta(self, chunk: Json) -> Iterable[StreamEvent]:
        self._usage.update(get_dict(chunk, "usage"))
        self._extra.update(get_dict(chunk, "delta"))
        self._stop_reason = get_dict(chunk, "delta").get("stop_reason") or self._stop_reason
        return ()

    def _decode_message_stop(self, chunk: Json) -> Iterable[StreamEvent]:
        if not self._stop_reason:
            raise interrupted_error("The stream ended without a stop reason.")
        self.ended = True
        reason = parse_finish_reason(self._stop_reason, has_calls=self._call_count > 0)
        yield ChoiceFinished(reason, raw=chunk)
        if extra := parse_extra(self._extra, KNOWN_FIELDS):
            yield ResponseCompleted(extra=extra, raw=chunk)
        if (usage := parse_usage(self._usage or None)) is not None:
            yield UsageReported(usage, raw=chunk)

    _DECODERS: ClassVar[dict[str, Callable[[Any, Json], Iterable[StreamEvent]]]] = {
        "ping": _decode_ping,
        "message_start": _decode_message_start,
        "content_block_start": _decode_block_start,
        "content_block_delta": _decode_block_delta,
        "content_block_stop": _decode_block_stop,
        "message_delta": _decode_message_delta,
        "message_stop": _decode_message_stop,
    }
