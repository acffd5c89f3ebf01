"""Our messages as LangChain's standard content blocks; registered with langchain-core on import.

LangChain asks for it whenever ``content_blocks`` of a message from this package is read, and for
every chunk when ``output_version="v1"``.
"""

from collections.abc import Iterator
from typing import Any

from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.messages.block_translators import register_translator

from langchain_xai_lowcode._replies import MODEL_PROVIDER

Block = dict[str, Any]


def translate_message(message: AIMessage) -> list[Any]:
    """The blocks of a whole message."""
    return [*_said(message), *_calls(message)]


def translate_chunk(message: AIMessageChunk) -> list[Any]:
    """The blocks of a piece of a message, or of pieces put together."""
    if message.tool_call_chunks and message.chunk_position != "last":
        return [*_said(message), *_call_chunks(message)]
    return translate_message(message)


def _said(message: AIMessage) -> Iterator[Block]:
    if reasoning := message.additional_kwargs.get("reasoning_content"):
        yield {"type": "reasoning", "reasoning": reasoning}
    if isinstance(message.content, list):
        yield from (
            {"type": "text", "text": block} if isinstance(block, str) else block
            for block in message.content
        )
        return
    citations = [
        {"type": "citation", "url": url} for url in message.additional_kwargs.get("citations", ())
    ]
    if message.content or citations:
        annotations = {"annotations": citations} if citations else {}
        yield {"type": "text", "text": message.content, **annotations}
    if refusal := message.additional_kwargs.get("refusal"):
        yield {"type": "refusal", "refusal": refusal}


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
