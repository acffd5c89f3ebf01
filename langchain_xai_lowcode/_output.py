"""Convert core responses to LangChain's messages.

Streams are in ``_stream``; the other direction is in ``_input``.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import reduce
from typing import TYPE_CHECKING, Any, cast

from langchain_core.messages import AIMessage, InvalidToolCall, ToolCall
from langchain_core.messages.ai import InputTokenDetails, OutputTokenDetails, UsageMetadata
from langchain_core.messages.tool import invalid_tool_call, tool_call
from langchain_core.outputs import ChatGeneration, ChatResult

from xai_lowcode._internal import json
from xai_lowcode._internal.data_urls import split_data_url
from xai_lowcode.chat.stored_responses import describe_stored
from xai_lowcode.chat.tool_calls import parse_tool_calls
from xai_lowcode.types.messages import (
    MODEL_PROVIDER,
    ImagePart,
    Part,
    ServerToolPart,
    StoredResponse,
)
from xai_lowcode.types.requests import ChatRequest
from xai_lowcode.types.responses import ChatResponse, Choice, Citation, Usage

if TYPE_CHECKING:
    from xai_lowcode.types.events import ResponseStarted

Block = dict[str, Any]

ITEMS = "xai_items"
"""Key of ``additional_kwargs`` with a dict of one key: the dialect, and its list of output items.

The dialect is a key, since LangChain concatenates string values when it merges messages.
"""

OUTPUT_BLOCKS = "output_blocks"
"""Key of ``additional_kwargs`` with content blocks that are no text: generated images, and calls of
server-side tools with their results.

They are not in ``content``, which other providers' classes send as it is. The translator in
``_output_blocks`` adds them to ``content_blocks``; see ``build_output_blocks`` for ``position``.
"""

# LangChain merges blocks with the same index, also if other blocks are between them.
TEXT_INDEX, REASONING_INDEX, REFUSAL_INDEX = "lc_txt_0", "lc_rs_0", "lc_rf_0"

# Copied for each response: validation takes longer than the rest of the conversion.
_EMPTY_MESSAGE = AIMessage(content="")
_EMPTY_GENERATION = ChatGeneration(message=_EMPTY_MESSAGE)

_NORMALIZED_FINISH_REASONS = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_call",
    "content_filter": "content_filter",
}
_PRICED_TIERS = frozenset({"priority"})
"""Service tiers whose tokens have prices of their own."""


def to_result(
    response: ChatResponse, request: ChatRequest, *, with_headers: bool, with_cost: bool = False
) -> ChatResult:
    """Convert a response to a result with one generation for each choice.

    Args:
        response: The response.
        request: The request that it belongs to.
        with_headers: Add xAI's headers to ``response_metadata``.
        with_cost: Add the cost to ``usage_metadata``.
    """
    usage = response.usage
    llm_output = {
        "model_name": response.model,
        "token_usage": {} if usage is None else usage.to_token_usage(),
    }
    return ChatResult(
        generations=[
            _EMPTY_GENERATION.model_copy(
                update={
                    "text": choice.text,
                    "message": _to_message(
                        response,
                        choice,
                        usage if i == 0 else None,
                        request,
                        # Stores of messages keep one message of an id.
                        message_id=f"{response.id}-{i}" if response.id and i else response.id,
                        with_headers=with_headers,
                        with_cost=with_cost,
                    ),
                    "generation_info": {"finish_reason": choice.finish_reason},
                }
            )
            for i, choice in enumerate(response.choices)
        ],
        llm_output=llm_output,
    )


def _to_message(
    response: ChatResponse,
    choice: Choice,
    usage: Usage | None,
    request: ChatRequest,
    *,
    message_id: str,
    with_headers: bool,
    with_cost: bool,
) -> AIMessage:
    tool_calls, invalid_tool_calls = _to_tool_calls(choice)
    additional_kwargs = {
        **build_citations(response.citations),
        **build_items(choice.items, choice.dialect),
    }
    if blocks := list(build_output_blocks(choice.parts)):
        additional_kwargs[OUTPUT_BLOCKS] = blocks
    if choice.reasoning:
        additional_kwargs["reasoning_content"] = choice.reasoning
    if choice.refusal:
        additional_kwargs["refusal"] = choice.refusal
    metadata = {
        **response.extra,
        **build_response_metadata(response),
        **build_usage_metadata(usage),
        **stored_metadata(describe_stored(request, response.id, choice.dialect, choice.items)),
        **build_finish_metadata(choice.finish_reason, has_refusal=bool(choice.refusal)),
        "model_provider": MODEL_PROVIDER,
    }
    if choice.logprobs:
        metadata["logprobs"] = {"content": list(choice.logprobs)}
    if with_headers:
        metadata["headers"] = dict(response.headers)
    fields: dict[str, Any] = {
        "content": choice.text,
        "additional_kwargs": additional_kwargs,
        "response_metadata": metadata,
        "tool_calls": tool_calls,
        "invalid_tool_calls": invalid_tool_calls,
        "usage_metadata": to_usage(usage, response.service_tier, with_cost=with_cost),
        "id": message_id or None,
    }
    if tool_calls or invalid_tool_calls:
        return AIMessage(**fields)
    return _EMPTY_MESSAGE.model_copy(update=fields)


def _to_tool_calls(choice: Choice) -> tuple[list[ToolCall], list[InvalidToolCall]]:
    valid, invalid = [], []
    for call, arguments, error in parse_tool_calls(choice.tool_calls, choice.finish_reason):
        if arguments is not None:
            valid.append(tool_call(name=call.name, args=arguments, id=call.id))
        else:
            invalid.append(
                invalid_tool_call(name=call.name, args=call.arguments, id=call.id, error=error)
            )
    return valid, invalid


# --- shared with streams ------------------------------------------------------------------------


def build_output_blocks(parts: Iterable[Part], position: int = 0) -> Iterator[Block]:
    """Yield the blocks of generated images and server-side tool calls; none for other parts.

    Args:
        parts: Parts of a response.
        position: Position of the first block among those of its message. Without it LangChain would
            merge two images in a row.
    """
    for part in parts:
        match part:
            case ImagePart():
                blocks = [_image_block(part)]
            case ServerToolPart():
                blocks = _server_tool_blocks(part)
            case _:
                continue
        for block in blocks:
            yield {**block, "position": position}
            position += 1


def _image_block(image: ImagePart) -> Block:
    url = image.url or ""
    data_url = split_data_url(url)
    if data_url is None:
        return {"type": "image", "url": url}
    mime_type, data = data_url
    return {"type": "image", "base64": data, "mime_type": mime_type}


def _server_tool_blocks(tool: ServerToolPart) -> list[Block]:
    name = tool.name or tool.kind.removesuffix("_call")
    extras = {"kind": tool.kind, **({"status": tool.status} if tool.status else {})}
    call = {
        "type": "server_tool_call",
        "id": tool.id,
        "name": name,
        "args": _parse_server_tool_arguments(tool.arguments, name),
        "extras": extras,
    }
    result = {
        "type": "server_tool_result",
        "tool_call_id": tool.id,
        "status": "error" if tool.failed else "success",
        **({} if tool.result is None else {"output": tool.result}),
        "extras": extras,
    }
    return [call, result]


def _parse_server_tool_arguments(arguments: str, name: str) -> Block:
    """Parse arguments, which xAI sends as JSON for some tools and as plain text for most."""
    try:
        parsed = json.loads(arguments) if arguments else {}
    except json.JSONDecodeError:
        parsed = None
    if isinstance(parsed, dict):
        return parsed
    return {"query" if "search" in name else "input": arguments}


def build_citations(citations: Sequence[Citation]) -> dict[str, Any]:
    """Build the part of ``additional_kwargs`` with the citations."""
    additional_kwargs: dict[str, Any] = {}
    if citations:
        additional_kwargs["citations"] = [citation.url for citation in citations]
    if any(citation.title or citation.start is not None for citation in citations):
        additional_kwargs["annotations"] = [_citation_block(citation) for citation in citations]
    return additional_kwargs


def build_items(items: Sequence[Mapping[str, Any]], dialect: str) -> dict[str, Any]:
    """Build the part of ``additional_kwargs`` with xAI's output items, to send back unchanged."""
    return {ITEMS: {dialect: list(items)}} if dialect else {}


def _citation_block(citation: Citation) -> Block:
    fields = {
        "title": citation.title,
        "start_index": citation.start,
        "end_index": citation.end,
    }
    fields = {name: value for name, value in fields.items() if value is not None}
    return {"type": "citation", "url": citation.url, **fields}


def get_items(
    additional_kwargs: Mapping[str, Any],
) -> tuple[tuple[Mapping[str, Any], ...], str]:
    """Return the output items and their dialect, or empty values if they are missing or invalid."""
    match additional_kwargs.get(ITEMS):
        case Mapping() as by_dialect if len(by_dialect) == 1:
            ((dialect, items),) = by_dialect.items()
            if isinstance(items, list) and all(isinstance(item, Mapping) for item in items):
                return tuple(items), str(dialect)
    return (), ""


def stored_metadata(stored: StoredResponse | None) -> dict[str, Any]:
    """Return metadata that describes a stored response; see ``get_stored``."""
    if stored is None:
        return {}
    digest = {"conversation_digest": stored.conversation} if stored.conversation else {}
    return {"response_id": stored.id, **digest}


def get_stored(response_metadata: Mapping[str, Any]) -> StoredResponse | None:
    """Return the stored response of a message; None if there is none."""
    match response_metadata:
        case {"response_id": str(response_id), "conversation_digest": str(digest)}:
            return StoredResponse(response_id, digest)
        case _:
            return None


def build_response_metadata(response: "ChatResponse | ResponseStarted") -> dict[str, Any]:
    """Build the part of ``response_metadata`` that is known at the start of a response."""
    metadata = {
        "model_name": response.model,
        "created": response.created,
        "system_fingerprint": response.system_fingerprint,
        "service_tier": response.service_tier,
    }
    return {name: value for name, value in metadata.items() if value}


def build_usage_metadata(usage: Usage | None) -> dict[str, Any]:
    """Build the part of ``response_metadata`` with the usage and the cost in US dollars.

    They belong to the call, so only the first of ``n`` messages has them.
    """
    if usage is None:
        return {}
    cost = {} if usage.cost_usd is None else {"cost_usd": usage.cost_usd}
    return {"token_usage": usage.to_token_usage(), **cost}


def build_finish_metadata(finish_reason: str | None, *, has_refusal: bool) -> dict[str, Any]:
    """Build the part of ``response_metadata`` that says why the message ended.

    ``normalized_finish_reason`` has the values that LangChain uses for all providers.

    Args:
        finish_reason: The finish reason, with OpenAI's values; None if there is none.
        has_refusal: The message has a refusal.
    """
    if finish_reason is None:
        return {}
    normalized = "refusal" if has_refusal else _NORMALIZED_FINISH_REASONS.get(finish_reason)
    reasons = {"finish_reason": finish_reason, "normalized_finish_reason": normalized}
    return {name: reason for name, reason in reasons.items() if reason is not None}


def to_usage(
    usage: Usage | None, service_tier: str | None = None, *, with_cost: bool = False
) -> UsageMetadata | None:
    """Convert token usage, with the details that the API reports.

    The details of the priority tier have the names of langchain-openai (``priority``,
    ``priority_cache_read``, ``priority_reasoning``), by which LangSmith finds their prices.

    Args:
        usage: The usage.
        service_tier: The service tier that was used.
        with_cost: Add ``total_cost``, in US dollars, which LangSmith reads. Not in chunks, which
            LangChain cannot merge then.
    """
    if usage is None:
        return None
    metadata = UsageMetadata(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        total_tokens=usage.total_tokens,
    )
    input_details = _usage_details(
        service_tier, usage.input_tokens, cache_read=usage.cached_input_tokens
    )
    if input_details:
        metadata["input_token_details"] = cast("InputTokenDetails", input_details)
    output_details = _usage_details(
        service_tier, usage.output_tokens, reasoning=usage.reasoning_tokens
    )
    if output_details:
        metadata["output_token_details"] = cast("OutputTokenDetails", output_details)
    if with_cost and usage.cost_usd is not None:
        # The key is LangSmith's; LangChain's type does not have it.
        metadata["total_cost"] = usage.cost_usd  # type: ignore[typeddict-unknown-key]
    return metadata


def _usage_details(tier: str | None, tokens: int, **details: int | None) -> dict[str, int]:
    """Name details by their tier, and add the tokens that are in none of them."""
    known = {name: count for name, count in details.items() if count is not None}
    if tier not in _PRICED_TIERS:
        return known
    rest = tokens - sum(known.values())
    return {tier: rest, **{f"{tier}_{name}": count for name, count in known.items()}}


# --- results of several prompts -----------------------------------------------------------------


def sum_token_usage(outputs: Sequence[Mapping[str, Any] | None]) -> dict[str, Any]:
    """Combine ``llm_output`` of several results: the first model, and the sum of the usage.

    Example:
        >>> output = {"model_name": "grok-4.7", "token_usage": {"total_tokens": 2}}
        >>> sum_token_usage([output, None, output])
        {'model_name': 'grok-4.7', 'token_usage': {'total_tokens': 4}}
    """
    present = [output for output in outputs if output]
    usages = [output["token_usage"] for output in present if output.get("token_usage")]
    combined: dict[str, Any] = {"model_name": present[0].get("model_name", "")} if present else {}
    return {**combined, "token_usage": reduce(_add_usage, usages)} if usages else combined


def _add_usage(left: Any, right: Any) -> Any:
    """Add numbers, and dicts key by key; of other values the first one that is not None wins."""
    match left, right:
        case Mapping(), Mapping():
            shared = {key: _add_usage(left[key], right[key]) for key in left.keys() & right.keys()}
            return {**left, **right, **shared}
        case ((int() | float()), (int() | float())):
            return left + right
        case _:
            return right if left is None else left
