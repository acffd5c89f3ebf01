"""Our messages as LangChain's standard content blocks; registered with langchain-core on import.

LangChain asks for it whenever ``content_blocks`` of a message from this package is read, and for
every chunk when ``output_version="v1"``.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.messages.block_translators import register_translator

from langchain_xai_lowcode._output import (
    MODEL_PROVIDER,
    REASONING_INDEX,
    REFUSAL_INDEX,
    TEXT_INDEX,
    Block,
)

_INDICES = {"text": TEXT_INDEX, "reasoning": REASONING_INDEX, "refusal": REFUSAL_INDEX}


def translate_message(message: AIMessage) -> list[Any]:
    """The blocks of a whole message."""
    return [*_said(message), *_calls(message)]


def translate_chunk(message: AIMessageChunk) -> list[Any]:
    """The blocks of a piece of a message, or of pieces put together."""
    said = [_numbered(block) for block in _said(message)]
    if message.tool_call_chunks and message.chunk_position != "last":
        return [*said, *_call_chunks(message)]
    return [*said, *_calls(message)]


def _said(message: AIMessage) -> Iterator[Block]:
    """Reasoning, what was made, the text with its sources, a refusal: always in this order."""
    more = message.additional_kwargs
    if reasoning := more.get("reasoning_content"):
        yield {"type": "reasoning", "reasoning": reasoning}
    blocks = _content(message)
    if sources := _annotations(more):
        blocks = _with_sources(blocks, sources)
    yield from blocks
    if refusal := more.get("refusal"):
        yield {"type": "refusal", "refusal": refusal}


def _content(message: AIMessage) -> list[Block]:
    content = message.content
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content else []
    return [
        {"type": "text", "text": block} if isinstance(block, str) else block
        for block in content
        if block
    ]


def _with_sources(blocks: list[Block], sources: list[Block]) -> list[Block]:
    """The blocks with sources on their text, which may be empty in a piece of a stream."""
    texts = [i for i, block in enumerate(blocks) if block.get("type") == "text"]
    if not texts:
        return [*blocks, {"type": "text", "text": "", "annotations": sources}]
    at = texts[-1]
    return [*blocks[:at], {**blocks[at], "annotations": sources}, *blocks[at + 1 :]]


def _annotations(more: Mapping[str, Any]) -> list[Block]:
    """Sources with their places where xAI tells them, else their addresses."""
    placed = more.get("annotations")
    return placed or [{"type": "citation", "url": url} for url in more.get("citations", ())]


def _numbered(block: Block) -> Block:
    """A block that LangChain joins with its other pieces, whatever comes between them."""
    index = _INDICES.get(block["type"])
    return block if index is None or "index" in block else {**block, "index": index}


def _calls(message: AIMessage) -> Iterator[Block]:
    for call in message.tool_calls:
        yield {"type": "tool_call", **{key: call[key] for key in ("id", "name", "args")}}
    for broken in message.invalid_tool_calls:
        yield {**broken, "type": "invalid_tool_call"}


def _call_chunks(message: AIMessageChunk) -> Iterator[Block]:
    for chunk in message.tool_call_chunks:
        block = {key: chunk[key] for key in ("id", "name", "args")}
        # Blocks are merged by index across all types, so the call's own number is not enough.
        yield {"type": "tool_call_chunk", **block, "index": f"lc_tc_{chunk['index']}"}


register_translator(MODEL_PROVIDER, translate_message, translate_chunk)
