"""``XAIUsageCallbackHandler``: tokens and cost of all calls of a run, by model and by tool."""

from collections.abc import Iterator, Mapping, Sequence
from contextvars import ContextVar
from types import TracebackType
from typing import Any, Self
from uuid import UUID

from langchain_core.callbacks import (
    AsyncCallbackManagerForToolRun,
    BaseCallbackHandler,
    CallbackManagerForToolRun,
)
from langchain_core.messages import AIMessage
from langchain_core.messages.content import ImageContentBlock
from langchain_core.outputs import ChatGeneration, LLMResult
from langchain_core.tracers.context import register_configure_hook

from xai_lowcode.chat.usage_totals import UsageTotals
from xai_lowcode.types.messages import MODEL_PROVIDER


class _RunHandler(BaseCallbackHandler):
    """Callback handler of the start and the end of runs of all types."""

    # LangChain would otherwise start a thread for each callback of an async run.
    run_inline = True

    @property
    def ignore_custom_event(self) -> bool:
        """Custom events are ignored."""
        return True

    def _start(self, run_id: UUID, parent_run_id: UUID | None, tool: str | None = None) -> None:
        raise NotImplementedError

    def _end(self, run_id: UUID, output: Any = None) -> None:
        raise NotImplementedError

    def _note_images(self, run_id: UUID, images: Sequence[ImageContentBlock]) -> None:
        raise NotImplementedError

    def on_chain_start(
        self, *_: Any, run_id: UUID, parent_run_id: UUID | None = None, **__: Any
    ) -> None:
        """Start a run inside which there may be calls."""
        self._start(run_id, parent_run_id)

    on_retriever_start = on_chat_model_start = on_llm_start = on_chain_start

    def on_tool_start(
        self,
        serialized: Mapping[str, Any] | None,
        *args: Any,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        **kwargs: Any,
    ) -> None:
        """Start a run of a tool."""
        del args
        name = (serialized or {}).get("name") or kwargs.get("name") or "tool"
        self._start(run_id, parent_run_id, name)

    def on_llm_end(self, response: LLMResult, *, run_id: UUID, **_: Any) -> None:
        """Add the usage of a call."""
        self._end(run_id, response)

    def on_tool_end(self, output: Any, *, run_id: UUID, **_: Any) -> None:
        """Add the cost of the images that a tool generated."""
        self._end(run_id, output)

    def on_chain_end(self, *_: Any, run_id: UUID, **__: Any) -> None:
        """End a run."""
        self._end(run_id)

    on_retriever_end = on_chain_end
    on_chain_error = on_tool_error = on_retriever_error = on_chain_end

    def on_llm_error(self, *_: Any, run_id: UUID, **kwargs: Any) -> None:
        """Add a stream that was closed or failed after its first chunk, which is billed."""
        self._end(run_id, kwargs.get("response"))


class XAIUsageCallbackHandler(_RunHandler):
    """Callback handler that adds up tokens and cost of this package's chat models and image tools.

    Calls that LangChain's cache answers are not added. Several runs can use one handler at once.

    Attributes:
        totals: The sums: ``total``, ``by_model``, ``by_tool`` and ``tool_runs``.

    Of all runs in a block:
        ```python
        from langchain_xai_lowcode import ChatXAILowCode, XAIUsageCallbackHandler

        with XAIUsageCallbackHandler() as usage:
            ChatXAILowCode().invoke("Hello")
        print(usage.totals.total.total_tokens, usage.totals.total.cost_usd)
        ```

    Of one run: ``agent.invoke(state, config={"callbacks": [usage]})``.
    """

    def __init__(self) -> None:
        super().__init__()
        self.totals = UsageTotals()
        # The tool inside which a run is, for all runs that have not ended.
        self._tools: dict[UUID, str | None] = {}
        # What is known of the images of runs of the image tool that have not ended.
        self._images: dict[UUID, list[Mapping[str, Any]]] = {}

    def __repr__(self) -> str:
        return f"XAIUsageCallbackHandler({self.totals!r})"

    def __enter__(self) -> Self:
        outer = _active.get()
        _active.set(_Handlers(*(outer.handlers if outer else ()), self))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        current = _active.get()
        handlers = list(current.handlers) if current else []
        if self in handlers:
            handlers.reverse()
            handlers.remove(self)
            handlers.reverse()
        _active.set(_Handlers(*handlers) if handlers else None)

    def _start(self, run_id: UUID, parent_run_id: UUID | None, tool: str | None = None) -> None:
        if run_id in self._tools:  # in the callbacks of the run and in those of the block
            return
        outer = None if parent_run_id is None else self._tools.get(parent_run_id)
        self._tools[run_id] = tool or outer
        if tool is not None:
            self.totals.add_tool_run(tool)

    def _end(self, run_id: UUID, output: Any = None) -> None:
        noted = self._images.pop(run_id, None)
        if run_id not in self._tools:
            return
        tool = self._tools.pop(run_id)
        if isinstance(output, LLMResult):
            self._add_messages(output, tool)
        elif tool is not None:
            images = list(_image_data(output)) if noted is None else noted
            self.totals.add_images(images, tool=tool)

    def _note_images(self, run_id: UUID, images: Sequence[ImageContentBlock]) -> None:
        if run_id in self._tools:  # in the callbacks and in those of the block: noted once
            self._images[run_id] = [image.get("extras", {}) for image in images]

    def _add_messages(self, result: LLMResult, tool: str | None) -> None:
        for candidates in result.generations:
            # The first of n messages has the usage of the call.
            generation = candidates[0] if candidates else None
            message = generation.message if isinstance(generation, ChatGeneration) else None
            if not isinstance(message, AIMessage):
                continue
            metadata = message.response_metadata
            cost = metadata.get("cost_usd")
            if metadata.get("model_provider") != MODEL_PROVIDER or _is_cached(message, cost):
                continue
            model, token_usage = metadata.get("model_name", ""), metadata.get("token_usage") or {}
            self.totals.add_call(model, token_usage, cost_usd=cost, tool=tool)


def _is_cached(message: AIMessage, cost: float | None) -> bool:
    """Return whether LangChain's cache answered, which sets ``total_cost`` to 0."""
    usage: Mapping[str, Any] = message.usage_metadata or {}
    return bool(usage.get("total_cost") == 0 and cost != 0)


def _image_data(output: Any) -> Iterator[Mapping[str, Any]]:
    """Yield what is known of the images of a tool message whose cost is known.

    Other tools may return the blocks of ``XAIImageGenerator``.
    """
    artifact = getattr(output, "artifact", None)
    for block in artifact if isinstance(artifact, list) else ():
        extras = block.get("extras") if isinstance(block, Mapping) else None
        if isinstance(extras, Mapping) and "cost_usd" in extras:
            yield extras


def note_images(
    run_manager: CallbackManagerForToolRun | AsyncCallbackManagerForToolRun | None,
    images: Sequence[ImageContentBlock],
) -> None:
    """Tell the handlers of a run of the image tool which images it generated.

    Only the result of a tool call has them as its artifact; that of other runs is the text.
    """
    if run_manager is None:
        return
    for handler in run_manager.handlers:
        if isinstance(handler, _RunHandler):
            handler._note_images(run_manager.run_id, images)  # noqa: SLF001 - a class of this module


class _Handlers(_RunHandler):
    """The handlers of the blocks around a call; LangChain takes one from a context variable."""

    def __init__(self, *handlers: XAIUsageCallbackHandler) -> None:
        super().__init__()
        self.handlers = handlers

    def _start(self, run_id: UUID, parent_run_id: UUID | None, tool: str | None = None) -> None:
        for handler in self.handlers:
            handler._start(run_id, parent_run_id, tool)  # noqa: SLF001 - a class of this module

    def _end(self, run_id: UUID, output: Any = None) -> None:
        for handler in self.handlers:
            handler._end(run_id, output)  # noqa: SLF001 - a class of this module

    def _note_images(self, run_id: UUID, images: Sequence[ImageContentBlock]) -> None:
        for handler in self.handlers:
            handler._note_images(run_id, images)  # noqa: SLF001 - a class of this module


_active: ContextVar[_Handlers | None] = ContextVar("xai_usage", default=None)
register_configure_hook(_active, inheritable=True)
