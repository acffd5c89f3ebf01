"""A plain answer of ``/v1/responses`` as our reply."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from xai_lowcode.classification import failure_in
from xai_lowcode.conversation import (
    ImagePart,
    Part,
    ReasoningPart,
    ServerToolPart,
    TextPart,
    ToolCallPart,
)
from xai_lowcode.data_urls import type_of_picture
from xai_lowcode.dialects import bodies
from xai_lowcode.errors import UnreadableAnswerError
from xai_lowcode.members import count_of, list_of, odds_of, text_of, word_of
from xai_lowcode.reply import Choice, Citation, Reply, Usage, finish_reason

Json = Mapping[str, Any]

CANCELLED = "The response was cancelled before it was complete."

_UNFINISHED = frozenset({None, "", "in_progress", "queued"})
_SAID = frozenset({"message", "reasoning", "function_call", "image_generation_call"})


def read_reply(body: dict[str, Any]) -> Reply:
    """A plain answer.

    Raises:
        APIStatusError: xAI reports that the response failed.
        UnreadableAnswerError: It is no such answer.
    """
    output = body.get("output")
    if not isinstance(output, list) or not all(isinstance(item, dict) for item in output):
        raise UnreadableAnswerError("The answer holds no output.", body=body)
    check_failure(body)
    if is_cancelled(body):
        raise UnreadableAnswerError(CANCELLED, body=body)
    said = tuple(read_said(output))
    has_calls = any(isinstance(part, ToolCallPart) for part in said)
    choice = Choice(
        (*_read_thoughts(output), *_read_made(output), *said),
        read_finish(body, has_calls=has_calls),
        tuple(_read_logprobs(output)),
        "".join(_texts(output, "refusal")) or None,
        tuple(output),
        "responses" if output else "",
    )
    return Reply(
        choices=(choice,),
        usage=read_usage(body.get("usage")),
        citations=tuple(_read_citations(output)),
        raw=body,
        api="responses",
        **read_facts(body),
    )


def read_said(output: Sequence[Json]) -> Iterator[Part]:
    """What the items say to the caller: the text, and the calls of the caller's tools."""
    text = "".join(_texts(output, "text"))
    if text:
        yield TextPart(text)
    for item in output:
        if item.get("type") == "function_call":
            yield _read_call(item)


def check_failure(body: Json) -> None:
    """Raises what xAI reports as the end of a response that failed."""
    error = body.get("error")
    if body.get("status") == "failed" or error:
        raise failure_in(body, error)


def is_cancelled(body: Json) -> bool:
    """Whether the response was cancelled, so that it is not whole."""
    return bool(body.get("status") == "cancelled")


def is_complete(body: Json) -> bool:
    """Whether the status is that of a response that ended."""
    return body.get("status") not in _UNFINISHED


def read_facts(body: Json) -> dict[str, Any]:
    """What a reply says of itself."""
    return {
        "id": text_of(body, "id"),
        "model": text_of(body, "model"),
        "created": count_of(body, "created_at"),
        "system_fingerprint": word_of(body.get("metadata"), "system_fingerprint"),
        "service_tier": word_of(body, "service_tier"),
    }


def read_finish(body: Json, *, has_calls: bool) -> str:
    """Why it ended: calls waiting count before the status, which then is "completed" too."""
    reason = word_of(body.get("incomplete_details"), "reason")
    if body.get("status") == "incomplete" or reason:
        said = "length" if reason in {None, "max_output_tokens", "max_prompt_tokens"} else reason
        return finish_reason(said, has_calls=False)
    return finish_reason("stop", has_calls=has_calls)


def read_usage(usage: Any) -> Usage | None:
    """Usage in our accounting, which this form shares: reasoning is part of the output.

    xAI's documents show answers where it stands beside, and stored ones in the words of chat
    completions; no recorded answer is like that.
    """
    if not isinstance(usage, dict):
        return None
    if "prompt_tokens" in usage:
        return bodies.read_usage(usage)
    tokens_in = count_of(usage, "input_tokens") or 0
    tokens_out = count_of(usage, "output_tokens") or 0
    total = count_of(usage, "total_tokens") or tokens_in + tokens_out
    return Usage(
        tokens_in,
        max(tokens_out, total - tokens_in),
        total,
        count_of(usage.get("input_tokens_details"), "cached_tokens"),
        count_of(usage.get("output_tokens_details"), "reasoning_tokens"),
        count_of(usage, "cost_in_usd_ticks"),
    )


def read_server_tool(item: Json) -> ServerToolPart | None:
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
        _result(item),
        item.get("error") is not None or item.get("status") == "failed",
    )


def read_image(item: Json) -> ImagePart | None:
    """A picture that was made; None for any other item."""
    data = item.get("result") if item.get("type") == "image_generation_call" else None
    if not isinstance(data, str) or not data:
        return None
    is_url = data.startswith(("http", "data:"))
    return ImagePart(data if is_url else f"data:{type_of_picture(data)};base64,{data}")


def read_citation(annotation: Any) -> Citation | None:
    """A source with its place; None for what is none."""
    if not isinstance(annotation, dict) or not isinstance(annotation.get("url"), str):
        return None
    return Citation(
        annotation["url"],
        word_of(annotation, "title"),
        count_of(annotation, "start_index"),
        count_of(annotation, "end_index"),
    )


def thoughts_of(item: Json) -> str:
    """What an item of reasoning shows."""
    shown = [*list_of(item, "summary"), *list_of(item, "content")]
    return "".join(str(part.get("text") or "") for part in shown if isinstance(part, dict))


def _query(item: Json) -> Any:
    action = item.get("action")
    if not isinstance(action, dict):
        return _joined(item.get("queries"))
    return action.get("query") or action.get("url")


def _joined(queries: Any) -> str:
    return ", ".join(map(str, queries)) if isinstance(queries, list) else ""


def _result(item: Json) -> Any:
    """What a tool gave back, wherever its kind keeps it."""
    action = item.get("action")
    sources = action.get("sources") if isinstance(action, dict) else None
    kept = (item.get(name) for name in ("error", "output", "outputs", "results"))
    return next((found for found in (*kept, sources) if found is not None), None)


def _read_call(item: Json) -> ToolCallPart:
    return ToolCallPart(
        text_of(item, "call_id"),
        text_of(item, "name"),
        text_of(item, "arguments"),
    )


def _read_thoughts(output: Sequence[Json]) -> Iterator[Part]:
    text = "".join(thoughts_of(item) for item in output if item.get("type") == "reasoning")
    if text:
        yield ReasoningPart(text)


def _read_made(output: Sequence[Json]) -> Iterator[Part]:
    for item in output:
        made = read_image(item) or read_server_tool(item)
        if made is not None:
            yield made


def _texts(output: Sequence[Json], key: str) -> Iterator[str]:
    for content in _contents(output):
        if isinstance(content.get(key), str):
            yield content[key]


def _contents(output: Sequence[Json]) -> Iterator[Json]:
    for item in output:
        if item.get("type") == "message":
            yield from (part for part in list_of(item, "content") if isinstance(part, dict))


def _read_logprobs(output: Sequence[Json]) -> Iterator[Json]:
    for content in _contents(output):
        yield from odds_of(content, "logprobs")


def _read_citations(output: Sequence[Json]) -> Iterator[Citation]:
    for content in _contents(output):
        for annotation in list_of(content, "annotations"):
            if (citation := read_citation(annotation)) is not None:
                yield citation
