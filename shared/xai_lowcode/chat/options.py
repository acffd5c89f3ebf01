"""Build chat requests from the options of a framework: aliases, layers, tools, stored responses.

Both frameworks need the same: aliases, layers of defaults and call options, tools, stored
responses. An adapter converts messages and tools and calls ``build_request``. The options are the
fields of ``types.requests.ChatRequest``.
"""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from xai_lowcode._internal.unknown_parameters import warn_unknown_parameters
from xai_lowcode.chat.openai_format import parse_response_format, parse_tool_choice
from xai_lowcode.chat.stored_responses import find_stored
from xai_lowcode.errors import UsageError
from xai_lowcode.types.messages import Message
from xai_lowcode.types.requests import (
    OPTIONS,
    ChatRequest,
    NamedTool,
    PollingOptions,
    ResponseFormat,
    ServerTool,
    ToolSpec,
    parse_polling,
)

ALIASES = {
    "max_completion_tokens": "max_tokens",
    "max_output_tokens": "max_tokens",
    "stop_sequences": "stop",
}
"""Names of options that other chat models use."""

BODY_OPTIONS = frozenset({"extra_body", "model_kwargs", "additional_kwargs"})
"""Names of options whose keys join the options. Unknown keys are sent without a warning."""

KNOWN_OPTIONS = (
    OPTIONS
    | ALIASES.keys()
    | BODY_OPTIONS
    | {"model", "reasoning", "stream", "stream_options", "use_previous_response_id"}
)
"""Names of the options of a call that ``build_request`` and ``normalize_options`` understand."""

MAX_NAME_LENGTH = 64
"""Length of the name of a tool or schema, in characters."""

_INVALID_IN_NAMES = re.compile(r"[^a-zA-Z0-9_-]+")
_REASONING_KEYS = frozenset({"effort", "summary"})


def sanitize_name(name: str) -> str:
    """Replace what xAI does not accept in the name of a tool or schema by ``_``.

    Example:
        >>> sanitize_name("Person[str]")
        'Person_str_'
    """
    return _INVALID_IN_NAMES.sub("_", name)[:MAX_NAME_LENGTH]


def normalize_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Rename the options of other chat models.

    ``stream`` is dropped: the method that is called decides. The keys of ``extra_body``,
    ``model_kwargs`` and ``additional_kwargs`` join the options.

    Raises:
        UsageError: ``reasoning`` is not a dict with ``effort`` or ``summary``, or one of the three
            is not a dict.

    Example:
        >>> normalize_options({"max_completion_tokens": 5, "reasoning": {"effort": "low"}})
        {'max_tokens': 5, 'reasoning_effort': 'low'}
    """
    normalized: dict[str, Any] = {}
    for name, value in options.items():
        match name:
            case "stream":
                continue
            case str() if name in BODY_OPTIONS:
                if value is not None and not isinstance(value, Mapping):
                    raise UsageError(f"{name}: must be a dict, not {value!r}.", field=name)
                keys = dict(value or {})
                normalized |= keys if name == "extra_body" else normalize_options(keys)
            case "stream_options":
                normalized["stream_usage"] = (value or {}).get("include_usage", True)
            case "reasoning":
                normalized |= _parse_reasoning(value)
            case _:
                normalized[ALIASES.get(name, name)] = value
    return normalized


def _parse_reasoning(reasoning: Any) -> dict[str, Any]:
    if reasoning is None:
        return {}
    if not isinstance(reasoning, Mapping) or not reasoning.keys() <= _REASONING_KEYS:
        raise UsageError(
            f"reasoning: expected a dict with 'effort' or 'summary', got {reasoning!r}.",
            field="reasoning",
        )
    return {f"reasoning_{name}": value for name, value in reasoning.items() if value is not None}


def merge_options(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Merge layers of options; later layers win, and None removes an option."""
    merged: dict[str, Any] = {}
    for layer in layers:
        merged |= normalize_options(layer)
    return {name: value for name, value in merged.items() if value is not None}


def warn_unknown_options(
    options: Collection[str], *, internal: Collection[str] = (), fields: Collection[str] = ()
) -> None:
    """Warn about options of a call that become keys of the request body because none knows them.

    Args:
        options: Names of the options of the call.
        internal: Names that the framework passes.
        fields: Names of fields of the model that are not options of a call.
    """
    warn_unknown_parameters(
        options,
        KNOWN_OPTIONS | frozenset(internal),
        destination="sent in the request body",
        fields=fields,
    )


def build_request(
    messages: Sequence[Message],
    options: dict[str, Any],
    *,
    to_tool: Callable[[Any], ToolSpec | ServerTool],
    to_response_format: Callable[[Any], ResponseFormat | None] = parse_response_format,
) -> ChatRequest:
    """Build the request of one call.

    Args:
        messages: The conversation.
        options: Merged options, ``model`` included; they are consumed. Unknown ones become keys of
            the request body.
        to_tool: Converts a tool of the framework, or one in OpenAI's format.
        to_response_format: Converts a response format of the framework.

    Raises:
        UsageError: An option has an invalid value.
    """
    stored_messages = 0
    if options.pop("use_previous_response_id", False):
        stored_messages = resume_from_stored(messages, options)
    tools = [*(options.pop("tools", None) or ()), *(options.pop("server_tools", None) or ())]
    converted = [to_tool(tool) for tool in tools]
    stop = options.pop("stop", None) or ()
    specs = tuple(tool for tool in converted if isinstance(tool, ToolSpec))
    choice = parse_tool_choice(options.pop("tool_choice", None))
    if isinstance(choice, NamedTool) and all(spec.name != choice.name for spec in specs):
        choice = NamedTool(sanitize_name(choice.name))
    response_format = to_response_format(options.pop("response_format", None))
    if response_format is not None:
        # Frameworks take the name of the class, for instance ``Page[int]``.
        response_format = replace(response_format, name=sanitize_name(response_format.name))
    return ChatRequest(
        model=options.pop("model", ""),
        messages=messages,
        stored_messages=stored_messages,
        tools=specs,
        server_tools=tuple(tool for tool in converted if isinstance(tool, ServerTool)),
        tool_choice=choice,
        response_format=response_format,
        stop=(stop,) if isinstance(stop, str) else stop,
        include=options.pop("include", None) or (),
        **{name: options.pop(name) for name in OPTIONS & options.keys()},
        extra=options,
    )


def resume_from_stored(messages: Sequence[Message], options: dict[str, Any]) -> int:
    """Set ``previous_response_id`` to the last stored response that the messages continue.

    Args:
        messages: The conversation; ``Message.stored`` describes stored responses.
        options: Options of the request; ``api``, ``store`` and ``previous_response_id`` are set.

    Returns:
        The number of messages that the response contains; 0 if the whole conversation is sent,
        also if the caller has set ``previous_response_id``.

    Raises:
        UsageError: ``api`` is set to an API that stores no responses.
    """
    api = options.get("api", "auto")
    if api not in {"auto", "responses"}:
        raise UsageError(
            f"use_previous_response_id: not supported by {api}.",
            field="use_previous_response_id",
            hint="Leave api unset, or set it to 'responses'.",
        )
    options["api"] = "responses"
    if options.get("store") is None:
        options["store"] = True
    # xAI rejects instructions together with the id of a response.
    if options.get("previous_response_id") or options.get("instructions"):
        return 0
    response_id, count = find_stored(messages)
    if count:
        options["previous_response_id"] = response_id
    return count


def refuse_deferred_stream(deferred: Any) -> None:
    """Check that a call that streams is not deferred.

    Raises:
        UsageError: It is.
    """
    if parse_polling(deferred) is not None:
        raise UsageError(
            "deferred: not supported when streaming.",
            field="deferred",
            hint="Use a method that does not stream.",
        )


def polling_options(options: dict[str, Any], default: Any) -> PollingOptions | None:
    """Take ``deferred`` out of the options of a call.

    Args:
        options: Options of the call.
        default: The value where the call sets none.
    """
    return parse_polling(options.pop("deferred", default))
