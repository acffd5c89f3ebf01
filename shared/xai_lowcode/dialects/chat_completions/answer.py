"""A plain answer of ``/v1/chat/completions`` as our reply."""

from collections.abc import Iterator, Mapping
from typing import Any

from xai_lowcode.conversation import ReasoningPart, TextPart, ToolCallPart
from xai_lowcode.errors import UnreadableAnswerError
from xai_lowcode.reply import Choice, Citation, Reply, Usage, finish_reason


def read_reply(body: dict[str, Any]) -> Reply:
    """A plain answer."""
    choices = body.get("choices")
    if not isinstance(choices, list) or not choices:
        raise UnreadableAnswerError("The answer holds no choices.", body=body)
    return Reply(
        choices=tuple(_read_choice(choice) for choice in choices),
        usage=read_usage(body.get("usage")),
        citations=tuple(read_citations(body)),
        raw=body,
        **read_facts(body),
    )


def read_facts(body: Mapping[str, Any]) -> dict[str, Any]:
    """What a reply says of itself, in a plain answer and in every chunk alike."""
    return {
        "id": body.get("id") or "",
        "model": body.get("model") or "",
        "created": body.get("created"),
        "system_fingerprint": body.get("system_fingerprint"),
        "service_tier": body.get("service_tier"),
    }


def _read_choice(choice: Mapping[str, Any]) -> Choice:
    message = choice.get("message") or {}
    calls = [_read_call(call) for call in message.get("tool_calls") or ()]
    reasoning, text = message.get("reasoning_content"), message.get("content")
    return Choice(
        (
            *((ReasoningPart(reasoning),) if reasoning else ()),
            *((TextPart(text),) if text else ()),
            *calls,
        ),
        finish_reason(choice.get("finish_reason"), has_calls=bool(calls)),
        read_logprobs(choice),
        message.get("refusal") or None,
    )


def _read_call(call: Mapping[str, Any]) -> ToolCallPart:
    function = call.get("function") or {}
    return ToolCallPart(
        call.get("id") or "", function.get("name") or "", function.get("arguments") or ""
    )


def read_logprobs(choice: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    """Probabilities of the tokens, as xAI gives them."""
    return tuple((choice.get("logprobs") or {}).get("content") or ())


def read_citations(body: Mapping[str, Any]) -> Iterator[Citation]:
    """Sources of the answer: chat completions give nothing but addresses."""
    for url in body.get("citations") or ():
        if isinstance(url, str):
            yield Citation(url)


def read_usage(usage: Any) -> Usage | None:
    """Usage in our accounting: reasoning counts as output, the total stays the service's."""
    if not isinstance(usage, dict):
        return None
    prompt, visible = usage.get("prompt_tokens") or 0, usage.get("completion_tokens") or 0
    prompt_details = usage.get("prompt_tokens_details") or {}
    reasoning = (usage.get("completion_tokens_details") or {}).get("reasoning_tokens")
    total = usage.get("total_tokens") or prompt + visible + (reasoning or 0)
    # total = prompt + completion + reasoning in every recorded body; should a body count reasoning
    # inside completion after all, total - prompt is right as well.
    output = total - prompt if total >= prompt + visible else visible + (reasoning or 0)
    return Usage(
        prompt,
        output,
        total,
        prompt_details.get("cached_tokens"),
        reasoning,
        usage.get("cost_in_usd_ticks"),
    )
