"""Tools and schemas that are bound to the chat model, rendered once for all calls."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage
from langchain_core.runnables import Runnable

from langchain_xai_lowcode._counting import TokenCounting
from langchain_xai_lowcode._errors import langchain_errors
from langchain_xai_lowcode._tools import openai_format, openai_tools, to_tool_specs
from xai_lowcode.chat.openai_format import parse_tool_choice
from xai_lowcode.types.requests import check_tool_choice

# A BaseTool is one; to name it would import LangChain's tools for whoever has none.
Tool = Mapping[str, Any] | type | Callable[..., Any] | Runnable[Any, Any]


class Binding(TokenCounting, BaseChatModel):
    """What can be bound to a chat model."""

    def bind_tools(
        self,
        tools: Sequence[Tool],
        *,
        tool_choice: str | bool | Mapping[str, Any] | None = None,
        strict: bool | None = None,
        parallel_tool_calls: bool | None = None,
        response_format: Any = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Offers tools to the model; their schemas are rendered once, here.

        Args:
            tools: Functions, pydantic classes, LangChain tools, or schemas in OpenAI's form; and
                tools that xAI runs, such as ``web_search()`` or ``{"type": "web_search"}``. An
                MCP server's ``authorization`` and ``headers`` are hidden in what is bound, so that
                tracers, prints and caches do not get them.
            tool_choice: ``"auto"``, ``"none"``, ``"any"`` or True for any tool, a tool's name, or
                OpenAI's form of these.
            strict: Whether the schemas are made strict, as OpenAI defines it; xAI's always are.
            parallel_tool_calls: Whether several calls may come at once; default: xAI's, True.
            response_format: A schema that the final answer must fit, or OpenAI's form of it.
            kwargs: Further options of the calls.

        Raises:
            UsageError: ``tool_choice`` names no tool, a tool has no name, a schema is none that can
                be sent, or a further option holds a credential.
        """
        self._refuse_credentials(kwargs)
        with langchain_errors():
            clean = self._cleans(kwargs)
            rendered = openai_tools(tools, strict=strict, clean=clean)
            check_tool_choice(to_tool_specs(rendered), parse_tool_choice(tool_choice))
            if response_format is not None:
                response_format = openai_format(response_format, clean=clean)
        bound: dict[str, Any] = {
            "tools": rendered or None,
            "tool_choice": tool_choice,
            "parallel_tool_calls": parallel_tool_calls,
            "response_format": response_format,
        }
        given = {name: value for name, value in bound.items() if value is not None}
        return self.bind(**given, **kwargs)

    def with_structured_output(
        self,
        schema: Mapping[str, Any] | type | None = None,
        *,
        method: Literal["json_schema", "function_calling", "json_mode"] | None = None,
        include_raw: bool = False,
        strict: bool | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, Any]:
        """Makes the model answer with an object that fits a schema.

        Args:
            schema: A pydantic class (the answer is an instance), a TypedDict or a JSON schema (the
                answer is a dict).
            method: ``"json_schema"`` constrains the answer itself, ``"function_calling"`` forces a
                tool call, ``"json_mode"`` asks for any JSON; the prompt must then describe it.
                Default: ``"json_schema"``; a tool call with ``api="messages"``, which know none.
            include_raw: Return ``{"raw", "parsed", "parsing_error"}`` instead of raising.
            strict: Whether the schema is made strict, as OpenAI defines it.
            kwargs: Further options of the calls.

        Raises:
            UsageError: The method is unknown, or needs a schema and has none, or one that cannot be
                sent, or a further option holds a credential.
        """
        self._refuse_credentials(kwargs)
        from langchain_xai_lowcode._structured_output import build_structured_output  # noqa: PLC0415 - on first use

        with langchain_errors():
            return build_structured_output(
                lambda **bound: self.bind(**bound, **kwargs),
                lambda tools, **bound: self.bind_tools(tools, **bound, **kwargs),
                schema,
                method=method or ("function_calling" if self._is_plain(kwargs) else "json_schema"),
                include_raw=include_raw,
                strict=strict,
                clean=self._cleans(kwargs),
                parallel=None if self._is_plain(kwargs) else False,
            )

    def _is_plain(self, call: Mapping[str, Any]) -> bool:
        """Whether it is asked in messages, which know neither formats nor single calls."""
        return bool({"api": self.api, **self.model_kwargs, **call}["api"] == "messages")
