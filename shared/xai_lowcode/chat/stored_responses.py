"""Responses that xAI stores: which one a conversation can continue.

A stored response contains the conversation that it ends, so it can be continued only if the
messages still are this conversation. A digest of it is kept beside the id of the response. After
any change (another system prompt, an edited or removed message, a response that was truncated
client-side) the whole conversation is sent, since xAI offers no way to replace a part of it.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields, replace
from hashlib import blake2b
from importlib import import_module
from typing import Any

from xai_lowcode._internal import json
from xai_lowcode.errors import (
    APIStatusError,
    BadRequestError,
    InvalidResponseError,
    ModelNotFoundError,
    NotFoundError,
    PermissionDeniedError,
    RouteNotFoundError,
)
from xai_lowcode.types.messages import (
    Message,
    Part,
    StoredResponse,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    is_bare_reasoning,
)
from xai_lowcode.types.requests import ChatRequest

_CANNOT_DECRYPT = (
    r"(?is)"
    r"(?:de(?:crypt|code)|verif|invalid).*(?:encrypted|reasoning|compaction)"
    r"|(?:encrypted|compaction).*(?:de(?:crypt|code)|verif|invalid|unmodified)"
)

_INPUT_TYPES = (
    *("message", "function_call", "reasoning", "compaction", "shell_call", "custom_tool_call"),
    *("web_search_call", "x_search_call", "file_search_call", "code_interpreter_call"),
    "mcp_call",
)
"""Types of output items that xAI's OpenAPI document has as input; a type may be any JSON value."""

_DIGEST_SIZE = 12
"""Bytes; LlamaIndex's memory counts the digest as part of the message."""


def describe_stored(
    request: ChatRequest, response_id: str, dialect: str, items: Sequence[Mapping[str, Any]]
) -> StoredResponse | None:
    """Describe the response of a request for later requests; None if xAI did not store it.

    Args:
        request: The request, with the whole conversation.
        response_id: Id of the response.
        dialect: Dialect of the items; only Responses stores responses.
        items: Its output items as returned by xAI.
    """
    if not response_id or dialect != "responses" or not request.is_stored:
        return None
    # What xAI stored is in the items; the message may have been truncated client-side.
    parse_items = import_module("xai_lowcode.chat.dialects.responses.response").parse_output
    try:
        response = Message("assistant", tuple(parse_items(items)))
    except InvalidResponseError:
        return StoredResponse(response_id)
    # xAI rejects instructions together with the id of a response.
    if request.extra.get("instructions"):
        return StoredResponse(response_id)
    *_, digest = _iter_digests([*request.messages, response])
    return StoredResponse(response_id, digest)


def find_stored(messages: Sequence[Message]) -> tuple[str, int]:
    """Find the last stored response that the messages continue.

    Returns:
        Its id, and the number of messages up to it; an empty string and 0 if there is none. At
        least one message follows, since a request must have new input, and results of all its
        tool calls do.
    """
    found = "", 0
    candidates = [message.stored for message in messages[:-1]]
    if any(stored is not None and stored.conversation for stored in candidates):
        for count, digest in enumerate(_iter_digests(messages[:-1]), start=1):
            stored = candidates[count - 1]
            if (
                stored is not None
                and stored.conversation == digest
                and _is_answered(messages[count - 1], messages[count:])
            ):
                found = stored.id, count
    return found


def _is_answered(message: Message, following: Sequence[Message]) -> bool:
    """Return whether each tool call of a message has a result; dialects omit those without."""
    calls = {part.id for part in message.parts if isinstance(part, ToolCallPart)}
    results = {
        part.call_id
        for other in following
        for part in other.parts
        if isinstance(part, ToolResultPart)
    }
    return calls <= results


def without_stored(request: ChatRequest, error: Exception) -> ChatRequest | None:
    """Return the request with the whole conversation, if the stored response is gone.

    xAI deletes responses after 30 days or on request, and other accounts do not have them.

    Args:
        request: The request that failed.
        error: Its error.

    Returns:
        None if the request continues no response, or failed for another reason.
    """
    if not request.stored_messages or not _is_gone(request.previous_response_id or "", error):
        return None
    # Reasoning items without content refer to the stored response.
    return replace(
        request,
        messages=tuple(map(_without_bare_reasoning, request.messages)),
        previous_response_id=None,
        stored_messages=0,
    )


def without_rejected_reasoning(request: ChatRequest, error: BadRequestError) -> ChatRequest | None:
    """Return the request without reasoning items, if xAI cannot decrypt one of them.

    That happens after a change of the account or its key: the text of the conversation is enough.

    Args:
        request: The request that failed.
        error: Its error.

    Returns:
        None if the request failed for another reason, or has no reasoning items.
    """
    if not re.search(_CANNOT_DECRYPT, error.message):
        return None
    return _with_items(request, lambda item: item.get("type") != "reasoning")


def without_rejected_items(request: ChatRequest, error: BadRequestError) -> ChatRequest | None:
    """Return the request without output items of unknown types, if xAI rejects one as input.

    The text and the tool calls of the conversation are enough.

    Args:
        request: The request that failed.
        error: Its error.

    Returns:
        None if the request failed for another reason, or has no such items.
    """
    if "enum ModelInput" not in error.message:
        return None
    return _with_items(request, lambda item: item.get("type") in _INPUT_TYPES)


def _with_items(
    request: ChatRequest, is_kept: Callable[[Mapping[str, Any]], bool]
) -> ChatRequest | None:
    """Return the request with some of its output items; None if it has no others."""
    messages = []
    for message in request.messages:
        items = tuple(filter(is_kept, message.items))
        is_changed = message.dialect == "responses" and len(items) < len(message.items)
        messages.append(replace(message, items=items) if is_changed else message)
    if all(new is old for new, old in zip(messages, request.messages, strict=True)):
        return None
    return replace(request, messages=tuple(messages))


def _is_gone(response_id: str, error: Exception) -> bool:
    match error:
        case RouteNotFoundError() | ModelNotFoundError():
            return False
        case NotFoundError():
            return True
        case BadRequestError() | PermissionDeniedError():
            return _names_response(error, response_id)
        case _:
            return False


def _names_response(error: APIStatusError, response_id: str) -> bool:
    message = error.message.lower().replace("_", " ")
    return response_id.lower().replace("_", " ") in message or "previous response" in message


def _without_bare_reasoning(message: Message) -> Message:
    if message.dialect != "responses":
        return message
    items = tuple(item for item in message.items if not is_bare_reasoning(item))
    return message if len(items) == len(message.items) else replace(message, items=items)


def _iter_digests(messages: Iterable[Message]) -> Iterable[str]:
    """Yield the digest of the conversation up to each message."""
    digest = blake2b(digest_size=_DIGEST_SIZE)
    for message in messages:
        digest.update(repr(_to_comparable(message)).encode("utf-8", "surrogatepass"))
        yield digest.hexdigest()


def _to_comparable(message: Message) -> tuple[Any, ...]:
    """Return the content of a message as it survives a framework and its stores.

    Of assistant messages these are text and tool calls: reasoning and server-side tool calls are
    not in every store, and LlamaIndex's chat engines strip the text.
    """
    if message.role != "assistant":
        return message.role, message.name, tuple(map(_to_comparable_part, message.parts))
    text = "".join(part.text for part in message.parts if isinstance(part, TextPart))
    calls = [
        (part.id, part.name, _to_comparable_arguments(part.arguments))
        for part in message.parts
        if isinstance(part, ToolCallPart)
    ]
    return message.role, text.strip(), calls


def _to_comparable_part(part: Part) -> tuple[Any, ...]:
    if isinstance(part, ToolResultPart):
        return "ToolResultPart", part.call_id, *map(_to_comparable_part, part.content)
    # What is not compared, such as the block that a part is from, does not survive every store.
    values = (getattr(part, field.name) for field in fields(part) if field.compare)
    return type(part).__name__, *values


def _to_comparable_arguments(arguments: str) -> Any:
    """Return parsed arguments with sorted keys, since stores keep them as objects."""
    try:
        return _sort_keys(json.parse_arguments(arguments))
    except json.JSONDecodeError:
        return arguments


def _sort_keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sort_keys(value[key]) for key in sorted(value)}
    return [_sort_keys(item) for item in value] if isinstance(value, list) else value
