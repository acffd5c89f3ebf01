"""Parse responses of Responses (``/v1/responses``)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from xai_lowcode._internal import json
from xai_lowcode._internal.data_urls import image_mime_type
from xai_lowcode._internal.parsing import (
    dump_arguments,
    get_int,
    get_list,
    get_logprobs,
    get_nonempty_str,
    get_str,
)
from xai_lowcode.chat.dialects.common import parse_extra as parse_unknown_fields
from xai_lowcode.chat.dialects.common import parse_usage as parse_chat_completions_usage
from xai_lowcode.chat.tool_calls import with_unique_ids
from xai_lowcode.errors import InvalidResponseError
from xai_lowcode.protocol.error_mapping import error_from_field
from xai_lowcode.types.messages import (
    ImagePart,
    Part,
    ReasoningPart,
    ServerToolPart,
    TextPart,
    ToolCallPart,
)
from xai_lowcode.types.responses import (
    ChatResponse,
    Choice,
    Citation,
    Usage,
    normalize_finish_reason,
)

Json = Mapping[str, Any]

CANCELLED_MESSAGE = "The response was cancelled before it was complete."

_INCOMPLETE_STATUSES = frozenset({None, "", "in_progress", "queued"})
# Types of items that the caller executes.
_CALLER_TOOL_TYPES = frozenset({"function_call", "shell_call"})
# Members that are parsed, constants, and options of the request, which the response repeats.
_KNOWN_FIELDS = frozenset(
    {
        *("id", "object", "model", "created_at", "service_tier", "output", "usage", "error"),
        *("background", "frequency_penalty", "guidelines", "include", "instructions"),
        *("max_output_tokens", "max_tool_calls", "max_turns", "min_p", "parallel_tool_calls"),
        *("presence_penalty", "previous_response_id", "prompt_cache_key", "reasoning"),
        *("safety_identifier", "seed", "store", "temperature", "text", "tool_choice", "tools"),
        *("top_k", "top_logprobs", "top_p", "truncation", "user"),
    }
)


_RESULT_KEYS = ("error", "output", "outputs", "result", "results", "output_files")
_ITEM_KEYS = frozenset({"type", "id", "status", "name", *_RESULT_KEYS})
_ACTION_KEYS = frozenset({"type", "sources"})
_PLAIN_INPUT_KEYS = frozenset({"arguments", "input", "query", "url"})
# A tuple, since a value of any type may come.
_DEFAULT_ACTIONS = (None, "search")
_EMPTY: tuple[Any, ...] = (None, "", [], {})


def parse_response(body: dict[str, Any]) -> ChatResponse:
    """Parse a response body.

    Raises:
        APIStatusError: xAI reports that the response failed.
        InvalidResponseError: It has no output, a field of another type, or was cancelled.
    """
    output = body.get("output")
    if not isinstance(output, list) or not all(isinstance(item, dict) for item in output):
        raise InvalidResponseError("The response has no output.", body=body)
    check_status(body)
    if is_cancelled(body):
        raise InvalidResponseError(CANCELLED_MESSAGE, body=body)
    parts = with_unique_ids(parse_output(output), get_str(body, "id"))
    contents = get_contents(output)
    has_calls = any(isinstance(part, ToolCallPart) for part in parts)
    choice = Choice(
        (*_parse_reasoning(output), *_parse_server_side_parts(output), *parts),
        parse_finish_reason(body, has_calls=has_calls),
        tuple(_parse_logprobs(contents)),
        "".join(get_strings(contents, "refusal")) or None,
        tuple(output),
        "responses" if output else "",
    )
    return ChatResponse(
        choices=(choice,),
        usage=parse_usage(body.get("usage")),
        citations=tuple(parse_citations(contents)),
        extra=parse_extra(body),
        raw=body,
        api="responses",
        **parse_metadata(body),
    )


def parse_output(output: Sequence[Json]) -> tuple[TextPart | ToolCallPart, ...]:
    """Return the text and the tool calls of output items."""
    calls = [call for item in output if (call := parse_tool_call(item)) is not None]
    text = "".join(parse_texts(output))
    return (TextPart(text), *calls) if text else tuple(calls)


def parse_texts(output: Iterable[Json]) -> list[str]:
    """Return the text of each message of the assistant."""
    return [
        "".join(get_strings(get_list(item, "content"), "text"))
        for item in output
        if is_assistant_message(item)
    ]


def parse_extra(body: Json) -> dict[str, Any]:
    """Return the members of a response without a field of their own."""
    return parse_unknown_fields(body, _KNOWN_FIELDS)


def check_status(body: Json) -> None:
    """Check that a response did not fail.

    Raises:
        APIStatusError: It did.
    """
    error = body.get("error")
    if body.get("status") == "failed" or error:
        raise error_from_field(body, error)


def is_cancelled(body: Json) -> bool:
    """Return whether a response was cancelled."""
    return bool(body.get("status") == "cancelled")


def is_complete(body: Json) -> bool:
    """Return whether a response has a terminal status."""
    return body.get("status") not in _INCOMPLETE_STATUSES


def parse_metadata(body: Json) -> dict[str, Any]:
    """Parse the metadata of a response."""
    return {
        "id": get_str(body, "id"),
        "model": get_str(body, "model"),
        "created": get_int(body, "created_at"),
        "system_fingerprint": get_nonempty_str(body.get("metadata"), "system_fingerprint"),
        "service_tier": get_nonempty_str(body, "service_tier"),
    }


def parse_finish_reason(body: Json, *, has_calls: bool) -> str:
    """Return the finish reason.

    The status of a response with tool calls is "completed", too.
    """
    reason = get_nonempty_str(body.get("incomplete_details"), "reason")
    if body.get("status") == "incomplete" or reason:
        is_length = reason in {None, "max_output_tokens", "max_prompt_tokens"}
        return normalize_finish_reason("length" if is_length else reason, has_calls=False)
    return normalize_finish_reason("stop", has_calls=has_calls)


def parse_usage(usage: Any) -> Usage | None:
    """Parse the usage, whose output tokens include reasoning in every recorded response.

    xAI's documentation also shows responses whose output tokens do not include reasoning, and
    stored responses with the fields of Chat Completions.
    """
    if not isinstance(usage, dict):
        return None
    if "prompt_tokens" in usage:
        return parse_chat_completions_usage(usage)
    input_tokens = get_int(usage, "input_tokens") or 0
    output_tokens = get_int(usage, "output_tokens") or 0
    total = get_int(usage, "total_tokens") or input_tokens + output_tokens
    return Usage(
        input_tokens,
        max(output_tokens, total - input_tokens),
        total,
        get_int(usage.get("input_tokens_details"), "cached_tokens"),
        get_int(usage.get("output_tokens_details"), "reasoning_tokens"),
        get_int(usage, "cost_in_usd_ticks"),
        usage,
    )


def parse_server_side_parts(item: Json) -> Iterator[ServerToolPart | ImagePart]:
    """Yield the call of a server-side tool and the image that it generated, if the item has any.

    A message that is not the assistant's is the output of a tool.
    """
    kind = item.get("type")
    if not isinstance(kind, str) or kind in _CALLER_TOOL_TYPES:
        return
    if kind == "message" and not is_assistant_message(item):
        yield _parse_server_tool_call(kind, {**item, "content": None}, item.get("content"))
    elif (image := _parse_image(item)) is not None:
        yield _parse_server_tool_call(kind, item, None)
        yield image
    elif kind.endswith("_call"):
        yield _parse_server_tool_call(kind, item, _get_result(item))


def _parse_server_tool_call(kind: str, item: Json, result: Any) -> ServerToolPart:
    status = get_nonempty_str(item, "status") or ""
    return ServerToolPart(
        kind,
        str(item.get("id") or ""),
        str(item.get("name") or ""),
        _get_input(item),
        result,
        item.get("error") is not None or status == "failed",
        "" if status == "completed" else status,
    )


def is_assistant_message(item: Json) -> bool:
    """Return whether an item is a message of the assistant, whose content is the response."""
    return item.get("type") == "message" and item.get("role") in (None, "", "assistant")


def _parse_image(item: Json) -> ImagePart | None:
    data = item.get("result") if item.get("type") == "image_generation_call" else None
    if not isinstance(data, str) or not data:
        return None
    is_url = data.startswith(("http", "data:"))
    return ImagePart(data if is_url else f"data:{image_mime_type(data)};base64,{data}")


def parse_citation(annotation: Any, text_start: int) -> Citation | None:
    """Parse a citation; None for an annotation without a URL.

    Args:
        annotation: The annotation; its indices count from the start of the text that it belongs to.
        text_start: Start of that text in the text of the response.
    """
    if not isinstance(annotation, dict) or not isinstance(annotation.get("url"), str):
        return None
    start, end = (get_int(annotation, key) for key in ("start_index", "end_index"))
    return Citation(
        annotation["url"],
        get_nonempty_str(annotation, "title"),
        None if start is None else text_start + start,
        None if end is None else text_start + end,
    )


def _get_input(item: Json) -> str:
    """Return the input of a server-side tool: everything that is not its output.

    A single string is returned as it is, several fields as a JSON object.
    """
    fields = {key: item[key] for key in item if key not in _ITEM_KEYS and item[key] not in _EMPTY}
    action = fields.pop("action", None)
    if isinstance(action, dict):
        fields |= {key: action[key] for key in action if key not in _ACTION_KEYS}
        if action.get("type") not in _DEFAULT_ACTIONS:
            fields["action"] = action["type"]
        fields = {key: value for key, value in fields.items() if value not in _EMPTY}
    if len(fields) == 1:
        ((key, value),) = fields.items()
        if key in _PLAIN_INPUT_KEYS and isinstance(value, str):
            return value
        if key == "queries" and isinstance(value, list):
            return ", ".join(map(str, value))
    if not fields:
        return ""
    with suppress(json.JSONDecodeError):
        arguments = fields.get("arguments")
        if isinstance(arguments, str):
            fields = {**json.parse_arguments(arguments), **fields}
            del fields["arguments"]
    return dump_arguments(fields)


def _get_result(item: Json) -> Any:
    """Return the result of a server-side tool, whose key depends on the tool."""
    action = item.get("action")
    results = {key: item[key] for key in _RESULT_KEYS if item.get(key) is not None}
    if isinstance(action, dict) and action.get("sources") is not None:
        results["sources"] = action["sources"]
    if len(results) == 1:
        return next(iter(results.values()))
    return results or None


def parse_tool_call(item: Json) -> ToolCallPart | None:
    """Parse a call that the caller executes; None for any other item.

    The arguments of a call of xAI's shell tool are its action, with the environment.
    """
    match item.get("type"):
        case "function_call":
            name, arguments = get_str(item, "name"), get_str(item, "arguments")
        case "shell_call":
            name, arguments = "shell", _get_input({**item, "call_id": None}) or "{}"
        case _:
            return None
    return ToolCallPart(get_str(item, "call_id"), name, arguments)


def _parse_reasoning(output: Sequence[Json]) -> Iterator[Part]:
    text = "".join(get_reasoning(item) for item in output if item.get("type") == "reasoning")
    if text:
        yield ReasoningPart(text)


def get_reasoning(item: Json) -> str:
    """Return the reasoning content of a reasoning item."""
    parts = [*get_list(item, "summary"), *get_list(item, "content")]
    return "".join(str(part.get("text") or "") for part in parts if isinstance(part, dict))


def _parse_server_side_parts(output: Sequence[Json]) -> Iterator[Part]:
    for item in output:
        yield from parse_server_side_parts(item)


def get_strings(contents: Iterable[Any], key: str) -> list[str]:
    """Return the strings with a key in contents."""
    return [
        content[key]
        for content in contents
        if isinstance(content, dict) and isinstance(content.get(key), str)
    ]


def get_contents(output: Iterable[Json]) -> list[Json]:
    """Return the contents of the assistant's messages."""
    return [
        content
        for item in output
        if is_assistant_message(item)
        for content in get_list(item, "content")
        if isinstance(content, dict)
    ]


def _parse_logprobs(contents: Iterable[Json]) -> Iterator[Json]:
    for content in contents:
        yield from get_logprobs(content, "logprobs")


def parse_citations(contents: Iterable[Json], text_start: int = 0) -> Iterator[Citation]:
    """Yield the citations of contents.

    Args:
        contents: The contents of messages, in order.
        text_start: Start of the text of the first one in the text of the response.
    """
    for content in contents:
        for annotation in get_list(content, "annotations"):
            if (citation := parse_citation(annotation, text_start)) is not None:
                yield citation
        text_start += len(content["text"]) if isinstance(content.get("text"), str) else 0
