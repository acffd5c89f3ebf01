"""Structured output: objects of pydantic classes, requested by a JSON schema or a forced tool call.

Both methods return a JSON string, so that one parser serves sync, async and streaming calls.
LlamaIndex's own programs do not force the tool call in streams, and return empty objects instead
of raising.
"""

import json
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from contextlib import aclosing, closing
from typing import Annotated, Any, NamedTuple, TypeVar

from llama_index.core.base.llms.types import ChatMessage, ChatResponse, ToolCallBlock
from llama_index.core.instrumentation.events.llm import (
    LLMStructuredPredictEndEvent,
    LLMStructuredPredictStartEvent,
)
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.program.function_program import get_function_tool
from llama_index.core.program.utils import create_flexible_model
from llama_index.core.prompts import PromptTemplate
from llama_index.core.types import PydanticProgramMode
from llama_index_instrumentation import get_dispatcher
from pydantic import BaseModel, Field

from llama_index_xai_lowcode._client_fields import ClientFields
from llama_index_xai_lowcode._messages import get_items
from llama_index_xai_lowcode._request import is_wrapped, json_schema_format
from xai_lowcode._internal.constructors import Unchecked
from xai_lowcode._internal.json import loads_exactly
from xai_lowcode.chat.structured_output import (
    dump_value,
    parse_json,
    parse_partial_json,
    select_json,
)
from xai_lowcode.errors import InvalidResponseError, UsageError
from xai_lowcode.json_schema.sources import read_type, wrap_value
from xai_lowcode.types.requests import Api
from xai_lowcode.types.responses import REFUSAL_REASONS

M = TypeVar("M", bound=BaseModel)

_dispatcher = get_dispatcher(__name__)

# Options of the call that would contradict those that request the object.
_OVERRIDDEN = frozenset(
    {"tool_choice", "tool_required", "allow_parallel_tool_calls", "tools", "response_format"}
)


class StructuredOutputError(InvalidResponseError, ValueError):
    """The response does not match the class: it is truncated, refused, empty or invalid.

    Also a ``ValueError``, which LlamaIndex's own programs raise.
    """


class PartialObjectParser:
    """Parses the object of a stream while it arrives."""

    def __init__(self, output_cls: type[BaseModel], method: "StructuredOutputMethod") -> None:
        self._output_cls = output_cls
        self._flexible_cls = create_flexible_model(output_cls)
        self._method = method
        self._wrapped = is_wrapped(output_cls)
        self._data: dict[str, Any] = {}
        self._partial: Any = None
        self._response: ChatResponse | None = None

    def parse(self, response: ChatResponse) -> Any:
        """Return the object as far as it has arrived, or None if it has not changed."""
        self._response = response
        try:
            data = parse_partial_json(self._method.get_json(response))
        except ValueError:
            return None
        if data == self._data or not isinstance(data, dict):
            return None
        self._data = data
        try:
            self._partial = _create(self._output_cls, data, wrapped=self._wrapped)
        except ValueError:
            if self._wrapped:  # A flexible class has fields, a root model has none.
                return None
            self._partial = self._flexible_cls.model_validate(data)
        return self._partial

    def parse_final(self) -> Any:
        """Return the complete object, or None if ``parse`` has returned it.

        Raises:
            StructuredOutputError: The object is incomplete or invalid.
        """
        if self._response is None:
            raise StructuredOutputError("The stream contained no response.")
        output = _parse(self._response, self._output_cls, self._method)
        return None if output == self._partial else output


def _parse(response: ChatResponse, output_cls: type[M], method: "StructuredOutputMethod") -> M:
    content = method.get_json(response)
    try:
        return _create(output_cls, method.parse(content), wrapped=is_wrapped(output_cls))
    except ValueError as error:
        reason = _describe_failure(response, content, error)
        raise StructuredOutputError(
            f"The response is not a valid {output_cls.__name__}: {reason}", body=content
        ) from None


def _create(output_cls: type[M], data: Any, *, wrapped: bool) -> M:
    """Create the object of a response's JSON.

    Raises:
        ValueError: The data does not match the class.
    """
    return output_cls.model_validate_json(dump_value(data, is_wrapped=wrapped))


def _describe_failure(response: ChatResponse, content: str, error: ValueError) -> str:
    finish_reason = response.additional_kwargs.get("finish_reason")
    if finish_reason == "length":
        return "it was truncated at max_tokens."
    text, refusal = response.message.content, response.message.additional_kwargs.get("refusal")
    if refusal or finish_reason in REFUSAL_REASONS:
        return f"the model refused: {refusal or text}"
    if not content:
        return f"it contains no JSON, but {text or ''!r}."
    return f"invalid JSON: {error}" if isinstance(error, json.JSONDecodeError) else str(error)


class StructuredPrediction(ClientFields, FunctionCallingLLM):
    """``structured_predict``, its async and streaming variants, in all pydantic program modes."""

    is_function_calling_model: bool = Field(
        default=True, description="Whether agents and programs may use tool calling."
    )
    should_use_structured_outputs: bool = Field(
        default=True,
        description="Whether structured_predict uses a JSON schema in the default"
        " pydantic_program_mode; otherwise it uses a forced tool call.",
    )
    api: Annotated[Api, Unchecked] = Field(
        default="auto",
        description="API to use: 'auto', 'chat_completions', 'responses' or 'messages'. Auto uses"
        " Chat Completions unless the request needs Responses.",
    )

    def structured_predict(
        self,
        output_cls: type[M],
        prompt: PromptTemplate,
        llm_kwargs: dict[str, Any] | None = None,
        **prompt_args: Any,
    ) -> M:
        """Return an object of a pydantic class.

        Args:
            output_cls: The class.
            prompt: The prompt template.
            llm_kwargs: Options of this call.
            prompt_args: Values of the template's variables.

        Raises:
            StructuredOutputError: The response does not match the class.
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
        method = self._select_method(output_cls, llm_kwargs)
        if method is None:
            output: M = super().structured_predict(output_cls, prompt, llm_kwargs, **prompt_args)
            return output
        _emit_start(output_cls, prompt, prompt_args)
        arguments = self._chat_arguments(method, output_cls, prompt, llm_kwargs, prompt_args)
        return _emit_end(_parse(self.chat(**arguments), output_cls, method))

    async def astructured_predict(
        self,
        output_cls: type[M],
        prompt: PromptTemplate,
        llm_kwargs: dict[str, Any] | None = None,
        **prompt_args: Any,
    ) -> M:
        """Return an object of a pydantic class; see ``structured_predict``."""
        method = self._select_method(output_cls, llm_kwargs)
        if method is None:
            output: M = await super().astructured_predict(
                output_cls, prompt, llm_kwargs, **prompt_args
            )
            return output
        _emit_start(output_cls, prompt, prompt_args)
        arguments = self._chat_arguments(method, output_cls, prompt, llm_kwargs, prompt_args)
        return _emit_end(_parse(await self.achat(**arguments), output_cls, method))

    def _structured_stream_call(
        self,
        output_cls: type[M],
        prompt: PromptTemplate,
        llm_kwargs: dict[str, Any] | None = None,
        **prompt_args: Any,
    ) -> Generator[Any, None, None]:
        method = self._select_method(output_cls, llm_kwargs)
        if method is None:
            return super()._structured_stream_call(output_cls, prompt, llm_kwargs, **prompt_args)
        arguments = self._chat_arguments(method, output_cls, prompt, llm_kwargs, prompt_args)
        return _iter_objects(self.stream_chat(**arguments), PartialObjectParser(output_cls, method))

    async def _structured_astream_call(
        self,
        output_cls: type[M],
        prompt: PromptTemplate,
        llm_kwargs: dict[str, Any] | None = None,
        **prompt_args: Any,
    ) -> AsyncGenerator[Any, None]:
        method = self._select_method(output_cls, llm_kwargs)
        if method is None:
            return await super()._structured_astream_call(
                output_cls, prompt, llm_kwargs, **prompt_args
            )
        arguments = self._chat_arguments(method, output_cls, prompt, llm_kwargs, prompt_args)
        stream = await self.astream_chat(**arguments)
        return _aiter_objects(stream, PartialObjectParser(output_cls, method))

    def _select_method(
        self, output_cls: Any, llm_kwargs: dict[str, Any] | None
    ) -> "StructuredOutputMethod | None":
        """Return the method for ``pydantic_program_mode``; None for LlamaIndex's own programs.

        Raises:
            UsageError: ``output_cls`` is not a pydantic class.
        """
        if not (isinstance(output_cls, type) and issubclass(output_cls, BaseModel)):
            raise UsageError(
                f"output_cls: {output_cls!r} is not a pydantic class.",
                field="output_cls",
                hint="Use a class with a field for it.",
            )
        is_default = self.pydantic_program_mode == PydanticProgramMode.DEFAULT
        options = {"api": self.api, **self.additional_kwargs, **(llm_kwargs or {})}
        # Messages has no field for a JSON schema.
        if is_default and self.should_use_structured_outputs and options["api"] != "messages":
            return JSON_SCHEMA
        uses_tool = is_default or self.pydantic_program_mode == PydanticProgramMode.FUNCTION
        return FORCED_TOOL_CALL if uses_tool and self.is_function_calling_model else None

    def _chat_arguments(
        self,
        method: "StructuredOutputMethod",
        output_cls: type[BaseModel],
        prompt: PromptTemplate,
        llm_kwargs: dict[str, Any] | None,
        prompt_args: Mapping[str, Any],
    ) -> dict[str, Any]:
        messages = self._extend_messages(prompt.format_messages(llm=self, **prompt_args))
        options = {k: v for k, v in (llm_kwargs or {}).items() if k not in _OVERRIDDEN}
        return method.build_arguments(self, output_cls, messages, options)

    def _sanitizes_schemas(self, options: Mapping[str, Any]) -> bool:
        """Return whether ``clean_schemas`` is in effect in a call with these options."""
        return {**self.additional_kwargs, **options}.get("clean_schemas") is not False


class StructuredOutputMethod(NamedTuple):
    """A method to request an object, to extract its JSON from the response, and to parse it."""

    build_arguments: Callable[
        [StructuredPrediction, type[BaseModel], list[ChatMessage], Mapping[str, Any]],
        dict[str, Any],
    ]
    get_json: Callable[[ChatResponse], str]
    parse: Callable[[str], Any]


def _request_json_schema(
    llm: StructuredPrediction,
    output_cls: type[BaseModel],
    messages: list[ChatMessage],
    options: Mapping[str, Any],
) -> dict[str, Any]:
    sanitize = llm._sanitizes_schemas(options)  # noqa: SLF001 - of this module
    response_format = json_schema_format(
        output_cls, sanitize=sanitize, wrapped=is_wrapped(output_cls)
    )
    return {**options, "messages": messages, "response_format": response_format}


def _request_tool_call(
    llm: StructuredPrediction,
    output_cls: type[BaseModel],
    messages: list[ChatMessage],
    options: Mapping[str, Any],
) -> dict[str, Any]:
    tool: Any = (
        _wrapped_tool(output_cls) if is_wrapped(output_cls) else get_function_tool(output_cls)
    )
    schema_options = {k: v for k, v in options.items() if k == "clean_schemas"}
    arguments = llm._prepare_chat_with_tools(  # noqa: SLF001 - LlamaIndex's extension point
        [tool], chat_history=messages, tool_required=True, **schema_options
    )
    return {**options, **arguments}


def _wrapped_tool(output_cls: type[BaseModel]) -> dict[str, Any]:
    named = read_type(output_cls)
    return {
        "type": "function",
        "function": {
            "name": named.name,
            "description": named.description,
            "parameters": wrap_value(named.schema),
        },
    }


def _get_content(response: ChatResponse) -> str:
    message = response.message
    return select_json(message.content or "", *get_items(message))


def _get_tool_arguments(response: ChatResponse) -> str:
    calls = (block for block in response.message.blocks if isinstance(block, ToolCallBlock))
    return next((str(call.tool_kwargs) for call in calls), "")


JSON_SCHEMA = StructuredOutputMethod(_request_json_schema, _get_content, parse_json)
FORCED_TOOL_CALL = StructuredOutputMethod(_request_tool_call, _get_tool_arguments, loads_exactly)


def _emit_start(
    output_cls: type[BaseModel], prompt: PromptTemplate, prompt_args: Mapping[str, Any]
) -> None:
    _dispatcher.event(
        LLMStructuredPredictStartEvent(
            output_cls=output_cls, template=prompt, template_args=dict(prompt_args)
        )
    )


def _emit_end(output: M) -> M:
    _dispatcher.event(LLMStructuredPredictEndEvent(output=output))
    return output


def _iter_objects(
    stream: Generator[ChatResponse, None, None], parser: PartialObjectParser
) -> Generator[Any, None, None]:
    with closing(stream):
        for response in stream:
            if (partial := parser.parse(response)) is not None:
                yield partial
    if (output := parser.parse_final()) is not None:
        yield output


async def _aiter_objects(
    stream: AsyncGenerator[ChatResponse, None], parser: PartialObjectParser
) -> AsyncGenerator[Any, None]:
    async with aclosing(stream):
        async for response in stream:
            if (partial := parser.parse(response)) is not None:
                yield partial
    if (output := parser.parse_final()) is not None:
        yield output
