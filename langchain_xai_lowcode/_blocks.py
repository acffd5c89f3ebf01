"""What a model made and cited beside its text, as LangChain's standard content blocks, and back."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from xai_lowcode import codec
from xai_lowcode.conversation import ImagePart, Part, ServerToolPart
from xai_lowcode.data_urls import split_data_url
from xai_lowcode.reply import Citation

Block = dict[str, Any]

MODEL_PROVIDER = "xai-lowcode"
"""Whose messages these are; LangChain finds the translator by it."""

ITEMS = "xai_items"
"""Member of ``additional_kwargs``: what xAI answered, verbatim, in a list below its wire form.

The form is a key and no value, since LangChain joins texts when it joins messages.
"""

# LangChain joins blocks of one index, whatever stands between them.
TEXT_INDEX, REASONING_INDEX, REFUSAL_INDEX = "lc_txt_0", "lc_rs_0", "lc_rf_0"


def made_blocks(part: Part) -> Iterator[Block]:
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
        arguments = codec.load(written) if written else {}
    except codec.JSONDecodeError:
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


def items_of(kept: Mapping[str, Any]) -> tuple[tuple[Mapping[str, Any], ...], str]:
    """What xAI answered and its wire form, from ``additional_kwargs``; nothing if unclear."""
    forms = kept.get(ITEMS)
    if forms is None:
        return (), ""
    if not isinstance(forms, Mapping) or len(forms) != 1:
        return (), ""
    form, items = next(iter(forms.items()))
    if not isinstance(items, list) or not all(isinstance(item, Mapping) for item in items):
        return (), ""
    return tuple(items), str(form)
