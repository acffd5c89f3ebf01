"""A plain answer of ``/v1/chat/completions`` as our reply."""

from collections.abc import Iterator, Mapping
from typing import Any

from xai_lowcode.conversation import ReasoningPart, TextPart, ToolCallPart
from xai_lowcode.dialects.bodies import index_of, read_facts, read_usage
from xai_lowcode.errors import UnreadableAnswerError
from xai_lowcode.members import object_of, objects_of, odds_of, text_of
from xai_lowcode.reply import Choice, Citation, Reply, finish_reason


def read_reply(body: dict[str, Any]) -> Reply:
    """A plain answer."""
    choices = objects_of(body, "choices")
    if not choices:
        raise UnreadableAnswerError("The answer holds no choices.", body=body)
    return Reply(
        choices=tuple(_read_choice(choice) for choice in sorted(choices, key=index_of)),
        usage=read_usage(body.get("usage")),
        citations=tuple(read_citations(body)),
        raw=body,
        api="chat_completions",
        **read_facts(body),
    )


def is_complete(body: Mapping[str, Any]) -> bool:
    """Whether every choice has its finish reason."""
    return all(choice.get("finish_reason") for choice in objects_of(body, "choices"))


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
    return odds_of(object_of(choice, "logprobs"), "content")


def read_citations(body: Mapping[str, Any]) -> Iterator[Citation]:
    """Sources of the answer: chat completions give nothing but addresses."""
    urls = body.get("citations")
    if isinstance(urls, list):
        # Each once, as in a stream, whose last chunks repeat them.
        yield from map(Citation, dict.fromkeys(url for url in urls if isinstance(url, str)))
