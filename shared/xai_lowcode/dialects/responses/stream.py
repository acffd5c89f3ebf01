"""The events of a streamed ``/v1/responses`` as ours."""

from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from xai_lowcode.dialects.responses.answer import (
    check_failure,
    read_citation,
    read_facts,
    read_finish,
    read_image,
    read_server_tool,
    read_usage,
)
from xai_lowcode.errors import InternalServerError
from xai_lowcode.events import (
    Began,
    Cited,
    Finished,
    ImageMade,
    ItemDone,
    ReasoningDelta,
    RefusalDelta,
    ServerToolUsed,
    StreamEvent,
    TextDelta,
    ToolCallDelta,
    Used,
)

Json = dict[str, Any]


class ResponsesDecoder:
    """Turns events into ours; those of an unknown type are passed over."""

    def __init__(self) -> None:
        self._calls: dict[int, int] = {}
        self._whole: set[int] = set()
        self._ended = False

    def feed(self, chunk: Json) -> Iterable[StreamEvent]:
        """Our events of the next one."""
        read = self._READ.get(chunk.get("type", ""))
        return () if read is None else read(self, chunk)

    def done(self) -> Iterable[StreamEvent]:
        """Nothing is left to say: the closing event says all."""
        return ()

    @property
    def complete(self) -> bool:
        """Whether the closing event has come."""
        return self._ended

    def _created(self, chunk: Json) -> Iterable[StreamEvent]:
        yield Began(**read_facts(chunk.get("response") or {}), raw=chunk)

    def _text(self, chunk: Json) -> Iterable[StreamEvent]:
        logprobs = tuple(chunk.get("logprobs") or ())
        if chunk.get("delta") or logprobs:
            yield TextDelta(chunk.get("delta") or "", logprobs=logprobs, raw=chunk)

    def _thought(self, chunk: Json) -> Iterable[StreamEvent]:
        if chunk.get("delta"):
            yield ReasoningDelta(chunk["delta"], raw=chunk)

    def _refusal(self, chunk: Json) -> Iterable[StreamEvent]:
        if chunk.get("delta"):
            yield RefusalDelta(chunk["delta"], raw=chunk)

    def _annotation(self, chunk: Json) -> Iterable[StreamEvent]:
        if (citation := read_citation(chunk.get("annotation"))) is not None:
            yield Cited(citation, raw=chunk)

    def _item_added(self, chunk: Json) -> Iterable[StreamEvent]:
        item = chunk.get("item") or {}
        if item.get("type") == "function_call":
            index = self._calls.setdefault(chunk.get("output_index", 0), len(self._calls))
            name, call_id = item.get("name") or "", item.get("call_id") or ""
            yield ToolCallDelta(index, call_id, name, raw=chunk)

    def _arguments(self, chunk: Json) -> Iterable[StreamEvent]:
        index = self._calls.get(chunk.get("output_index", 0))
        if index is not None and chunk.get("delta"):
            self._whole.add(index)
            yield ToolCallDelta(index, arguments=chunk["delta"], raw=chunk)

    def _item_done(self, chunk: Json) -> Iterable[StreamEvent]:
        item = chunk.get("item") or {}
        index = self._calls.get(chunk.get("output_index", 0))
        if item.get("type") == "function_call" and index is not None and index not in self._whole:
            # Arguments that came in no delta of their own stand in the finished item.
            yield ToolCallDelta(index, arguments=item.get("arguments") or "", raw=chunk)
        if (image := read_image(item)) is not None:
            yield ImageMade(image, raw=chunk)
        elif (tool := read_server_tool(item)) is not None:
            yield ServerToolUsed(tool, raw=chunk)
        yield ItemDone(item, "responses", raw=chunk)

    def _closed(self, chunk: Json) -> Iterable[StreamEvent]:
        if self._ended:
            return
        self._ended = True
        response = chunk.get("response") or {}
        check_failure(response)
        yield Finished(read_finish(response, has_calls=bool(self._calls)), raw=chunk)
        if (usage := read_usage(response.get("usage"))) is not None:
            yield Used(usage, raw=chunk)

    def _failed(self, chunk: Json) -> Iterable[StreamEvent]:
        error = chunk.get("error")
        told: Json = error if isinstance(error, dict) else chunk
        raise InternalServerError(
            str(told.get("message") or "The stream reported an error."),
            code=str(told["code"]) if told.get("code") else None,
            maker="provider",
            status_code=200,
            body=chunk,
        )

    _READ: ClassVar[dict[str, Callable[[Any, Json], Iterable[StreamEvent]]]] = {
        "response.created": _created,
        "response.output_item.added": _item_added,
        "response.output_item.done": _item_done,
        "response.output_text.delta": _text,
        "response.output_text.annotation.added": _annotation,
        "response.reasoning_summary_text.delta": _thought,
        "response.reasoning_text.delta": _thought,
        "response.refusal.delta": _refusal,
        "response.function_call_arguments.delta": _arguments,
        "response.completed": _closed,
        "response.incomplete": _closed,
        "response.failed": _closed,
        "response.done": _closed,
        "error": _failed,
    }
