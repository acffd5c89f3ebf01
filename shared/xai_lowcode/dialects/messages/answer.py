"""A plain answer of ``/v1/messages`` as our reply."""

from collections.abc import Mapping
from typing import Any

from xai_lowcode import codec
from xai_lowcode.conversation import ReasoningPart, TextPart, ToolCallPart
from xai_lowcode.errors import UnreadableAnswerError
from xai_lowcode.reply import Choice, Reply, Usage, finish_reason

_FINISH = {"end_turn": "stop", "stop_sequence": "stop", "max_tokens": "length", "tool_use": "stop"}


def read_reply(body: dict[str, Any]) -> Reply:
    """A plain answer.

    Raises:
        UnreadableAnswerError: It is no such answer.
    """
    content = body.get("content")
    if not isinstance(content, list) or not all(isinstance(block, dict) for block in content):
        raise UnreadableAnswerError("The answer holds no content.", body=body)
    thoughts = "".join(str(block.get("thinking") or "") for block in content)
    text = "".join(str(block.get("text") or "") for block in content)
    calls = [_read_call(block) for block in content if block.get("type") == "tool_use"]
    choice = Choice(
        (
            *((ReasoningPart(thoughts),) if thoughts else ()),
            *((TextPart(text),) if text else ()),
            *calls,
        ),
        read_finish(body.get("stop_reason"), has_calls=bool(calls)),
        items=tuple(content),
        form="messages" if content else "",
    )
    return Reply(
        choices=(choice,),
        id=body.get("id") or "",
        model=body.get("model") or "",
        usage=read_usage(body.get("usage")),
        api="messages",
        raw=body,
    )


def read_finish(said: Any, *, has_calls: bool) -> str:
    """Why it ended, in our words."""
    return finish_reason(_FINISH.get(said, said), has_calls=has_calls)


def read_usage(usage: Any) -> Usage | None:
    """Usage in our accounting: cached tokens stand beside the input here, and belong to it."""
    if not isinstance(usage, dict):
        return None
    cached = usage.get("cache_read_input_tokens")
    beside = (cached or 0) + (usage.get("cache_creation_input_tokens") or 0)
    tokens_in, tokens_out = (
        (usage.get("input_tokens") or 0) + beside,
        usage.get("output_tokens") or 0,
    )
    ticks = usage.get("cost_in_usd_ticks")
    return Usage(tokens_in, tokens_out, tokens_in + tokens_out, cached, cost_ticks=ticks)


def _read_call(block: Mapping[str, Any]) -> ToolCallPart:
    arguments = codec.dump(block.get("input") or {}).decode()
    return ToolCallPart(str(block.get("id") or ""), str(block.get("name") or ""), arguments)
