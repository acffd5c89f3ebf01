"""A plain answer of ``/v1/responses`` as our reply."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from xai_lowcode._internal.data_urls import image_mime_type
from xai_lowcode._internal.parsing import get_int, get_list, get_logprobs, get_nonempty_str, get_str
from xai_lowcode.chat.dialects import common as bodies
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

CANCELLED = "The response was cancelled before it was complete."

_UNFINISHED = frozenset({None, "", "in_progress", "queued"})
_SAID = frozenset({"message", "reasoning", "function_call", "image_generation_call"})


def parse_response(body: dict[str, Any]) -> ChatResponse:
    """A plain answer.

    Raises:
        APIStatusError: xAI reports that the response failed.
        InvalidResponseError: It is no such answer.
    """
    output = body.get("output")
    if not isinstance(output, list) or not all(isinstance(item, dict) for item in output):
        raise InvalidResponseError("The answer holds no output.", body=body)
    check_status(body)
    if is_cancelled(body):
        raise InvalidResponseError(CANCELLED, body=body)
    said = tuple(parse_item(output))
    has_calls = any(isinstance(part, ToolCallPart) for part in said)
    choice = Choice(
        (*_parse_reasoning(output), *_parse_image_item(output), *said),
        parse_finish_reason(body, has_calls=has_calls),
        tuple(_parse_logprobs(output)),
        "".join(_texts(output, "refusal")) or None,
        tuple(output),
        "responses" if output else "",
    )
    return ChatResponse(
        choices=(choice,),
        usage=parse_usage(body.get("usage")),
        citations=tuple(_parse_citations(output)),
        raw=body,
        api="responses",
        **parse_metadata(body),
    )


def parse_item(output: Sequence[Json]) -> Iterator[Part]:
    """What the items say to the caller: the text, and the calls of the caller's tools."""
    text = "".join(_texts(output, "text"))
    if text:
        yield TextPart(text)
    for item in output:
        if item.get("type") == "function_call":
            yield _parse_call(item)


def check_status(body: Json) -> None:
    """Raises what xAI reports as the end of a response that failed."""
    error = body.get("error")
    if body.get("status") == "failed" or error:
        raise error_from_field(body, error)


def is_cancelled(body: Json) -> bool:
    """Whether the response was cancelled, so that it is not whole."""
    return bool(body.get("status") == "cancelled")


def is_complete(body: Json) -> bool:
    """Whether the status is that of a response that ended."""
    return body.get("status") not in _UNFINISHED


def parse_metadata(body: Json) -> dict[str, Any]:
    """What a reply says of itself."""
    return {
        "id": get_str(body, "id"),
        "model": get_str(body, "model"),
        "created": get_int(body, "created_at"),
        "system_fingerprint": get_nonempty_str(body.get("metadata"), "system_fingerprint"),
        "service_tier": get_nonempty_str(body, "service_tier"),
    }


def parse_finish_reason(body: Json, *, has_calls: bool) -> str:
    """Why it ended: calls waiting count before the status, which then is "completed" too."""
    reason = get_nonempty_str(body.get("incomplete_details"), "reason")
    if body.get("status") == "incomplete" or reason:
        said = "length" if reason in {None, "max_output_tokens", "max_prompt_tokens"} else reason
        return normalize_finish_reason(said, has_calls=False)
    return normalize_finish_reason("stop", has_calls=has_calls)


def parse_usage(usage: Any) -> Usage | None:
    """Usage in our accounting, which this form shares: reasoning is part of the output.

    xAI's documents show answers where it stands beside, and stored ones in the words of chat
    completions; no recorded answer is like that.
    """
    if not isinstance(usage, dict):
        return None
    if "prompt_tokens" in usage:
        return bodies.parse_usage(usage)
    tokens_in = get_int(usage, "input_tokens") or 0
    tokens_out = get_int(usage, "output_tokens") or 0
    total = get_int(usage, "total_tokens") or tokens_in + tokens_out
    return Usage(
        tokens_in,
        max(tokens_out, total - tokens_in),
        total,
        get_int(usage.get("input_tokens_details"), "cached_tokens"),
        get_int(usage.get("output_tokens_details"), "reasoning_tokens"),
        get_int(usage, "cost_in_usd_ticks"),
    )


def parse_server_tool(item: Json) -> ServerToolPart | None:
    """A tool that xAI ran itself; None for any other item."""
    kind = item.get("type")
    if not isinstance(kind, str) or kind in _SAID or not kind.endswith("_call"):
        return None
    asked = item.get("arguments") or item.get("input") or _query(item) or ""
    return ServerToolPart(
        kind,
        str(item.get("id") or ""),
        str(item.get("name") or ""),
        str(asked),
        _tool_result(item),
        item.get("error") is not None or item.get("status") == "failed",
    )


def parse_image(item: Json) -> ImagePart | None:
    """A picture that was made; None for any other item."""
    data = item.get("result") if item.get("type") == "image_generation_call" else None
    if not isinstance(data, str) or not data:
        return None
    is_url = data.startswith(("http", "data:"))
    return ImagePart(data if is_url else f"data:{image_mime_type(data)};base64,{data}")


def parse_citation(annotation: Any) -> Citation | None:
    """A source with its place; None for what is none."""
    if not isinstance(annotation, dict) or not isinstance(annotation.get("url"), str):
        return None
    return Citation(
        annotation["url"],
        get_nonempty_str(annotation, "title"),
        get_int(annotation, "start_index"),
        get_int(annotation, "end_index"),
    )


def reasoning_text(item: Json) -> str:
    """What an item of reasoning shows."""
    shown = [*get_list(item, "summary"), *get_list(item, "content")]
    return "".join(str(part.get("text") or "") for part in shown if isinstance(part, dict))


def _query(item: Json) -> Any:
    action = item.get("action")
    if not isinstance(action, dict):
        return _join(item.get("queries"))
    return action.get("query") or action.get("url")


def _join(queries: Any) -> str:
    return ", ".join(map(str, queries)) if isinstance(queries, list) else ""


def _tool_result(item: Json) -> Any:
    """What a tool gave back, wherever its kind keeps it."""
    action = item.get("action")
    sources = action.get("sources") if isinstance(action, dict) else None
    kept = (item.get(name) for name in ("error", "output", "outputs", "results"))
    return next((found for found in (*kept, sources) if found is not None), None)


def _parse_call(item: Json) -> ToolCallPart:
    return ToolCallPart(
        get_str(item, "call_id"),
        get_str(item, "name"),
        get_str(item, "arguments"),
    )


def _parse_reasoning(output: Sequence[Json]) -> Iterator[Part]:
    text = "".join(reasoning_text(item) for item in output if item.get("type") == "reasoning")
    if text:
        yield ReasoningPart(text)


def _parse_image_item(output: Sequence[Json]) -> Iterator[Part]:
    for item in output:
        made = parse_image(item) or parse_server_tool(item)
        if made is not None:
            yield made


def _texts(output: Sequence[Json], key: str) -> Iterator[str]:
    for content in _contents(output):
        if isinstance(content.get(key), str):
            yield content[key]


def _contents(output: Sequence[Json]) -> Iterator[Json]:
    for item in output:
        if item.get("type") == "message":
            yield from (part for part in get_list(item, "content") if isinstance(part, dict))


def _parse_logprobs(output: Sequence[Json]) -> Iterator[Json]:
    for content in _contents(output):
        yield from get_logprobs(content, "logprobs")


def _parse_citations(output: Sequence[Json]) -> Iterator[Citation]:
    for content in _contents(output):
        for annotation in get_list(content, "annotations"):
            if (citation := parse_citation(annotation)) is not None:
                yield citation
