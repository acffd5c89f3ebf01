"""A plain answer of ``/v1/responses`` as our reply."""

from collections.abc import Iterator, Mapping
from typing import Any

from xai_lowcode.conversation import (
    ImagePart,
    Part,
    ReasoningPart,
    ServerToolPart,
    TextPart,
    ToolCallPart,
)
from xai_lowcode.errors import InternalServerError, UnreadableAnswerError
from xai_lowcode.reply import Choice, Citation, Reply, Usage, finish_reason

Json = Mapping[str, Any]

_SAID = frozenset({"message", "reasoning", "function_call", "image_generation_call"})


def read_reply(body: dict[str, Any]) -> Reply:
    """A plain answer.

    Raises:
        InternalServerError: xAI reports that the response failed.
        UnreadableAnswerError: It is no such answer.
    """
    output = body.get("output")
    if not isinstance(output, list) or not all(isinstance(item, dict) for item in output):
        raise UnreadableAnswerError("The answer holds no output.", body=body)
    check_failure(body)
    calls = [_read_call(item) for item in output if item.get("type") == "function_call"]
    choice = Choice(
        (*_read_thoughts(output), *_read_made(output), *_read_texts(output), *calls),
        read_finish(body, has_calls=bool(calls)),
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


def check_failure(body: Json) -> None:
    """Raises what xAI reports as the end of a response that failed."""
    error = body.get("error")
    if body.get("status") == "failed" or error:
        told = error if isinstance(error, dict) else {"message": error}
        raise InternalServerError(
            str(told.get("message") or "The response failed without a reason."),
            code=str(told["code"]) if told.get("code") else None,
            maker="provider",
            status_code=200,
            body=dict(body),
        )


def read_facts(body: Json) -> dict[str, Any]:
    """What a reply says of itself."""
    metadata = body.get("metadata")
    fingerprint = metadata.get("system_fingerprint") if isinstance(metadata, dict) else None
    return {
        "id": body.get("id") or "",
        "model": body.get("model") or "",
        "created": body.get("created_at"),
        "system_fingerprint": fingerprint,
        "service_tier": body.get("service_tier"),
    }


def read_finish(body: Json, *, has_calls: bool) -> str:
    """Why it ended: calls waiting count before the status, which then is "completed" too."""
    details = body.get("incomplete_details")
    reason = details.get("reason") if isinstance(details, dict) else None
    if body.get("status") == "incomplete" or reason:
        said = "length" if reason in {None, "max_output_tokens", "max_prompt_tokens"} else reason
        return finish_reason(said, has_calls=False)
    return finish_reason("stop", has_calls=has_calls)


def read_usage(usage: Any) -> Usage | None:
    """Usage in our accounting, which this form shares: reasoning is part of the output."""
    if not isinstance(usage, dict):
        return None
    tokens_in, tokens_out = usage.get("input_tokens") or 0, usage.get("output_tokens") or 0
    return Usage(
        tokens_in,
        tokens_out,
        usage.get("total_tokens") or tokens_in + tokens_out,
        (usage.get("input_tokens_details") or {}).get("cached_tokens"),
        (usage.get("output_tokens_details") or {}).get("reasoning_tokens"),
        usage.get("cost_in_usd_ticks"),
    )


def read_server_tool(item: Json) -> ServerToolPart | None:
    """A tool that xAI ran itself; None for any other item."""
    kind = item.get("type")
    if not isinstance(kind, str) or kind in _SAID or not kind.endswith("_call"):
        return None
    asked = item.get("arguments") or item.get("input") or _query(item) or ""
    return ServerToolPart(kind, str(item.get("id") or ""), str(item.get("name") or ""), str(asked))


def read_image(item: Json) -> ImagePart | None:
    """A picture that was made; None for any other item."""
    data = item.get("result") if item.get("type") == "image_generation_call" else None
    if not isinstance(data, str) or not data:
        return None
    kind = "png" if data.startswith("iVBORw0KGgo") else "jpeg"
    return ImagePart(
        data if data.startswith(("http", "data:")) else f"data:image/{kind};base64,{data}"
    )


def read_citation(annotation: Any) -> Citation | None:
    """A source with its place; None for what is none."""
    if not isinstance(annotation, dict) or not isinstance(annotation.get("url"), str):
        return None
    return Citation(
        annotation["url"],
        annotation.get("title") or None,
        annotation.get("start_index"),
        annotation.get("end_index"),
    )


def thoughts_of(item: Json) -> str:
    """What an item of reasoning shows."""
    shown = [*(item.get("summary") or ()), *(item.get("content") or ())]
    return "".join(str(part.get("text") or "") for part in shown if isinstance(part, dict))


def _query(item: Json) -> Any:
    action = item.get("action")
    return action.get("query") if isinstance(action, dict) else None


def _read_call(item: Json) -> ToolCallPart:
    return ToolCallPart(
        str(item.get("call_id") or ""),
        str(item.get("name") or ""),
        str(item.get("arguments") or ""),
    )


def _read_thoughts(output: list[Json]) -> Iterator[Part]:
    text = "".join(thoughts_of(item) for item in output if item.get("type") == "reasoning")
    if text:
        yield ReasoningPart(text)


def _read_made(output: list[Json]) -> Iterator[Part]:
    for item in output:
        made = read_image(item) or read_server_tool(item)
        if made is not None:
            yield made


def _read_texts(output: list[Json]) -> Iterator[Part]:
    text = "".join(_texts(output, "text"))
    if text:
        yield TextPart(text)


def _texts(output: list[Json], key: str) -> Iterator[str]:
    for content in _contents(output):
        if isinstance(content.get(key), str):
            yield content[key]


def _contents(output: list[Json]) -> Iterator[Json]:
    for item in output:
        if item.get("type") == "message":
            yield from (part for part in item.get("content") or () if isinstance(part, dict))


def _read_logprobs(output: list[Json]) -> Iterator[Json]:
    for content in _contents(output):
        yield from content.get("logprobs") or ()


def _read_citations(output: list[Json]) -> Iterator[Citation]:
    for content in _contents(output):
        for annotation in content.get("annotations") or ():
            if (citation := read_citation(annotation)) is not None:
                yield citation
