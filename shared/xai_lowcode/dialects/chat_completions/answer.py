"""A plain answer of ``/v1/chat/completions`` as our reply."""

from collections.abc import Iterator, Mapping
from typing import Any, cast

from xai_lowcode.conversation import ReasoningPart, TextPart, ToolCallPart
from xai_lowcode.errors import UnreadableAnswerError
from xai_lowcode.reply import Choice, Citation, Reply, Usage, finish_reason


def read_reply(body: dict[str, Any]) -> Reply:
    """A plain answer."""
    choices = objects_of(body, "choices")
    if not choices:
        raise UnreadableAnswerError("The answer holds no choices.", body=body)
    return Reply(
        choices=tuple(_read_choice(choice) for choice in sorted(choices, key=_index)),
        usage=read_usage(body.get("usage")),
        citations=tuple(read_citations(body)),
        raw=body,
        api="chat_completions",
        **read_facts(body),
    )


def read_facts(body: Mapping[str, Any]) -> dict[str, Any]:
    """What a reply says of itself, in a plain answer and in every chunk alike."""
    return {
        "id": text_of(body, "id"),
        "model": text_of(body, "model"),
        "created": body.get("created"),
        "system_fingerprint": body.get("system_fingerprint"),
        "service_tier": body.get("service_tier"),
    }


def _index(choice: Mapping[str, Any]) -> int:
    index = choice.get("index")
    return index if isinstance(index, int) else 0


def _read_choice(choice: Mapping[str, Any]) -> Choice:
    message = object_of(choice, "message")
    calls = [_read_call(call) for call in objects_of(message, "tool_calls")]
    reasoning, text = text_of(message, "reasoning_content"), text_of(message, "content")
    return Choice(
        (
            *((ReasoningPart(reasoning),) if reasoning else ()),
            *((TextPart(text),) if text else ()),
            *calls,
        ),
        finish_reason(choice.get("finish_reason"), has_calls=bool(calls)),
        read_logprobs(choice),
        text_of(message, "refusal") or None,
    )


def _read_call(call: Mapping[str, Any]) -> ToolCallPart:
    function = object_of(call, "function")
    return ToolCallPart(
        text_of(call, "id"), text_of(function, "name"), text_of(function, "arguments")
    )


def read_logprobs(choice: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    """Probabilities of the tokens, as xAI gives them."""
    return tuple(objects_of(object_of(choice, "logprobs"), "content"))


def read_citations(body: Mapping[str, Any]) -> Iterator[Citation]:
    """Sources of the answer: chat completions give nothing but addresses."""
    urls = body.get("citations")
    if isinstance(urls, list):
        # Each once, as in a stream, whose last chunks repeat them.
        yield from map(Citation, dict.fromkeys(url for url in urls if isinstance(url, str)))


def read_usage(usage: Any) -> Usage | None:
    """Usage in our accounting: reasoning counts as output, the total stays the service's."""
    if not isinstance(usage, dict):
        return None
    prompt = _count(usage, "prompt_tokens") or 0
    visible = _count(usage, "completion_tokens") or 0
    reasoning = _count(usage.get("completion_tokens_details"), "reasoning_tokens")
    total = _count(usage, "total_tokens") or prompt + visible + (reasoning or 0)
    # total = prompt + completion + reasoning in every recorded body; should a body count reasoning
    # inside completion after all, total - prompt is right as well.
    output = total - prompt if total >= prompt + visible else visible + (reasoning or 0)
    return Usage(
        prompt,
        output,
        total,
        _count(usage.get("prompt_tokens_details"), "cached_tokens"),
        reasoning,
        _count(usage, "cost_in_usd_ticks"),
    )


def _count(holder: Any, name: str) -> int | None:
    # An odd figure is no reason to lose an answer.
    value = holder.get(name) if isinstance(holder, dict) else None
    return value if isinstance(value, int) else None


def text_of(holder: Mapping[str, Any], name: str) -> str:
    """A member that is text; empty where it is absent or null."""
    return cast("str", _of(holder, name, str)) or ""


def object_of(holder: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A member that is an object; empty where it is absent or null."""
    return cast("dict[str, Any]", _of(holder, name, dict)) or {}


def objects_of(holder: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """A member that is a list of objects; empty where it is absent or null."""
    items = cast("list[dict[str, Any]]", _of(holder, name, list)) or []
    if not all(isinstance(item, dict) for item in items):
        raise UnreadableAnswerError(f"{name!r} in the answer is not a list of objects.")
    return items


def _of(holder: Mapping[str, Any], name: str, kind: type) -> Any:
    value = holder.get(name)
    if value is not None and not isinstance(value, kind):
        raise UnreadableAnswerError(
            f"{name!r} in the answer is a {type(value).__name__}, not a {kind.__name__}.",
            body=holder,
        )
    return value
