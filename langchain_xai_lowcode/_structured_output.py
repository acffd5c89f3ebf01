"""Structured output: bind a schema to a model, and parse its messages.

A message that is truncated or a refusal raises ``OutputParserException`` instead of being parsed
into an incomplete object.
"""

from collections.abc import Callable
from operator import itemgetter
from typing import Any, Literal

from langchain_core.exceptions import OutputParserException
from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import AIMessage
from langchain_core.output_parsers import JsonOutputParser, PydanticOutputParser
from langchain_core.output_parsers.openai_tools import (
    JsonOutputKeyToolsParser,
    PydanticToolsParser,
)
from langchain_core.outputs import ChatGeneration, Generation
from langchain_core.runnables import Runnable, RunnableMap, RunnablePassthrough
from langchain_core.utils.function_calling import convert_to_openai_tool
from langchain_core.utils.pydantic import is_basemodel_subclass

from langchain_xai_lowcode._tools import schema_to_response_format
from xai_lowcode.errors import UsageError

Method = Literal["json_schema", "function_calling", "json_mode"]
Bind = Callable[..., Runnable[LanguageModelInput, AIMessage]]


def build_structured_output(
    bind: Bind,
    bind_tools: Bind,
    schema: Any,
    *,
    method: Method,
    include_raw: bool,
    strict: bool | None,
    clean: bool,
) -> Runnable[LanguageModelInput, Any]:
    """Return a chain of the model and an output parser.

    Args:
        bind: ``bind`` of the model, with the options of the calls.
        bind_tools: ``bind_tools`` of the model, with the options of the calls.
        schema: The schema of the object; None for ``"json_mode"`` only.
        method: How the object is requested.
        include_raw: Return a dict with the message, the object and the parsing error.
        strict: Make the schema strict.
        clean: Convert the schema to the subset that xAI supports.

    Raises:
        UsageError: ``method`` is unknown, or ``schema`` is missing.
    """
    if schema is None and method != "json_mode":
        raise UsageError(f"schema: required by the method {method!r}.", field="schema")
    traced = {"kwargs": {"method": method, "strict": strict}, "schema": schema}
    match method:
        case "json_schema":
            response_format = schema_to_response_format(schema, strict=strict, clean=clean)
            llm = bind(response_format=response_format, ls_structured_output_format=traced)
            parser: Any = _json_parser(schema)
        case "json_mode":
            response_format = {"type": "json_object"}
            llm = bind(response_format=response_format, ls_structured_output_format=traced)
            parser = _json_parser(schema)
        case "function_calling":
            name = convert_to_openai_tool(schema)["function"]["name"]
            llm = bind_tools(
                [schema],
                tool_choice=name,
                strict=strict,
                ls_structured_output_format=traced,
                parallel_tool_calls=False,
            )
            parser = _tool_call_parser(schema, name)
        case _:
            raise UsageError(
                f"method: unknown method {method!r}."
                " Use 'json_schema', 'function_calling' or 'json_mode'.",
                field="method",
            )
    return _include_raw(llm, parser) if include_raw else llm | parser


def _include_raw(
    llm: Runnable[LanguageModelInput, AIMessage], parser: Any
) -> Runnable[LanguageModelInput, Any]:
    parsed = RunnablePassthrough.assign(
        parsed=itemgetter("raw") | parser, parsing_error=lambda _: None
    )
    failed = RunnablePassthrough.assign(parsed=lambda _: None)
    return RunnableMap(raw=llm) | parsed.with_fallbacks([failed], exception_key="parsing_error")


def _json_parser(schema: Any) -> Any:
    if isinstance(schema, type) and is_basemodel_subclass(schema):
        return _CompletePydanticParser(pydantic_object=schema)
    return _CompleteJsonParser()


def _tool_call_parser(schema: Any, name: str) -> Any:
    if isinstance(schema, type) and is_basemodel_subclass(schema):
        return PydanticToolsParser(tools=[schema], first_tool_only=True)
    return JsonOutputKeyToolsParser(key_name=name, first_tool_only=True)


def _check_complete(result: list[Generation], *, partial: bool) -> None:
    generation = result[0]
    message = generation.message if isinstance(generation, ChatGeneration) else None
    if message is None:
        return
    if refusal := message.additional_kwargs.get("refusal"):
        raise OutputParserException(f"The model refused the request: {refusal}")
    if message.response_metadata.get("finish_reason") == "length":
        raise OutputParserException(
            "The output reached max_tokens before the JSON object was complete. Raise max_tokens.",
            llm_output=generation.text,
        )
    if not partial and not generation.text.strip():
        raise OutputParserException("The model returned an empty message instead of JSON.")


class _CompletePydanticParser(PydanticOutputParser[Any]):
    def parse_result(self, result: list[Generation], *, partial: bool = False) -> Any:
        _check_complete(result, partial=partial)
        return super().parse_result(result, partial=partial)


class _CompleteJsonParser(JsonOutputParser):
    def parse_result(self, result: list[Generation], *, partial: bool = False) -> Any:
        _check_complete(result, partial=partial)
        return super().parse_result(result, partial=partial)
