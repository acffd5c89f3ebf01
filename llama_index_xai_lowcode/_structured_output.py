"""Objects of pydantic classes instead of text: asked for by a JSON schema, or by a forced tool.

Both ways end in a JSON text, so one reader serves the plain and the streaming forms, sync and
async. LlamaIndex's own programs force no tool in streams, and give empty objects without an error.
"""

from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from contextlib import aclosing, closing
from typing import Any, NamedTuple, TypeVar

from llama_index.core.base.llms.types import ChatMessage, ChatResponse, ToolCallBlock
from llama_index.core.instrumentation.events.llm import (
    LLMStructuredPredictEndEvent,
    LLMStructuredPredictStartEvent,
)
from llama_index.core.program.function_program import get_function_tool
from llama_index.core.program.utils import create_flexible_model
from llama_index.core.prompts import PromptTemplate
from llama_index.core.types import PydanticProgramMode
from llama_index_instrumentation import get_dispatcher
from pydantic import BaseModel, ValidationError
from pydantic_core import from_json

from llama_index_xai_lowcode._configuration import Configured
from llama_index_xai_lowcode._request import json_schema_format
from xai_lowcode.errors import InvalidResponseError

M = TypeVar("M", bound=BaseModel)

_dispatcher = get_dispatcher(__name__)

# What would contradict the way in which the object is asked for.
_OVERRULED = frozenset(
    {"tool_choice", "tool_required", "allow_parallel_tool_calls", "tools", "response_format"}
)


class StructuredOutputError(InvalidResponseError, ValueError):
    """The model's answer is no object of the class: cut off, refused, empty, or of another shape.

    A ValueError too, as LlamaIndex's own programs raise.
    """


class StructuredOutputMethod(NamedTuple):
    """A way to ask for an object, and where its JSON is in the answer."""

    ask: Callable[
        [Configured, type[BaseModel], list[ChatMessage], Mapping[str, Any]], dict[str, Any]
    ]
    said: Callable[[ChatResponse], str]


def _request_json_schema(
    llm: Configured,
    output_cls: type[BaseModel],
    messages: list[ChatMessage],
    options: Mapping[str, Any],
) -> dict[str, Any]:
    wish = json_schema_format(output_cls, clean=llm.cleans_schemas(options))
    return {**options, "messages": messages, "response_format": wish}


def _request_tool_call(
    llm: Configured,
    output_cls: type[BaseModel],
    messages: list[ChatMessage],
    options: Mapping[str, Any],
) -> dict[str, Any]:
    tool = get_function_tool(output_cls)
    cleaning = {k: v for k, v in options.items() if k == "clean_schemas"}
    asked = llm._prepare_chat_with_tools(  # noqa: SLF001 - LlamaIndex's own name for its contract
        [tool], chat_history=messages, tool_required=True, **cleaning
    )
    return {**options, **asked}


def _text_of(response: ChatResponse) -> str:
    return response.message.content or ""


def _tool_call_arguments(response: ChatResponse) -> str:
    calls = (block for block in response.message.blocks if isinstance(block, ToolCallBlock))
    return next((str(call.tool_kwargs) for call in calls), "")


_BY_SCHEMA = StructuredOutputMethod(_request_json_schema, _text_of)
_BY_TOOL = StructuredOutputMethod(_request_tool_call, _tool_call_arguments)


class PartialObjectParser:
    """The object of one stream while it arrives."""

    def __init__(self, output_cls: type[BaseModel], way: StructuredOutputMethod) -> None:
        self._output_cls = output_cls
        self._flexible = create_flexible_model(output_cls)
        self._way = way
        self._data: dict[str, Any] = {}
        self._draft: Any = None
        self._response: ChatResponse | None = None

    def feed(self, response: ChatResponse) -> Any:
        """The object so far; None if there is nothing new of it."""
        self._response = response
        try:
            data = from_json(self._way.said(response), allow_partial="trailing-strings")
        except ValueError:
            return None
        if data == self._data or not isinstance(data, dict):
            return None
        self._data = data
        try:
            self._draft = self._output_cls.model_validate(data)
        except ValidationError:
            self._draft = self._flexible.model_validate(data)
        return self._draft

    def last(self) -> Any:
        """The whole object, None if it was the last draft; raises if there is no whole one."""
        if self._response is None:
            raise StructuredOutputError("The stream held no answer.")
        whole = _read(self._response, self._output_cls, self._way)
        return None if whole == self._draft else whole


def _read(response: ChatResponse, output_cls: type[M], way: StructuredOutputMethod) -> M:
    text = way.said(response)
    try:
        return output_cls.model_validate_json(text)
    except ValidationError as problem:
        raise StructuredOutputError(
            f"No {output_cls.__name__} was answered: {_reason(response, text, problem)}", body=text
        ) from None


def _reason(response: ChatResponse, text: str, problem: ValidationError) -> str:
    if response.additional_kwargs.get("finish_reason") == "length":
        return "the answer was cut off at max_tokens."
    if refusal := response.message.additional_kwargs.get("refusal"):
        return f"the model refused: {refusal}"
    if not text:
        return f"it said {response.message.content or 'nothing'!r} instead."
    return str(problem)


class StructuredPrediction(Configured):
    """``structured_predict`` and its twins, in all of LlamaIndex's program modes."""

    def structured_predict(
        self,
        output_cls: type[M],
        prompt: PromptTemplate,
        llm_kwargs: dict[str, Any] | None = None,
        **prompt_args: Any,
    ) -> M:
        """Asks for an object of a pydantic class.

        Args:
            output_cls: The class.
            prompt: What is asked.
            llm_kwargs: Options of this call.
            prompt_args: Values for the places in the prompt.

        Raises:
            StructuredOutputError: The answer is no such object.
            XAILowCodeError: The call failed.

        Example:
            >>> from llama_index.core.prompts import PromptTemplate
            >>> from pydantic import BaseModel
            >>> class City(BaseModel):
            ...     name: str
            >>> prompt = PromptTemplate("What is the capital of {country}?")
            >>> llm.structured_predict(City, prompt, country="France")  # doctest: +SKIP
            City(name='Paris')
        """
        way = self._way(llm_kwargs)
        if way is None:
            output: M = super().structured_predict(output_cls, prompt, llm_kwargs, **prompt_args)
            return output
        _started(output_cls, prompt, prompt_args)
        response = self.chat(**self._asked(way, output_cls, prompt, llm_kwargs, prompt_args))
        return _ended(_read(response, output_cls, way))

    async def astructured_predict(
        self,
        output_cls: type[M],
        prompt: PromptTemplate,
        llm_kwargs: dict[str, Any] | None = None,
        **prompt_args: Any,
    ) -> M:
        """Asks for an object of a pydantic class; see ``structured_predict``."""
        way = self._way(llm_kwargs)
        if way is None:
            output: M = await super().astructured_predict(
                output_cls, prompt, llm_kwargs, **prompt_args
            )
            return output
        _started(output_cls, prompt, prompt_args)
        response = await self.achat(**self._asked(way, output_cls, prompt, llm_kwargs, prompt_args))
        return _ended(_read(response, output_cls, way))

    def _structured_stream_call(
        self,
        output_cls: type[M],
        prompt: PromptTemplate,
        llm_kwargs: dict[str, Any] | None = None,
        **prompt_args: Any,
    ) -> Generator[Any, None, None]:
        way = self._way(llm_kwargs)
        if way is None:
            return super()._structured_stream_call(output_cls, prompt, llm_kwargs, **prompt_args)
        stream = self.stream_chat(**self._asked(way, output_cls, prompt, llm_kwargs, prompt_args))
        return _drafted(stream, PartialObjectParser(output_cls, way))

    async def _structured_astream_call(
        self,
        output_cls: type[M],
        prompt: PromptTemplate,
        llm_kwargs: dict[str, Any] | None = None,
        **prompt_args: Any,
    ) -> AsyncGenerator[Any, None]:
        way = self._way(llm_kwargs)
        if way is None:
            return await super()._structured_astream_call(
                output_cls, prompt, llm_kwargs, **prompt_args
            )
        question = self._asked(way, output_cls, prompt, llm_kwargs, prompt_args)
        return _adrafted(await self.astream_chat(**question), PartialObjectParser(output_cls, way))

    def _way(self, llm_kwargs: dict[str, Any] | None) -> StructuredOutputMethod | None:
        """Our way in the present mode; None where LlamaIndex's program does it."""
        mode = self.pydantic_program_mode
        default = mode == PydanticProgramMode.DEFAULT
        by_schema = self.should_use_structured_outputs and self.takes_schemas(llm_kwargs or {})
        if default and by_schema:
            return _BY_SCHEMA
        by_tool = default or mode == PydanticProgramMode.FUNCTION
        return _BY_TOOL if by_tool and self.is_function_calling_model else None

    def _asked(
        self,
        way: StructuredOutputMethod,
        output_cls: type[BaseModel],
        prompt: PromptTemplate,
        llm_kwargs: dict[str, Any] | None,
        prompt_args: Mapping[str, Any],
    ) -> dict[str, Any]:
        messages = self._extend_messages(prompt.format_messages(llm=self, **prompt_args))
        options = {k: v for k, v in (llm_kwargs or {}).items() if k not in _OVERRULED}
        return way.ask(self, output_cls, messages, options)


def _started(
    output_cls: type[BaseModel], prompt: PromptTemplate, prompt_args: Mapping[str, Any]
) -> None:
    _dispatcher.event(
        LLMStructuredPredictStartEvent(
            output_cls=output_cls, template=prompt, template_args=dict(prompt_args)
        )
    )


def _ended(output: M) -> M:
    _dispatcher.event(LLMStructuredPredictEndEvent(output=output))
    return output


def _drafted(
    stream: Generator[ChatResponse, None, None], drafts: PartialObjectParser
) -> Generator[Any, None, None]:
    with closing(stream):
        for response in stream:
            if (draft := drafts.feed(response)) is not None:
                yield draft
    if (whole := drafts.last()) is not None:
        yield whole


async def _adrafted(
    stream: AsyncGenerator[ChatResponse, None], drafts: PartialObjectParser
) -> AsyncGenerator[Any, None]:
    async with aclosing(stream):
        async for response in stream:
            if (draft := drafts.feed(response)) is not None:
                yield draft
    if (whole := drafts.last()) is not None:
        yield whole
