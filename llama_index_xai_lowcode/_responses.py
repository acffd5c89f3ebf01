"""Convert chat responses to LlamaIndex's responses; streams are in ``_stream``."""

from collections.abc import Iterable, Mapping
from typing import Any

from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    CitationBlock,
    CompletionResponse,
    LogProb,
    MessageRole,
    TextBlock,
)

from llama_index_xai_lowcode._messages import (
    SERVER_TOOL_CALLS,
    from_parts,
    from_server_tool_parts,
    from_stored_response,
    to_thinking_block,
)
from llama_index_xai_lowcode._request import PreparedRequest
from llama_index_xai_lowcode._tools import render_tool_calls
from xai_lowcode._internal.user_warnings import warn_user
from xai_lowcode.chat.stored_responses import describe_stored
from xai_lowcode.chat.tool_calls import parse_tool_calls
from xai_lowcode.types.messages import ImagePart, ToolCallPart
from xai_lowcode.types.responses import ChatResponse as XAIResponse
from xai_lowcode.types.responses import Choice, Citation, Usage

OTHER_CHOICES = "other_choices"
"""Key of ``additional_kwargs`` with the responses of all choices but the first."""

# Copied for each chunk: validation would cost more than the rest of the conversion.
_EMPTY_MESSAGE = ChatMessage(role=MessageRole.ASSISTANT, blocks=[])


def to_response(
    response: XAIResponse, prepared: PreparedRequest, *, delta: str | None = None
) -> ChatResponse:
    """Convert a response; those of further choices are in ``additional_kwargs``.

    Args:
        response: The response.
        prepared: The request that it belongs to.
        delta: Value of ``delta``; None for a response that was not streamed.
    """
    first, others = _to_choices(response, prepared)
    return first.model_copy(
        update={
            "raw": _with_token_counts(response.raw, response.usage),
            "delta": delta,
            "additional_kwargs": {
                **_token_counts(response.usage),
                **_response_metadata(response),
                **first.additional_kwargs,
                **({OTHER_CHOICES: others} if others else {}),
            },
        }
    )


def _to_choices(
    response: XAIResponse, prepared: PreparedRequest
) -> tuple[ChatResponse, list[ChatResponse]]:
    """Convert the first choice, and the others."""
    first, *others = (
        _to_choice(response, prepared, choice, response.usage if position == 0 else None)
        for position, choice in enumerate(response.choices)
    )
    return first, others


def _to_choice(
    response: XAIResponse, prepared: PreparedRequest, choice: Choice, usage: Usage | None
) -> ChatResponse:
    """Convert one choice, without the metadata of the response.

    Args:
        response: The response.
        prepared: The request that it belongs to.
        choice: The choice.
        usage: Usage of the call, for its first choice only.
    """
    calls = from_server_tool_parts(choice.parts)
    blocks: list[Any] = to_thinking_block(
        choice.reasoning,
        num_tokens=usage.reasoning_tokens if usage else None,
        items=choice.items,
        dialect=choice.dialect,
        server_tool_calls=calls,
    )
    blocks += from_parts(part for part in choice.parts if isinstance(part, ImagePart))
    message = build_message(
        blocks,
        choice.text,
        prepared.restore_tool_calls(_complete_tool_calls(choice)),
        from_stored_response(
            describe_stored(prepared.request, response.id, choice.dialect, choice.items)
        ),
    )
    message.blocks.extend(map(_to_citation_block, response.citations))
    if choice.refusal:
        message.additional_kwargs["refusal"] = choice.refusal
    return ChatResponse(
        message=message,
        logprobs=to_logprobs(choice.logprobs),
        additional_kwargs={
            "finish_reason": choice.finish_reason,
            **({SERVER_TOOL_CALLS: calls} if calls else {}),
        },
    )


def _complete_tool_calls(choice: Choice) -> list[ToolCallPart]:
    """Return the tool calls without a truncated one, of which nothing must remain.

    Calls with invalid arguments stay: agents report to the model that they were not run.
    """
    is_truncated = choice.finish_reason in {"length", "content_filter"}
    complete = []
    for call, arguments, error in parse_tool_calls(choice.tool_calls, choice.finish_reason):
        if arguments is None:
            warn_user(f"Tool call {call.name!r} is not run. {error}")
        if arguments is not None or not is_truncated:
            complete.append(call)
    return complete


def to_completion(response: ChatResponse) -> CompletionResponse:
    """Convert a chat response to a completion response."""
    additional_kwargs = dict(response.additional_kwargs)
    if others := additional_kwargs.get(OTHER_CHOICES):
        additional_kwargs[OTHER_CHOICES] = [to_completion(other) for other in others]
    return CompletionResponse(
        text=response.message.content or "",
        additional_kwargs=additional_kwargs,
        raw=response.raw,
        logprobs=response.logprobs,
        delta=response.delta,
    )


def build_message(
    blocks: list[Any], text: str, calls: list[ToolCallPart], additional_kwargs: dict[str, Any]
) -> ChatMessage:
    """Build a message; it always has a text block, since LlamaIndex prints the content None."""
    blocks.append(TextBlock(text=text))
    if calls:
        blocks.extend(from_parts(calls))
        additional_kwargs = {**additional_kwargs, "tool_calls": render_tool_calls(calls)}
    return _EMPTY_MESSAGE.model_copy(
        update={"blocks": blocks, "additional_kwargs": additional_kwargs}
    )


def _to_citation_block(citation: Citation) -> CitationBlock:
    location = {"start_index": citation.start, "end_index": citation.end}
    return CitationBlock(
        cited_content=TextBlock(text=""),  # xAI does not quote its sources.
        source=citation.url,
        title=citation.title or citation.url,
        additional_location_info={k: v for k, v in location.items() if v is not None},
    )


def _with_token_counts(raw: Mapping[str, Any], usage: Usage | None) -> Mapping[str, Any]:
    """Return the body with token counts by the names that LlamaIndex's callbacks and tracers read.

    Responses has other names, some streams report usage in a chunk before the last one, Chat
    Completions does not count reasoning tokens as output, and Messages does not count cached tokens
    as input.
    """
    raw_usage = raw.get("usage")
    if usage is None or not isinstance(raw_usage, dict | None):
        return raw
    counts = {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.total_tokens,
    }
    return {**raw, "usage": {**(raw_usage or {}), **counts}}


def _token_counts(usage: Usage | None) -> dict[str, Any]:
    """Return token counts, cost and all details; completion tokens include reasoning tokens."""
    if usage is None:
        return {}
    counts = {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.total_tokens,
        "cached_tokens": usage.cached_input_tokens,
        "reasoning_tokens": usage.reasoning_tokens,
        "cost_usd": usage.cost_usd,
        "token_usage": usage.to_token_usage(),
    }
    return {name: count for name, count in counts.items() if count is not None}


def _response_metadata(response: XAIResponse) -> dict[str, Any]:
    metadata = {
        **response.extra,
        "model": response.model,
        "id": response.id,
        "created": response.created,
        "system_fingerprint": response.system_fingerprint,
        "service_tier": response.service_tier,
        "citations": [citation.url for citation in response.citations],
    }
    return {name: value for name, value in metadata.items() if value}


def to_logprobs(tokens: Iterable[Mapping[str, Any]]) -> list[list[LogProb]] | None:
    """Return the log probability of each token, followed by those of its alternatives."""
    return [_with_alternatives(token) for token in tokens] or None


def _with_alternatives(token: Mapping[str, Any]) -> list[LogProb]:
    alternatives = token.get("top_logprobs") or ()
    return [
        _to_logprob(token),
        *(_to_logprob(t) for t in alternatives if t.get("token") != token.get("token")),
    ]


def _to_logprob(token: Mapping[str, Any]) -> LogProb:
    return LogProb(
        token=token.get("token") or "",
        logprob=token.get("logprob") or 0.0,
        bytes=token.get("bytes") or [],
    )
