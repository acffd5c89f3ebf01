"""Answers that must fit a schema: how each method asks for them, and how they are read.

An answer that was cut short or refused raises instead of being parsed into half an object.
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

from langchain_xai_lowcode._tools import json_schema_format
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
    parallel: bool | None = False,
) -> Runnable[LanguageModelInput, Any]:
    """A model and a parser in a row, for one of the three methods.

    ``parallel`` is the wish for several calls at once: None where a form has no word for it.

    Raises:
        UsageError: The method is unknown, or needs a schema and has none.
    """
    if schema is None and method != "json_mode":
        raise UsageError(f"schema: the method {method!r} needs one.", field="schema")
    traced = {"kwargs": {"method": method, "strict": strict}, "schema": schema}
    match method:
        case "json_schema":
            wish = json_schema_format(schema, strict=strict, clean=clean)
            asking = bind(response_format=wish, ls_structured_output_format=traced)
            parser: Any = _text_parser(schema)
        case "json_mode":
            wish = {"type": "json_object"}
            asking = bind(response_format=wish, ls_structured_output_format=traced)
            parser = _text_parser(schema)
        case "function_calling":
            name = convert_to_openai_tool(schema)["function"]["name"]
            asking = bind_tools(
                [schema],
                tool_choice=name,
                **({} if parallel is None else {"parallel_tool_calls": parallel}),
                strict=strict,
                ls_structured_output_format=traced,
            )
            parser = _tool_call_parser(schema, name)
        case _:
            raise UsageError(
                f"method: {method!r} is unknown; use json_schema, function_calling or json_mode.",
                field="method",
            )
    return _with_raw(asking, parser) if include_raw else asking | parser


def _with_raw(
    asking: Runnable[LanguageModelInput, AIMessage], parser: Any
) -> Runnable[LanguageModelInput, Any]:
    parsed = RunnablePassthrough.assign(
        parsed=itemgetter("raw") | parser, parsing_error=lambda _: None
    )
    failed = RunnablePassthrough.assign(parsed=lambda _: None)
    return RunnableMap(raw=asking) | parsed.with_fallbacks([failed], exception_key="parsing_error")


def _text_parser(schema: Any) -> Any:
    if isinstance(schema, type) and is_basemodel_subclass(schema):
        return _WholePydanticParser(pydantic_object=schema)
    return _WholeJsonParser()


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
        raise OutputParserException(f"The model refused: {refusal}")
    if message.response_metadata.get("finish_reason") == "length":
        raise OutputParserException(
            "The answer was cut at the limit of tokens before the object was complete;"
            " raise max_tokens.",
            llm_output=generation.text,
        )
    if not partial and not generation.text.strip():
        raise OutputParserException("The model answered with an empty text instead of JSON.")


class _WholePydanticParser(PydanticOutputParser[Any]):
    def parse_result(self, result: list[Generation], *, partial: bool = False) -> Any:
        _check_complete(result, partial=partial)
        return super().parse_result(result, partial=partial)


class _WholeJsonParser(JsonOutputParser):
    def parse_result(self, result: list[Generation], *, partial: bool = False) -> Any:
        _check_complete(result, partial=partial)
        return super().parse_result(result, partial=partial)
