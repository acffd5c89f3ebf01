"""Parse responses of Chat Completions (``/v1/chat/completions``)."""

from collections.abc import Iterator, Mapping
from typing import Any

from xai_lowcode._internal.parsing import (
    get_dict,
    get_dicts,
    get_logprobs,
    get_nonempty_str,
    get_str,
)
from xai_lowcode.chat.dialects.common import get_index, parse_extra, parse_metadata, parse_usage
from xai_lowcode.chat.tool_calls import with_unique_ids
from xai_lowcode.errors import InvalidResponseError
from xai_lowcode.types.messages import ImagePart, ReasoningPart, TextPart, ToolCallPart
from xai_lowcode.types.responses import ChatResponse, Choice, Citation, normalize_finish_reason

KNOWN_FIELDS = frozenset(
    {
        *("id", "object", "created", "model", "system_fingerprint", "service_tier"),
        *("choices", "usage", "citations"),
    }
)
"""Members of a response, or of a chunk, that are parsed, and the constant ``object``."""


def parse_response(body: dict[str, Any]) -> ChatResponse:
    """Parse a response body.

    Raises:
        InvalidResponseError: It has no choices, or a field of another type.
    """
    choices = get_dicts(body, "choices")
    if not choices:
        raise InvalidResponseError("The response has no choices.", body=body)
    return ChatResponse(
        choices=tuple(
            _parse_choice(choice, get_str(body, "id")) for choice in sorted(choices, key=get_index)
        ),
        usage=parse_usage(body.get("usage")),
        citations=tuple(parse_citations(body)),
        extra=parse_extra(body, KNOWN_FIELDS),
        raw=body,
        api="chat_completions",
        **parse_metadata(body),
    )


def is_complete(body: Mapping[str, Any]) -> bool:
    """Return whether every choice has a finish reason."""
    return all(choice.get("finish_reason") for choice in get_dicts(body, "choices"))


def _parse_choice(choice: Mapping[str, Any], response_id: str) -> Choice:
    message = get_dict(choice, "message")
    calls = [_parse_call(call) for call in get_dicts(message, "tool_calls")]
    reasoning, text = get_str(message, "reasoning_content"), get_str(message, "content")
    return Choice(
        (
            *((ReasoningPart(reasoning),) if reasoning else ()),
            *parse_images(message),
            *((TextPart(text),) if text else ()),
            *with_unique_ids(calls, response_id),
        ),
        normalize_finish_reason(choice.get("finish_reason"), has_calls=bool(calls)),
        parse_logprobs(choice),
        get_str(message, "refusal") or None,
    )


def _parse_call(call: Mapping[str, Any]) -> ToolCallPart:
    function = get_dict(call, "function")
    return ToolCallPart(
        get_str(call, "id"), get_str(function, "name"), get_str(function, "arguments")
    )


def parse_images(message: Mapping[str, Any]) -> list[ImagePart]:
    """Parse the generated images of a message or a delta."""
    images = message.get("images")
    urls = (
        get_nonempty_str(image.get("image_url"), "url")
        for image in (images if isinstance(images, list) else ())
        if isinstance(image, dict)
    )
    return [ImagePart(url) for url in urls if url]


def parse_logprobs(choice: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    """Parse the log probabilities of the tokens of a choice."""
    return get_logprobs(get_dict(choice, "logprobs"), "content")


def parse_citations(body: Mapping[str, Any]) -> Iterator[Citation]:
    """Yield the citations, which are URLs only, without duplicates."""
    urls = body.get("citations")
    if isinstance(urls, list):
        yield from map(Citation, dict.fromkeys(url for url in urls if isinstance(url, str)))
