"""Block translator of this package's messages, registered with langchain-core on import.

LangChain calls it when ``content_blocks`` of a message is read, and for each chunk if
``output_version="v1"``.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.messages.block_translators import register_translator

from langchain_xai_lowcode._output import (
    OUTPUT_BLOCKS,
    REASONING_INDEX,
    REFUSAL_INDEX,
    TEXT_INDEX,
    Block,
)
from xai_lowcode.types.messages import MODEL_PROVIDER

_INDICES = {"text": TEXT_INDEX, "reasoning": REASONING_INDEX, "refusal": REFUSAL_INDEX}


def translate_message(message: AIMessage) -> list[Any]:
    """Return the content blocks of a message."""
    return [*_content_blocks(message), *_tool_call_blocks(message)]


def translate_chunk(message: AIMessageChunk) -> list[Any]:
    """Return the content blocks of a chunk, or of a sum of chunks."""
    if message.chunk_position == "last":
        return translate_message(message)
    blocks = [with_index(block) for block in _content_blocks(message, keep_position=True)]
    if message.tool_call_chunks:
        return [*blocks, *_tool_call_chunk_blocks(message)]
    return [*blocks, *_tool_call_blocks(message)]


def _content_blocks(message: AIMessage, *, keep_position: bool = False) -> Iterator[Block]:
    """Yield reasoning, server-side tool calls and images, text with citations, and the refusal."""
    additional_kwargs = message.additional_kwargs
    if reasoning := additional_kwargs.get("reasoning_content"):
        yield {"type": "reasoning", "reasoning": reasoning}
    for block in additional_kwargs.get(OUTPUT_BLOCKS, ()):
        yield block if keep_position else _without_position(block)
    blocks = _to_blocks(message.content)
    if annotations := get_annotations(additional_kwargs):
        blocks = _with_annotations(blocks, annotations)
    yield from blocks
    if refusal := additional_kwargs.get("refusal"):
        yield {"type": "refusal", "refusal": refusal}


def _to_blocks(content: str | list[str | Block]) -> list[Block]:
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content else []
    return [
        {"type": "text", "text": block} if isinstance(block, str) else block
        for block in content
        if block
    ]


def _with_annotations(blocks: list[Block], annotations: list[Block]) -> list[Block]:
    """Add annotations to the last text block, or to an empty one, as in a chunk of a stream."""
    text_indices = [i for i, block in enumerate(blocks) if block.get("type") == "text"]
    if not text_indices:
        return [*blocks, {"type": "text", "text": "", "annotations": annotations}]
    i = text_indices[-1]
    return [*blocks[:i], {**blocks[i], "annotations": annotations}, *blocks[i + 1 :]]


def get_annotations(additional_kwargs: Mapping[str, Any]) -> list[Block]:
    """Return citations with their positions if xAI reports them, else with URLs only."""
    urls = additional_kwargs.get("citations", ())
    annotations = additional_kwargs.get("annotations")
    return annotations or [{"type": "citation", "url": url} for url in urls]


def with_index(block: Block) -> Block:
    """Add the index by which LangChain merges blocks of several chunks."""
    if (position := block.get("position")) is not None:
        return {**_without_position(block), "index": f"lc_out_{position}"}
    index = _INDICES.get(block["type"])
    return block if index is None or "index" in block else {**block, "index": index}


def _without_position(block: Block) -> Block:
    return {key: value for key, value in block.items() if key != "position"}


def _tool_call_blocks(message: AIMessage) -> Iterator[Block]:
    for call in message.tool_calls:
        yield {"type": "tool_call", **{key: call[key] for key in ("id", "name", "args")}}
    for invalid in message.invalid_tool_calls:
        yield {**invalid, "type": "invalid_tool_call"}


def _tool_call_chunk_blocks(message: AIMessageChunk) -> Iterator[Block]:
    for chunk in message.tool_call_chunks:
        block = {key: chunk[key] for key in ("id", "name", "args")}
        # LangChain merges blocks of all types by index, so the index of the call is not enough.
        yield {"type": "tool_call_chunk", **block, "index": f"lc_tc_{chunk['index']}"}


register_translator(MODEL_PROVIDER, translate_message, translate_chunk)
