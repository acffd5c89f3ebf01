"""Our replies as LangChain's messages.

The same in pieces is in ``_chunks``, the way there in ``_messages``.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.messages import AIMessage, InvalidToolCall, ToolCall
from langchain_core.messages.ai import InputTokenDetails, OutputTokenDetails, UsageMetadata
from langchain_core.messages.tool import invalid_tool_call, tool_call
from langchain_core.outputs import ChatGeneration, ChatResult

from langchain_xai_lowcode._blocks import ITEMS, MODEL_PROVIDER, citation_blocks, made_blocks
from xai_lowcode import codec
from xai_lowcode.conversation import ToolCallPart
from xai_lowcode.events import Began
from xai_lowcode.reply import Choice, Citation, Reply, Usage


def to_result(reply: Reply, *, stored: bool, with_headers: bool) -> ChatResult:
    """A reply as a result: one generation for each choice.

    Args:
        reply: What the model answered.
        stored: Whether xAI was allowed to keep it.
        with_headers: Whether xAI's headers are to be told.
    """
    usage, told = to_usage(reply.usage), reply.raw.get("usage")
    output = {"model_name": reply.model, "token_usage": told if isinstance(told, dict) else {}}
    return ChatResult(
        generations=[
            ChatGeneration(
                message=_to_message(
                    reply, choice, usage if i == 0 else None, stored=stored, told=with_headers
                ),
                generation_info={"finish_reason": choice.finish_reason},
            )
            for i, choice in enumerate(reply.choices)
        ],
        llm_output=output,
    )


def _to_message(
    reply: Reply, choice: Choice, usage: UsageMetadata | None, *, stored: bool, told: bool
) -> AIMessage:
    calls, broken = _to_calls(choice.tool_calls)
    more = kept(reply.citations, choice.items, choice.form)
    if choice.reasoning:
        more["reasoning_content"] = choice.reasoning
    if choice.refusal:
        more["refusal"] = choice.refusal
    metadata = {
        **facts_of(reply),
        **(stored_as(reply.id, choice.form) if stored else {}),
        "finish_reason": choice.finish_reason,
        "model_provider": MODEL_PROVIDER,
    }
    if choice.logprobs:
        metadata["logprobs"] = {"content": list(choice.logprobs)}
    if reply.usage is not None and reply.usage.cost_usd is not None:
        metadata["cost_usd"] = reply.usage.cost_usd
    if told:
        metadata["headers"] = dict(reply.headers)
    return AIMessage(
        content=_to_content(choice),
        additional_kwargs=more,
        response_metadata=metadata,
        tool_calls=calls,
        invalid_tool_calls=broken,
        usage_metadata=usage,
        id=reply.id or None,
    )


def _to_content(choice: Choice) -> str | list[str | dict[Any, Any]]:
    """The text; with what the model made before it, in blocks."""
    made: list[str | dict[Any, Any]] = [
        block for part in choice.parts for block in made_blocks(part)
    ]
    if not made:
        return choice.text
    return [*made, {"type": "text", "text": choice.text}] if choice.text else made


def kept(
    citations: Sequence[Citation], items: Sequence[Mapping[str, Any]], form: str
) -> dict[str, Any]:
    """What ``additional_kwargs`` keep of an answer: its sources, and what xAI said verbatim."""
    more: dict[str, Any] = {}
    if citations:
        more["citations"] = [citation.url for citation in citations]
    if any(citation.title or citation.start is not None for citation in citations):
        more["annotations"] = citation_blocks(citations)
    if form:
        more[ITEMS] = {form: list(items)}
    return more


def stored_as(identifier: str, form: str) -> dict[str, Any]:
    """The id under which xAI keeps an answer that it was allowed to keep: responses alone are."""
    return {"response_id": identifier} if form == "responses" and identifier else {}


def facts_of(reply: Reply | Began) -> dict[str, Any]:
    """What a reply says of itself, as far as it does."""
    facts = {
        "model_name": reply.model,
        "created": reply.created,
        "system_fingerprint": reply.system_fingerprint,
        "service_tier": reply.service_tier,
    }
    return {name: fact for name, fact in facts.items() if fact}


def _to_calls(calls: tuple[ToolCallPart, ...]) -> tuple[list[ToolCall], list[InvalidToolCall]]:
    good, broken = [], []
    for call in calls:
        try:
            arguments = codec.load(call.arguments or "{}")
        except codec.JSONDecodeError as error:
            arguments, said = None, f"The arguments are not JSON: {error}"
        else:
            said = "The arguments are not a JSON object."
        if isinstance(arguments, dict):
            good.append(tool_call(name=call.name, args=arguments, id=call.id))
        else:
            broken.append(
                invalid_tool_call(name=call.name, args=call.arguments, id=call.id, error=said)
            )
    return good, broken


def to_usage(usage: Usage | None) -> UsageMetadata | None:
    """Usage in LangChain's form, details included where the service gave them."""
    if usage is None:
        return None
    metadata = UsageMetadata(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        total_tokens=usage.total_tokens,
    )
    if usage.cached_input_tokens is not None:
        metadata["input_token_details"] = InputTokenDetails(cache_read=usage.cached_input_tokens)
    if usage.reasoning_tokens is not None:
        metadata["output_token_details"] = OutputTokenDetails(reasoning=usage.reasoning_tokens)
    return metadata
