"""``XAIUsageEventHandler``: tokens and cost of all calls of a run, by model and by tool."""

from contextvars import ContextVar
from dataclasses import dataclass
from inspect import BoundArguments
from threading import Lock
from types import TracebackType
from typing import Any, NamedTuple, Self

from llama_index.core.base.llms.types import ChatResponse, CompletionResponse
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.instrumentation.events import BaseEvent
from llama_index.core.instrumentation.events.exception import ExceptionEvent
from llama_index.core.instrumentation.events.llm import (
    LLMChatEndEvent,
    LLMChatInProgressEvent,
    LLMChatStartEvent,
    LLMCompletionEndEvent,
    LLMCompletionInProgressEvent,
    LLMCompletionStartEvent,
)
from llama_index.core.instrumentation.span_handlers import BaseSpanHandler
from llama_index.core.tools import BaseTool, ToolOutput
from llama_index_instrumentation import get_dispatcher
from llama_index_instrumentation.events.span import SpanDropEvent
from pydantic import PrivateAttr

from llama_index_xai_lowcode.images import GeneratedImageBlock
from llama_index_xai_lowcode.llms import XAILowCode
from xai_lowcode.chat.usage_totals import UsageTotals

_active: ContextVar[tuple["XAIUsageEventHandler", ...]] = ContextVar("xai_usage", default=())


class XAIUsageEventHandler(BaseEventHandler):
    """Event handler that adds up tokens and cost of this package's LLMs and image tools.

    In a ``with`` block it adds up the calls of the block, those of its tasks included, and no
    others. If it is added to LlamaIndex's dispatcher instead, it adds up all calls, without tools.

    Example:
        ```python
        from llama_index_xai_lowcode import XAILowCode, XAIUsageEventHandler

        with XAIUsageEventHandler() as usage:
            XAILowCode().complete("Hello")
        print(usage.totals.total.total_tokens, usage.totals.total.cost_usd)
        ```
    """

    _totals: UsageTotals = PrivateAttr(default_factory=UsageTotals)
    _spans: "_ToolSpans" = PrivateAttr()
    _blocks: int = PrivateAttr(default=0)
    _lock: Any = PrivateAttr(default_factory=Lock)
    # The calls that have not ended, by the ids of their spans.
    _calls: dict[str, "_Call"] = PrivateAttr(default_factory=dict)

    def __init__(self) -> None:
        super().__init__()
        self._spans = _ToolSpans(self)

    @property
    def totals(self) -> UsageTotals:
        """The sums: ``total``, ``by_model``, ``by_tool`` and ``tool_runs``."""
        return self._totals

    @classmethod
    def class_name(cls) -> str:
        """Return the name of the class."""
        return "XAIUsageEventHandler"

    def __enter__(self) -> Self:
        root = get_dispatcher()
        with self._lock:
            self._blocks += 1
            if self._blocks == 1:
                root.add_event_handler(self)
                root.add_span_handler(self._spans)
        _active.set((*_active.get(), self))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        root = get_dispatcher()
        handlers = list(_active.get())
        _remove(handlers, self)
        _active.set(tuple(handlers))
        with self._lock:
            self._blocks -= 1
            if self._blocks == 0:
                _remove(root.event_handlers, self)
                _remove(root.span_handlers, self._spans)

    def handle(self, event: BaseEvent, **_: Any) -> None:
        """Add the usage of a call, at its end."""
        match event:
            case LLMChatStartEvent() | LLMCompletionStartEvent():
                self._start(event)
            case LLMChatInProgressEvent() | LLMCompletionInProgressEvent():
                if (call := self._calls.get(event.span_id or "")) is not None:
                    call.last = event.response
            case LLMChatEndEvent() | LLMCompletionEndEvent():
                self._calls.pop(event.span_id or "", None)
                self._add_response(event)
            case ExceptionEvent() | SpanDropEvent():
                call = self._calls.pop(event.span_id or "", None)
                # A stream that was closed or failed is billed.
                if call is not None and call.last is not None:
                    self._add_call(call.last, call.model, call.tool)

    def _start(self, event: LLMChatStartEvent | LLMCompletionStartEvent) -> None:
        model = event.model_dict
        if model.get("class_name") == XAILowCode.class_name() and self.counts():
            tool = self._spans.get_tool(event.span_id)
            self._calls[event.span_id or ""] = _Call(str(model.get("model_name", "")), tool)

    def _add_response(self, event: LLMChatEndEvent | LLMCompletionEndEvent) -> None:
        if not self.counts():
            return
        additional_kwargs = getattr(event.response, "additional_kwargs", {})
        token_usage = additional_kwargs.get("token_usage")
        # A stream that is truncated at a stop sequence has no usage. Other LLMs have no such keys.
        if token_usage is not None or {"model", "finish_reason"} <= additional_kwargs.keys():
            self._add_call(event.response, "", self._spans.get_tool(event.span_id))

    def _add_call(self, response: Any, model: str, tool: str | None) -> None:
        additional_kwargs = response.additional_kwargs
        self._totals.add_call(
            additional_kwargs.get("model", model),
            additional_kwargs.get("token_usage") or {},
            cost_usd=additional_kwargs.get("cost_usd"),
            tool=tool,
        )

    def counts(self) -> bool:
        """Return whether the calls of the current context are added up."""
        return self._blocks == 0 or any(handler is self for handler in _active.get())


@dataclass(slots=True)
class _Call:
    """A call that has not ended."""

    model: str
    tool: str | None
    last: ChatResponse | CompletionResponse | None = None


class _ToolSpan(NamedTuple):
    """A span inside a run of a tool, whose own spans are its methods that call each other."""

    run_id: str
    tool: BaseTool
    name: str


class _ToolSpans(BaseSpanHandler[Any]):
    """Knows which spans are inside runs of tools, until these end."""

    _handler: XAIUsageEventHandler = PrivateAttr()
    _spans: dict[str, _ToolSpan] = PrivateAttr(default_factory=dict)
    _members: dict[str, list[str]] = PrivateAttr(default_factory=dict)

    def __init__(self, handler: XAIUsageEventHandler) -> None:
        super().__init__()
        self._handler = handler

    def get_tool(self, span_id: str | None) -> str | None:
        """Return the name of the tool inside whose run a span is; None if it is inside none."""
        span = self._spans.get(span_id or "")
        return span.name if span else None

    def new_span(
        self,
        id_: str,
        bound_args: BoundArguments,  # noqa: ARG002 - the base's signature
        instance: Any | None = None,
        parent_span_id: str | None = None,
        tags: dict[str, Any] | None = None,  # noqa: ARG002 - as above
        **_: Any,
    ) -> None:
        """Note a span that is a run of a tool or is inside one."""
        outer = self._spans.get(parent_span_id or "")
        if isinstance(instance, BaseTool) and not (outer and outer.tool is instance):
            if self._handler.counts():
                name = instance.metadata.get_name()
                self._spans[id_] = _ToolSpan(id_, instance, name)
                self._members[id_] = [id_]
                self._handler.totals.add_tool_run(name)
        elif outer and (members := self._members.get(outer.run_id)) is not None:
            self._spans[id_] = outer
            members.append(id_)

    def prepare_to_exit_span(
        self,
        id_: str,
        bound_args: BoundArguments,  # noqa: ARG002 - the base's signature
        instance: Any | None = None,  # noqa: ARG002 - as above
        result: Any | None = None,
        **_: Any,
    ) -> None:
        """Add the cost of the images that a tool generated."""
        images = result.raw_output if isinstance(result, ToolOutput) else None
        if id_ in self._members and isinstance(images, list):
            known = [
                {"model": image.model, "cost_usd": image.cost_usd}
                for image in images
                if isinstance(image, GeneratedImageBlock)
            ]
            self._handler.totals.add_images(known, tool=self.get_tool(id_))
        self._forget(id_)

    def prepare_to_drop_span(
        self,
        id_: str,
        bound_args: BoundArguments,  # noqa: ARG002 - the base's signature
        instance: Any | None = None,  # noqa: ARG002 - as above
        err: BaseException | None = None,  # noqa: ARG002 - as above
        **_: Any,
    ) -> None:
        """Forget the run of a tool that failed."""
        self._forget(id_)

    def _forget(self, id_: str) -> None:
        for member in self._members.pop(id_, ()):
            self._spans.pop(member, None)


def _remove(handlers: list[Any], handler: object) -> None:
    """Remove a handler once, by identity: models with equal fields are equal."""
    for i in reversed(range(len(handlers))):
        if handlers[i] is handler:
            del handlers[i]
            return
