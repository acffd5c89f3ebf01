"""Structured output: bind a schema to a model, and parse its messages.

A message that is truncated or a refusal raises an error instead of being parsed into an incomplete
object.
"""

import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import is_dataclass, replace
from typing import Any, Literal

from langchain_core import exceptions
from langchain_core.exceptions import OutputParserException
from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.output_parsers import BaseCumulativeTransformOutputParser
from langchain_core.outputs import ChatGeneration, Generation
from langchain_core.runnables import Runnable, RunnableGenerator, RunnableMap
from langchain_core.runnables.utils import AddableDict
from langchain_core.utils.pydantic import is_basemodel_subclass
from pydantic import TypeAdapter
from pydantic.errors import PydanticUserError
from typing_extensions import is_typeddict

from langchain_xai_lowcode._output import get_items
from langchain_xai_lowcode._schemas import is_type, read_schema
from langchain_xai_lowcode._tools import to_json_schema_format, to_openai_function
from xai_lowcode.chat.options import sanitize_name
from xai_lowcode.chat.structured_output import (
    dump_value,
    parse_json,
    parse_partial_json,
    select_json,
)
from xai_lowcode.errors import UsageError
from xai_lowcode.json_schema.sources import is_object_schema, unwrap_value, wrap_value
from xai_lowcode.types.responses import REFUSAL_REASONS

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
    tools: Sequence[Any] = (),
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
        tools: Tools that the model may call instead of returning the object.

    Raises:
        UsageError: ``method`` is unknown, or ``schema`` is missing or not supported.
    """
    if schema is None and method != "json_mode":
        raise UsageError(f"schema: required by the method {method!r}.", field="schema")
    target = None if schema is None else _Target(schema)
    traced = {
        "kwargs": {"method": method, "strict": strict},
        "schema": None if target is None else target.get_traced_schema(),
    }
    options: dict[str, Any] = {"ls_structured_output_format": traced}
    parser = StructuredOutputParser(target=target)
    if method == "function_calling" and target is not None:
        parser = StructuredOutputParser(target=target, tool_name=target.named.name)
        options["parallel_tool_calls"] = False
        function = to_openai_function(target.named, strict=None, clean=False)
        tool_choice = "any" if tools else target.named.name
        llm = bind_tools([function, *tools], tool_choice=tool_choice, strict=strict, **options)
        return _include_raw(llm, parser) if include_raw else llm | parser
    match method:
        case "json_schema" if target is not None:
            response_format = to_json_schema_format(target.named, strict=strict, clean=clean)
        case "json_mode" if target is None or not target.wrapped:
            response_format = {"type": "json_object"}
        case "json_mode":
            raise UsageError(
                f"schema: {schema!r} is not an object, which is required by the method 'json_mode'."
                " Use another method, or an object with a field for it.",
                field="schema",
            )
        case _:
            raise UsageError(
                f"method: unknown method {method!r}."
                " Use 'json_schema', 'function_calling' or 'json_mode'.",
                field="method",
            )
    options["response_format"] = response_format
    llm = bind_tools(tools, **options) if tools else bind(**options)
    return _include_raw(llm, parser) if include_raw else llm | parser


class _Target:
    """The schema of structured output, and how its objects are created.

    Attributes:
        named: The schema that is sent, with a name that xAI accepts.
        wrapped: Whether an object with the field ``value`` is sent, since xAI accepts objects only.
    """

    def __init__(self, source: Any) -> None:
        named = read_schema(source, field="schema")
        self._source = source
        self.wrapped = is_type(source) and not is_object_schema(named.schema)
        schema = wrap_value(named.schema) if self.wrapped else named.schema
        self.named = replace(named, name=sanitize_name(named.name or "answer"), schema=schema)
        self._validate_json = _create_validator(source)

    def __reduce__(self) -> tuple[Any, ...]:
        # pydantic's validators of some types, such as an Enum, cannot be pickled.
        return type(self), (self._source,)

    def get_traced_schema(self) -> Mapping[str, Any]:
        """Return a JSON schema for tracers.

        LangChain's converter, which gets it, fails for some classes, and keeps schemas with
        ``properties`` only.
        """
        if isinstance(self._source, Mapping) and "title" in self._source:
            return self._source
        described = {"title": self.named.name, "description": self.named.description}
        return {"properties": {}, **self.named.schema, **described}

    def create(self, data: Any) -> Any:
        """Create the object from JSON data.

        Raises:
            OutputParserException: The data does not match the schema.
        """
        try:
            if self._validate_json is not None:
                return self._validate_json(dump_value(data, is_wrapped=self.wrapped))
            return unwrap_value(data) if self.wrapped else data
        except (ValueError, TypeError) as error:
            text = json.dumps(data, ensure_ascii=False)
            raise OutputParserException(
                f"Failed to parse {self.named.name} from completion {text}. Got: {error}",
                llm_output=text,
            ) from error


def _create_validator(source: Any) -> Callable[[str], Any] | None:
    """Return a function that creates an object from JSON; None if objects remain dicts."""
    if isinstance(source, type) and is_basemodel_subclass(source):
        pydantic_class: Any = source
        is_v2 = hasattr(source, "model_validate_json")
        parse: Callable[[str], Any] = (
            pydantic_class.model_validate_json if is_v2 else pydantic_class.parse_raw
        )
        return parse
    if not is_type(source) or is_typeddict(source) or is_dataclass(source):
        return None
    try:
        return TypeAdapter(source).validate_json
    except PydanticUserError:  # typing.TypedDict before Python 3.12
        return None


class StructuredOutputParser(BaseCumulativeTransformOutputParser[Any]):
    """Parses the object of a message, or of a stream while it arrives."""

    target: Any = None
    """The schema; None for any JSON object."""

    tool_name: str | None = None
    """Name of the tool whose arguments are the object; None if it is the text."""

    def parse_result(self, result: list[Generation], *, partial: bool = False) -> Any:
        """Return the object of a message; None if there is none yet, or a tool call instead.

        Args:
            result: The message.
            partial: Whether it is the beginning of a stream.

        Raises:
            ModelRefusalError: The model refused the request.
            OutputParserException: The message is truncated, or contains no matching object and no
                tool call.
        """
        generation = result[0]
        message = generation.message if isinstance(generation, ChatGeneration) else None
        if message is not None:
            # LangChain parses every chunk as a partial message, also the last one.
            partial = partial and "finish_reason" not in message.response_metadata
            if not partial:
                _check_complete(message)
        try:
            found, data = self._find_data(generation, message, partial=partial)
            return self.target.create(data) if found and self.target is not None else data
        except OutputParserException:
            if partial:
                return None
            raise

    def parse(self, text: str) -> Any:
        """Return the object of a text."""
        return self.parse_result([Generation(text=text)])

    def _find_data(
        self, generation: Generation, message: BaseMessage | None, *, partial: bool
    ) -> tuple[bool, Any]:
        calls = message.tool_calls if isinstance(message, AIMessage) else []
        if self.tool_name is not None:
            found = [call["args"] for call in calls if call["name"] == self.tool_name][:1]
            if not found and not partial:
                _check_call(message, self.tool_name)
            return (True, found[0]) if found else (False, None)
        if calls:
            return False, None
        if not partial and not generation.text.strip():
            raise OutputParserException("The model returned an empty message instead of JSON.")
        text = generation.text
        if message is not None and not partial:
            text = select_json(text, *get_items(message.additional_kwargs))
        return True, _parse_text(text, partial=partial)


def _parse_text(text: str, *, partial: bool) -> Any:
    try:
        return parse_partial_json(text) if partial else parse_json(text)
    except ValueError as error:
        raise OutputParserException(f"Invalid JSON output: {text}", llm_output=text) from error


def _check_call(message: BaseMessage | None, tool_name: str) -> None:
    """Check that a message without a valid call of the tool has another valid call.

    LangChain would return None.
    """
    valid, invalid = [], []
    if isinstance(message, AIMessage):
        valid, invalid = message.tool_calls, message.invalid_tool_calls
    for call in invalid:
        if call["name"] == tool_name or not valid:
            raise OutputParserException(
                f"The arguments of the tool call {call['name']!r} are not a valid JSON object."
                f" {call['error'] or ''}".strip(),
                llm_output=call["args"] or "",
            )
    if not valid:
        raise OutputParserException(
            f"The model did not call the tool {tool_name!r}, whose arguments are the object.",
            llm_output="" if message is None else message.text,
        )


def _check_complete(message: BaseMessage) -> None:
    finish_reason = message.response_metadata.get("finish_reason")
    refusals = (block for block in message.content_blocks if block["type"] == "refusal")
    refusal: Any = next(refusals, None)
    if refusal is None and finish_reason in REFUSAL_REASONS:
        refusal = {"type": "refusal", "refusal": message.text}
    if refusal is not None:
        refusal_error = getattr(exceptions, "ModelRefusalError", None)
        if refusal_error is not None:
            raise refusal_error.from_refusal(refusal, raw_message=message)
        # Before langchain-core 1.7.5.
        raise OutputParserException(f"The model refused the request: {refusal['refusal']}")
    if finish_reason == "length":
        raise OutputParserException(
            "The output reached max_tokens before the JSON object was complete. Raise max_tokens.",
            llm_output=message.text,
        )


def _include_raw(
    llm: Runnable[LanguageModelInput, AIMessage], parser: StructuredOutputParser
) -> Runnable[LanguageModelInput, Any]:
    """Return a chain that adds the object or the parsing error to the message.

    LangChain's fallbacks raise instead, once a stream has yielded its first chunk.
    """
    raw_parser = _RawParser(parser)
    return RunnableMap(raw=llm) | RunnableGenerator(raw_parser.parse, raw_parser.aparse)


class _RawParser:
    """Adds the object or the parsing error to the messages of a stream. It can be pickled.

    Args:
        parser: Parses the whole message.
    """

    def __init__(self, parser: StructuredOutputParser) -> None:
        self._parser = parser

    def parse(self, chunks: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """Yield the chunks, then the object or the error."""
        raw: Any = None
        for chunk in chunks:
            raw = chunk["raw"] if raw is None else raw + chunk["raw"]
            yield AddableDict(chunk)
        try:
            parsed, error = self._parser.invoke(raw), None
        except Exception as raised:  # noqa: BLE001 - returned
            parsed, error = None, raised
        yield AddableDict(parsed=parsed, parsing_error=error)

    async def aparse(self, chunks: AsyncIterator[dict[str, Any]]) -> AsyncIterator[dict[str, Any]]:
        """Yield the chunks, then the object or the error."""
        raw: Any = None
        async for chunk in chunks:
            raw = chunk["raw"] if raw is None else raw + chunk["raw"]
            yield AddableDict(chunk)
        try:
            parsed, error = await self._parser.ainvoke(raw), None
        except Exception as raised:  # noqa: BLE001 - returned
            parsed, error = None, raised
        yield AddableDict(parsed=parsed, parsing_error=error)
