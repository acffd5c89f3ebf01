"""Our replies as LangChain's messages.

The same in pieces is in ``_chunks``, the way there in ``_messages``.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import reduce
from typing import Any

from langchain_core.messages import AIMessage, InvalidToolCall, ToolCall
from langchain_core.messages.ai import InputTokenDetails, OutputTokenDetails, UsageMetadata
from langchain_core.messages.tool import invalid_tool_call, tool_call
from langchain_core.outputs import ChatGeneration, ChatResult

from xai_lowcode._internal import json
from xai_lowcode._internal.data_urls import split_data_url
from xai_lowcode.types.events import ResponseStarted
from xai_lowcode.types.messages import ImagePart, Part, ServerToolPart, ToolCallPart
from xai_lowcode.types.responses import ChatResponse, Choice, Citation, Usage

Block = dict[str, Any]

MODEL_PROVIDER = "xai-lowcode"
"""Whose messages these are; LangChain finds the translator by it."""

ITEMS = "xai_items"
"""Member of ``additional_kwargs``: what xAI answered, verbatim, in a list below its wire form.

The form is a key and no value, since LangChain joins texts when it joins messages.
"""

# LangChain joins blocks of one index, whatever stands between them.
TEXT_INDEX, REASONING_INDEX, REFUSAL_INDEX = "lc_txt_0", "lc_rs_0", "lc_rf_0"


def server_side_blocks(part: Part) -> Iterator[Block]:
    """A picture, or a tool that xAI ran: its call and what came of it; nothing for other parts."""
    match part:
        case ImagePart():
            yield _image_block(part)
        case ServerToolPart():
            yield from _server_tool_blocks(part)


def _image_block(image: ImagePart) -> Block:
    url = image.url or ""
    inside = split_data_url(url)
    if inside is None:
        return {"type": "image", "url": url}
    mime_type, data = inside
    return {"type": "image", "base64": data, "mime_type": mime_type}


def _server_tool_blocks(tool: ServerToolPart) -> Iterator[Block]:
    name = tool.name or tool.kind.removesuffix("_call")
    extras = {"extras": {"kind": tool.kind}}
    yield {
        "type": "server_tool_call",
        "id": tool.id,
        "name": name,
        "args": _arguments(tool.arguments, name),
        **extras,
    }
    told = {} if tool.result is None else {"output": tool.result}
    status = "error" if tool.failed else "success"
    yield {
        "type": "server_tool_result",
        "tool_call_id": tool.id,
        "status": status,
        **told,
        **extras,
    }


def _arguments(written: str, name: str) -> Block:
    """What a tool was asked, which xAI writes as JSON for some tools and as plain text for most."""
    try:
        arguments = json.loads(written) if written else {}
    except json.JSONDecodeError:
        arguments = None
    if isinstance(arguments, dict):
        return arguments
    return {"query" if "search" in name else "input": written}


def citation_blocks(citations: Sequence[Citation]) -> list[Block]:
    """Sources as annotations; the places are those of their marks in the text."""
    return [_citation_block(citation) for citation in citations]


def _citation_block(citation: Citation) -> Block:
    facts = {
        "title": citation.title,
        "start_index": citation.start,
        "end_index": citation.end,
    }
    known = {name: fact for name, fact in facts.items() if fact is not None}
    return {"type": "citation", "url": citation.url, **known}


def get_items(
    build_additional_kwargs: Mapping[str, Any],
) -> tuple[tuple[Mapping[str, Any], ...], str]:
    """What xAI answered and its wire form, from ``additional_kwargs``; nothing if unclear."""
    forms = build_additional_kwargs.get(ITEMS)
    if forms is None:
        return (), ""
    if not isinstance(forms, Mapping) or len(forms) != 1:
        return (), ""
    form, items = next(iter(forms.items()))
    if not isinstance(items, list) or not all(isinstance(item, Mapping) for item in items):
        return (), ""
    return tuple(items), str(form)


def to_result(reply: ChatResponse, *, stored: bool, with_headers: bool) -> ChatResult:
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
    reply: ChatResponse, choice: Choice, usage: UsageMetadata | None, *, stored: bool, told: bool
) -> AIMessage:
    calls, broken = _to_calls(choice.tool_calls)
    more = build_additional_kwargs(reply.citations, choice.items, choice.dialect)
    if choice.reasoning:
        more["reasoning_content"] = choice.reasoning
    if choice.refusal:
        more["refusal"] = choice.refusal
    metadata = {
        **build_response_metadata(reply),
        **(stored_response_id(reply.id, choice.dialect) if stored else {}),
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
        block for part in choice.parts for block in server_side_blocks(part)
    ]
    if not made:
        return choice.text
    return [*made, {"type": "text", "text": choice.text}] if choice.text else made


def build_additional_kwargs(
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


def stored_response_id(identifier: str, form: str) -> dict[str, Any]:
    """The id under which xAI keeps an answer that it was allowed to keep: responses alone are."""
    return {"response_id": identifier} if form == "responses" and identifier else {}


def build_response_metadata(reply: ChatResponse | ResponseStarted) -> dict[str, Any]:
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
            arguments = json.loads(call.arguments or "{}")
        except json.JSONDecodeError as error:
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


def sum_token_usage(outputs: Sequence[Mapping[str, Any] | None]) -> dict[str, Any]:
    """The ``llm_output`` of several results: their model, and their usage summed up.

    Example:
        >>> one = {"model_name": "grok-4.7", "token_usage": {"total_tokens": 2}}
        >>> totals([one, None, one])
        {'model_name': 'grok-4.7', 'token_usage': {'total_tokens': 4}}
    """
    told = [output for output in outputs if output]
    usages = [output["token_usage"] for output in told if output.get("token_usage")]
    combined: dict[str, Any] = {"model_name": told[0].get("model_name", "")} if told else {}
    return {**combined, "token_usage": reduce(_add, usages)} if usages else combined


def _add(one: Any, other: Any) -> Any:
    """Numbers are added, details member by member; what is neither stays as it was first told."""
    match one, other:
        case Mapping(), Mapping():
            both = {name: _add(one[name], other[name]) for name in one.keys() & other.keys()}
            return {**one, **other, **both}
        case ((int() | float()), (int() | float())):
            return one + other
        case _:
            return other if one is None else one
